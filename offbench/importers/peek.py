"""The beginning of a file, by which an importer recognises its own."""

from pathlib import Path


def beginning(path: Path, characters: int = 4000) -> str:
    """Return the first characters of a text file; nothing of what is no file, or can't be read."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(characters).decode("utf-8-sig", errors="replace")
    except OSError:
        return ""
