"""What is given: instances, placements, problems as arrays, modules of a graph, composed instances."""
