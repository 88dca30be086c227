"""Figures of the model's inside: embeddings, attention, gradients, and a batch learnt by heart."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from .plots import BLUE, GREEN, INK, ORANGE, PALETTE, SKY, figure


def plot_embedding_sum(tokens: Sequence[str], parts: Mapping[str, object], dimensions: int = 24) -> Figure:
    """The vectors that a model adds up for its input, and their sum: a panel each, on one scale of colours.

    Args:
        tokens: (sequence,) the tokens' text, drawn at the left.
        parts: name → (sequence, hidden) tensor or array. The sum is computed here.
        dimensions: how many numbers of each vector are drawn.

    Raises:
        ValueError: a part has not one row per token.
    """
    arrays = {name: _array(part) for name, part in parts.items()}
    for name, part in arrays.items():
        if part.ndim != 2 or len(part) != len(tokens):
            raise ValueError(f"{name!r} has shape {part.shape} for {len(tokens)} tokens: a row for each is wanted")
    arrays["their sum"] = sum(arrays.values())
    # One scale for all: the largest hundredth may be cut off, so that a single giant does not make the rest pale.
    limit = max(float(np.percentile(np.abs(part[:, :dimensions]), 99)) for part in arrays.values()) or 1.0
    drawn, axes = figure(9.0, 0.9 + 0.16 * len(tokens), columns=len(arrays), sharey=True)
    signs = ["", *["+"] * (len(parts) - 1), "="]
    for panel, sign, (name, part) in zip(axes, signs, arrays.items()):
        image = panel.imshow(part[:, :dimensions], cmap="PuOr", vmin=-limit, vmax=limit, aspect="auto")
        panel.set_title(f"{sign} {name}".strip(), fontsize=10)
        panel.set_xticks([0, dimensions // 2, dimensions - 1])
        panel.tick_params(length=0)
        for spine in panel.spines.values():
            spine.set_visible(False)
    axes[0].set_yticks(range(len(tokens)), tokens, fontsize=8)
    drawn.supxlabel("number within the vector", fontsize=10)
    drawn.colorbar(image, ax=list(axes), shrink=0.6, label="value")
    return drawn


def plot_attention(weights, row_tokens: Sequence[str], column_tokens: Sequence[str], title: str = "") -> Figure:
    """One attention head as a map: how much of each row's weight goes to each column.

    Args:
        weights: (rows, columns) of one head, in 0..1. A row sums to less than 1 where some of its weight goes to
            tokens that are not drawn; its sum is written at the right.
        row_tokens: (rows,) the tokens that look.
        column_tokens: (columns,) the tokens that are looked at.

    Raises:
        ValueError: the weights' shape is not (rows, columns).
    """
    values = _array(weights)
    if values.shape != (len(row_tokens), len(column_tokens)):
        raise ValueError(
            f"weights have shape {values.shape}, but there are {len(row_tokens)} row tokens and {len(column_tokens)} "
            "column tokens; take one head of one example, and cut rows and columns by the same masks as the tokens"
        )
    drawn, axes = figure(2.2 + 0.36 * len(column_tokens), 1.4 + 0.26 * len(row_tokens))
    image = axes.imshow(values, cmap="Blues", vmin=0, aspect="auto")
    axes.set_xticks(range(len(column_tokens)), column_tokens, rotation=90)
    axes.set_yticks(range(len(row_tokens)), row_tokens)
    axes.set(xlabel="looked at", ylabel="looking", title=title)
    axes.tick_params(length=0)
    for row, total in enumerate(values.sum(axis=1)):
        axes.text(len(column_tokens) - 0.35, row, f"{total:.0%}", va="center", fontsize=8, color=INK)
    drawn.colorbar(image, ax=axes, label="attention weight", pad=0.09)
    return drawn


def plot_gradients(
    tokens: Sequence[str],
    start_gradient,
    end_gradient,
    input_gradient,
    span: tuple[int, int] | None = None,
) -> Figure:
    """What one window's loss asks for: above, of each logit; below, of each token's input vector.

    Args:
        tokens: (sequence,) the tokens' text.
        start_gradient, end_gradient: (sequence,) gradients of the loss in the logits. Bars below zero: raise it.
        input_gradient: (sequence, hidden) gradient in the vectors that enter the encoder; its length is drawn.
        span: tokens of the answer, end inclusive, shaded.
    """
    positions = np.arange(len(tokens))
    drawn, (upper, lower) = figure(max(6.0, 0.27 * len(tokens)), 4.4, rows=2, sharex=True)
    upper.bar(positions - 0.2, _array(start_gradient), 0.4, color=BLUE, label="start logit")
    upper.bar(positions + 0.2, _array(end_gradient), 0.4, color=ORANGE, label="end logit")
    upper.axhline(0, color=INK, linewidth=0.8)
    upper.set_ylabel("gradient in the logit")
    lower.bar(positions, np.linalg.norm(_array(input_gradient), axis=-1), 0.7, color=SKY)
    lower.set_ylabel("length of the gradient\nin the input vector")
    lower.set_xticks(positions, tokens, rotation=90)
    lower.set_xlim(-0.7, len(tokens) - 0.3)
    for panel in (upper, lower):
        if span is not None:
            label = "answer" if panel is upper else None
            panel.axvspan(span[0] - 0.5, span[1] + 0.5, color=GREEN, alpha=0.18, zorder=0, label=label, linewidth=0)
    upper.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0.1)
    return drawn


def plot_overfitting(losses: Mapping[str, Sequence[float]], target: float, floor: float | None = None) -> Figure:
    """The loss of one batch, shown again and again, on a logarithmic scale: a curve per way of training.

    Args:
        losses: way → loss (nats) before each optimizer step.
        target: the loss that a sound model gets below.
        floor: a loss that one of the ways cannot get below.
    """
    drawn, axes = figure(7.0, 3.0)
    for color, (name, values) in zip(PALETTE, losses.items()):
        axes.plot(range(len(values)), values, color=color, label=name)
    axes.axhline(target, color=INK, linewidth=1, linestyle="--", label=f"target, {target:g}")
    if floor is not None:
        axes.axhline(floor, color=INK, linewidth=1, linestyle=":", label=f"floor, {floor:.2f}")
    axes.set_yscale("log")
    axes.set(xlabel="optimizer step", ylabel="loss of the batch")
    axes.legend(loc="center right")
    return drawn


def _array(values) -> np.ndarray:
    """A tensor (on any device, with or without gradient) or sequence → numpy array."""
    return values.detach().float().cpu().numpy() if hasattr(values, "detach") else np.asarray(values, dtype=float)
