"""How long a trial may take, and how much it may do."""

EVALUATIONS = 50
"""on small instances"""
TIME_LIMIT_S = 5.0
"""on small instances, of those solvers that need no evaluations; nearly all are done in a tenth of it"""
GRACE_S = 5.0
"""what a run may take beyond its time limit, for busy machines; after twice as long its process is ended"""
REPEATED_EVALUATIONS = 4_000
"""of the runs that are to be the same"""
REPEATED_S = 1.0
"""how long one such run goes to see how many evaluations that is; the runs themselves have half as many"""
REPEATED_AT_MOST_S = 5.0
"""after which a run that has used up no evaluations is one that goes by the clock"""
LARGE_TIME_LIMIT_S = 1.0
"""with very many subtasks"""
CTRL_C_TIME_LIMIT_S = 10.0
"""of the run that Ctrl-C is to end"""
PRESS_AFTER_S = 0.3
"""from a run's start to Ctrl-C"""
PRESS_AGAIN_S = 4.0
"""after which it is pressed again, as Python loses what comes while it destroys an object"""
IMPORT_S = 60.0
"""for a solver's import, and to compile what it compiles once"""
START_S = 300.0
"""until a new process has loaded the evaluator, or compiled it"""
FIRST_RUN_S = 30.0
"""for a solver's first run in a process, which may load libraries"""
END_S = 15.0
"""until a process ends that was told to, with all its threads"""
FOLLOW_S = 3.0
"""until what it started has ended too"""
GIVE_UP = 2
"""trials that had to be ended, after which no more are made"""
MEMORY_SHARE = 0.5
"""of the memory that is free when the checks begin"""


def hard_s(time_limit: float | None) -> float:
    """Return when a trial is ended from outside, in seconds after it began."""
    return REPEATED_AT_MOST_S if time_limit is None else time_limit + 2 * GRACE_S
