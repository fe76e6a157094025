"""``python -m offbench``."""

from offbench.cli import main

main()
