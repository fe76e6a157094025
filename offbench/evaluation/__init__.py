"""What a placement amounts to, and how far it is from the best: the one evaluator."""
