"""The command line."""


def main() -> None:
    """Stub."""
