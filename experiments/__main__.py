"""List the studies: ``python -m experiments`` prints the table of ``experiments/README.md``."""

from experiments._shared.study import table

if __name__ == "__main__":
    print("\n".join(table()))
