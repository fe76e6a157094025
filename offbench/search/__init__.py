"""What a solver implements and what it is handed; how one is found."""
