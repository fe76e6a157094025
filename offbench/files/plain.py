"""Foreign text made fit to be shown: names, messages and tracebacks come from files, solvers and other people."""

import unicodedata

# Unicode categories: control, half a pair, format (also what turns the direction of writing), ends of lines and
# paragraphs.
_UNSEEN = ("Cc", "Cs", "Cf", "Zl", "Zp")
_JOINERS = "\u200c\u200d\xad"  # in names of many languages, and they move nothing


def plain(text: str, at_most: int | None = None, *, lines: bool = False) -> str:
    r"""Return a text without characters that a terminal or a page obeys: they are written as escapes, ``\x1b``.

    Parameters
    ----------
    text
        Any text, also with surrogates that no encoding can write.
    at_most
        How many characters are kept, half at each end; what is left out is counted.
    lines
        Whether lines stay lines; else each break is a space.
    """
    if at_most is not None and len(text) > at_most:
        first = at_most // 2
        text = f"{text[:first]} [{len(text) - at_most:,} characters left out] {text[len(text) - at_most + first :]}"
    if not lines:
        text = " ".join(text.split("\n"))
    if text.isprintable():  # nearly all are, and this is quick
        return text
    return "".join(_seen(character) if obeyed(character) else character for character in text)


def obeyed(character: str) -> bool:
    """Tell whether a terminal or a page does something else with a character than show it; not of tab and line feed."""
    return character not in "\n\t" and character not in _JOINERS and unicodedata.category(character) in _UNSEEN


def _seen(character: str) -> str:
    return "" if character == "\r" else character.encode("unicode_escape", "backslashreplace").decode("ascii")
