"""Figures of the course: one look, a colour-blind-safe palette (Okabe and Ito 2008), axes that say what they show."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED, SKY, PINK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7"
GREY, INK = "#8A8A8A", "#333333"
PALETTE = (BLUE, ORANGE, GREEN, PINK, SKY, RED)


def figure(width: float = 8.0, height: float = 3.2, rows: int = 1, columns: int = 1, **options):
    """A figure and its axes in the course's style: no frame above and at the right, small type, tight layout.

    Returns:
        (figure, axes), axes as ``plt.subplots`` gives them. End the cell with :func:`show`.
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
    with plt.rc_context(style):
        drawn, axes = plt.subplots(rows, columns, figsize=(width, height), layout="constrained", **options)
    return drawn, axes


def show(drawn: Figure) -> None:
    """Show a figure below its cell, once, and close it."""
    from IPython.display import display

    display(drawn)
    plt.close(drawn)


def plot_span_logits(
    tokens: Sequence[str],
    start_logits: Sequence[float],
    end_logits: Sequence[float],
    span: tuple[int, int] | None = None,
    title: str = "",
) -> Figure:
    """Paired bars of start and end logits over the tokens: the picture of extractive question answering.

    Args:
        tokens: (sequence,) the tokens' text, drawn below the bars.
        start_logits, end_logits: (sequence,).
        span: tokens of the answer, end inclusive, shaded.
    """
    positions = np.arange(len(tokens))
    drawn, axes = figure(max(6.0, 0.24 * len(tokens)), 3.0)
    axes.bar(positions - 0.2, start_logits, 0.4, color=BLUE, label="start logit")
    axes.bar(positions + 0.2, end_logits, 0.4, color=ORANGE, label="end logit")
    if span is not None:
        axes.axvspan(span[0] - 0.5, span[1] + 0.5, color=GREEN, alpha=0.18, zorder=0, label="best span")
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_xticks(positions, tokens, rotation=90)
    axes.set_xlim(-0.7, len(tokens) - 0.3)
    axes.set_ylabel("logit")
    axes.set_title(title)
    axes.legend(loc="upper right", ncols=3)
    return drawn


def plot_history(history: Sequence[dict], title: str = "") -> Figure:
    """Training loss and, where they were measured, EM and F1 against optimizer steps.

    Args:
        history: ``FineTuneResult.history``.
    """
    drawn, (left, right) = figure(8.0, 2.8, columns=2)
    losses = [(row["step"], row["loss"]) for row in history if "loss" in row]
    left.plot(*zip(*losses), color=BLUE)
    left.set(xlabel="optimizer step", ylabel="training loss", ylim=(0, None))
    scored = [row for row in history if "f1" in row]
    for key, label, color, marker in (("exact_match", "EM", GREEN, "o"), ("f1", "F1", RED, "s")):
        right.plot([r["step"] for r in scored], [r[key] for r in scored], color=color, marker=marker, label=label)
    right.set(xlabel="optimizer step", ylabel="score on validation", ylim=(0, 100))
    if scored:
        right.legend(loc="lower right")
    drawn.suptitle(title, x=0.01, ha="left", fontsize=11)
    return drawn
