"""SpanExplorer: an example's logits as paired bars, and the answers they lead to at any length limit and threshold."""

from collections.abc import Sequence
from html import escape

import ipywidgets
import numpy as np
from datasets import Dataset

from ...decoding import Prediction, best_spans, decode_answers
from ...figures.colours import ANSWER, ANSWER_EDGE, END, START
from ..render import Html
from ._html import attributes, count, legend, page, tint
from ._shell import WIDE, Shell, layout

_BARS = 26  # tokens drawn at once
_STEP, _HEIGHT, _WORDS = 26, 130, 84  # pixels: width of a token, height of the bars, space for the words below them
_SHADE = 0.35  # how opaque the band over the best span is
_LIMIT = 25.0  # the slider for the threshold goes from minus this to plus this
_BEST = -1  # the menu's value for "the window with the best span"; None would show as an empty menu


def own_features(example: dict, features: Dataset) -> Dataset:
    """The features of one example, renumbered as those of example 0, since it is the only one to be decoded.

    Raises:
        ValueError: there are no features, or some belong to another example.
    """
    others = set(features["example_id"]) - {example["id"]}
    if others or len(features) == 0:
        raise ValueError(
            f"the features must be those of example {example['id']!r} and of no other: pass features.select(windows), where "
            "windows are the numbers of its features"
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
    """An example's answer as :func:`qa_helpers.decode_answers` finds it, with the logits that lead to it.

    Args:
        example: a row in the course's schema.
        features: all of its windows.
        start_logits, end_logits: one array (tokens,) per window.
        max_answer_length, null_threshold, align_to_words: as in ``decode_answers``.
        window: the window whose bars are drawn; None draws the one with the best span.
        n_best: number of lines in the table.

    Raises:
        ValueError: some features belong to another example, or there is no such window; otherwise as in
            ``decode_answers``.
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
        return f"Answer: {best!r}", f"“No answer” is not allowed here; {told}."
    above = found.score_difference > null_threshold
    sign = ">" if above else "≤"
    return f"Answer: {'none' if above else repr(best)}", f"{told} {sign} threshold {null_threshold:g}."


def _word(context: str, offset: tuple[int, int]) -> str:
    text = context[offset[0] : offset[1]].strip()
    return text if len(text) <= 12 else text[:11] + "…"


def _bars(words, starts, ends, cls: int, context_tokens, span, window: int, windows: int) -> str:
    """Paired bars of start and end logits for [CLS] and the tokens around the window's best span."""
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
                f'<rect x="{x}" y="4" width="{_STEP}" height="{height - 8}" fill="{ANSWER}" fill-opacity="{_SHADE}"/>'
            )
        name = words[k] if place else "[CLS]"
        title = f"token {k} {name}: start {float(starts[k]):.2f}, end {float(ends[k]):.2f}"
        parts.append(f"<g><title>{escape(title)}</title>")
        for shift, value, hue in ((4, float(starts[k]), START), (13, float(ends[k]), END)):
            top = zero - max(value, 0) * scale
            parts.append(
                f'<rect x="{x + shift}" y="{top:.1f}" width="8" height="{abs(value) * scale:.1f}" fill="{hue}" '
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
    names = legend(
        (f"background:{START}", "left: start logit"),
        (f"background:{END}", "right: end logit"),
        (f"{tint(ANSWER, _SHADE)};border:1px solid {ANSWER_EDGE}", "shaded: the best span of this window"),
    )
    return (
        f"Window {window} (of {windows}), [CLS] and the tokens around its best span:{names}"
        f'<div tabindex="0" role="region"{attributes(aria_label=label, style="overflow-x:auto;width:0;min-width:100%")}>'
        f'<svg role="img"{attributes(aria_label=label)} width="{width}" height="{height}"><title>{escape(label)}</title>'
        f"{''.join(parts)}</svg></div>"
    )


def _table(kept, found: Prediction, longest: int, null_threshold: float | None) -> str:
    cell = "padding:0.1em 0.8em 0.1em 0;text-align:left;background:none"
    rows = [(f"{k.score:.2f}", f"{k.probability:.3f}", escape(k.text)) for k in kept]
    if null_threshold is not None:
        rows.append((f"{found.null_score:.2f}", "", "<i>no answer (null score)</i>"))
    head = "".join(
        f'<th scope="col" style="{cell};white-space:nowrap">{name}</th>' for name in ("score", "probability", "text")
    )
    number = f"{cell};white-space:nowrap"  # not broken in two, however long the text beside it
    looks = (number, number, cell)
    cells = ("".join(f'<td style="{look}">{value}</td>' for look, value in zip(looks, row)) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    told = f"The best {count(len(kept), 'span')} of all windows, with at most {count(longest, 'token')} each"
    caption = f'<caption style="text-align:left;caption-side:top">{told}</caption>'
    return f'<table style="border-collapse:collapse;margin:0">{caption}<tr>{head}</tr>{body}</table>'


class SpanExplorer(Shell):
    """Start and end logits as paired bars, sliders for the answer's length and the null threshold, and the n-best list.

    Args:
        example: a row in the course's schema.
        features: all of its windows.
        start_logits, end_logits: one array (tokens,) per window.
        max_answer_length, null_threshold: the values of the sliders at the beginning. With a threshold of None, "no
            answer" is not allowed until ``abstain`` is ticked.
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
            options=[("the one with the best span", _BEST), *names],
            description="Window",
            tooltip="The window whose bars are drawn",
            style=WIDE,
            layout=layout(),
        )
        sliders = {"style": WIDE, "layout": layout("28em")}
        self.answer_length = ipywidgets.IntSlider(
            max_answer_length,
            1,
            max(30, max_answer_length),
            description="Longest answer, in tokens",
            tooltip="Longer spans are left out",
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
            tooltip="If null score minus best score is above it, the prediction is “no answer”",
            **sliders,
        )
        super().__init__(self.window, self.answer_length, self.abstain, self.null_threshold)

    def draw(self) -> Html:
        """The answer and the bars at the current values of the controls."""
        self.null_threshold.disabled = not self.abstain.value
        threshold = self.null_threshold.value if self.abstain.value else None
        window = None if self.window.value == _BEST else self.window.value
        limits = (self.answer_length.value, threshold, self._align)
        return _span_view(self._example, self._features, *self._logits, limits, window, 5)
