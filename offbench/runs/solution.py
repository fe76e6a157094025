"""What a run found, as users get it: the facts, and their shapes for people."""

import builtins
import sys

from offbench.runs.solution_facts import SolutionFacts


class Summary(str):
    """A text that shows as itself in a shell, and as HTML in a notebook."""

    __slots__ = ("_html",)
    _html: str

    def __new__(cls, text: str, html: str) -> "Summary":
        """Make one of a text and of the same as HTML."""
        made = super().__new__(cls, text)
        made._html = html
        return made

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self._html


class Solution(SolutionFacts):
    """The outcome of one run."""

    def summary(self) -> Summary:
        """Return the result as a text for people: what it means, the numbers, where the layers went.

        In a script it is printed, too; a shell and a notebook show what is returned.
        """
        from offbench.runs.summary import as_text

        made = Summary(as_text(self), self._repr_html_())
        if not _shows_values():
            print(made)
        return made

    def _repr_html_(self) -> str:
        from offbench.runs.summary import as_html

        return as_html(self)


def _shows_values() -> bool:
    """Tell whether a value that is left over is shown: in a shell or a notebook."""
    return hasattr(sys, "ps1") or hasattr(builtins, "get_ipython")
