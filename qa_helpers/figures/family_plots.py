"""Figures of the families: where their parameters are, what DeBERTa's attention scores consist of, how they compare."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from .plots import BLUE, GREEN, GREY, ORANGE, PINK, SKY, figure

# One colour and one marker for each family, in every figure.
STYLES = {
    "BERT": (BLUE, "o"),
    "DistilBERT": (SKY, "v"),
    "RoBERTa": (ORANGE, "s"),
    "ALBERT": (GREEN, "D"),
    "DeBERTa": (PINK, "^"),
}


def plot_parameters(panels: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Figure:
    """How many parameters each model has, and in which of its parts: a stacked bar per model.

    Args:
        panels: title → model → part → number of parameters. All models of a panel have the same parts.
    """
    drawn, axes = figure(9.0, 2.9, columns=len(panels), squeeze=False)
    for panel, (title, models) in zip(axes[0], panels.items()):
        left = np.zeros(len(models))
        for color, part in zip((SKY, ORANGE, BLUE, GREEN), next(iter(models.values()))):
            sizes = np.array([counts[part] for counts in models.values()]) / 1e6
            panel.barh(range(len(models)), sizes, 0.62, left=left, color=color, label=part)
            left += sizes
        for row, total in enumerate(left):
            panel.text(total, row, f" {total:.2f}" if total < 10 else f" {total:.0f}", va="center", fontsize=9)
        panel.set_yticks(range(len(models)), list(models))
        panel.invert_yaxis()
        panel.set(xlabel="millions of parameters", title=title, xlim=(0, 1.15 * left.max()))
    handles, labels = axes[0][0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    return drawn


def plot_score_parts(tokens: Sequence[str], parts: Mapping[str, object]) -> Figure:
    """What an attention score consists of: a map for each part and, on the right, their sum, all on one colour scale.

    Args:
        tokens: (sequence,) the tokens' text; the tokens of the rows attend to those of the columns.
        parts: name → (sequence, sequence) tensor or array. The sum is computed here.

    Raises:
        ValueError: a part is not (sequence, sequence).
    """
    arrays = {name: np.asarray(part, dtype=float) for name, part in parts.items()}
    for name, part in arrays.items():
        if part.shape != (len(tokens), len(tokens)):
            raise ValueError(f"{name!r} has shape {part.shape}, but there are {len(tokens)} tokens")
    arrays["their sum"] = sum(arrays.values())
    limit = max(float(np.abs(part).max()) for part in arrays.values()) or 1.0
    drawn, axes = figure(9.6, 1.5 + 0.17 * len(tokens), columns=len(arrays), sharey=True)
    for panel, sign, (name, part) in zip(axes, ["", *["+ "] * (len(parts) - 1), "= "], arrays.items()):
        image = panel.imshow(part, cmap="PuOr_r", vmin=-limit, vmax=limit, aspect="auto")
        panel.set_title(sign + name, fontsize=10)
        panel.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=8)
        panel.tick_params(length=0)
        for spine in panel.spines.values():
            spine.set_visible(False)
    axes[0].set_yticks(range(len(tokens)), tokens, fontsize=8)
    axes[0].set_ylabel("token that attends")
    drawn.supxlabel("token attended to", fontsize=10)
    drawn.colorbar(image, ax=list(axes), shrink=0.8, label="score")
    return drawn


def plot_live(histories: Mapping[str, Sequence[dict]]) -> Figure:
    """Several fine-tuning runs: training loss (left) and EM (right) against seconds, a curve per family.

    Args:
        histories: family → ``FineTuneResult.history``. Runs that were not scored on the way have no curve on the right.
    """
    drawn, (left, right) = figure(9.0, 3.2, columns=2)
    for name, history in histories.items():
        color, marker = STYLES[name]
        losses = [(row["seconds"], row["loss"]) for row in history if "loss" in row]
        scores = [(row["seconds"], row["exact_match"]) for row in history if "exact_match" in row]
        left.plot(*zip(*losses), color=color, label=name)
        if scores:
            right.plot(*zip(*scores), color=color, marker=marker, label=name)
    left.set(xlabel="seconds", ylabel="training loss", xlim=(0, None), ylim=(0, None))
    right.set(xlabel="seconds", ylabel="EM on validation examples", xlim=(0, None), ylim=(0, 100))
    handles, labels = left.get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    return drawn


def plot_spread(runs, parameters: Mapping[str, int]) -> Figure:
    """EM and F1 of several seeds against training time (left) and number of parameters (right).

    Args:
        runs: table with a row per run and the columns ``family``, ``exact_match``, ``f1``, ``seconds``.
        parameters: family → number of parameters.
    """
    drawn, axes = figure(9.0, 5.2, rows=2, columns=2, sharex="col", sharey="row")
    of_family = dict(list(runs.groupby("family", sort=False)))
    seconds = {name: own["seconds"].mean() for name, own in of_family.items()}
    millions = {name: parameters[name] / 1e6 for name in of_family}
    for column, places in enumerate((seconds, millions)):
        for name, place in places.items():
            color, marker = STYLES[name]
            for row, score in enumerate(("exact_match", "f1")):
                values, panel = of_family[name][score], axes[row][column]
                panel.vlines(place, values.min(), values.max(), color=color, linewidth=3, alpha=0.4)
                panel.plot([place] * len(values), values, ".", color=color, markersize=4)
                panel.plot(place, values.mean(), marker, color=color, markersize=8, alpha=0.85, label=name)
        axes[1][column].set_xlim(0, 1.12 * max(places.values()))
    for row, name in enumerate(("EM", "F1")):
        low = axes[row][0].get_ylim()[0]
        axes[row][0].set_ylabel(name if low <= 0 else f"{name} (axis begins at {low:.0f})")
    axes[1][0].set_xlabel("seconds of training (processor time)")
    axes[1][1].set_xlabel("millions of parameters")
    by_name = dict(zip(*reversed(axes[0][0].get_legend_handles_labels())))
    names = [name for name in STYLES if name in by_name]
    drawn.legend([by_name[name] for name in names], names, loc="outside upper center", ncols=len(names))
    return drawn


def plot_published(scores: Mapping[str, Mapping], parameters: Mapping[str, int]) -> Figure:
    """Published F1 (filled markers) and EM (open markers) against the number of parameters, on a logarithmic axis.

    Args:
        scores: family → ``exact_match`` (or None) and ``f1``.
        parameters: family → number of parameters.
    """
    drawn, axes = figure(8.0, 3.2)
    for name, own in scores.items():
        color, marker = STYLES[name]
        place = parameters[name] / 1e6
        axes.plot(place, own["f1"], marker, color=color, markersize=9)
        axes.annotate(f"{name} ", (place, own["f1"]), (0, 8), textcoords="offset points", ha="center", fontsize=9)
        if own["exact_match"] is not None:
            axes.plot(place, own["exact_match"], marker, markersize=8, markerfacecolor="none", color=color)
    for filled, label in ((GREY, "F1"), ("none", "EM")):
        axes.plot([], [], "o", color=GREY, markerfacecolor=filled, label=label)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks([10, 20, 50, 100, 200])
    axes.set(xlabel="millions of parameters (logarithmic)", ylabel="published score", xlim=(8, 260), ylim=(78, 97))
    axes.legend(loc="lower left")
    return drawn
