"""WindowExplorer: the windows of an example as bars along its text, for any max_length and stride."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import ipywidgets

from ...engine.windows import check_window_settings
from ...features import answer_of, features_of
from ...figures.colours import ABSENT, ANSWER, ANSWER_EDGE, HELD, LOST, WINDOW
from ..render import FAINT, Html
from ._html import THE_ANSWER, Mark, attributes, count, legend, marked, page, text_box, tint
from ._shell import WIDE, Shell, layout

_ROW, _SHOWN, _CHOICES = 36, 24, 50
_NEW, _SHARED = 0.7, 0.25  # how opaque the two parts of a bar are
_TWICE = 0.5  # how opaque the text is that several windows have
# What a window does to the answer: the words for it, and the bar's colour.
_STATES = {
    "whole": ("holds the whole answer", HELD),
    "cut": ("cuts the answer", LOST),
    "absent": ("no part of the answer", ABSENT),
    "none": ("", WINDOW),
}


@dataclass(frozen=True)
class Window:
    """One window: its number of tokens, its characters [start, end) of the context, and what it does to the answer."""

    tokens: int
    start: int
    end: int
    state: str


def answer_or_none(example: dict) -> tuple[int, int] | None:
    """Characters [start, end) of the example's first answer, or None if there is no answer."""
    return answer_of(example) if example["answers"]["text"] else None


def cut_example(example: dict, tokenizer, max_length: int, stride: int) -> dict[str, list]:
    """The columns of :func:`qa_helpers.make_features` for one example.

    Building no dataset around them makes this fast enough to follow a slider.
    """
    check_window_settings(tokenizer, max_length, stride)
    columns = {name: [value] for name, value in example.items()}
    return features_of(columns, [0], tokenizer, max_length, stride, labels=True).to_pydict()


def windows_of(example: dict, tokenizer, max_length: int, stride: int) -> list[Window]:
    """The windows into which :func:`qa_helpers.make_features` cuts an example."""
    columns = cut_example(example, tokenizer, max_length, stride)
    answer, windows = answer_or_none(example), []
    rows = zip(columns["offset_mapping"], columns["context_tokens"], columns["start_positions"], columns["cls_index"])
    for offsets, (first, beyond), label, cls in rows:
        start, end = offsets[first][0], offsets[beyond - 1][1]
        if answer is None:
            state = "none"
        elif label != cls:
            state = "whole"
        else:
            state = "cut" if answer[0] < end and start < answer[1] else "absent"
        windows.append(Window(len(offsets), start, end, state))
    return windows


def window_view(example: dict, tokenizer, max_length: int, stride: int) -> Html:
    """An example's windows as bars along its text, with the answer, the number of features and the share of padding.

    Args:
        example: a row in the course's schema.
        tokenizer, max_length, stride: as in :func:`qa_helpers.make_features`.

    Raises:
        ValueError: as in ``make_features``, when the stride does not fit or the question leaves no room for the context.
    """
    windows, answer = windows_of(example, tokenizer, max_length, stride), answer_or_none(example)
    positions = len(windows) * max_length
    padding = positions - sum(window.tokens for window in windows)
    told = [
        f"{count(len(windows), 'feature')} at max_length {max_length}, stride {stride}",
        f"padding, if every window is padded to max_length: {padding:,} of {positions:,} positions ({padding / positions:.0%})",
        _answer_told(windows, answer),
    ]
    context = example["context"]
    lines = "".join(f"<li>{line}</li>" for line in told)
    html = page(
        f"Question: {escape(example['question'])}",
        f'<ul style="margin:0;padding-left:1.4em" aria-live="polite">{lines}</ul>',
        _bars(windows, answer, len(context), "; ".join(told)),
        f"The text:{_text_legend(answer)}{_text(context, windows, answer)}",
    )
    rows = [f"window {k}: {_row(window)}" for k, window in enumerate(windows)]
    return Html(html, "\n".join([f"Question: {example['question']}", *told, *rows]))


def _answer_told(windows: Sequence[Window], answer: tuple[int, int] | None) -> str:
    if answer is None:
        return "the question has no answer in this text"
    places = {state: [k for k, window in enumerate(windows) if window.state == state] for state in ("whole", "cut")}
    if not places["whole"]:
        return "NO window holds the whole answer: try a larger stride or max_length"
    told = f"the whole answer is in {_numbers(places['whole'])}"
    return told + (
        f"; {_numbers(places['cut'])} cut{'s' if len(places['cut']) == 1 else ''} it" if places["cut"] else ""
    )


def _numbers(windows: Sequence[int]) -> str:
    """``window 2``, ``windows 2, 3``."""
    return f"window{'' if len(windows) == 1 else 's'} {', '.join(map(str, windows))}"


def _row(window: Window) -> str:
    told = f"{count(window.tokens, 'token')}, characters [{window.start:,}, {window.end:,})"
    return f"{told}, {_STATES[window.state][0]}".removesuffix(", ")


