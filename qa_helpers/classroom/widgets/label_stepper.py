"""LabelStepper: from the characters of an answer to the two numbers of a label, step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from types import MappingProxyType

import ipywidgets

from ...features import span_text
from ...figures.colours import ANSWER, ANSWER_EDGE, END, LOST, QUESTION, START, WINDOW
from ..render import CLEAR, FAINT, Html
from ._html import THE_ANSWER, Mark, chip, count, legend, marked_nearby, page, text_box, tint
from ._shell import WIDE, Shell, layout
from .window_explorer import answer_or_none, cut_example

_NEAR = 5  # tokens shown on either side of the token in question
# Boxes that are not of the kind that all others are: style, and its place in the legend.
_OF_CONTEXT = (tint(WINDOW, FAINT), "context")
_OF_QUESTION = (tint(QUESTION, FAINT), "question")
_SPECIAL = ("border:1px dashed currentColor", "special token")
_START = (f"{tint(START, CLEAR)};border:2px solid {START}", "start_positions: the label's first token")
_END = (f"{tint(END, CLEAR)};border:2px solid {END}", "end_positions: the label's last token")
_BOTH = (
    f"{tint(ANSWER, CLEAR)};border:2px solid;border-color:{START} {END} {END} {START}",
    "the label's only token: start and end",
)
_BETWEEN = (f"{tint(ANSWER, CLEAR)};border:2px solid {ANSWER_EDGE}", "between the two")
_NO_ANSWER = (f"{tint(LOST, CLEAR)};border:2px solid {LOST}", "the label of a window without the whole answer")


@dataclass(frozen=True)
class _Window:
    """One window and its example: what the steps look at."""

    example: dict
    tokens: Sequence[str]
    offsets: Sequence[tuple[int, int]]
    context: tuple[int, int]
    cls_index: int
    label: tuple[int, int]

    @property
    def covers(self) -> tuple[int, int]:
        """Characters [start, end) of the context."""
        first, beyond = self.context
        return self.offsets[first][0], self.offsets[beyond - 1][1]


def label_steps(example: dict, tokenizer, max_length: int, stride: int, window: int = 0) -> list[Html]:
    """The labelling of one window, step by step: characters → tokens → a whole answer? → first, last → label.

    Args:
        example: a row in the course's schema.
        tokenizer, max_length, stride: as in :func:`qa_helpers.make_features`, which also computes the label.
        window: which of the example's windows, counted from 0.

    Returns:
        One :class:`~qa_helpers.classroom.render.Html` per step: six if the window holds the whole answer, four if it
        does not, three if the example has no answer.

    Raises:
        ValueError: there is no such window; otherwise as in ``make_features``.
    """
    columns = cut_example(example, tokenizer, max_length, stride)
    total = len(columns["input_ids"])
    if not 0 <= window < total:
        raise ValueError(f"There is no window {window}: the windows are 0 to {total - 1}")
    chosen = _Window(
        example,
        tokenizer.convert_ids_to_tokens(columns["input_ids"][window]),
        columns["offset_mapping"][window],
        columns["context_tokens"][window],
        columns["cls_index"][window],
        (columns["start_positions"][window], columns["end_positions"][window]),
    )
    answer = answer_or_none(example)
    steps = [_characters(chosen, answer), _context_tokens(chosen)]
    if answer:
        steps.append(_whole(chosen, answer))
    if chosen.label[0] != chosen.cls_index:
        first, last = chosen.label
        steps.append(_edge(chosen, first, f"the answer's first character, {answer[0]}", "start_positions"))
        steps.append(_edge(chosen, last, f"the answer's last character, {answer[1] - 1}", "end_positions"))
    steps.append(_label(chosen, answer))
    return [_numbered(k, len(steps), window, total, example, *step) for k, step in enumerate(steps, 1)]


def _numbered(k: int, steps: int, window: int, windows: int, example: dict, title: str, told: str, body: str) -> Html:
    head = f"Window {window} (of {windows}), step {k} of {steps}: {title}"
    html = page(
        f"Question: {escape(example['question'])}",
        f'<div aria-live="polite"><b>{escape(head)}</b><br>{escape(told)}</div>',
        body,
    )
    return Html(html, f"{head}\n{told}")


def _characters(chosen: _Window, answer: tuple[int, int] | None) -> tuple[str, str, str]:
    context = chosen.example["context"]
    if answer is None:
        body = text_box(escape(context), "the context", "9em")
        return (
            "the answer, in characters",
            "The question has no answer in this context, so no window can hold it.",
            body,
        )
    told = f"According to the data, the answer is characters [{answer[0]}, {answer[1]}) of the context: {context[slice(*answer)]!r}."
    body = text_box(
        marked_nearby(context, [Mark(*answer, THE_ANSWER, tag="mark")]), "the context, with the answer marked", "9em"
    )
    return "the answer, in characters", told, f"{legend((THE_ANSWER, 'the answer'))}{body}"


def _context_tokens(chosen: _Window) -> tuple[str, str, str]:
    first, beyond = chosen.context
    told = (
        f"Of the window's {count(len(chosen.tokens), 'token')}, tokens {first} to {beyond - 1} belong to the context: their "
        "sequence id is 1. Question tokens and special tokens are ignored, because their offsets do not refer to the "
        "context."
    )
    shown = [*range(min(first + 4, beyond)), *range(max(beyond - 4, first + 4), len(chosen.tokens))]
    return "which tokens belong to the context?", told, _strip(chosen, shown)


def _whole(chosen: _Window, answer: tuple[int, int]) -> tuple[str, str, str]:
    start, end = chosen.covers
    begins, ends = start <= answer[0], answer[1] <= end
    told = (
        f"The window covers characters [{start}, {end}). Does it begin no later than the answer? {start} ≤ {answer[0]}: "
        f"{_yes(begins)}. Does it end no earlier? {answer[1]} ≤ {end}: {_yes(ends)}. So the window "
        + ("holds the whole answer." if begins and ends else "does not hold the whole answer.")
    )
    # Within the answer, the window's colour wins because it comes last: this shows where the window's edge cuts it.
    marks = [Mark(*answer, THE_ANSWER, tag="mark"), Mark(start, end, tint(WINDOW, CLEAR), "the window")]
    body = text_box(
        marked_nearby(chosen.example["context"], marks), "the context, with the window and the answer marked", "12em"
    )
    names = [(tint(WINDOW, CLEAR), "the window"), (f"border-bottom:3px solid {ANSWER_EDGE}", "underlined: the answer")]
    if not (begins and ends):
        names.append((THE_ANSWER, "the part of it outside the window"))
    return "does the window hold the whole answer?", told, f"{legend(*names)}{body}"


def _yes(true: bool) -> str:
    return "yes" if true else "NO"


def _edge(chosen: _Window, token: int, which: str, name: str) -> tuple[str, str, str]:
    a, b = chosen.offsets[token]
    told = f"Token {token}, with offsets [{a}, {b}), covers {which}. So {name} = {token}."
    near = range(max(token - _NEAR, chosen.context[0]), min(token + _NEAR + 1, chosen.context[1]))
    at_start = name.startswith("start")
    return (
        f"the {'first' if at_start else 'last'} token",
        told,
        _strip(chosen, near, {token: _START if at_start else _END}),
    )


def _label(chosen: _Window, answer: tuple[int, int] | None) -> tuple[str, str, str]:
    first, last = chosen.label
    if first == chosen.cls_index:
        told = (
            f"This window does not hold a whole answer, so start_positions = end_positions = {first}, the token "
            f"{chosen.tokens[first]}."
        )
        return "the label", told, _strip(chosen, range(min(first + 4, len(chosen.tokens))), {first: _NO_ANSWER})
    context = chosen.example["context"]
    wanted, found = context[slice(*answer)], span_text(context, chosen.offsets, first, last)[2]
    told = f"start_positions = {first}, end_positions = {last}. Read back from the context: {found!r}, "
    told += (
        "which is the answer."
        if found == wanted
        else f"but the answer is {wanted!r}, which begins or ends inside a token."
    )
    near = range(max(first - 3, chosen.context[0]), min(last + 4, chosen.context[1]))
    lit = {k: _BETWEEN for k in range(first, last + 1)} | {first: _START, last: _END}
    return "the label", told, _strip(chosen, near, lit if first < last else {first: _BOTH})


def _strip(chosen: _Window, shown: Sequence[int], lit: Mapping[int, tuple[str, str]] = MappingProxyType({})) -> str:
    """Some of the window's tokens in boxes with their offsets, and a legend; "…" where tokens are left out.

    Args:
        shown: numbers of the tokens.
        lit: number of a token → its style and what this means.
    """
    boxes, used, before = [], {}, -1
    for k in shown:
        if k != before + 1:
            boxes.append('<span style="margin:0 0.4em">…</span>')
        a, b = chosen.offsets[k]
        if k in lit:
            look = lit[k]
        elif a == b:
            look = _SPECIAL
        else:
            look = _OF_CONTEXT if chosen.context[0] <= k < chosen.context[1] else _OF_QUESTION
        boxes.append(chip(k, chosen.tokens[k], f"{a}–{b}", look[0]))
        used[look] = None
        before = k
    if before < len(chosen.tokens) - 1:
        boxes.append('<span style="margin:0 0.4em">…</span>')
    note = "Each box shows the token's number, the token, and the characters it covers (its offsets)."
    return f"<div>{''.join(boxes)}</div>{legend(*used)}{note}"


class LabelStepper(Shell):
    """Step forward and back through the labelling of a window.

    Args:
        example: a row in the course's schema.
        tokenizer: a fast tokenizer.
        max_length, stride: of the windows.

    The controls are ``window``, ``back``, ``forward`` and ``step`` (counted from 1).
    """

    css_class = "qa-label-stepper"

    def __init__(self, example: dict, tokenizer, max_length: int = 100, stride: int = 50):
        self._cut = (example, tokenizer, max_length, stride)
        labels = cut_example(*self._cut)
        kinds = ["[CLS]" if s == c else "answer" for s, c in zip(labels["start_positions"], labels["cls_index"])]
        self.window = ipywidgets.Dropdown(
            options=[(f"{k} (of {len(kinds)})", k) for k in range(len(kinds))],
            description="Window",
            tooltip="Which of the example's windows",
            style=WIDE,
            layout=layout(),
        )
        self.window.value = next((k for k, kind in enumerate(kinds) if kind == "answer"), 0)
        self.back = ipywidgets.Button(description="Back", tooltip="One step back", icon="arrow-left", layout=layout())
        self.forward = ipywidgets.Button(
            description="Forward", tooltip="One step forward", icon="arrow-right", layout=layout()
        )
        self.step = ipywidgets.IntSlider(
            1,
            1,
            6,
            description="Step",
            tooltip="The step of the labelling that is shown",
            style=WIDE,
            layout=layout("18em"),
        )
        self.back.on_click(lambda _: self._walk(-1))
        self.forward.on_click(lambda _: self._walk(1))
        super().__init__(self.window, self.back, self.forward, self.step)

    def draw(self) -> Html:
        """The chosen step of the chosen window."""
        steps = label_steps(*self._cut, self.window.value)
        self.step.max = len(steps)
        self.back.disabled, self.forward.disabled = self.step.value == 1, self.step.value == len(steps)
        return steps[self.step.value - 1]

    def _walk(self, by: int) -> None:
        self.step.value = min(max(self.step.value + by, self.step.min), self.step.max)
