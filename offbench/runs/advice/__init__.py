"""What to do, how sure it is, and up to where it holds."""
