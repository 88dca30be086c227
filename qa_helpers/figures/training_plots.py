"""Figures of training: a curve that grows while a model trains, the schedule, padding, overfitting, runs and seeds compared,
memory."""

import sys
import time
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from tqdm.auto import tqdm
from transformers import TrainerCallback

from ..engine.progress_bars import in_kernel
from .plots import (
    BLUE,
    EM,
    EM_STYLE,
    F1,
    F1_STYLE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PADDING,
    PALETTE,
    PINK,
    PLAIN,
    RED,
    SKY,
    WINDOW,
    figure,
    plot_history,
)

_STYLES = ("-", "--", ":", "-.")
_MARKERS = ("o", "s", "^", "D")


class LiveCurve(TrainerCallback):
    """Draw loss, EM and F1 while a model trains; pass it to ``fine_tune(..., callbacks=[LiveCurve()])``.

    In a notebook, one figure is redrawn in place. Where no figure can be shown (in a script or a terminal), each entry
    of the history becomes a line of text.

    Args:
        pause: the least time between two redraws, in seconds; scores and the end of training are always drawn.
        text: True prints lines of text, False draws a figure, None chooses what this place can show.
    """

    def __init__(self, pause: float = 1.0, text: bool | None = None):
        self.pause, self.text = pause, not in_kernel() if text is None else text
        self.rows: Sequence[dict] = []
        self.steps = 0
        self._shown = None  # the handle through which the displayed figure is updated
        self._drawn_rows, self._drawn_at = 0, -float("inf")

    def on_history(self, rows: Sequence[dict], steps: int) -> None:
        """Take the history so far; ``fine_tune`` calls this for each new row."""
        self.rows, self.steps = rows, steps
        if self.text:
            tqdm.write(_line(rows[-1], steps))  # unlike print, it does not break the progress bar below
            sys.stdout.flush()
        elif "f1" in rows[-1] or time.perf_counter() - self._drawn_at >= self.pause:
            self._draw()

    def on_train_end(self, args, state, control, **_):
        if not self.text and len(self.rows) > self._drawn_rows:
            self._draw()

    def _draw(self) -> None:
        from IPython.display import display

        drawn = plot_history(self.rows)
        for panel in drawn.axes:
            panel.set_xlim(0, 1.02 * self.steps)
        if self._shown is None:
            self._shown = display(drawn, display_id=True)
        else:
            self._shown.update(drawn)
        plt.close(drawn)
        self._drawn_rows, self._drawn_at = len(self.rows), time.perf_counter()


def _line(row: dict, steps: int) -> str:
    """One entry of a history as text: ``step  20 of 120   loss 3.41   (4 s)``."""
    figures = f"EM {row['exact_match']:.1f}   F1 {row['f1']:.1f}" if "f1" in row else f"loss {row['loss']:.2f}"
    return f"step {row['step']:>{len(str(steps))}} of {steps}   {figures}   ({row['seconds']:.0f} s)"


def plot_schedule(rates: Mapping[str, Sequence[float]]) -> Figure:
    """The learning rate at every optimizer step, a curve for each schedule.

    Args:
        rates: name → learning rates at steps 0, 1, 2, ….
    """
    drawn, axes = figure(7.0, 2.8)
    for k, (name, values) in enumerate(rates.items()):
        axes.plot(range(len(values)), values, color=PALETTE[k], linestyle=_STYLES[k % 4], label=name)
    axes.set(xlabel="optimizer step", ylabel="learning rate", ylim=(0, None), xlim=(0, None))
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2))
    if len(rates) > 1:
        axes.legend(loc="upper right")
    return drawn


