"""The error, and the warning, whose message is meant for the user."""


class OffbenchError(Exception):
    """A user's mistake, told in one line: which file, which place in it, which rule.

    The command line prints the message alone and exits with code 2; in Python it is an ordinary
    exception.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.splitlines()))  # names in files may have line breaks


class InvalidPlacement(OffbenchError):  # noqa: N818 - what it is about, as `Infeasible`
    """A placement with a server that isn't allowed, or with an order that isn't one.

    Where a solver proposes it, that is the solver's fault; an `OffbenchError` of its own says that it isn't for a
    problem.
    """


class OffbenchWarning(UserWarning):
    """Something that works, but perhaps not as the user thinks; the command line prints it in one line."""


def one_of(what: str, given: str, known: list[str]) -> OffbenchError:
    """Return the error of a word that is none of those known."""
    return OffbenchError(f"{what}: must be one of {', '.join(known)}, not '{given}'{nearest(given, known)}")


def nearest(word: str, known: list[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the known name closest to *word*, or an empty string."""
    import difflib

    bare = {each.lstrip("-"): each for each in known}  # the dashes of options make no two of them alike
    close = difflib.get_close_matches(word.lstrip("-"), list(bare), n=1)
    return f" (did you mean '{bare[close[0]]}'?)" if close else ""
