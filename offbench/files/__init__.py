"""Files: JSON with errors that name the place, and writing that is whole or not at all."""
