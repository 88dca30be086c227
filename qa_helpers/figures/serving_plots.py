"""Figures of lesson 12: the steps of int8, what int8 changes in each family, and speed by batch and length."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from .family_plots import STYLES
from .plots import INK, PALETTE, PLAIN, figure


def plot_steps(matrices: Mapping[str, np.ndarray]) -> Figure:
    """How the numbers of matrices spread over the 255 steps of int8: a panel for each matrix.

    Args:
        matrices: title → numbers of any shape, not all of them 0. A step is the largest of them divided by 127.
    """
    drawn, panels = figure(8.5, 0.8 + 1.5 * len(matrices), rows=len(matrices), sharex=True, squeeze=False)
    for panel, (title, matrix) in zip(panels[:, 0], matrices.items()):
        steps = np.round(matrix / (np.abs(matrix).max() / 127)).astype(int).ravel()
        used, counts = np.unique(steps, return_counts=True)
        shares = 100 * counts / len(steps)
        panel.bar(used, shares, 1.0, color=PLAIN)
        lonely = used[(shares < 0.05 * shares.max()) & (np.abs(used) == 127)]  # a bar too small to be seen
        panel.plot(lonely, [0.06 * shares.max()] * len(lonely), "v", color=INK, markersize=6, clip_on=False)
        panel.set(title=f"{title}: {len(used)} of 255 steps in use", ylabel="numbers, %", xlim=(-128, 128))
    panels[-1, 0].set_xlabel("step (a whole number from −127 to 127)")
    return drawn


def plot_exported(families: Sequence[Mapping]) -> Figure:
    """What int8 changes in each family: file size, time and F1, in three panels.

    Args:
        families: rows of the record that ``tools/export_run.py`` writes; those with an error are left out.
    """
    rows = [row for row in families if not row["error"]]
    drawn, (size, time, f1) = figure(9.0, 1.2 + 0.36 * len(rows), columns=3, sharey=True)
    for k, row in enumerate(rows):
        color, marker = STYLES[row["family"]]
        point = {"color": color, "marker": marker, "markersize": 7, "linestyle": "none"}
        for panel, part in ((size, "megabytes"), (time, "seconds")):
            panel.plot(row[part]["int8"] / row[part]["onnx"], k, **point)
        change, low, high = row["f1_change"]
        f1.plot([low, high], [k, k], color=color, linewidth=2)
        f1.plot(change, k, **point)
    size.set_yticks(range(len(rows)), [row["family"] for row in rows])
    size.set(ylim=(len(rows) - 0.5, -0.5), xlim=(0, 1.1), xlabel="int8 ÷ float32", title="size of the file")
    slowest = max([1.0, *(row["seconds"]["int8"] / row["seconds"]["onnx"] for row in rows)])
    time.set(xlim=(0, 1.1 * slowest), xlabel="int8 ÷ float32", title="time")
    f1.set(xlabel="int8 − float32, points", title="F1, with its interval")
    for panel, place in ((size, 1), (time, 1), (f1, 0)):
        panel.axvline(place, color=INK, linewidth=0.8, linestyle="--")
    return drawn


def plot_speed(seconds: Mapping[int, Mapping[int, float]]) -> Figure:
    """Latency (left) and throughput (right) against the batch size: a line for each length.

    Args:
        seconds: tokens per window → batch size → seconds for a batch.
    """
    drawn, (latency, throughput) = figure(9.0, 3.0, columns=2)
    for color, marker, (tokens, by_size) in zip(PALETTE, "osD^vP", seconds.items()):
        style = {"color": color, "marker": marker, "label": f"{tokens} tokens"}
        sizes = list(by_size)
        latency.plot(sizes, [1000 * by_size[size] for size in sizes], **style)
        throughput.plot(sizes, [size / by_size[size] for size in sizes], **style)
    for panel in (latency, throughput):
        panel.set_xscale("log", base=2)
        panel.set_xticks(sizes, [str(size) for size in sizes])
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.set(xlabel="windows in a batch")
    latency.set_yscale("log")
    latency.yaxis.set_major_formatter(ScalarFormatter())
    latency.set(ylabel="milliseconds for a batch", title="latency (logarithmic)")
    throughput.set(ylabel="windows per second", ylim=(0, None), title="throughput")
    latency.legend(loc="upper left")
    return drawn
