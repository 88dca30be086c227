"""SpanExplorer: an example's logits as paired bars, and the answers they come to at any length and threshold."""

from collections.abc import Sequence
from html import escape

import ipywidgets
import numpy as np
from datasets import Dataset

from ...decoding import Prediction, best_spans, decode_answers
from ..render import Html
from ._html import BLUE, GREEN, ORANGE, attributes, count, page
from ._shell import WIDE, Shell, layout

_BARS = 26  # tokens drawn at once
_STEP, _HEIGHT, _WORDS = 26, 130, 84  # pixels: a token's width, the bars' height, the room for the words below
_LIMIT = 25.0  # of the threshold's slider
_BEST = -1  # in the menu of windows; None would show as an empty menu


def own_features(example: dict, features: Dataset) -> Dataset:
    """The features of one example, numbered as those of example 0; decoding wants it so.

    Raises:
        ValueError: there are none, or some belong to another example.
    """
    others = set(features["example_id"]) - {example["id"]}
    if others or len(features) == 0:
        raise ValueError(
            f"the features must be those of example {example['id']!r} and of no other: features.select(windows), with the "
            "numbers of its windows"
        )
    columns = {
        name: features[name][:] for name in ("input_ids", "offset_mapping", "context_tokens", "cls_index", "example_id")
    }
    return Dataset.from_dict({**columns, "example_index": [0] * len(features)})


def span_view(
    example: dict,
    features: Dataset,
    start_logits: Sequence[np.ndarray],
    end_logits: Sequence[np.ndarray],
    max_answer_length: int = 30,
    null_threshold: float | None = None,
    window: int | None = None,
    n_best: int = 5,
    align_to_words: bool = False,
) -> Html:
    """An example's answer as :func:`qa_helpers.decode_answers` finds it, with the logits it was found in.

    Args:
        example: a row in the course's schema.
        features: its windows, all of them.
        start_logits, end_logits: one array (tokens,) per window.
        max_answer_length, null_threshold, align_to_words: as for ``decode_answers``.
        window: whose bars to draw; None draws the one with the best span.
        n_best: lines of the table.

    Raises:
        ValueError: features of another example, no such window, or as ``decode_answers``.
    """
    own = own_features(example, features)
    limits = (max_answer_length, null_threshold, align_to_words)
    return _span_view(example, own, start_logits, end_logits, limits, window, n_best)


def _span_view(example, features, starts, ends, limits, window, n_best) -> Html:
    max_answer_length, null_threshold, _ = limits
    found = decode_answers([example], features, starts, ends, 20, *limits)[0]
    spans = [
        [int(values[0]) for values in best_spans(*logits, context, 1, max_answer_length)[1:]]
        for *logits, context in zip(starts, ends, features["context_tokens"])
    ]
    scores = [float(s[a]) + float(e[b]) for s, e, (a, b) in zip(starts, ends, spans)]
    if window is None:
        window = int(np.argmax(scores))
    if not 0 <= window < len(spans):
        raise ValueError(f"There is no window {window}: the windows are 0 to {len(spans) - 1}")
    told = _decision(found, null_threshold)
    row = features[window]
    words = [_word(example["context"], offset) for offset in row["offset_mapping"]]
    kept = [*found.n_best[:n_best]]
    html = page(
        f"Question: {escape(example['question'])}",
        f'<div aria-live="polite"><b>{escape(told[0])}</b><br>{escape(told[1])}</div>',
        _bars(
            words,
            starts[window],
            ends[window],
            row["cls_index"],
            row["context_tokens"],
            spans[window],
            window,
            len(spans),
        ),
        _table(kept, found, max_answer_length, null_threshold),
    )
    lines = [f"  {k.score:8.2f}  {k.probability:.3f}  {k.text}" for k in kept]
    return Html(html, "\n".join([f"Question: {example['question']}", *told, *lines]))


def _decision(found: Prediction, null_threshold: float | None) -> tuple[str, str]:
    best = found.n_best[0].text
    told = f"null score {found.null_score:.2f} − best score {found.score:.2f} = {found.score_difference:.2f}"
    if null_threshold is None:
        return f"Answer: {best!r}", f"“No answer” is not allowed; {told}."
    above = found.score_difference > null_threshold
    sign = ">" if above else "≤"
    return f"Answer: {'none' if above else repr(best)}", f"{told} {sign} threshold {null_threshold:g}."


def _word(context: str, offset: tuple[int, int]) -> str:
    text = context[offset[0] : offset[1]].strip()
    return text if len(text) <= 12 else text[:11] + "…"


