"""The studies behind the project's numbers: each file says what it asks, needs, writes, takes and found."""
