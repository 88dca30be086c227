"""What the views are made of: texts with marked characters, rows of tokens, messages. Everything is escaped here.

Colours are half transparent over the page's own background, and text keeps the page's own colour, so that light and dark
themes both read well. A border or a word repeats what a colour says.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from ..render import Html

# Okabe and Ito's palette, as in the figures.
BLUE, ORANGE, GREEN, RED, GREY = "0, 114, 178", "230, 159, 0", "0, 158, 115", "213, 94, 0", "128, 128, 128"
FAINT, CLEAR = 0.20, 0.42
ANSWER = f"color:inherit;background:rgba({GREEN}, {CLEAR});border-bottom:3px solid rgb({GREEN})"
SMALL = "font-size:85%"


def tint(hue: str, strength: float = FAINT) -> str:
    """A background that text in the page's own colour stays readable on."""
    return f"background:rgba({hue}, {strength})"


@dataclass(frozen=True)
class Mark:
    """Characters [start, end) of a text with a style; ``tag`` is "mark" for what the reader looks for."""

    start: int
    end: int
    style: str = ""
    title: str = ""
    name: str = ""
    tag: str = "span"


def marked(text: str, marks: Iterable[Mark]) -> str:
    """The text, escaped, with its marks; they may overlap, and reach beyond the text."""
    marks = [mark for mark in marks if mark.start < mark.end]
    edges = {edge for mark in marks for edge in (mark.start, mark.end)}
    borders = sorted({0, len(text)} | {edge for edge in edges if 0 < edge < len(text)})
    over: list[list[Mark]] = [[] for _ in borders[1:]]
    for mark in marks:
        for k in range(bisect_left(borders, mark.start), min(bisect_left(borders, mark.end), len(over))):
            over[k].append(mark)
    return "".join(_piece(text[a:b], here) for a, b, here in zip(borders, borders[1:], over))


def _piece(text: str, marks: Sequence[Mark]) -> str:
    if not marks:
        return escape(text)
    tag = "mark" if any(mark.tag == "mark" for mark in marks) else "span"
    values = {
        "class": " ".join(mark.name for mark in marks if mark.name),
        "style": ";".join(mark.style for mark in marks if mark.style),
        "title": "; ".join(mark.title for mark in marks if mark.title),
    }
    return f"<{tag}{attributes(**values)}>{escape(text)}</{tag}>"


def attributes(**values: str) -> str:
    """``' name="value"'`` for each value that is not empty, escaped; an underscore in a name becomes a hyphen."""
    return "".join(f' {name.replace("_", "-")}="{escape(str(value))}"' for name, value in values.items() if value)


def text_box(body: str, label: str, height: str = "16em") -> str:
    """A text that scrolls where it is long. The keyboard reaches it (tabindex), and it has a name (aria-label)."""
    style = (
        f"white-space:pre-wrap;overflow-wrap:anywhere;overflow:auto;max-height:{height};line-height:1.7;"
        "padding:0.4em 0.6em;border:1px solid rgba(128, 128, 128, 0.6);border-radius:3px"
    )
    return f'<div tabindex="0" role="region"{attributes(aria_label=label, style=style)} class="qa-text">{body}</div>'


def chip(number: int | str, token: str, below: str = "", style: str = "", name: str = "", title: str = "") -> str:
    """A token in a box: its number above, and a line below (its id, or its characters)."""
    box = (
        "display:inline-block;text-align:center;vertical-align:top;margin:2px;padding:0 0.35em;line-height:1.4;"
        f"border:1px solid rgba({GREY}, 0.7);border-radius:3px;white-space:pre;{style}"
    )
    parts = (("font-size:80%", str(number)), ("font-family:monospace", token), ("font-size:80%", below))
    lines = "".join(f'<span style="display:block;{look}">{escape(part)}</span>' for look, part in parts if part)
    return f"<span{attributes(**{'class': name}, style=box, title=title)}>{lines}</span>"


def page(*blocks: str) -> str:
    """A view: its blocks one below the other, at a line height of its own (that of the controls is for one line)."""
    inner = "".join(f'<div style="margin:0.4em 0">{block}</div>' for block in blocks if block)
    return f'<div class="qa-view" style="line-height:1.5;max-width:60em;overflow-wrap:anywhere">{inner}</div>'


def alert(text: str) -> str:
    """What went wrong and what to do about it; read out by screen readers. Nothing for no text."""
    style = f"border-left:4px solid rgb({RED});padding:0.3em 0.8em;white-space:pre-wrap;{tint(RED)}"
    return f'<div class="qa-message" role="alert" style="{style}">{escape(text)}</div>' if text else ""


def message(text: str) -> Html:
    """An alert in place of a view."""
    return Html(page(alert(text)), text)


def bar(share: float, width: int, style: str = "") -> str:
    """A share of 0 to 1 (more or less is cut off) as a bar, ``width`` em at most; the number stands beside it in words."""
    filled = f"display:inline-block;height:0.7em;width:{min(max(share, 0.0), 1.0) * width:.2f}em;background:rgb({BLUE})"
    frame = f"display:inline-block;width:{width}em;line-height:0.7em;border:1px solid currentColor{style}"
    return f'<span aria-hidden="true" style="{frame}"><span style="{filled}"></span></span>'


def count(number: int, noun: str) -> str:
    """``1 window``, ``2 windows``, ``1,250 windows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
