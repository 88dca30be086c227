"""Figures of lesson 07: spans, how sure a score is, errors, breakdowns, calibration, the null threshold."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..analysis import Calibration
from .plots import BLUE, GREEN, GREY, INK, ORANGE, PALETTE, RED, SKY, figure


def plot_span_scores(
    tokens: Sequence[str],
    start_logits: Sequence[float],
    end_logits: Sequence[float],
    max_answer_length: int,
    best: tuple[int, int] | None = None,
) -> Figure:
    """The score of every span of a few tokens as a square, a row for each start and a column for each end.

    Args:
        tokens: (sequence,) about twenty context tokens, so that their text can be read.
        start_logits, end_logits: (sequence,).
        max_answer_length: spans that are longer, or end before they start, are left grey.
        best: tokens of the best valid span, end inclusive, framed.
    """
    starts, ends = np.asarray(start_logits), np.asarray(end_logits)
    n = len(tokens)
    length = np.arange(n)[None, :] - np.arange(n)[:, None] + 1
    valid = (length >= 1) & (length <= max_answer_length)
    scores = np.where(valid, starts[:, None] + ends[None, :], np.nan)
    side = max(4.2, 0.26 * n + 1.2)
    drawn, axes = figure(side + 1.0, side)
    axes.set_facecolor("#DDDDDD")
    image = axes.imshow(scores, cmap="cividis", aspect="equal")
    if best is not None:
        frame = Rectangle((best[1] - 0.5, best[0] - 0.5), 1, 1, fill=False, edgecolor=RED, linewidth=2.2)
        axes.add_patch(frame)
        axes.set_title(f"best: starts at {tokens[best[0]]!r}, ends at {tokens[best[1]]!r}")
    axes.set_xticks(range(n), tokens, rotation=90)
    axes.set_yticks(range(n), tokens)
    axes.set(xlabel="the span ends here", ylabel="the span starts here")
    drawn.colorbar(image, ax=axes, shrink=0.7, label="start logit + end logit")
    return drawn


def plot_bootstrap(means: Mapping[str, Sequence[float]], intervals: Mapping[str, tuple[float, float]]) -> Figure:
    """Histograms of bootstrap means, one below the other on one scale, with their intervals.

    Args:
        means: what was drawn → (samples,) means, in the unit to be shown.
        intervals: what was drawn → (low, high), in the same unit.
    """
    drawn, axes = figure(7.5, 1.5 * len(means) + 0.6, rows=len(means), sharex=True, squeeze=False)
    bins = np.linspace(min(map(min, means.values())), max(map(max, means.values())), 41)
    for k, (name, values) in enumerate(means.items()):
        panel, (low, high) = axes[k][0], intervals[name]
        panel.hist(values, bins=bins, color=PALETTE[k])
        panel.axvspan(low, high, color=GREY, alpha=0.2, zorder=0)
        panel.set_title(f"{name}: {low:.1f} to {high:.1f}")
        panel.set_yticks([])
        panel.spines["left"].set_visible(False)
    axes[-1][0].set_xlabel("score of a sample (shaded: the middle 95 % of them)")
    return drawn


def plot_error_classes(counts: Mapping[str, int], total: int) -> Figure:
    """Horizontal bars: how many predictions fall into each class of error.

    Args:
        counts: class → number.
        total: number of all predictions, the right ones included; shares refer to it.
    """
    drawn, axes = figure(7.5, 0.34 * len(counts) + 0.9)
    axes.barh(range(len(counts)), list(counts.values()), 0.65, color=BLUE)
    for row, number in enumerate(counts.values()):
        axes.text(number, row, f" {number}  ({number / total:.1%})", va="center", fontsize=9)
    axes.set_yticks(range(len(counts)), list(counts))
    axes.set(xlabel="predictions (share of all)", xlim=(0, 1.25 * max([1, *counts.values()])))
    axes.invert_yaxis()
    return drawn


def plot_breakdown(tables: Mapping[str, object]) -> Figure:
    """F1 of groups with 95 % intervals (dots and lines) and EM (crosses), a panel for each way of grouping.

    Args:
        tables: title → what :func:`qa_helpers.score_by` returned.
    """
    rows = [len(table) for table in tables.values()]
    drawn, axes = figure(
        7.5, 0.27 * sum(rows) + 0.75 * len(rows) + 0.5, rows=len(rows), sharex=True, squeeze=False, height_ratios=rows
    )
    for k, (title, table) in enumerate(tables.items()):
        panel, places = axes[k][0], np.arange(len(table))
        panel.hlines(places, table["F1 low"], table["F1 high"], color=BLUE, linewidth=2)
        panel.plot(table["F1"], places, "o", color=BLUE, label="F1, with its interval")
        panel.plot(table["EM"], places, "x", color=ORANGE, markeredgewidth=2, label="EM")
        panel.set_yticks(places, [f"{group}  ({n})" for group, n in zip(table.index, table["examples"])])
        panel.set_ylim(len(table) - 0.4, -0.6)
        panel.set_title(title)
        panel.grid(axis="x", color=GREY, alpha=0.25)
    axes[-1][0].set(xlabel="score (in brackets: number of examples)", xlim=(0, 100))
    drawn.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return drawn


def plot_calibration(found: Calibration) -> Figure:
    """Share of right predictions against their probability, beside the diagonal; below, how many there are.

    Args:
        found: what :func:`qa_helpers.calibration` returned.
    """
    drawn, (curve, bars) = figure(5.6, 5.0, rows=2, sharex=True, height_ratios=(3, 1))
    filled = found.counts > 0
    curve.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="as often right as it says")
    curve.vlines(found.probability[filled], found.probability[filled], found.right[filled], color=RED, alpha=0.5)
    curve.plot(found.probability[filled], found.right[filled], color=BLUE, marker="o", label="measured")
    curve.set(ylabel="share that is right", ylim=(-0.02, 1.02), xlim=(0, 1))
    curve.legend(loc="upper left")
    edges = np.linspace(0, 1, len(found.counts) + 1)
    bars.bar(edges[:-1], found.counts, np.diff(edges), align="edge", color=SKY, edgecolor="white")
    bars.set(xlabel="probability of the answer", ylabel="answers")
    return drawn


def plot_null_scores(
    differences: Sequence[float], has_answer: Sequence[bool], threshold: float | None = None
) -> Figure:
    """Histograms of null score minus best score, of questions with an answer and without.

    Args:
        differences: (examples,) ``Prediction.score_difference``.
        has_answer: (examples,).
        threshold: drawn as a vertical line; at its right the answer is "no answer".
    """
    differences, has_answer = np.asarray(differences), np.asarray(has_answer, dtype=bool)
    drawn, axes = figure(7.5, 2.8)
    bins = np.linspace(*np.quantile(differences, [0.002, 0.998]), 41)
    for kind, color, name in ((has_answer, BLUE, "has an answer"), (~has_answer, ORANGE, "has none")):
        axes.hist(np.clip(differences[kind], bins[0], bins[-1]), bins=bins, color=color, alpha=0.6, label=name)
    if threshold is not None and np.isfinite(threshold):
        axes.axvline(threshold, color=INK, linewidth=1.2, linestyle="--")
        place = axes.get_xaxis_transform()
        axes.text(threshold, 1.0, " no answer →", transform=place, va="bottom", fontsize=9)
        axes.text(threshold, 1.0, "← answer ", transform=place, va="bottom", ha="right", fontsize=9)
    axes.set(xlabel="null score − best score", ylabel="questions")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return drawn


def plot_threshold(thresholds: Sequence[float], curves: Mapping[str, Sequence[float]], best: float) -> Figure:
    """Scores against the null threshold.

    Args:
        thresholds: ascending.
        curves: name → score at each threshold, in 0..100.
        best: the chosen threshold, drawn as a vertical line.
    """
    drawn, axes = figure(7.5, 3.0)
    styles = zip(curves.items(), (INK, BLUE, ORANGE, GREEN), ("-", "--", "-.", ":"))
    for (name, values), color, style in styles:
        axes.plot(thresholds, values, color=color, linestyle=style, linewidth=2, label=name)
    if np.isfinite(best):
        axes.axvline(best, color=RED, linewidth=1)
        axes.text(best, 103, f"{best:.1f}", color=RED, ha="center", va="bottom", fontsize=9)
    axes.set(xlabel="threshold", ylabel="F1", ylim=(0, 102))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return drawn
