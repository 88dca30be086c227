"""Dropout on a CPU, where PyTorch spends more time on random numbers than on some matrix products.

There are two differences from PyTorch's own dropout, neither of which changes what dropout means. One random 64-bit
number decides about four values instead of one. And attention is computed window by window, so that its scores, (heads,
tokens, tokens), stay in the processor's cache; they are computed again for the backward pass instead of being kept, as
in FlashAttention (Dao et al. 2022). PyTorch has such attention for the CPU, too, but only without dropout.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import AttentionMaskInterface

ATTENTION = "window_by_window"
# Encoders whose attention is compared with PyTorch's in tests/test_quick_dropout.py; any other model keeps its own.
MODEL_TYPES = ("bert", "roberta", "albert", "distilbert", "electra")


@contextmanager
def quick_dropout(model: nn.Module) -> Iterator[None]:
    """Within the block, a model on the CPU uses quick dropout, in its ``nn.Dropout`` modules and in its attention.

    The numbers come from PyTorch's generator, so ``torch.manual_seed`` works, and so does restoring the generator's
    state from a checkpoint. They differ from those that PyTorch's dropout would draw, and are the same on every
    processor. Without dropout, or with the model on another device, nothing changes.
    """
    on_cpu = next(model.parameters()).device.type == "cpu"
    dropping = [module for module in model.modules() if on_cpu and type(module) is nn.Dropout and 0 < module.p < 1]
    encoder = _encoder_with_known_attention(model) if dropping else None
    try:
        for module in dropping:
            module.__class__ = QuickDropout  # the same object, so that its mode and its hooks stay
        if encoder is not None:
            encoder.set_attn_implementation(ATTENTION)
        yield
    finally:
        for module in dropping:
            module.__class__ = nn.Dropout
        if encoder is not None:
            encoder.set_attn_implementation("sdpa")


def _encoder_with_known_attention(model: nn.Module) -> PreTrainedModel | None:
    """The library model that ``model`` is or contains, if its attention is one that we can replace."""
    encoder = next((module for module in model.modules() if isinstance(module, PreTrainedModel)), None)
    if encoder is None or encoder.config.model_type not in MODEL_TYPES or getattr(encoder.config, "is_decoder", False):
        return None
    return encoder if encoder.config._attn_implementation == "sdpa" else None  # another one was requested by name


class QuickDropout(nn.Dropout):
    """Dropout whose mask is drawn by :func:`draw`."""

    def forward(self, values: Tensor) -> Tensor:
        if not self.training:
            return values
        return values * draw(values, 1 - self.p).div_(1 - self.p)


def draw(like: Tensor, p: float) -> Tensor:
    """Ones, each with probability ``p`` (to the nearest 1/65,536), and zeros, in a new tensor like the one given."""
    below = round(p * 2**16)
    if below in (0, 2**16):
        return torch.full_like(like, below >> 16)
    count = like.numel()
    bits = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    drawn = bits.view(torch.int16)[:count].view(like.shape)  # four numbers from -32,768 to 32,767 in each
    return torch.lt(drawn, below - 2**15, out=torch.empty_like(like))


class _WindowAttention(torch.autograd.Function):
    """softmax(query · keyᵀ), some of it dropped, times value; all are (heads, tokens, size), of one window."""

    @staticmethod
    def forward(ctx, query: Tensor, key: Tensor, value: Tensor, rate: float) -> Tensor:
        weights = _attention_weights(query, key)
        mask = draw(weights, 1 - rate)
        ctx.save_for_backward(query, key, value, mask.bool())  # as bool: one byte per decision instead of four
        ctx.rate = rate
        return weights.mul_(mask) @ (value / (1 - rate))

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        query, key, value, mask = ctx.saved_tensors
        weights, mask, grad = _attention_weights(query, key), mask.to(query.dtype), grad / (1 - ctx.rate)
        grad_weights = (grad @ value.mT).mul_(mask)
        grad_scores = grad_weights.sub_((weights * grad_weights).sum(-1, keepdim=True)).mul_(weights)
        return grad_scores @ key, grad_scores.mT @ query, weights.mul_(mask).mT @ grad, None


def _attention_weights(scaled_query: Tensor, key: Tensor) -> Tensor:
    scores = torch.bmm(scaled_query, key.transpose(1, 2))  # (heads, tokens, tokens that are not padding)
    return torch.softmax(scores, -1, out=scores)


def window_by_window(module, query, key, value, attention_mask, scaling=None, dropout=0.0, **_):
    """Attention as transformers' ``AttentionInterface`` calls it.

    Args:
        module: the layer, not used.
        query, key, value: (batch, heads, tokens, size).
        attention_mask: (batch, tokens), True for a token, False for padding on either side; None without padding.
        scaling: factor of the scores; None means 1/√size.
        dropout: share of attention weights to drop.

    Returns:
        (batch, tokens, heads, size), and None in place of the attention weights.
    """
    if not dropout:
        mask = None if attention_mask is None else attention_mask[:, None, None, :]
        return scaled_dot_product_attention(query, key, value, mask, scale=scaling).transpose(1, 2), None
    batch, _, tokens, size = query.shape
    spans = [(0, tokens)] * batch if attention_mask is None else _spans(attention_mask)
    # Half precision does not suit matrix products of this shape; PyTorch computes attention in float32 here, too.
    half, scale = query.dtype in (torch.bfloat16, torch.float16), scaling or size**-0.5
    # The layers below wrote (batch, tokens, heads, size): in this order, the windows' gradients are joined by one copy.
    by_window = ((tensor.float() if half else tensor).transpose(1, 2).unbind() for tensor in (query, key, value))
    results = []
    with torch.autocast("cpu", enabled=False):
        for q, k, v, (first, end) in zip(*by_window, spans):
            heads_first = (tensor.transpose(0, 1) for tensor in (q * scale, k[first:end], v[first:end]))
            results.append(_WindowAttention.apply(*heads_first, dropout).transpose(0, 1))
    return torch.stack(results).to(query.dtype), None


def _spans(mask: Tensor) -> list[tuple[int, int]]:
    """Where each row's True values begin and end: (batch, tokens) → one (first, end) each."""
    mask = mask.int()
    firsts, ends = mask.argmax(1), mask.shape[1] - mask.flip(1).argmax(1)
    torn = ends - firsts != mask.sum(1)
    if torn.any():
        k = torn.nonzero()[0].item()
        raise ValueError(f"window {k} of the batch has padding between its tokens, or no tokens: pad on one side")
    return list(zip(firsts.tolist(), ends.tolist()))


def padding_mask(*_, attention_mask: Tensor | None = None, **__) -> Tensor | None:
    """The mask :func:`window_by_window` takes, in the form of transformers' ``AttentionMaskInterface``."""
    return None if attention_mask is None or attention_mask.all() else attention_mask.bool()


AttentionInterface.register(ATTENTION, window_by_window)
AttentionMaskInterface.register(ATTENTION, padding_mask)
