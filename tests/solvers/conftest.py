"""Torch on one thread, as solvers use it: more would wait for each other."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
