"""Figures of lesson 11: scores and effects with their intervals, a shortcut and its repair, weights over a text."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from .plots import ANSWER_EDGE, GREY, INK, PALETTE, PLAIN, figure

_MARKERS = "osD^vP"


def plot_estimates(
    rows: Mapping[str, tuple[float, float, float]],
    xlabel: str,
    dots: Mapping[str, Sequence[float]] | None = None,
    zero: bool = False,
) -> Figure:
    """Numbers with their intervals, one below the other.

    Args:
        rows: name → (value, low, high).
        dots: name → further values to draw as small circles, such as those of single seeds.
        zero: whether the numbers are differences: 0 is then a line, and an interval that reaches it is grey.
    """
    drawn, axes = figure(7.5, 0.36 * len(rows) + 0.9)
    if zero:
        axes.axvline(0, color=INK, linewidth=1)
    for row, (name, (value, low, high)) in enumerate(rows.items()):
        color = GREY if zero and low <= 0 <= high else PLAIN
        axes.hlines(row, low, high, color=color, linewidth=2.5)
        axes.plot(value, row, "o", color=color, markersize=8)
        seeds = list((dots or {}).get(name, ()))
        axes.plot(seeds, [row + 0.27] * len(seeds), "o", markerfacecolor="none", color=INK, markersize=4)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set(xlabel=xlabel, ylim=(len(rows) - 0.4, -0.6))
    if not zero:
        axes.set_xlim(0, None)
    axes.grid(axis="x", color=GREY, alpha=0.25)
    return drawn


def plot_layouts(scores: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """The same questions about the same sentences in several orders: a line per kind of training, a dot per seed.

    Args:
        scores: training → layout of the texts → score in 0..100 of each seed.
    """
    layouts = list(next(iter(scores.values())))
    drawn, axes = figure(7.5, 3.4)
    for color, marker, (name, by_layout) in zip(PALETTE, _MARKERS, scores.items()):
        means = [float(np.mean(by_layout[layout])) for layout in layouts]
        axes.plot(range(len(layouts)), means, color=color, marker=marker, linewidth=2, label=name)
        for place, layout in enumerate(layouts):
            seeds = by_layout[layout]
            axes.plot([place + 0.03] * len(seeds), seeds, marker, color=color, markersize=3, alpha=0.7)
    axes.set_xticks(range(len(layouts)), layouts)
    axes.set(ylabel="EM", ylim=(0, 100), xlabel="how the texts of the evaluation are laid out")
    axes.set_xlim(-0.2, len(layouts) - 0.8)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), title="trained on", alignment="left")
    return drawn


def plot_token_weights(
    pair, question: str, context: str, weights: Mapping[str, Sequence[float]], span: tuple[int, int] | None = None
) -> Figure:
    """A text with a weight behind each token: orange where it is positive, purple where it is negative.

    Args:
        pair: what a fast tokenizer returned for question and context, with ``return_offsets_mapping=True``.
        weights: title → (tokens,) numbers. Each panel has its own scale: its strongest colour is its largest weight.
        span: first and last token of the answer (inclusive), framed.

    Raises:
        ValueError: a panel does not have one number per token.
    """
    offsets, sides, texts = pair["offset_mapping"], pair.sequence_ids(), (question, context)
    for name, values in weights.items():
        if len(values) != len(offsets):
            raise ValueError(f"{name!r} has {len(values)} numbers for {len(offsets)} tokens: it needs one for each")
    words: list[list] = []  # (token, side, text) of tokens without white space between them
    end_before = None
    for k, (side, (start, end)) in enumerate(zip(sides, offsets)):
        if side is None:
            continue
        if end_before != (side, start) or texts[side][start : start + 1].isspace():
            words.append([])
        words[-1].append((k, side, texts[side][start:end].strip()))
        end_before = (side, end)
    columns, row, column, places = 112, 0.0, 0, {}
    for word, before in zip(words, [None, *words]):
        new_text = before is not None and before[0][1] != word[0][1]
        if new_text or (column and column + sum(len(piece) for *_, piece in word) > columns):
            row, column = row + (1.5 if new_text else 1), 0
        for k, _, piece in word:
            places[k] = (row, column, piece)
            column += len(piece)
        column += 1
    rows = row
    height = 0.21 * (rows + 1) + 0.3
    drawn, panels = figure(9.0, height * len(weights), rows=len(weights), squeeze=False)
    shades = matplotlib.colormaps["PuOr_r"]
    for panel, (name, values) in zip(panels[:, 0], weights.items()):
        largest = max((abs(float(values[k])) for k in places), default=0) or 1.0
        for k, (row, column, piece) in places.items():
            shade = shades(0.5 + 0.28 * float(values[k]) / largest)
            inside = span is not None and span[0] <= k <= span[1]
            edge = {"edgecolor": ANSWER_EDGE, "linewidth": 1.5} if inside else {"linewidth": 0}
            box = matplotlib.patches.Rectangle((column, row - 0.45), len(piece), 0.9, facecolor=shade, **edge)
            panel.add_patch(box)
            panel.text(column, row, piece, family="monospace", fontsize=9, va="center_baseline", color=INK)
        panel.set(xlim=(0, columns), ylim=(rows + 0.6, -0.7), title=name)
        panel.axis("off")
    return drawn
