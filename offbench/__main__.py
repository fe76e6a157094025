"""``python -m offbench``."""

import os
import sys

# `-m` looks for modules in the current folder first, and would run a json.py that lies there; `offbench` alone doesn't.
_HOME = os.path.realpath(f"{__file__}/../..")
if not sys.flags.safe_path and sys.path and os.path.realpath(sys.path[0]) == os.path.realpath(os.curdir) != _HOME:
    del sys.path[0]

from offbench.cli import main  # noqa: E402

main()
