"""The few formulas of the lessons as MathML, which browsers draw without a font or a script from elsewhere.

It knows as much of LaTeX as the lessons use, and refuses the rest by name.
"""

import re
from html import escape, unescape

DISPLAYED = re.compile(r"\$\$(.+?)\$\$", re.S)
TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|\d+(?:\.\d+)?|[a-zA-Z]|\S")
SIGNS = {
    r"\cdot": "·",
    r"\times": "×",
    r"\sum": "∑",
    r"\lceil": "⌈",
    r"\rceil": "⌉",
    r"\lfloor": "⌊",
    r"\rfloor": "⌋",
    r"\le": "≤",
    r"\ge": "≥",
    r"\approx": "≈",
    "-": "−",
}
NAMES = (r"\ln", r"\log", r"\exp", r"\max", r"\min")
BELOW = ("<mo>∑</mo>", "<mi>max</mi>", "<mi>min</mi>")  # what takes its index below it in a displayed formula
BRACED = '<mrow class="braced">'  # style.css draws the brace as a line: not every font has one that can be stretched


def with_mathml(html: str) -> str:
    """The HTML with each ``$$…$$`` in it as a displayed formula."""
    return DISPLAYED.sub(lambda found: mathml(unescape(re.sub(r"<[^>]+>", "", found[1]))), html)


def mathml(latex: str) -> str:
    """A displayed formula.

    Raises:
        ValueError: a command that is not known here.
    """
    tokens = re.split(r"(\\text\{[^{}]*\})", latex)
    flat = [t for k, part in enumerate(tokens) for t in ([part] if k % 2 else TOKEN.findall(part))]
    return f'<math display="block">{_row(flat[::-1], stop=None)}</math>'


def _row(rest: list[str], stop: str | None) -> str:
    """Everything up to ``stop``; the tokens are in ``rest``, the next one last."""
    parts: list[str] = []
    while rest:
        token = rest.pop()
        if token == stop:
            break
        if token in ("_", "^"):
            base, marks = parts.pop(), {token: _part(rest)}
            if rest and rest[-1] in ("_", "^"):
                second = rest.pop()
                marks[second] = _part(rest)
            parts.append(_with_marks(base, marks.get("_"), marks.get("^")))
        else:
            parts.append(_atom(token, rest))
    return f"<mrow>{''.join(parts)}</mrow>"


def _with_marks(base: str, low: str | None, high: str | None) -> str:
    """A base with its index and its exponent, which are below and above a sum."""
    around = base in BELOW or base.startswith(BRACED)
    names = ("under", "over") if around else ("sub", "sup")
    tag = "m" + "".join(name for name, mark in zip(names, (low, high)) if mark is not None)
    return f"<{tag}>{base}{low or ''}{high or ''}</{tag}>"


def _part(rest: list[str]) -> str:
    """The next token, or the next group in braces."""
    token = rest.pop()
    return _row(rest, "}") if token == "{" else _atom(token, rest)


def _atom(token: str, rest: list[str]) -> str:
    if token == "{":
        return _row(rest, "}")
    if token.startswith(r"\text"):
        return f"<mi>{escape(token[6:-1])}</mi>"  # not <mtext>, around which operators get no space
    if token == r"\frac":
        return f"<mfrac>{_part(rest)}{_part(rest)}</mfrac>"
    if token == r"\sqrt":
        return f"<msqrt>{_part(rest)}</msqrt>"
    if token == r"\underbrace":
        return f"{BRACED}{_part(rest)}</mrow>"
    if token in (r"\left", r"\right"):
        bracket = rest.pop()
        return f'<mo stretchy="true">{escape(SIGNS.get(bracket, bracket))}</mo>'
    if token in SIGNS:
        return f"<mo>{SIGNS[token]}</mo>"
    if token in NAMES:
        return f"<mi>{token[1:]}</mi>"
    if token.startswith("\\"):
        raise ValueError(f"the site cannot set {token} in a formula: teach it to tools/site/formulas.py")
    if token[0].isdigit():
        return f"<mn>{token}</mn>"
    return f"<mi>{token}</mi>" if token.isalpha() else f'<mo stretchy="false">{escape(token)}</mo>'
