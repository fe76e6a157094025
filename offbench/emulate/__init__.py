"""A placement cut into parts of the real network, run on processes with shaped links, and held against the model."""
