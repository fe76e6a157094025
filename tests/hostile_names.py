"""Names that somebody might give an instance, a server, a layer or a solver, to harm who looks at the results.

`window.hit` is what a script in them sets, if it ever runs.
"""

NAMES = {
    # what must simply read right
    "readable": "a & b <c>",
    "letters": "Ünïcødé 模型 می‌خواهم 😀",
    "underscore first": "_hidden",
    "underscores": "__init__ snake_case _i_",
    "a number": "10",
    "a date": "2026-01-01",
    "of JavaScript": "__proto__",
    "also of JavaScript": "constructor",
    # pages
    "script": "<script>window.hit=1</script>",
    "begins a comment": "<!--<script>",
    "ends a comment": "--><img src=x onerror=window.hit=1>",
    "ends a script": "</script><svg onload=window.hit=1>",
    "ends a style": "</style></title></select></textarea><h1>x",
    "attribute": "\" onmouseover=\"window.hit=1\" x='`",
    "entities": "&lt;b&gt; &amp;amp; &#60;script&#62; &nbsp",
    "link": '<a href="https://evil.example">free</a>',
    "link to a script": '<a href="javascript:window.hit=1">x</a>',
    "plotly's markup": "<b>bold</b><br><sub>sub</sub><span style='color:red'>red</span>",
    "plotly's templates": "%{x} %{fullData.name}<extra>y</extra>",
    "MathJax": r"\(x\) $$y$$",
    "templates": "{{7*7}} {% raw %} ${7*7} {0} {name} %s %(x)s",
    # terminals
    "CSI": "\x1b[2J\x1b[31mred",
    "OSC 0": "\x1b]0;owned\x07",
    "OSC 8": "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "OSC 52": "\x1b]52;c;cm0gLXJmIH4=\x07",
    "C1": "\x9b2J\x9d0;x\x9c\x90\x85",
    "backspaces": "evil\b\b\b\bgood",
    "CR": "bad\rgood",
    "LF": "first\noffbench: all is well",
    "CR LF": "first\r\nsecond",
    "TAB": "a\tb",
    "VT FF": "a\x0bb\x0cc\x1cd",
    "DEL": "a\x7fb",
    "NUL": "a\x00b",
    "line separators": "a\u2028b\u2029c",
    "bidi": "\u202egnp.exe\u2066x\u200f",
    "zero width": "z\u200bz\ufeff\u2060",
    "tags": "t\U000e0041\U000e007f",
    "rich's markup": "[bold red]x[/] [link=https://evil.example]y[/link] \\[",
    "rich's error": "[/nope]",
    "emoji": ":smile: :+1:",
    # nothing to be seen
    "blank": " ",
    "wide blank": "\u3000",
    "only a joiner": "\u200d",
    # LaTeX, formulas
    "LaTeX": r"\input{/etc/passwd} %$#_{}^~&",
    "LaTeX option": "[2ex] x",
    "LaTeX star": "*[1ex]",
    "LaTeX dashes": "--- `` '' ?` | \"",
    "formula": r"$\frac{x$",
    "several formulas": r"\$ $\frac{x$ $y^2$ \\$",
    "dollars": "US$ 5",
    # Markdown
    "Markdown link": "[x](javascript:alert(1)) ![i](https://evil.example/x.png)",
    "autolinks": "<https://evil.example> https://evil.example www.evil.example",
    "columns": "| a | b | \\|",
    "emphasis": "`code` **bold** *i* ~~gone~~ \\`",
    "heading": "# x",
    "rule": "---",
    "list": "- x",
    "numbers": "1. x",
    "quotation": "> x",
    # spreadsheets
    "formula of a sheet": '=HYPERLINK("https://evil.example","x")',
    "plus": "+1+1",
    "minus": "-2+3+cmd|' /C calc'!A0",
    "at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "tab and a formula": "\t=1+1",
    "quotes": 'a,"b";\'c',
    # files
    "up": "../../up",
    "absolute": "/etc/passwd",
    "parent": "..",
    "hidden": ".hidden",
    "option": "-rf",
    "device": "CON",
    "device with an ending": "nul.txt",
    "slash": "a/b",
    "as without slash": "a-b",
    "in capitals": "A-B",
    "long": "x" * 300,
    "long and wide": "模型" * 150,
    "long with an end": "<b>" + "y" * 300 + "</b>",
}  # fmt: skip


def quoted(name: str) -> str:
    """Write any text in TOML."""
    return '"' + "".join(f"\\U{ord(character):08x}" for character in name) + '"'