def plot_padded_batches(ways: Mapping[str, Sequence[Sequence[int]]]) -> Figure:
    """Some batches as they enter the model: a bar of text and padding per window, a panel per order of the windows.

    Args:
        ways: name → batches, each a list of its windows' lengths in tokens. A batch is padded to its longest window.
    """
    drawn, axes = figure(8.0, 2.9, columns=len(ways), sharex=True, sharey=True, squeeze=False)
    for column, (panel, (name, batches)) in enumerate(zip(axes[0], ways.items())):
        row = 0
        for number, lengths in enumerate(batches):
            rows = np.arange(row, row + len(lengths))
            names = ("text", "padding") if column == number == 0 else (None, None)
            panel.barh(rows, lengths, 1.0, color=WINDOW, label=names[0])
            panel.barh(rows, [max(lengths) - n for n in lengths], 1.0, left=lengths, color=PADDING, label=names[1])
            row += len(lengths) + 2  # a gap between batches
        panel.set(title=name, xlabel="tokens")
    axes[0][0].set(ylabel="windows, batch by batch", yticks=[])
    axes[0][0].invert_yaxis()
    drawn.legend(loc="outside upper right", ncols=2)
    return drawn


def plot_waves(losses: Sequence[tuple[int, float]], longest: Sequence[int]) -> Figure:
    """The training loss of a run above the lengths of its batches; a dotted line wherever the lengths jump up again.

    Args:
        losses: (step, loss) of each log entry.
        longest: tokens in the longest window of each step's batch, from step 1 on.
    """
    drawn, (above, below) = figure(8.0, 3.8, rows=2, sharex=True)
    steps = np.arange(1, len(longest) + 1)
    above.plot(*zip(*losses), color=PLAIN)
    below.step(steps, longest, where="mid", color=WINDOW, linewidth=2)
    for step in steps[1:][np.diff(longest) > 0.1 * max(longest)]:
        for panel in (above, below):
            panel.axvline(step, color=INK, linestyle=":", linewidth=1)
    above.set(ylabel="training loss", ylim=(0, None))
    below.set(xlabel="optimizer step", ylabel="longest window,\ntokens", ylim=(0, None), xlim=(0, None))
    return drawn


def plot_validation_loss(training: Sequence[tuple[int, float]], validation: Sequence[tuple[int, float]]) -> Figure:
    """Training and validation loss of one run, and a dotted line where the validation loss is lowest.

    Args:
        training, validation: (step, loss) of each entry.
    """
    drawn, axes = figure(6.5, 3.0)
    axes.plot(*zip(*training), color=PLAIN, label="training loss")
    axes.plot(*zip(*validation), color=INK, linestyle="--", marker="o", label="validation loss")
    lowest = min(validation, key=lambda entry: entry[1])
    axes.axvline(lowest[0], color=INK, linestyle=":", linewidth=1)
    top = axes.get_xaxis_transform()
    axes.text(lowest[0], 1.0, "  lowest validation loss", transform=top, va="top", fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="optimizer step", ylabel="loss", ylim=(0, None), xlim=(0, None))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return drawn


def plot_runs(histories: Mapping[str, Sequence[dict]], right: str = "scores") -> Figure:
    """Several runs in one figure: training loss on the left, scores or the learning rate on the right.

    Args:
        histories: name → ``FineTuneResult.history``; each run has a line style of its own.
        right: ``"scores"`` (EM and F1 in their own colours) or ``"learning_rate"``.

    Raises:
        ValueError: ``right`` is something else.
    """
    if right not in ("scores", "learning_rate"):
        raise ValueError(f"right must be 'scores' or 'learning_rate', got {right!r}")
    drawn, (losses, other) = figure(8.5, 3.1, columns=2)
    for k, (name, history) in enumerate(histories.items()):
        line = {"color": PLAIN if right == "scores" else PALETTE[k], "linestyle": _STYLES[k % 4]}
        logged = [row for row in history if "loss" in row]
        losses.plot([row["step"] for row in logged], [row["loss"] for row in logged], label=name, **line)
        if right == "learning_rate":
            other.plot([row["step"] for row in logged], [row["learning_rate"] for row in logged], **line)
            continue
        scored = [row for row in history if "f1" in row]
        for key, label, style in (("f1", "F1", F1_STYLE), ("exact_match", "EM", EM_STYLE)):
            own = {**style, "linestyle": line["linestyle"], "fillstyle": "none" if k % 2 else "full"}
            values = [row[key] for row in scored]
            other.plot([row["step"] for row in scored], values, label=f"{name}, {label}", **own)
    losses.set(xlabel="optimizer step", ylabel="training loss", ylim=(0, None), xlim=(0, None))
    losses.legend(loc="best")
    for panel in (losses, other):
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    if right == "scores":
        other.set(xlabel="optimizer step", ylabel="score on validation", ylim=(0, 100), xlim=(0, None))
        other.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(histories))
    else:
        other.set(xlabel="optimizer step", ylabel="learning rate", ylim=(0, None), xlim=(0, None))
        other.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2))
    return drawn


