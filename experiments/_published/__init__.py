"""What the study `published.py` holds against: papers' cases, their rules and their figures."""
