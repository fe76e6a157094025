"""What several studies share, and tests use too: made instances, brute force, runs in processes of their own."""
