"""Lower bounds on the objective of every placement and order of a problem, and where they come from.

Each relaxation leaves something out of the problem that can only make placements dearer, and is
solved exactly. One file an idea; the argument for its validity is its docstring.
"""

from offbench.bounds.flows import flows
from offbench.bounds.frontier import Program
from offbench.bounds.labels import Guide, sweep
from offbench.bounds.rehearsal import warm_up
from offbench.bounds.relaxation import Bounds, Outcome, Relaxation, tightest
from offbench.bounds.relaxations import RELAXATIONS
from offbench.bounds.splitting import Split
from offbench.bounds.steps import Flow, Steps
from offbench.bounds.windows import Group, Window, alone, widest

__all__ = [
    "RELAXATIONS", "Bounds", "Flow", "Group", "Guide", "Outcome", "Program", "Relaxation", "Split", "Steps", "Window",
    "alone", "flows", "sweep", "tightest", "warm_up", "widest",
]  # fmt: skip
