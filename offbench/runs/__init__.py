"""From an instance and a solver to a solution: one run, two steps, a front, better references."""
