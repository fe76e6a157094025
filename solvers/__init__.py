"""The solvers: one file, or folder, for each idea. Listed by `offbench.search.registry.catalogue`."""
