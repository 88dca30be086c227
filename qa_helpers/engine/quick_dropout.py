"""Dropout on a CPU, where PyTorch spends more time on random numbers than on some matrix products.

Two things differ from PyTorch's own, neither of them in what dropout means. A random 64-bit number decides about four
values, not about one. And attention is computed window by window, so that its scores, (heads, tokens, tokens), stay in
the processor's cache; they are computed a second time for the backward pass instead of being kept, as FlashAttention does
(Dao et al. 2022). PyTorch has such attention for a CPU, too, but only where nothing is dropped.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import AttentionMaskInterface

ATTENTION = "window_by_window"
# Encoders whose attention is compared with PyTorch's in tests/test_quick_dropout.py; any other keeps its own.
MODEL_TYPES = ("bert", "roberta", "albert", "distilbert", "electra")


@contextmanager
def quick_dropout(model: nn.Module) -> Iterator[None]:
    """Within it, the dropout of a model on the CPU is quick: that of its ``nn.Dropout`` modules and of its attention.

    The numbers come from PyTorch's generator, so ``torch.manual_seed`` and a checkpoint's state of it hold. They are other
    numbers than PyTorch's dropout would draw, and the same on every processor. Where nothing is dropped, or the model is
    on another device, nothing changes.
    """
    if next(model.parameters()).device.type != "cpu":
        yield
        return
    config = model.config
    rates = [getattr(config, name, 0.0) for name in ("attention_probs_dropout_prob", "attention_dropout")]
    encoder = model if isinstance(model, PreTrainedModel) else getattr(model, "encoder", None)  # of an ExtractiveQA
    ours = config.model_type in MODEL_TYPES and config._attn_implementation == "sdpa" and any(rates)
    ours = ours and isinstance(encoder, PreTrainedModel) and not getattr(config, "is_decoder", False)
    swapped = [
        (parent, name, module)
        for parent in model.modules()
        for name, module in parent.named_children()
        if type(module) is nn.Dropout and module.p > 0
    ]
    for parent, name, module in swapped:
        setattr(parent, name, QuickDropout(module.p).train(module.training))
    if ours:
        encoder.set_attn_implementation(ATTENTION)
    try:
        yield
    finally:
        if ours:
            encoder.set_attn_implementation("sdpa")
        for parent, name, module in swapped:
            setattr(parent, name, module.train(parent.training))


def draw(into: Tensor, p: float) -> Tensor:
    """Fill a tensor with ones, each with probability ``p`` (to the nearest 1/65,536), and zeros."""
    below = round(p * 2**16)
    if below in (0, 2**16):
        return into.fill_(below >> 16)
    count = into.numel()
    bits = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    drawn = bits.view(torch.int16)[:count].view(into.shape)  # four numbers from -32,768 to 32,767 in each
    return torch.lt(drawn, below - 2**15, out=into)


class QuickDropout(nn.Dropout):
    """Dropout whose mask is drawn by :func:`draw`."""

    def forward(self, values: Tensor) -> Tensor:
        if not self.training:
            return values
        return values * draw(torch.empty_like(values), 1 - self.p).div_(1 - self.p)


class _WindowAttention(torch.autograd.Function):
    """softmax(q kᵀ · scale), some of it dropped, times v.

    Shapes: ``query``, ``key``, ``value`` (batch, heads, tokens, size); the result (batch, tokens, heads, size).
    ``spans`` are the (first, end) of each window's tokens that are not padding.
    """

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu")
    def forward(ctx, query, key, value, spans, rate, scale):
        batch, heads, tokens, size = query.shape
        result = query.new_empty(batch, tokens, heads, size)
        kept = []
        for k, (first, end) in enumerate(spans):
            weights = _attention_weights(query[k] * scale, key[k, :, first:end])
            mask = draw(torch.empty_like(weights), 1 - rate)
            kept.append(mask.bool())  # a byte each; the numbers are what products are quick with
            torch.bmm(weights.mul_(mask), value[k, :, first:end] / (1 - rate), out=result[k].transpose(0, 1))
        ctx.save_for_backward(query, key, value, result, *kept)
        ctx.spans, ctx.rate, ctx.scale = spans, rate, scale
        return result

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")
    def backward(ctx, grad):
        query, key, value, result, *kept = ctx.saved_tensors
        batch, heads, tokens, size = query.shape
        # The linear layers below want (batch, tokens, heads, size), so that no copy has to be made for them.
        grads = [query.new_empty(batch, tokens, heads, size).transpose(1, 2) for _ in range(3)]
        grad_query, grad_key, grad_value = grads
        for k, (first, end) in enumerate(ctx.spans):
            scaled, keys, values = query[k] * ctx.scale, key[k, :, first:end], value[k, :, first:end]
            above = grad[k].transpose(0, 1)
            above_kept = above / (1 - ctx.rate)
            mask = kept[k].to(query.dtype)
            weights = _attention_weights(scaled, keys)
            grad_weights = torch.bmm(above_kept, values.transpose(1, 2)).mul_(mask)
            # Softmax's backward pass takes Σ weight · grad of each row, which is Σ result · grad: many fewer numbers.
            grad_scores = grad_weights.sub_((above * result[k].transpose(0, 1)).sum(-1, keepdim=True)).mul_(weights)
            grad_query[k] = torch.bmm(grad_scores, keys * ctx.scale)
            grad_key[k, :, first:end] = torch.bmm(grad_scores.transpose(1, 2), scaled)
            grad_value[k, :, first:end] = torch.bmm(weights.mul_(mask).transpose(1, 2), above_kept)
            for of_padding in (slice(0, first), slice(end, tokens)):
                grad_key[k, :, of_padding], grad_value[k, :, of_padding] = 0, 0
        return grad_query, grad_key, grad_value, None, None, None


def _attention_weights(scaled_query: Tensor, key: Tensor) -> Tensor:
    scores = torch.bmm(scaled_query, key.transpose(1, 2))  # (heads, tokens, tokens that are not padding)
    return torch.softmax(scores, -1, out=scores)


def window_by_window(module, query, key, value, attention_mask, scaling=None, dropout=0.0, **_):
    """Attention as transformers' ``AttentionInterface`` calls it.

    Args:
        module: the layer, not used.
        query, key, value: (batch, heads, tokens, size).
        attention_mask: (batch, tokens), True for a token, False for padding on either side; None without padding.
        scaling: of the scores; 1/√size where it is None.
        dropout: share of attention weights that are dropped.

    Returns:
        (batch, tokens, heads, size), and None in place of the attention weights.
    """
    if not dropout:
        mask = None if attention_mask is None else attention_mask[:, None, None, :]
        return scaled_dot_product_attention(query, key, value, mask, scale=scaling).transpose(1, 2), None
    batch, _, tokens, size = query.shape
    spans = [(0, tokens)] * batch if attention_mask is None else _spans(attention_mask)
    # Half precision is for matrix products of a better shape; PyTorch computes attention in float32 here, too.
    tensors = [x.float() if x.dtype in (torch.bfloat16, torch.float16) else x for x in (query, key, value)]
    with torch.autocast("cpu", enabled=False):
        result = _WindowAttention.apply(*tensors, spans, dropout, scaling or size**-0.5)
    return result.to(query.dtype), None


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
    """The mask :func:`window_by_window` takes, as transformers' ``AttentionMaskInterface`` asks for it."""
    return None if attention_mask is None or attention_mask.all() else attention_mask.bool()


AttentionInterface.register(ATTENTION, window_by_window)
AttentionMaskInterface.register(ATTENTION, padding_mask)
