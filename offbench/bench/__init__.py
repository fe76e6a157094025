"""The benchmark: suites of runs, a store that survives, tables of gaps, statistics.

``suite`` says what is to be run, ``plan`` makes jobs of it, ``process`` runs one job in a process of its
own, ``runner`` all of them, ``store`` keeps a row of each. ``frame`` makes a table of a store; everything
after that is a pure function from a table to a table.
"""
