"""Solvers that are trained once and solve many instances."""