def plot_seeds(scores: Mapping[str, Mapping[int, float]], xlabel: str = "score on validation") -> Figure:
    """The same training with several seeds: a dot per run, a line at the mean, a band from the worst to the best run.

    Args:
        scores: name of the row, such as "F1" → seed → score in 0..100.
    """
    drawn, axes = figure(6.5, 2.6)
    for row, (name, by_seed) in enumerate(scores.items()):
        values = list(by_seed.values())
        color = {"F1": F1, "EM": EM}.get(name, PLAIN)
        axes.barh(row, max(values) - min(values), 0.5, left=min(values), color=color, alpha=0.25)
        axes.scatter(values, [row] * len(values), color=color, zorder=3)
        axes.vlines(float(np.mean(values)), row - 0.3, row + 0.3, color=INK, linewidth=1.5)
        axes.text(
            max(values), row - 0.34, f"spread {max(values) - min(values):.1f}", ha="right", va="bottom", fontsize=9
        )
    every = [value for by_seed in scores.values() for value in by_seed.values()]
    room = max(1.0, 0.12 * (max(every) - min(every)))
    axes.set_yticks(range(len(scores)), list(scores))
    low = max(min(every) - room, 0)
    note = "" if low == 0 else f" (the axis begins at {low:.0f})"
    axes.set(xlabel=f"{xlabel}{note}", ylim=(len(scores) - 0.4, -0.75), xlim=(low, max(every) + room))
    return drawn


def plot_memory(parts: Mapping[str, Mapping[str, float]], limits: Mapping[str, float] | None = None) -> Figure:
    """The memory that training takes, a stacked bar per setting; a dashed line marks the memory of each device.

    Args:
        parts: setting → part (weights, gradients, …) → bytes.
        limits: device → its memory in bytes.
    """
    names = list(dict.fromkeys(name for by_part in parts.values() for name in by_part))
    colors = dict(zip(names, (BLUE, SKY, GREEN, ORANGE, PINK, RED, GREY)))
    drawn, axes = figure(8.0, 1.6 + 0.45 * len(parts))
    for row, by_part in enumerate(parts.values()):
        left = 0.0
        for name, size in by_part.items():
            axes.barh(row, size / 2**30, 0.6, left=left, color=colors[name], label=None if row else name)
            left += size / 2**30
        axes.text(left, row, f" {left:.1f}", va="center", fontsize=9)
    for name, size in (limits or {}).items():
        axes.axvline(size / 2**30, color=INK, linestyle="--", linewidth=1)
        axes.text(size / 2**30, len(parts) - 0.5, f"{name} ", ha="right", va="bottom", fontsize=9)
    axes.set_yticks(range(len(parts)), list(parts))
    axes.set(xlabel="GiB", ylim=(len(parts) - 0.5, -0.5))
    axes.set_xlim(0, 1.08 * max(axes.get_xlim()[1], *(size / 2**30 for size in (limits or {"": 0}).values())))
    axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=len(names))
    return drawn
