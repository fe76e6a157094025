"""How Sphinx builds the manual: `make docs`."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]
# Compiled functions show as what they are written as, with signature and docstring, and nothing is compiled.
os.environ["NUMBA_DISABLE_JIT"] = "1"

from offbench.versions import own_version  # noqa: E402

project = "offbench"
author = "The offbench team"
copyright = "2026, the offbench team"
release = version = own_version()

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "offbench_pages",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["attrs_block", "colon_fence"]
myst_heading_anchors = 3

highlight_language = "text"  # commands are typed, and not in Python
default_role = "py:obj"  # `Search` in a docstring leads to the class where there is one, and is code where not
nitpicky = True
# Libraries have manuals of their own, and a word in backquotes need not be a name.
nitpick_ignore_regex = [
    ("py:obj", r".*"),
    ("py:.*", r"(?!offbench\.).*|offbench\.(files\.json\.Model|bench\.(damage\.Content|answer\._with_violation))"),
    ("py:.*", r"offbench\.catalogue\.(figure\.(Annotated|~.*)|entries\._above_zero)"),
]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_google_docstring = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"offbench {release}"
html_static_path = ["_static"]
html_css_files = ["offbench.css"]