def _bars(windows: Sequence[Window], answer: tuple[int, int] | None, length: int, told: str) -> str:
    """A row per window: a line of words, and a bar where the window's characters are in the text.

    Horizontal positions are percentages of the width, and the type has a fixed size, so that it stays readable on a
    narrow page.
    """
    shown = windows[:_SHOWN]
    parts = []
    height = len(shown) * _ROW + 4
    if answer:
        left, width = 100 * answer[0] / length, 100 * (answer[1] - answer[0]) / length
        parts.append(
            f'<rect x="{left:.2f}%" y="0" width="{max(width, 0.3):.2f}%" height="{height}" fill="{ANSWER}" '
            f'fill-opacity="0.45" stroke="{ANSWER_EDGE}" stroke-dasharray="3 2"/>'
        )
    for k, window in enumerate(shown):
        seen = max(windows[k - 1].end, window.start) if k else window.start
        top, hue = k * _ROW, _STATES[window.state][1]
        parts.append(f'<text x="0" y="{top + 14}" font-size="13" fill="currentColor">window {k}: {_row(window)}</text>')
        for start, end, opacity in ((window.start, seen, _SHARED), (seen, window.end, _NEW)):
            if start < end:
                left, width = 100 * start / length, 100 * (end - start) / length
                parts.append(
                    f'<rect x="{left:.2f}%" y="{top + 19}" width="{width:.2f}%" height="11" fill="{hue}" '
                    f'fill-opacity="{opacity}" stroke="currentColor" stroke-opacity="0.6"/>'
                )
    more = f"… and {count(len(windows) - _SHOWN, 'more window')}" if len(windows) > _SHOWN else ""
    drawing = (
        f'<svg role="img"{attributes(aria_label=told)} width="100%" height="{height}" style="overflow:visible">'
        f"<title>{escape(told)}</title>{''.join(parts)}</svg>"
    )
    return f"The bars run along the text from left to right.{_bar_legend(windows, answer)}{drawing}{more}"


def _bar_legend(windows: Sequence[Window], answer: tuple[int, int] | None) -> str:
    """The states that occur, the part that is shared, and the answer's band."""
    states = [state for state in _STATES if any(window.state == state for window in windows)]
    entries = [(tint(_STATES[state][1], _NEW), _STATES[state][0] or "a window") for state in states]
    if any(after.start < before.end for before, after in zip(windows, windows[1:])):
        entries.append(
            (f"{tint(_STATES[states[0]][1], _SHARED)};border:1px solid", "paler: shared with the window above")
        )
    if answer:
        entries.append((f"{tint(ANSWER, 0.45)};border:1px dashed {ANSWER_EDGE}", "vertical band: the answer"))
    return legend(*entries)


def _text_legend(answer: tuple[int, int] | None) -> str:
    entries = [(tint(WINDOW, FAINT), "in one window"), (tint(WINDOW, _TWICE), "in two windows or more")]
    return legend(*entries, *([(THE_ANSWER, "the answer")] if answer else []))


def _text(context: str, windows: Sequence[Window], answer: tuple[int, int] | None) -> str:
    marks = [Mark(window.start, window.end, tint(WINDOW, FAINT), f"window {k}") for k, window in enumerate(windows)]
    shared = [
        Mark(after.start, min(before.end, after.end), tint(WINDOW, _TWICE))
        for before, after in zip(windows, windows[1:])
    ]
    lit = [Mark(*answer, THE_ANSWER, tag="mark")] if answer else []
    return text_box(
        marked(context, [*marks, *shared, *lit]), "the text, with its windows and the answer marked", "11em"
    )


class WindowExplorer(Shell):
    """Sliders for max_length and stride, and a menu of examples; the chosen one's windows are bars along its text.

    Args:
        examples: rows in the course's schema; the menu has the first 50.
        tokenizer: a fast tokenizer.
        max_length, stride: the values of the sliders at the beginning.

    The controls are ``example``, ``max_length`` and ``stride``.
    """

    css_class = "qa-window-explorer"

    def __init__(self, examples, tokenizer, max_length: int = 100, stride: int = 50):
        self._examples = [examples[k] for k in range(min(len(examples), _CHOICES))]
        if not self._examples:
            raise ValueError("there are no examples to choose from")
        self._tokenizer = tokenizer
        names = [f"{k}: {shorten(row['question'])}" for k, row in enumerate(self._examples)]
        self.example = ipywidgets.Dropdown(
            options=list(zip(names, range(len(names)))),
            description="Example",
            tooltip="The example whose context is cut into windows",
            style=WIDE,
            layout=layout("98%"),
        )
        limit = max(min(tokenizer.model_max_length, 512), max_length)
        sliders = {"style": WIDE, "layout": layout("28em")}
        self.max_length = ipywidgets.IntSlider(
            max_length, 16, limit, description="max_length", tooltip="Tokens per window", **sliders
        )
        self.stride = ipywidgets.IntSlider(
            stride,
            0,
            max(limit // 2, stride),
            description="stride",
            tooltip="Tokens that neighbouring windows share",
            **sliders,
        )
        super().__init__(self.example, self.max_length, self.stride)

    def draw(self) -> Html:
        """The windows of the chosen example at the values of the sliders."""
        return window_view(
            self._examples[self.example.value], self._tokenizer, self.max_length.value, self.stride.value
        )


def shorten(text: str, most: int = 80) -> str:
    """The text, or as much of it as fits into a menu."""
    return text if len(text) <= most else text[: most - 1] + "…"
