"""Figures of the inside of a model: embeddings, attention, gradients, and one batch that is overfitted."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from .plots import ANSWER, END, INK, PALETTE, PLAIN, START, figure, shade_answer


def plot_embedding_sum(
    tokens: Sequence[str], parts: Mapping[str, object], dimensions: int = 24, bold: Sequence[int] = ()
) -> Figure:
    """The vectors that a model adds up for its input, and their sum: one panel each, on one colour scale.

    Args:
        tokens: (sequence,) the tokens' text, written at the left.
        parts: name → (sequence, hidden) tensor or array. The sum is computed here.
        dimensions: how many numbers of each vector are drawn.
        bold: rows whose tokens are written in bold.

    Raises:
        ValueError: a part does not have one row per token.
    """
    arrays = {name: _array(part) for name, part in parts.items()}
    for name, part in arrays.items():
        if part.ndim != 2 or len(part) != len(tokens):
            raise ValueError(f"{name!r} has shape {part.shape} for {len(tokens)} tokens: it needs one row for each")
    arrays["their sum"] = sum(arrays.values())
    # One scale for all panels. It leaves out the largest hundredth, so that one huge value does not make all others pale.
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
    for row in bold:
        axes[0].get_yticklabels()[row].set_fontweight("bold")
    drawn.supxlabel("number within the vector", fontsize=10)
    drawn.colorbar(image, ax=list(axes), shrink=0.6, label="value")
    return drawn


def plot_attention(
    weights, row_tokens: Sequence[str], column_tokens: Sequence[str], title: str = "", marked: Sequence[int] = ()
) -> Figure:
    """One attention head as a map: how much of each row's weight goes to each column.

    Args:
        weights: (rows, columns) of one head, in 0..1. A row sums to less than 1 where some of its weight goes to
            tokens that are not drawn; its sum is written at the right.
        row_tokens: (rows,) the tokens that look.
        column_tokens: (columns,) the tokens that are looked at.
        marked: columns whose tokens are highlighted in the answer's colour.

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
    for column in marked:
        axes.get_xticklabels()[column].set(bbox={"facecolor": (ANSWER, 0.6), "edgecolor": "none", "pad": 1.5})
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
    """Gradients of the loss for one window: above, in each logit; below, in each token's input vector.

    Args:
        tokens: (sequence,) the tokens' text.
        start_gradient, end_gradient: (sequence,) gradients in the logits. A step raises those with bars below zero.
        input_gradient: (sequence, hidden) gradient in the vectors that enter the encoder; its norm is drawn.
        span: first and last token of the answer (inclusive), shaded.
    """
    positions = np.arange(len(tokens))
    drawn, (upper, lower) = figure(max(6.0, 0.27 * len(tokens)), 4.4, rows=2, sharex=True)
    upper.bar(positions - 0.2, _array(start_gradient), 0.4, color=START, label="start logit")
    upper.bar(positions + 0.2, _array(end_gradient), 0.4, color=END, label="end logit")
    upper.axhline(0, color=INK, linewidth=0.8)
    upper.set_ylabel("gradient in the logit")
    _draw_norms(lower, input_gradient)
    lower.set_ylabel("norm of the gradient\nin the input vector")
    _name_tokens(lower, tokens)
    if span is not None:
        shade_answer(upper, *span)
        shade_answer(lower, *span, label=None)
    upper.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0.1)
    return drawn


def plot_input_gradients(
    tokens: Sequence[str], gradients: Mapping[str, object], span: tuple[int, int] | None = None
) -> Figure:
    """Norms of several gradients in the same tokens' input vectors: one panel each, each with its own scale.

    Args:
        tokens: (sequence,) the tokens' text.
        gradients: what the gradient is of → (sequence, hidden).
        span: first and last token of the answer (inclusive), shaded.

    Raises:
        ValueError: a gradient does not have one row per token.
    """
    for name, gradient in gradients.items():
        if len(gradient) != len(tokens):
            raise ValueError(f"{name!r} has {len(gradient)} rows for {len(tokens)} tokens: it needs one for each")
    size = (max(6.0, 0.27 * len(tokens)), 0.9 + 1.15 * len(gradients))
    drawn, panels = figure(*size, rows=len(gradients), sharex=True, squeeze=False)
    for panel, (name, gradient) in zip(panels[:, 0], gradients.items()):
        _draw_norms(panel, gradient)
        if span is not None:
            shade_answer(panel, *span, label=None)
        panel.set_title(name, fontsize=10)
    _name_tokens(panels[-1, 0], tokens)
    drawn.supylabel("norm of the gradient in the input vector", fontsize=10)
    return drawn


def plot_overfitting(losses: Mapping[str, Sequence[float]], target: float, floor: float | None = None) -> Figure:
    """The loss of one batch that is trained on again and again, a curve per way of training.

    The same curves twice: on a linear scale, where the first steps show, and on a logarithmic one, where the target does.

    Args:
        losses: way → loss (nats) before each optimizer step.
        target: the loss that a sound model gets below.
        floor: a loss that one of the ways cannot get below.
    """
    drawn, panels = figure(8.0, 3.2, columns=2)
    for axes in panels:
        for color, (name, values) in zip(PALETTE, losses.items()):
            axes.plot(range(len(values)), values, color=color, linewidth=2, label=name)
        axes.axhline(target, color=INK, linewidth=1, linestyle="--", label=f"target, {target:g}")
        if floor is not None:
            axes.axhline(floor, color=INK, linewidth=1, linestyle=":", label=f"floor, {floor:.2f}")
        axes.set_xlabel("optimizer step")
    panels[0].set(ylabel="loss of the batch", title="linear scale", ylim=(0, None))
    panels[1].set(yscale="log", title="logarithmic scale")
    handles, labels = panels[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return drawn


def _draw_norms(axes, gradient) -> None:
    """A bar for the norm of each row."""
    norms = np.linalg.norm(_array(gradient), axis=-1)
    axes.bar(np.arange(len(norms)), norms, 0.7, color=PLAIN)


def _name_tokens(axes, tokens: Sequence[str]) -> None:
    axes.set_xticks(range(len(tokens)), tokens, rotation=90)
    axes.set_xlim(-0.7, len(tokens) - 0.3)


def _array(values) -> np.ndarray:
    """A tensor (on any device, with or without gradient) or sequence → numpy array."""
    return values.detach().float().cpu().numpy() if hasattr(values, "detach") else np.asarray(values, dtype=float)
