"""Solvers that prove optimality, held against brute force on random tiny instances."""
