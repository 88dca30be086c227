"""Figures of the families: where their parameters are, how their attention works, how they compare."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from .plots import BLUE, EM_STYLE, F1_STYLE, GREEN, INK, ORANGE, PINK, RED, SKY, figure

# One colour and one marker for each family, in every figure.
STYLES = {
    "BERT": (BLUE, "o"),
    "DistilBERT": (SKY, "v"),
    "RoBERTa": (ORANGE, "s"),
    "ALBERT": (GREEN, "D"),
    "DeBERTa": (PINK, "^"),
    "ModernBERT": (RED, "P"),
}


def plot_parameters(panels: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Figure:
    """How many parameters each model has, and in which of its parts: a stacked bar per model.

    Args:
        panels: title → model → part → number of parameters. All models of a panel have the same parts.
    """
    drawn, axes = figure(9.0, 3.2, columns=len(panels), squeeze=False)
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
    """What an attention score consists of: a map for each of three parts and one for their sum, on one colour scale.

    Args:
        tokens: (sequence,) the tokens' text; the tokens of the rows attend to those of the columns.
        parts: name → (sequence, sequence) tensor or array, three of them. The sum is computed here.

    Raises:
        ValueError: a part is not (sequence, sequence).
    """
    arrays = {name: np.asarray(part, dtype=float) for name, part in parts.items()}
    for name, part in arrays.items():
        if part.shape != (len(tokens), len(tokens)):
            raise ValueError(f"{name!r} has shape {part.shape}, but there are {len(tokens)} tokens")
    arrays["the sum of the three"] = sum(arrays.values())
    limit = max(float(np.abs(part).max()) for part in arrays.values()) or 1.0
    drawn, axes = figure(9.0, 3.0 + 0.36 * len(tokens), rows=2, columns=2, sharex=True, sharey=True)
    for panel, letter, (name, part) in zip(axes.flat, "abcd", arrays.items()):
        image = panel.imshow(part, cmap="PuOr_r", vmin=-limit, vmax=limit, aspect="auto")
        panel.set_title(f"{letter}) {name}")
        panel.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=9)
        panel.set_yticks(range(len(tokens)), tokens, fontsize=9)
        panel.tick_params(length=0)
        for spine in panel.spines.values():
            spine.set_visible(False)
    drawn.supylabel("token that attends", fontsize=10)
    drawn.supxlabel("token attended to", fontsize=10)
    drawn.colorbar(image, ax=axes, shrink=0.6, label="part of the score")
    return drawn


def plot_reach(maps: Mapping[str, object]) -> Figure:
    """Which tokens a layer lets a token attend to: a map of attention weights for each layer.

    Args:
        maps: title → (sequence, sequence) attention weights of one head; the tokens of the rows attend. The colour is the
            square root of the weight, so that small weights are seen, and weights of exactly 0 are left white.
    """
    drawn, axes = figure(9.0, 3.4, columns=len(maps), sharey=True, squeeze=False)
    for panel, (title, weights) in zip(axes[0], maps.items()):
        weights = np.asarray(weights, dtype=float)
        shown = np.ma.masked_equal(np.sqrt(weights), 0.0)
        image = panel.imshow(shown, cmap="cividis_r", vmin=0, vmax=1, interpolation="nearest")
        panel.set(title=title, xlabel="token attended to")
    axes[0][0].set_ylabel("token that attends")
    bar = drawn.colorbar(image, ax=list(axes[0]), shrink=0.8, label="attention weight")
    bar.set_ticks(np.sqrt([0, 0.05, 0.25, 0.5, 1]), labels=["0", "0.05", "0.25", "0.5", "1"])
    return drawn


def plot_differences(differences: Mapping[str, Mapping[str, tuple[float, float, float]]], baseline: str) -> Figure:
    """How much better or worse families are than one of them: differences of means with their intervals.

    Args:
        differences: measure → family → (difference, low, high); a panel for each measure.
        baseline: the family that they are compared with, at 0.
    """
    drawn, axes = figure(9.0, 3.0, columns=len(differences), sharey=True, squeeze=False)
    for panel, (measure, rows) in zip(axes[0], differences.items()):
        panel.axvline(0, color=INK, linewidth=1)
        for row, (name, (difference, low, high)) in enumerate(rows.items()):
            color, marker = STYLES[name]
            panel.hlines(row, low, high, color=color, linewidth=2.5)
            panel.plot(difference, row, marker, color=color, markersize=8)
        panel.set_yticks(range(len(rows)), list(rows))
        panel.set_ylim(len(rows) - 0.5, -0.5)
        panel.set(xlabel=f"{measure}: points more than {baseline}", title=measure)
    return drawn


def plot_cost(runs, parameters: Mapping[str, int]) -> Figure:
    """EM of several seeds against training time (left) and number of parameters (right): a dot per run, a marker per mean.

    Args:
        runs: table with a row per run and the columns ``family``, ``exact_match``, ``seconds``.
        parameters: family → number of parameters.
    """
    drawn, axes = figure(9.0, 3.4, columns=2, sharey=True)
    places = runs.assign(millions=runs["family"].map(parameters) / 1e6)
    for panel, axis in zip(axes, ("seconds", "millions")):
        for name, own in places.groupby("family", sort=False):
            color, marker = STYLES[name]
            panel.plot(own[axis], own["exact_match"], ".", color=color, markersize=5, alpha=0.6)
            # Hollow, so that two families in one place are both seen.
            hollow = {"markerfacecolor": "none", "markeredgewidth": 1.8, "markersize": 9}
            panel.plot(own[axis].mean(), own["exact_match"].mean(), marker, color=color, label=name, **hollow)
        panel.set_xlim(0, 1.12 * places[axis].max())
    low = axes[0].get_ylim()[0]
    axes[0].set_ylabel("EM" if low <= 0 else f"EM (axis begins at {low:.0f})")
    axes[0].set_xlabel("seconds of training (processor time)")
    axes[1].set_xlabel("millions of parameters")
    handles, labels = axes[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    return drawn


def plot_published(scores: Mapping[str, tuple[float, float]], parameters: Mapping[str, int]) -> Figure:
    """Published F1 and EM against the number of parameters, on a logarithmic axis.

    Args:
        scores: family → (EM, F1).
        parameters: family → number of parameters.
    """
    drawn, axes = figure(8.0, 3.2)
    for name, pair in scores.items():
        place = parameters[name] / 1e6
        for value, style in zip(pair, (EM_STYLE, F1_STYLE)):
            axes.plot(place, value, style["marker"], color=style["color"], markersize=7)
        axes.annotate(name, (place, pair[1]), (0, 8), textcoords="offset points", ha="center", fontsize=9)
    for style, label in ((F1_STYLE, "F1"), (EM_STYLE, "EM")):
        axes.plot([], [], style["marker"], color=style["color"], label=label)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks([10, 20, 50, 100, 200])
    axes.set(xlabel="millions of parameters (logarithmic)", xlim=(8, 260), ylim=(75, 97))
    axes.set_ylabel("published score (axis begins at 75)")
    axes.legend(loc="upper left")
    return drawn
