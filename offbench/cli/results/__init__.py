"""What a folder of results says: `offbench table`, `status` and `export`."""
