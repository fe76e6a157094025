"""Runs whose bound or proof contradicts a feasible placement: left out by name, so that the rest can be read."""

from collections.abc import Mapping
from dataclasses import replace

from offbench.bench.best import REFERENCE, Contradiction, best
from offbench.bench.frame import Results, without
from offbench.evaluation.references import Reference


def set_aside(found: Results, known: Mapping[str, Reference]) -> tuple[Results, dict[str, Reference]]:
    """Leave out, one after the other, what claims something that a feasible placement refutes.

    The one evaluator has scored every placement, so it is the bound, or the proof that none is feasible, that is
    wrong. A solver of which one is wrong may have others; these stay until somebody leaves them out.

    Parameters
    ----------
    found
        A folder's runs.
    known
        References by instance hash.

    Returns
    -------
    tuple
        The runs and the references without them. A note on each that was left out comes first.
    """
    known = dict(known)
    told: list[str] = []
    while True:
        try:
            best(found.table, known)
        except Contradiction as contradiction:
            culprit = contradiction.culprits[0]
            if culprit == REFERENCE:
                del known[contradiction.instance_hash]
                name = f"what {REFERENCE} has of it"
            else:
                run = found.table[found.table["key"] == culprit].iloc[0]
                name = f"this run of {run['solver']}"
                found = replace(without(found, [culprit]), notes=found.notes)
            told.append(f"{contradiction}; {name} is left out, as if by --exclude {culprit}")
        else:
            return replace(found, notes=(*told, *found.notes)), known
