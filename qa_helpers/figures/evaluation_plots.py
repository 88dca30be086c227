"""Figures of evaluation: span scores, the uncertainty of a score, errors, breakdowns, calibration, the null threshold."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from ..analysis import Calibration
from .plots import ABSENT, ANSWER, ANSWER_EDGE, EM, F1, GREEN, GREY, INK, PADDING, PLAIN, figure, plot_span_logits


def plot_span_scores(
    tokens: Sequence[str],
    start_logits: Sequence[float],
    end_logits: Sequence[float],
    max_answer_length: int,
    best: tuple[int, int] | None = None,
) -> Figure:
    """The score of every span of a few tokens, as a square: a row for each start, a column for each end.

    Args:
        tokens: (sequence,) about twenty context tokens, few enough for their text to be read.
        start_logits, end_logits: (sequence,).
        max_answer_length: spans that are longer, or that end before they start, are left grey.
        best: first and last token of the best valid span (inclusive), which gets a frame.
    """
    starts, ends = np.asarray(start_logits), np.asarray(end_logits)
    n = len(tokens)
    length = np.arange(n)[None, :] - np.arange(n)[:, None] + 1
    valid = (length >= 1) & (length <= max_answer_length)
    scores = np.where(valid, starts[:, None] + ends[None, :], np.nan)
    side = max(4.2, 0.26 * n + 1.2)
    drawn, axes = figure(side + 1.0, side)
    axes.set_facecolor(PADDING)  # not among the colours of the scale
    image = axes.imshow(scores, cmap="viridis", aspect="equal")
    if best is not None:
        frame = Rectangle((best[1] - 0.5, best[0] - 0.5), 1, 1, fill=False, edgecolor=INK, linewidth=2.2)
        frame.set_path_effects([withStroke(linewidth=4.4, foreground="white")])  # seen on dark and on bright squares
        axes.add_patch(frame)
        axes.set_title(f"framed, the best: starts at {tokens[best[0]]!r}, ends at {tokens[best[1]]!r}")
    axes.set_xticks(range(n), tokens, rotation=90)
    axes.set_yticks(range(n), tokens)
    axes.set(xlabel="the span ends here", ylabel="the span starts here")
    drawn.colorbar(image, ax=axes, shrink=0.7, label="start logit + end logit (grey: no valid span)")
    return drawn


def plot_peaks(
    tokens: Sequence[str],
    start_logits: Sequence[float],
    end_logits: Sequence[float],
    context: tuple[int, int],
    span: tuple[int, int],
) -> Figure:
    """The logits of one window from a little before its first peak to a little after its last one.

    The peaks are the context's highest start and end logits and the edges of the best span. Where they are too far apart
    for one picture, it shows the best span alone.

    Args:
        tokens, start_logits, end_logits: (sequence,) of the whole window.
        context: the context's tokens [first, last + 1).
        span: first and last token of the best valid span (inclusive), which is shaded.
    """
    first, beyond = context
    highest = [first + int(np.argmax(logits[first:beyond])) for logits in (start_logits, end_logits)]
    peaks = [*highest, *span]
    if max(peaks) - min(peaks) >= 30:
        peaks = list(span)
    shown = slice(max(min(peaks) - 4, first), min(max(peaks) + 5, beyond))
    edges = span[0] - shown.start, span[1] - shown.start
    return plot_span_logits(tokens[shown], start_logits[shown], end_logits[shown], span=edges)


def plot_scores_around(
    tokens: Sequence[str],
    start_logits: Sequence[float],
    end_logits: Sequence[float],
    context: tuple[int, int],
    span: tuple[int, int],
    max_answer_length: int = 12,
) -> Figure:
    """The square of :func:`plot_span_scores` for the tokens of a window around its best span.

    Args:
        tokens, start_logits, end_logits, context, span: as for :func:`plot_peaks`.
        max_answer_length: width of the band in tokens; a longer best span widens it.
    """
    shown = slice(max(span[0] - 11, context[0]), min(max(span[0] + 11, span[1] + 1), context[1]))
    edges = span[0] - shown.start, span[1] - shown.start
    band = max(max_answer_length, span[1] - span[0] + 1)
    return plot_span_scores(tokens[shown], start_logits[shown], end_logits[shown], band, edges)


def plot_bootstrap(
    means: Mapping[str, Sequence[float]], intervals: Mapping[str, tuple[float, float]], quantity: str = "score"
) -> Figure:
    """Histograms of bootstrap means with their intervals, one below the other on the same scale.

    Args:
        means: what was resampled → (samples,) means, in the unit of the axis.
        intervals: what was resampled → (low, high), in the same unit.
        quantity: what the values are, for the axis.
    """
    drawn, axes = figure(7.5, 1.5 * len(means) + 0.6, rows=len(means), sharex=True, squeeze=False)
    bins = np.linspace(min(map(min, means.values())), max(map(max, means.values())), 41)
    for (panel,), (name, values) in zip(axes, means.items()):
        low, high = intervals[name]
        panel.hist(values, bins=bins, color=PLAIN)
        panel.axvspan(low, high, color=GREY, alpha=0.2, zorder=0)
        panel.set_title(f"{name}: " + f"{low:.1f} to {high:.1f}".replace("-", "−"))
        panel.set_yticks([])
        panel.spines["left"].set_visible(False)
    axes[-1][0].set_xlabel(f"{quantity} of a sample (shaded: the middle 95 % of them)")
    return drawn


def plot_error_classes(counts: Mapping[str, int], total: int) -> Figure:
    """How many predictions fall into each class of error, as horizontal bars.

    Args:
        counts: class → number.
        total: number of all predictions, correct ones included; the shares refer to it.
    """
    drawn, axes = figure(7.5, 0.34 * len(counts) + 0.9)
    axes.barh(range(len(counts)), list(counts.values()), 0.65, color=PLAIN)
    for row, number in enumerate(counts.values()):
        axes.text(number, row, f" {number}  ({number / total:.1%})", va="center", fontsize=9)
    axes.set_yticks(range(len(counts)), list(counts))
    axes.set(xlabel="predictions (share of all)", xlim=(0, 1.25 * max([1, *counts.values()])))
    axes.invert_yaxis()
    return drawn


def quarters(lengths: Sequence[int]):
    """Sort whole numbers into four ranges that hold about equally many of them.

    Args:
        lengths: (examples,).

    Returns:
        pandas.Categorical (examples,) of labels such as "41–78", in ascending order; fewer than four where many lengths
        are equal.
    """
    import pandas as pd

    lengths = np.asarray(lengths)
    edges = np.unique(np.quantile(lengths, [0.25, 0.5, 0.75, 1], method="inverted_cdf"))  # lengths that occur
    part = np.searchsorted(edges, lengths)
    lowest = [lengths[part == k].min() for k in range(len(edges))]
    labels = [f"{low}–{high}" if low < high else f"{low}" for low, high in zip(lowest, edges)]
    return pd.Categorical.from_codes(part, labels, ordered=True)


def plot_breakdown(tables: Mapping[str, object]) -> Figure:
    """F1 with its 95 % interval (circles and lines) and EM (squares) of groups, a panel for each way of grouping.

    Args:
        tables: title → what :func:`qa_helpers.score_by` returned.
    """
    rows = [len(table) for table in tables.values()]
    drawn, axes = figure(
        7.5, 0.27 * sum(rows) + 0.75 * len(rows) + 0.5, rows=len(rows), sharex=True, squeeze=False, height_ratios=rows
    )
    for k, (title, table) in enumerate(tables.items()):
        panel, places = axes[k][0], np.arange(len(table))
        panel.hlines(places, table["F1 low"], table["F1 high"], color=F1, linewidth=2)
        panel.plot(table["F1"], places, "o", color=F1, label="F1, with its 95 % interval")
        panel.plot(table["EM"], places, "s", color=EM, label="EM")
        panel.set_yticks(places, [f"{group}  ({n})" for group, n in zip(table.index, table["examples"])])
        panel.set_ylim(len(table) - 0.4, -0.6)
        panel.set_title(title)
        panel.grid(axis="x", color=GREY, alpha=0.25)
    axes[-1][0].set(xlabel="score (in parentheses: number of examples)", xlim=(0, 100))
    drawn.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return drawn


def plot_calibration(found: Calibration) -> Figure:
    """The share of predictions that are correct against their probability, with 95 % intervals, and below it, how many
    predictions there are.

    A vertical line through each point is the 95 % interval of the share (Wilson's): long where there are few predictions.

    Args:
        found: what :func:`qa_helpers.calibration` returned.
    """
    drawn, (curve, bars) = figure(5.6, 5.0, rows=2, sharex=True, height_ratios=(3, 1))
    filled = found.counts > 0
    curve.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="perfectly calibrated")
    low, high = _wilson_interval(found.right[filled], found.counts[filled])
    curve.vlines(found.probability[filled], low, high, color=PLAIN, alpha=0.6, label="95 % interval")
    curve.plot(found.probability[filled], found.right[filled], color=PLAIN, marker="o", label="measured")
    curve.set(ylabel="share that is correct", ylim=(-0.02, 1.02), xlim=(0, 1))
    curve.legend(loc="upper left")
    edges = np.linspace(0, 1, len(found.counts) + 1)
    bars.bar(edges[:-1], found.counts, np.diff(edges), align="edge", color=PLAIN, edgecolor="white")
    for left, number in zip(edges[:-1][filled], found.counts[filled]):
        bars.text(left + 0.5 / len(found.counts), number, f"{number:,.0f}", ha="center", va="bottom", fontsize=8)
    bars.set(xlabel="probability of the answer", ylabel="answers", ylim=(0, 1.25 * max(found.counts)))
    return drawn


def _wilson_interval(share: np.ndarray, number: np.ndarray, z: float = 1.96) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends of the interval of a share that was observed in ``number`` trials."""
    middle = (share + z**2 / (2 * number)) / (1 + z**2 / number)
    half = z * np.sqrt(share * (1 - share) / number + z**2 / (4 * number**2)) / (1 + z**2 / number)
    return middle - half, middle + half


def plot_null_scores(
    differences: Sequence[float], has_answer: Sequence[bool], threshold: float | None = None
) -> Figure:
    """Histograms of null score minus best score: one of the questions that have an answer, one of those that have none.

    Args:
        differences: (examples,) ``Prediction.score_difference``.
        has_answer: (examples,).
        threshold: drawn as a vertical line; to its right, the prediction is "no answer".
    """
    differences, has_answer = np.asarray(differences), np.asarray(has_answer, dtype=bool)
    drawn, axes = figure(7.5, 2.8)
    bins = np.linspace(*np.quantile(differences, [0.002, 0.998]), 41)
    kinds = ((has_answer, ANSWER, ANSWER_EDGE, "has an answer"), (~has_answer, ABSENT, INK, "has none"))
    for kind, color, edge, name in kinds:
        values = np.clip(differences[kind], bins[0], bins[-1])
        axes.hist(values, bins=bins, facecolor=(color, 0.6), edgecolor=edge, linewidth=0.6, label=name)
    if threshold is not None and np.isfinite(threshold):
        axes.axvline(threshold, color=INK, linewidth=1.2, linestyle="--")
        place = axes.get_xaxis_transform()
        axes.text(threshold, 1.0, " no answer →", transform=place, va="bottom", fontsize=9)
        axes.text(threshold, 1.0, "← answer ", transform=place, va="bottom", ha="right", fontsize=9)
    axes.set(xlabel="null score − best score", ylabel="questions")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return drawn


def plot_threshold(thresholds: Sequence[float], curves: Mapping[str, Sequence[float]], best: float) -> Figure:
    """F1 against the null threshold.

    Args:
        thresholds: in ascending order.
        curves: name → score at each threshold, in 0..100; first all questions, then those with an answer, then those
            without.
        best: the chosen threshold, drawn as a vertical line.
    """
    drawn, axes = figure(7.5, 3.0)
    styles = zip(curves.items(), (INK, ANSWER_EDGE, GREY, GREEN), ("-", "--", "-.", ":"))
    for (name, values), color, style in styles:
        axes.plot(thresholds, values, color=color, linestyle=style, linewidth=2, label=name)
    if np.isfinite(best):
        axes.axvline(best, color=INK, linewidth=1.2, linestyle="--")
        axes.text(best, 103, f"chosen: {best:.1f}", ha="center", va="bottom", fontsize=9)
    axes.set(xlabel="threshold", ylabel="F1", ylim=(0, 102))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return drawn
