"""Lower bounds on the objective of every placement and order of a problem, and where they come from.

Each relaxation leaves something out of the problem that can only make placements dearer, and is
solved exactly. One file an idea; the argument for its validity is its docstring.
"""

from offbench.bounds.area import area_bounds
from offbench.bounds.catalogue import RELAXATIONS
from offbench.bounds.frontier import Program
from offbench.bounds.label_setting import Guide, sweep
from offbench.bounds.lagrangian import Split
from offbench.bounds.memory_stretches import stretch_bounds
from offbench.bounds.path_flows import flows
from offbench.bounds.relaxation import Bounds, Relaxation, RelaxationResult, tightest
from offbench.bounds.state_space import Group, Window, alone, widest
from offbench.bounds.subtask_costs import Flow, SubtaskCosts
from offbench.bounds.warm_up import warm_up
from offbench.evaluation.infeasibility import why_infeasible
from offbench.evaluation.tightening import tightened

__all__ = [
    "RELAXATIONS",
    "Bounds",
    "Flow",
    "Group",
    "Guide",
    "Program",
    "Relaxation",
    "RelaxationResult",
    "Split",
    "SubtaskCosts",
    "Window",
    "alone",
    "area_bounds",
    "flows",
    "stretch_bounds",
    "sweep",
    "tightened",
    "tightest",
    "warm_up",
    "why_infeasible",
    "widest",
]  # fmt: skip