def _bars(words, starts, ends, cls: int, context_tokens, span, window: int, windows: int) -> str:
    """Paired bars, start and end, for [CLS] and the tokens around the window's best span."""
    first, beyond = context_tokens
    room = max(_BARS - (span[1] - span[0] + 1), 0) // 2
    low = max(first, min(span[0] - room, beyond - _BARS))
    shown = [cls, *range(low, min(max(low + _BARS, span[1] + 1), beyond))]
    values = np.concatenate([np.asarray(starts)[shown], np.asarray(ends)[shown], [0.0]]).astype(float)
    scale = _HEIGHT / max(float(values.max() - values.min()), 1e-9)
    zero = 8 + float(values.max()) * scale
    width, height = len(shown) * _STEP + 40, _HEIGHT + _WORDS + 16
    parts = []
    for place, k in enumerate(shown):
        x = 34 + place * _STEP
        if span[0] <= k <= span[1] and place:
            parts.append(
                f'<rect x="{x}" y="4" width="{_STEP}" height="{height - 8}" fill="rgb({GREEN})" fill-opacity="0.25"/>'
            )
        name = words[k] if place else "[CLS]"
        title = f"token {k} {name}: start {float(starts[k]):.2f}, end {float(ends[k]):.2f}"
        parts.append(f"<g><title>{escape(title)}</title>")
        for shift, value, hue in ((4, float(starts[k]), BLUE), (13, float(ends[k]), ORANGE)):
            top = zero - max(value, 0) * scale
            parts.append(
                f'<rect x="{x + shift}" y="{top:.1f}" width="8" height="{abs(value) * scale:.1f}" fill="rgb({hue})" '
                'stroke="currentColor" stroke-width="0.5"/>'
            )
        parts.append(
            f'<text x="{x + 17}" y="{_HEIGHT + 18}" font-size="13" fill="currentColor" text-anchor="end" '
            f'transform="rotate(-90 {x + 17} {_HEIGHT + 18})">{escape(name)}</text></g>'
        )
    for value in (values.max(), 0.0, values.min()):
        y = zero - float(value) * scale
        parts.append(
            f'<text x="30" y="{y + 4:.1f}" font-size="12" fill="currentColor" text-anchor="end">{value:.0f}</text>'
        )
    parts.append(f'<line x1="34" x2="{width}" y1="{zero:.1f}" y2="{zero:.1f}" stroke="currentColor"/>')
    label = f"start and end logits of {count(len(shown), 'token')} of window {window}, the best span shaded"
    return (
        f"Window {window} (of {windows}): start logits "
        f'<span style="border-bottom:3px solid rgb({BLUE})">blue, left</span>, end logits '
        f'<span style="border-bottom:3px solid rgb({ORANGE})">orange, right</span>, the window\'s best span shaded.'
        f'<div tabindex="0" role="region"{attributes(aria_label=label, style="overflow-x:auto;width:0;min-width:100%")}>'
        f'<svg role="img"{attributes(aria_label=label)} width="{width}" height="{height}"><title>{escape(label)}</title>'
        f"{''.join(parts)}</svg></div>"
    )


def _table(kept, found: Prediction, longest: int, null_threshold: float | None) -> str:
    cell = "padding:0.1em 0.8em 0.1em 0;text-align:left;background:none"
    rows = [(f"{k.score:.2f}", f"{k.probability:.3f}", escape(k.text)) for k in kept]
    if null_threshold is not None:
        rows.append((f"{found.null_score:.2f}", "", "<i>no answer (null score)</i>"))
    head = "".join(f'<th scope="col" style="{cell}">{name}</th>' for name in ("score", "probability", "text"))
    cells = ("".join(f'<td style="{cell}">{value}</td>' for value in row) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    told = f"The best {count(len(kept), 'span')} of all windows, each of {count(longest, 'token')} at most"
    caption = f'<caption style="text-align:left;caption-side:top">{told}</caption>'
    return f'<table style="border-collapse:collapse;margin:0">{caption}<tr>{head}</tr>{body}</table>'


class SpanExplorer(Shell):
    """Start and end logits as paired bars; sliders for the answer's length and the null threshold; the n-best list.

    Args:
        example: a row in the course's schema.
        features: its windows, all of them.
        start_logits, end_logits: one array (tokens,) per window.
        max_answer_length, null_threshold: where the sliders stand at first; a threshold of None does not allow "no
            answer", until ``abstain`` is ticked.
        align_to_words: widen answers to whole words.

    The controls are ``window``, ``answer_length``, ``abstain`` and ``null_threshold``.
    """

    css_class = "qa-span-explorer"

    def __init__(
        self,
        example: dict,
        features: Dataset,
        start_logits,
        end_logits,
        max_answer_length: int = 30,
        null_threshold: float | None = None,
        align_to_words: bool = False,
    ):
        self._example, self._features = example, own_features(example, features)
        self._logits, self._align = (list(start_logits), list(end_logits)), align_to_words
        names = [(f"{k}", k) for k in range(len(self._features))]
        self.window = ipywidgets.Dropdown(
            options=[("with the best span", _BEST), *names],
            description="Window",
            tooltip="Whose bars are drawn",
            style=WIDE,
            layout=layout(),
        )
        sliders = {"style": WIDE, "layout": layout("28em")}
        self.answer_length = ipywidgets.IntSlider(
            max_answer_length,
            1,
            max(30, max_answer_length),
            description="Longest answer, in tokens",
            tooltip="Longer spans are not valid",
            **sliders,
        )
        self.abstain = ipywidgets.Checkbox(
            null_threshold is not None,
            description="allow “no answer”",
            tooltip="Compare the null score with the threshold",
            indent=False,
            style=WIDE,
            layout=layout(),
        )
        start = 0.0 if null_threshold is None else float(null_threshold)
        self.null_threshold = ipywidgets.FloatSlider(
            start,
            min=min(-_LIMIT, start),
            max=max(_LIMIT, start),
            step=0.5,
            description="Null threshold",
            tooltip="Above it, null score minus best score means “no answer”",
            **sliders,
        )
        super().__init__(self.window, self.answer_length, self.abstain, self.null_threshold)

    def draw(self) -> Html:
        """The answer and the bars at the controls' values."""
        self.null_threshold.disabled = not self.abstain.value
        threshold = self.null_threshold.value if self.abstain.value else None
        window = None if self.window.value == _BEST else self.window.value
        limits = (self.answer_length.value, threshold, self._align)
        return _span_view(self._example, self._features, *self._logits, limits, window, 5)
