"""LabelStepper: from the characters of an answer to the two numbers of a label, one step at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import ipywidgets

from ...features import span_text
from ..render import Html
from ._html import ANSWER, BLUE, CLEAR, FAINT, GREEN, ORANGE, RED, Mark, chip, count, marked, page, text_box, tint
from ._shell import WIDE, Shell, layout
from .window_explorer import answer_or_none, cut_example

_NEAR = 5  # tokens shown on either side of the one in question


@dataclass(frozen=True)
class _Window:
    """One window with its example: what the steps look at."""

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
        tokenizer, max_length, stride: as for :func:`qa_helpers.make_features`, which also computes the label.
        window: which of the example's windows.

    Returns:
        One :class:`~qa_helpers.classroom.render.Html` per step: six where the window holds the whole answer, four where it does
        not, three where there is no answer.

    Raises:
        ValueError: no such window, or as ``make_features``.
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
        steps.append(_edge(chosen, first, f"that covers the answer's first character, {answer[0]}", "start_positions"))
        steps.append(_edge(chosen, last, f"that covers the answer's last character, {answer[1] - 1}", "end_positions"))
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
    told = (
        f"The data says: characters [{answer[0]}, {answer[1]}) of the context, which read {context[slice(*answer)]!r}."
    )
    body = text_box(marked(context, [Mark(*answer, ANSWER, tag="mark")]), "the context, with the answer marked", "9em")
    return "the answer, in characters", told, body


def _context_tokens(chosen: _Window) -> tuple[str, str, str]:
    first, beyond = chosen.context
    told = (
        f"Of {count(len(chosen.tokens), 'token')}, {first} to {beyond - 1} are context: their sequence id is 1. The question's "
        "(blue) and the special ones (dashed) are left out, since their offsets do not count in the context."
    )
    shown = [*range(min(first + 4, beyond)), *range(max(beyond - 4, first + 4), len(chosen.tokens))]
    return "which tokens are context?", told, _strip(chosen, shown)


def _whole(chosen: _Window, answer: tuple[int, int]) -> tuple[str, str, str]:
    start, end = chosen.covers
    begins, ends = start <= answer[0], answer[1] <= end
    told = (
        f"The window covers characters [{start}, {end}). It begins no later than the answer: {start} ≤ {answer[0]}, "
        f"{_yes(begins)}. It ends no earlier: {answer[1]} ≤ {end}, {_yes(ends)}. So it "
        + ("holds the whole answer." if begins and ends else "does not hold the whole answer.")
    )
    # The window's colour comes last and so wins within the answer: one sees where the window's edge cuts it.
    marks = [Mark(*answer, ANSWER, tag="mark"), Mark(start, end, tint(ORANGE, CLEAR), "the window")]
    body = text_box(
        marked(chosen.example["context"], marks), "the context, with the window and the answer marked", "9em"
    )
    return (
        "does the window hold the whole answer?",
        told,
        f"Orange: the window's characters. Green line: the answer.{body}",
    )


def _yes(true: bool) -> str:
    return "yes" if true else "NO"


def _edge(chosen: _Window, token: int, which: str, name: str) -> tuple[str, str, str]:
    a, b = chosen.offsets[token]
    told = f"Token {token} is the one {which}: its offsets are [{a}, {b}). So {name} = {token}."
    near = range(max(token - _NEAR, chosen.context[0]), min(token + _NEAR + 1, chosen.context[1]))
    return f"the {'first' if name.startswith('start') else 'last'} token", told, _strip(chosen, near, {token})


def _label(chosen: _Window, answer: tuple[int, int] | None) -> tuple[str, str, str]:
    first, last = chosen.label
    if first == chosen.cls_index:
        told = f"The answer is not whole in this window, so start_positions = end_positions = {first}: the token {chosen.tokens[first]}."
        return "the label", told, _strip(chosen, range(min(first + 4, len(chosen.tokens))), {first}, RED)
    context = chosen.example["context"]
    wanted, found = context[slice(*answer)], span_text(context, chosen.offsets, first, last)[2]
    told = f"start_positions = {first}, end_positions = {last}. Read back: {found!r}, "
    told += "the answer." if found == wanted else f"where the answer is {wanted!r}: it begins or ends inside a token."
    near = range(max(first - 3, chosen.context[0]), min(last + 4, chosen.context[1]))
    return "the label", told, _strip(chosen, near, set(range(first, last + 1)))


def _strip(chosen: _Window, shown: Sequence[int], lit: set[int] = frozenset(), hue: str = GREEN) -> str:
    """Some of the window's tokens in boxes with their offsets; "…" where tokens are left out."""
    boxes, before = [], -1
    for k in shown:
        if k != before + 1:
            boxes.append('<span style="margin:0 0.4em">…</span>')
        a, b = chosen.offsets[k]
        if k in lit:
            look = f"{tint(hue, 0.42)};border:2px solid rgb({hue})"
        elif a == b:
            look = "border-style:dashed"
        else:
            look = tint(ORANGE if chosen.context[0] <= k < chosen.context[1] else BLUE, FAINT)
        boxes.append(chip(k, chosen.tokens[k], f"{a}–{b}", look))
        before = k
    if before < len(chosen.tokens) - 1:
        boxes.append('<span style="margin:0 0.4em">…</span>')
    note = "Each box: the token's number, the token, the characters it covers (offsets)."
    return f"<div>{''.join(boxes)}</div>{note}"


class LabelStepper(Shell):
    """Walk through the labelling of a window, forward and back.

    Args:
        example: a row in the course's schema.
        tokenizer: a fast tokenizer.
        max_length, stride: of the windows.

    The controls are ``window``, ``back``, ``forward`` and ``step`` (which begins at 1).
    """

    css_class = "qa-label-stepper"

    def __init__(self, example: dict, tokenizer, max_length: int = 100, stride: int = 50):
        self._cut = (example, tokenizer, max_length, stride)
        labels = cut_example(*self._cut)
        kinds = ["[CLS]" if s == c else "answer" for s, c in zip(labels["start_positions"], labels["cls_index"])]
        self.window = ipywidgets.Dropdown(
            options=[(f"{k} of {len(kinds)}", k) for k in range(len(kinds))],
            description="Window",
            tooltip="Which of the example's windows",
            style=WIDE,
            layout=layout(),
        )
        self.window.value = next((k for k, kind in enumerate(kinds) if kind == "answer"), 0)
        self.back = ipywidgets.Button(description="Back", tooltip="One step back", icon="arrow-left", layout=layout())
        self.forward = ipywidgets.Button(
            description="Forward", tooltip="One step on", icon="arrow-right", layout=layout()
        )
        self.step = ipywidgets.IntSlider(
            1, 1, 6, description="Step", tooltip="Steps of the labelling", style=WIDE, layout=layout("18em")
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
