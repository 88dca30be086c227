"""What the views are made of: texts with marked characters, rows of tokens, legends, messages. All text is escaped here.

Colours mean what they mean in the figures (``figures.colours``). They are half transparent over the page's own
background, and text keeps the page's own colour, so that light and dark themes are both easy to read. A border, a number
or a word repeats what a colour says.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape

from ...figures.colours import ANSWER, ANSWER_EDGE, GREY, LOST, PLAIN, rgb
from ..render import CLEAR, FAINT, Html

SMALL = "font-size:85%"


def tint(color: str, strength: float = FAINT) -> str:
    """A background on which text in the page's own colour stays readable."""
    return f"background:rgba({rgb(color)}, {strength})"


# The style of an answer in a text. The edge is for those who do not see the yellow.
THE_ANSWER = f"color:inherit;{tint(ANSWER, CLEAR)};border-bottom:3px solid {ANSWER_EDGE}"


def legend(*entries: tuple[str, str]) -> str:
    """What the colours of a view mean: (style of a small box, what it stands for), in one line."""
    swatch = "display:inline-block;width:1.4em;height:0.8em;margin-right:0.35em;vertical-align:-0.05em"
    items = (
        f'<span style="display:inline-block;margin-right:1.1em"><span{attributes(style=f"{swatch};{style}")}></span>'
        f"{escape(name)}</span>"
        for style, name in entries
    )
    return f'<div class="qa-legend" style="{SMALL}">{"".join(items)}</div>'


@dataclass(frozen=True)
class Mark:
    """Characters [start, end) of a text with a style; ``tag`` is "mark" for what the reader is looking for."""

    start: int
    end: int
    style: str = ""
    title: str = ""
    name: str = ""
    tag: str = "span"


def marked(text: str, marks: Iterable[Mark]) -> str:
    """The text, escaped, with its marks, which may overlap and reach past the end of the text."""
    marks = [mark for mark in marks if mark.start < mark.end]
    edges = {edge for mark in marks for edge in (mark.start, mark.end)}
    borders = sorted({0, len(text)} | {edge for edge in edges if 0 < edge < len(text)})
    over: list[list[Mark]] = [[] for _ in borders[1:]]
    for mark in marks:
        for k in range(bisect_left(borders, mark.start), min(bisect_left(borders, mark.end), len(over))):
            over[k].append(mark)
    return "".join(_piece(text[a:b], here) for a, b, here in zip(borders, borders[1:], over))


def marked_nearby(text: str, marks: Iterable[Mark], margin: int = 150) -> str:
    """:func:`marked`, but text further than ``margin`` characters from every mark is replaced by "…".

    A long text's marks are then in view at once, also on paper, where nobody can scroll.
    """
    marks = list(marks)
    kept: list[list[int]] = []
    for mark in sorted(marks, key=lambda mark: mark.start):
        start = text.rfind(" ", 0, max(mark.start - margin, 0)) + 1  # words are not cut
        end = text.find(" ", mark.end + margin)
        end = end if end >= 0 else len(text)
        if kept and start <= kept[-1][1]:
            kept[-1][1] = max(kept[-1][1], end)
        else:
            kept.append([start, end])
    parts = (
        marked(text[a:b], [replace(mark, start=mark.start - a, end=mark.end - a) for mark in marks]) for a, b in kept
    )
    return ("… " if kept[0][0] > 0 else "") + " … ".join(parts) + (" …" if kept[-1][1] < len(text) else "")


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
    """A text that scrolls if it is long. The keyboard can reach it (tabindex), and it has a name (aria-label)."""
    style = (
        f"white-space:pre-wrap;overflow-wrap:anywhere;overflow:auto;max-height:{height};line-height:1.7;"
        "padding:0.4em 0.6em;border:1px solid rgba(128, 128, 128, 0.6);border-radius:3px"
    )
    return f'<div tabindex="0" role="region"{attributes(aria_label=label, style=style)} class="qa-text">{body}</div>'


def chip(number: int | str, token: str, below: str = "", style: str = "", name: str = "", title: str = "") -> str:
    """A token in a box, with its number above it and another line below (its id, or the characters it covers)."""
    box = (
        "display:inline-block;text-align:center;vertical-align:top;margin:2px;padding:0 0.35em;line-height:1.4;"
        f"border:1px solid rgba({rgb(GREY)}, 0.7);border-radius:3px;white-space:pre;{style}"
    )
    parts = (("font-size:80%", str(number)), ("font-family:monospace", token), ("font-size:80%", below))
    lines = "".join(f'<span style="display:block;{look}">{escape(part)}</span>' for look, part in parts if part)
    return f"<span{attributes(**{'class': name}, style=box, title=title)}>{lines}</span>"


def page(*blocks: str) -> str:
    """A view: its blocks one below the other. It sets its own line height, since that of the controls is for one line."""
    inner = "".join(f'<div style="margin:0.4em 0">{block}</div>' for block in blocks if block)
    return f'<div class="qa-view" style="line-height:1.5;max-width:60em;overflow-wrap:anywhere">{inner}</div>'


def alert(text: str) -> str:
    """What went wrong and what to do about it; screen readers read it out. Without a text, nothing."""
    style = f"border-left:4px solid {LOST};padding:0.3em 0.8em;white-space:pre-wrap;{tint(LOST)}"
    return f'<div class="qa-message" role="alert" style="{style}">{escape(text)}</div>' if text else ""


def message(text: str) -> Html:
    """An alert that takes the place of a view."""
    return Html(page(alert(text)), text)


def bar(share: float, width: int, style: str = "") -> str:
    """A share from 0 to 1 (clipped to this range) as a bar of at most ``width`` em, next to the number in words."""
    filled = f"display:inline-block;height:0.7em;width:{min(max(share, 0.0), 1.0) * width:.2f}em;background:{PLAIN}"
    frame = f"display:inline-block;width:{width}em;line-height:0.7em;border:1px solid currentColor{style}"
    return f'<span aria-hidden="true" style="{frame}"><span style="{filled}"></span></span>'


def count(number: int, noun: str) -> str:
    """``1 window``, ``2 windows``, ``1,250 windows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
