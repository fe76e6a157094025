"""A rehearsal of the relaxations, so that what numba compiles once on a machine is compiled on no run's clock."""

import numpy as np

from offbench.bounds.frontier import Program
from offbench.bounds.label_setting import Guide, sweep
from offbench.bounds.lagrangian import Split
from offbench.bounds.path_flows import flows
from offbench.bounds.state_space import Window, alone, widest
from offbench.bounds.subtask_costs import SubtaskCosts
from offbench.evaluation.critical_path import earliest_starts_s, least_times_to_go_s
from offbench.evaluation.tightening import least_energies_and_costs
from offbench.model.instance import load
from offbench.model.problem import P1

_STATES = 50


def warm_up() -> None:
    """Load what is compiled here, or compile it if it never ran; for `Solver.warm_up`."""
    import scipy.optimize  # noqa: F401 - takes as long

    problem = P1(load("alexnet"))  # a chain, as `Split` wants
    steps = SubtaskCosts(problem)
    program = Program(problem, [[[step]] for step in steps.under(next(flows(problem)))])
    window = Window(problem.arrays, widest(problem.arrays, _STATES)[0])
    tables = program.to_go(window)
    program.cheapest(window, tables)
    sweep(program, [Guide(window, tables)], lambda: None, np.inf, room=_STATES)
    earliest_starts_s(problem)
    least_times_to_go_s(problem)
    least_energies_and_costs(problem)
    Split(program, alone(problem.arrays, _STATES)).improve(np.inf, lambda: None)
