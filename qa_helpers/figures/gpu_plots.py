"""Figures of lesson 07: the bits of a number, gradients in float16, and a queue of work."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from .plots import BLUE, GREEN, INK, ORANGE, PADDING, PLAIN, RED, SKY, figure


def plot_bits(formats: Mapping[str, tuple[int, int]]) -> Figure:
    """The bits of number formats, a row of boxes each: one for the sign, then the exponent, then the fraction.

    Args:
        formats: name → (bits of the exponent, bits of the fraction).
    """
    drawn, axes = figure(8.5, 0.8 + 0.45 * len(formats))
    widest = max(1 + sum(bits) for bits in formats.values())
    for row, bits in enumerate(formats.values()):
        start = 0
        for name, count, color in zip(("sign", "exponent", "fraction"), (1, *bits), (PLAIN, ORANGE, SKY)):
            places = np.arange(start, start + count)
            label = None if row else name
            axes.barh([row] * count, [1] * count, 0.7, left=places, color=color, edgecolor="white", label=label)
            start += count
            if name != "sign":
                axes.text(start - count / 2, row, str(count), ha="center", va="center", fontsize=10, color=INK)
    axes.set_yticks(range(len(formats)), list(formats))
    axes.set(ylim=(len(formats) - 0.5, -0.5), xlim=(0, widest), xlabel="bits")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return drawn


def plot_gradients(gradients: Sequence[float], scales: Mapping[str, float]) -> Figure:
    """How large the gradients of a backward pass are, and what becomes of them in float16: a panel for each scale.

    Args:
        gradients: any numbers; their signs do not matter, and zeros are left out.
        scales: title of the panel → the factor by which the loss, and so every gradient, is multiplied.
    """
    sizes = np.abs(np.asarray(gradients, np.float64))
    powers = np.log2(sizes[sizes > 0])
    zones = (  # up to which power of two, colour, what float16 makes of it
        (-25, RED, "becomes 0"),
        (-14, ORANGE, "loses digits"),
        (16, GREEN, "is kept"),
        (np.inf, INK, "becomes infinite"),
    )
    drawn, panels = figure(8.5, 1.2 + 1.5 * len(scales), rows=len(scales), sharex=True, squeeze=False)
    shifts = [np.log2(scale) for scale in scales.values()]
    low, high = max(powers.min(), -60), max(powers.max() + max(shifts), 17)
    bins = np.arange(np.floor(low), np.ceil(high) + 1)
    for panel, title, shift in zip(panels[:, 0], scales, shifts):
        counts, _ = np.histogram(np.maximum(powers + shift, bins[0]), bins)
        shares, start = 100 * counts / max(1, len(powers)), -np.inf
        for end, color, name in zones:
            inside = (bins[:-1] >= start) & (bins[:-1] < end)
            label = f"{name}: {shares[inside].sum():.1f} %"
            panel.bar(bins[:-1][inside] + 0.5, shares[inside], 1.0, color=color, label=label)
            start = end
        for edge in (-25, -14, 16):
            panel.axvline(edge, color=INK, linewidth=0.8, linestyle="--")
        panel.set(title=title, ylabel="gradients, %", xlim=(bins[0], bins[-1]))
        panel.legend(loc="upper left", fontsize=8)
    ticks = [tick for tick in range(-60, 30, 10) if bins[0] <= tick <= bins[-1]]
    panels[-1, 0].set_xticks(ticks, [f"$2^{{{tick}}}$" for tick in ticks])
    panels[-1, 0].set_xlabel("size of a gradient, times the scale")
    return drawn


def plot_queue(events: Sequence[tuple[str, str, float, float]]) -> Figure:
    """Who is busy when: a row of bars for each worker, over milliseconds.

    Args:
        events: (worker, what it does, start, end) in seconds; workers appear from top to bottom in the order in which
            they are named first. Each kind of work has a colour, and "waits" is grey.
    """
    workers = list(dict.fromkeys(worker for worker, *_ in events))
    kinds = list(dict.fromkeys(what for _, what, *_ in events))
    busy = [kind for kind in kinds if kind != "waits"]
    colors = {"waits": PADDING, **dict(zip(busy, (BLUE, GREEN, ORANGE)))}
    begun = min(start for *_, start, _ in events)
    named: set[str] = set()
    drawn, axes = figure(8.5, 0.9 + 0.55 * len(workers))
    for worker, what, start, end in events:
        label = None if what in named else what
        named.add(what)
        left, width = 1000 * (start - begun), 1000 * (end - start)
        axes.barh(workers.index(worker), width, 0.6, left=left, color=colors[what], edgecolor="white", label=label)
    axes.set_yticks(range(len(workers)), workers)
    axes.set(xlabel="milliseconds", ylim=(len(workers) - 0.5, -0.5), xlim=(0, None))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(kinds))
    return drawn
