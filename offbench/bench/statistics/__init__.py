"""Statistics: pure functions of a table of runs, each named after what reviewers call it.

A table has the columns *instance*, *solver*, *seed* and the one that is asked about, lower being better. A run
without placement counts as infinitely bad: medians, ranks and interquartile means can bear that, as long as most
runs have one. Runs that weren't made, or that a solver refused, have no number (NaN); a solver that has
no number on some instance is left out of comparisons over instances, and named.
"""
