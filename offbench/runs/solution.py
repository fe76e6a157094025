"""What a run found, as users get it: the facts, and their shapes for people."""

from offbench.runs.solution_facts import SolutionFacts


class Text(str):
    """A text that shows as itself when a notebook or a shell shows its value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Solution(SolutionFacts):
    """The outcome of one run."""

    def summary(self) -> Text:
        """Return the result as a text for people: the numbers beside the client's, where the layers went."""
        from offbench.runs.summary import as_text

        return Text(as_text(self))

    def _repr_html_(self) -> str:
        from offbench.runs.summary import as_html

        return as_html(self)
