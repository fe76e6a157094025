"""What every solver must do, whatever its idea: `offbench check SOLVER`.

A solver may have no placement to offer, if it says why, or if the time was too short. It may not break its budget,
leave `allowed`, claim a bound or an optimum that is none, differ from itself under one seed, break down on a strange
instance, go on when it is to stop, or leave something behind.

``checks`` has them in order, ``trial`` makes a run and holds it against what is true of every run, ``worker`` has the
process that it is made in, ``child`` is that process's side and ``answer`` what it may say; ``instances`` and
``optimum`` are what is known to be true, ``verdict`` what comes out.
"""

from offbench.runs.conformance.checks import checks, conformance, longest_s
from offbench.runs.conformance.verdict import Fault, Finding, Verdict, findings
from offbench.runs.conformance.worker import Crew

__all__ = ["Crew", "Fault", "Finding", "Verdict", "checks", "conformance", "findings", "longest_s"]
