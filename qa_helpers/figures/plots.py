"""Figures of the course: one look, one colour for each meaning (see ``colours``), axes that say what they show."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from .colours import (  # noqa: F401 (lessons and other figures take them from here)
    ABSENT,
    ANSWER,
    ANSWER_EDGE,
    BLUE,
    EM,
    END,
    F1,
    GREEN,
    GREY,
    HELD,
    INK,
    LOST,
    ORANGE,
    PADDING,
    PALETTE,
    PINK,
    PLAIN,
    PLAIN_PALE,
    QUESTION,
    RED,
    SKY,
    START,
    WINDOW,
    WINDOW_PALE,
)

# A kind of text has the colour of its tokens.
_OF_TEXT = {"question": QUESTION, "context": WINDOW, "answer": ANSWER}
# How the two scores are drawn wherever a figure has both: they differ in colour, marker and line.
F1_STYLE = {"color": F1, "marker": "o", "linestyle": "-"}
EM_STYLE = {"color": EM, "marker": "s", "linestyle": "--"}


def figure(width: float = 8.0, height: float = 3.2, rows: int = 1, columns: int = 1, **options):
    """A figure and its axes in the course's style: no frame at the top and on the right, small type, tight layout.

    Returns:
        (figure, axes), as ``plt.subplots`` gives them. End the cell with :func:`show`.
    """
    style = {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "axes.labelsize": 10,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
        "legend.frameon": False,
        "legend.fontsize": 9,
        "font.size": 10,
    }
    plt.rcParams.update(style)  # not a context manager: what is added to the axes later has this style, too
    return plt.subplots(rows, columns, figsize=(width, height), layout="constrained", **options)


def show(drawn: Figure) -> None:
    """Show a figure below its cell, and close it so that it is not shown a second time."""
    from IPython.display import display

    display(drawn)
    plt.close(drawn)


def shade_answer(axes, first: int, last: int, label: str | None = "answer") -> None:
    """Shade the places of tokens ``first`` to ``last`` (inclusive) of a figure over tokens, behind its bars.

    Args:
        axes: of the figure; token k is at x = k.
        label: for the legend; None in further panels, so that it is named once.
    """
    axes.axvspan(first - 0.5, last + 0.5, facecolor=(ANSWER, 0.5), edgecolor=ANSWER_EDGE, zorder=0, label=label)


def plot_span_logits(
    tokens: Sequence[str],
    start_logits: Sequence[float],
    end_logits: Sequence[float],
    span: tuple[int, int] | None = None,
    title: str = "",
) -> Figure:
    """Paired bars of start and end logits over the tokens: the picture of extractive question answering.

    Args:
        tokens: (sequence,) the tokens' text, written below the bars.
        start_logits, end_logits: (sequence,).
        span: first and last token of the answer (inclusive), shaded.
    """
    positions = np.arange(len(tokens))
    drawn, axes = figure(max(6.0, 0.24 * len(tokens)), 3.0)
    axes.bar(positions - 0.2, start_logits, 0.4, color=START, label="start logit")
    axes.bar(positions + 0.2, end_logits, 0.4, color=END, label="end logit")
    if span is not None:
        shade_answer(axes, *span)
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_xticks(positions, tokens, rotation=90)
    axes.set_xlim(-0.7, len(tokens) - 0.3)
    axes.set_ylabel("logit")
    axes.set_title(title, pad=22 if title else None)  # leaves room for the legend below the title
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0.1)
    return drawn


def plot_history(history: Sequence[dict], title: str = "") -> Figure:
    """Training loss (left) and, where they were measured, EM and F1 (right) against optimizer steps.

    Args:
        history: ``FineTuneResult.history``.
    """
    drawn, (left, right) = figure(8.0, 2.8, columns=2)
    losses = [(row["step"], row["loss"]) for row in history if "loss" in row]
    left.plot(*zip(*losses), color=PLAIN)
    left.set(xlabel="optimizer step", ylabel="training loss", ylim=(0, None))
    scored = [row for row in history if "f1" in row]
    for key, label, style in (("f1", "F1", F1_STYLE), ("exact_match", "EM", EM_STYLE)):
        right.plot([row["step"] for row in scored], [row[key] for row in scored], label=label, **style)
    right.set(xlabel="optimizer step", ylabel="score on validation", ylim=(0, 100))
    if scored:
        right.legend(loc="lower right")
    drawn.suptitle(title, x=0.01, ha="left", fontsize=11)
    return drawn


def plot_lengths(lengths: Mapping[str, Mapping[str, Sequence[int]]]) -> Figure:
    """Histograms of lengths: a row per unit (tokens, characters), a column per kind of text, a line at each median.

    Args:
        lengths: kind of text → unit → lengths. The last bar collects the longest 1 %, so that a few very long texts do
            not squeeze all the others together.
    """
    units = list(next(iter(lengths.values())))
    drawn, axes = figure(8.5, 2.1 * len(units) + 0.4, rows=len(units), columns=len(lengths), squeeze=False)
    for column, (name, by_unit) in enumerate(lengths.items()):
        for row, unit in enumerate(units):
            values = np.asarray(by_unit[unit])
            top = max(int(np.percentile(values, 99)), 1)
            step = -(-(top + 1) // 24)  # a whole number, so that every bar covers equally many lengths
            bins = np.arange(0, top + step + 1, step)
            panel = axes[row][column]
            edge = ANSWER_EDGE if name == "answer" else None
            panel.hist(np.minimum(values, top), bins=bins, color=_OF_TEXT.get(name, PLAIN), edgecolor=edge)
            median = float(np.median(values))
            panel.axvline(median, color=INK, linewidth=1, linestyle="--")
            place = panel.get_xaxis_transform()
            panel.text(median, 1.0, f" median {median:.0f}", transform=place, va="top", fontsize=8)
            panel.set_xlabel(f"{name}, {unit}")
            panel.set_ylim(0, panel.get_ylim()[1] * 1.12)
    for row in range(len(units)):
        axes[row][0].set_ylabel("number of texts")
    return drawn


def plot_shares(counts: Mapping[str, Mapping[str, int]], xlabel: str = "share of questions, %") -> Figure:
    """Horizontal bars of shares: a group of bars for each category, a colour for each way of counting.

    Args:
        counts: way of counting → category → number. Categories appear in the order of the last way.
    """
    names = list(dict.fromkeys(name for numbers in reversed(counts.values()) for name in numbers))
    drawn, axes = figure(8.0, 0.34 * len(names) + 1.1)
    positions, height = np.arange(len(names)), 0.8 / len(counts)
    colors = (PLAIN, PLAIN_PALE) if len(counts) <= 2 else PALETTE
    for k, (way, numbers) in enumerate(counts.items()):
        total = sum(numbers.values())
        shares = [100 * numbers.get(name, 0) / total for name in names]
        axes.barh(positions + (k - (len(counts) - 1) / 2) * height, shares, height, color=colors[k], label=way)
    axes.set_yticks(positions, names)
    axes.invert_yaxis()
    axes.set_xlabel(xlabel)
    if len(counts) > 1:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(counts), frameon=False)
    return drawn


def plot_answer_positions(positions: Sequence[float]) -> Figure:
    """Where answers begin, as a share of their context: a bar per tenth, and a line at what an even spread would give.

    Args:
        positions: ``answer_start / len(context)`` of every answer, in 0..1.
    """
    shares = 100 * np.histogram(positions, bins=10, range=(0, 1))[0] / len(positions)
    drawn, axes = figure(7.0, 2.8)
    axes.bar(np.arange(5, 100, 10), shares, 9, color=PLAIN)
    axes.axhline(10, color=INK, linewidth=1, linestyle="--")
    axes.text(100, 10.3, "evenly spread", ha="right", va="bottom", fontsize=9)
    axes.set_xticks(range(0, 101, 10))
    axes.set(xlabel="where the answer begins, % of the context's characters", ylabel="answers, %")
    axes.set_ylim(0, max(12.5, shares.max() * 1.1))
    return drawn


def plot_share_that_fits(lengths: Mapping[str, Sequence[int]], limits: Sequence[int]) -> Figure:
    """The share of texts that are no longer than a given length: a curve per kind of text, a vertical line per limit.

    Args:
        lengths: kind of text → lengths in tokens.
        limits: lengths to mark, in tokens.
    """
    drawn, axes = figure(8.0, 3.0)
    for color, (name, values) in zip((WINDOW, INK, QUESTION), lengths.items()):
        ordered = np.sort(values)
        axes.step(ordered, 100 * np.arange(1, len(ordered) + 1) / len(ordered), where="post", color=color, label=name)
    for limit in limits:
        axes.axvline(limit, color=INK, linewidth=1, linestyle="--")
        axes.text(limit, 3, f" {limit} tokens", fontsize=9)
    axes.set(xlabel="length in tokens", ylabel="share no longer than this, %", ylim=(0, 102), xlim=(0, None))
    axes.legend(loc="center right")
    return drawn


def plot_windows(
    spans: Sequence[tuple[int, int]],
    characters: int,
    answer: tuple[int, int] | None = None,
    states: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """The windows of one context: one bar below the other, each as long as the text that its window covers.

    Args:
        spans: characters [start, end) of the context that each window covers.
        characters: length of the context.
        answer: characters [start, end) of the answer, drawn as a yellow vertical band.
        states: what each window does to the answer: "whole" (holds all of it), "cut" (holds a part) or "absent". The
            bars then have the colour of the state; without states, the part that a window shares with the one above it
            is paler.
    """
    colors = {
        "whole": (HELD, "holds the whole answer"),
        "cut": (LOST, "cuts the answer"),
        "absent": (ABSENT, "no part of the answer"),
    }
    drawn, axes = figure(8.0, 1.3 + 0.3 * len(spans))
    seen = 0
    named = set()

    def bar(row: int, start: int, end: int, color: str, name: str) -> None:
        label = None if name in named else name
        named.add(name)
        axes.barh(row, end - start, 0.62, left=start, color=color, label=label)

    for row, (start, end) in enumerate(spans):
        if states is not None:
            bar(row, start, end, *colors[states[row]])
            continue
        shared = min(max(seen, start), end)
        if shared > start:
            bar(row, start, shared, WINDOW_PALE, "shared with the window above")
        bar(row, shared, end, WINDOW, "new text")
        seen = end
    if answer is not None:
        axes.axvspan(*answer, facecolor=(ANSWER, 0.65), edgecolor=ANSWER_EDGE, zorder=3, label="answer")
    notes = [f": {state}" for state in states] if states is not None else [""] * len(spans)
    axes.set_yticks(range(len(spans)), [f"window {k}{note}" for k, note in enumerate(notes)])
    axes.set(xlim=(0, characters), ylim=(len(spans) - 0.4, -0.6), xlabel="characters of the context", title=title)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0 if not title else 1.12), ncols=4, frameon=False)
    return drawn


def plot_stride(strides: Sequence[int], windows: Sequence[float], whole: Sequence[float]) -> Figure:
    """What a larger stride costs (left) and gains (right).

    Args:
        strides: numbers of tokens that neighbouring windows share.
        windows: windows per example at each stride.
        whole: share of answers, in 0..1, that are whole in at least one window.
    """
    drawn, (left, right) = figure(8.0, 2.8, columns=2)
    left.plot(strides, windows, color=PLAIN, marker="o")
    left.set(xlabel="stride (shared tokens)", ylabel="windows per example", title="cost", ylim=(0, None))
    right.plot(strides, [100 * share for share in whole], color=HELD, marker="s")
    low = right.get_ylim()[0]
    note = "" if low <= 0 else f"\n(the axis begins at {low:.3g} %)"
    right.set(xlabel="stride (shared tokens)", ylabel=f"answers kept whole (%){note}", title="gain")
    return drawn


def plot_padding(tokens: dict[str, tuple[int, int]]) -> Figure:
    """The tokens that the model has to compute under several ways of padding: text and padding, stacked.

    Args:
        tokens: way of padding → (tokens of text, tokens of padding).
    """
    drawn, axes = figure(8.0, 0.9 + 0.5 * len(tokens))
    for row, (text, padding) in enumerate(tokens.values()):
        axes.barh(row, text / 1e6, 0.6, color=WINDOW, label=None if row else "text")
        axes.barh(row, padding / 1e6, 0.6, left=text / 1e6, color=PADDING, label=None if row else "padding")
        axes.text((text + padding) / 1e6, row, f" {padding / (text + padding):.0%} padding", va="center")
    axes.set_yticks(range(len(tokens)), list(tokens))
    axes.set(xlabel="tokens through the model in one epoch (millions)", ylim=(len(tokens) - 0.5, -0.5))
    axes.set_xlim(0, 1.22 * max(sum(pair) for pair in tokens.values()) / 1e6)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    return drawn


def plot_no_answer(lengths: Sequence[int], shares: Sequence[float]) -> Figure:
    """The share of windows that do not hold the answer, for several window sizes.

    Args:
        lengths: values of max_length.
        shares: share of windows labelled with [CLS], in 0..1, at each of them.
    """
    drawn, axes = figure(6.5, 2.8)
    axes.bar([str(length) for length in lengths], [100 * share for share in shares], 0.6, color=ABSENT)
    for column, share in enumerate(shares):
        axes.text(column, 100 * share + 1.5, f"{share:.0%}", ha="center")
    axes.set(xlabel="max_length (tokens)", ylabel="windows without the answer (%)", ylim=(0, 100))
    return drawn
