"""Lesson 07, on a GPU: the scale of the loss, what fits into memory, gradients of unequal batches."""

import weakref

import torch
from torch import nn

from . import Wrong, call, checker, judge_each


@checker("7.1")
def check_update(update) -> str:
    """``update(scale, good_steps, overflow, interval)``: the scale and the count of good steps after a step."""
    cases = [
        *((65536.0, 0, True, 4), (1024.0, 0, False, 4), (1024.0, 2, False, 4), (1024.0, 3, False, 4)),
        *((4096.0, 3, True, 4), (1.0, 0, True, 2), (65536.0, 1998, False, 2000), (65536.0, 1999, False, 2000)),
    ]

    def judge(scale: float, good_steps: int, overflow: bool, interval: int) -> None:
        grown = good_steps + 1 == interval
        right = (scale / 2, 0) if overflow else (scale * 2, 0) if grown else (scale, good_steps + 1)
        given = call(update, scale, good_steps, overflow, interval)
        case = f"scale {scale:g}, {good_steps} good steps so far, overflow {overflow}, interval {interval}"
        if not isinstance(given, tuple | list) or len(given) != 2:
            raise Wrong(f"{case}: you return {given!r}. Return two values, the new scale and the new count")
        new_scale, new_count = (_number(part, case) for part in given)
        if (new_scale, new_count) == right:
            return
        says = f"{case}: scale {new_scale:g} and count {new_count:g}, expected {right[0]:g} and {right[1]}"
        if (new_count, new_scale) == right:
            raise Wrong(f"{says}. You return the count first; the scale comes first")
        if overflow:
            if new_scale == 2 * scale:
                raise Wrong(f"{says}. The scale was too large, and you make it larger")
            if (new_scale, new_count) == (scale, good_steps + 1):
                raise Wrong(f"{says}. That is right after a good step. An overflow means that the scale has to shrink")
            if new_scale == scale:
                raise Wrong(f"{says}. The scale stays as it was, so the next step would overflow again")
            if new_scale == scale // 2 != scale / 2:
                raise Wrong(
                    f"{says}. `//` rounds down to a whole number, but the scale may become smaller than 1: use `/`"
                )
            if new_scale == right[0]:
                raise Wrong(f"{says}. The good steps have to come in a row, so an overflow sets their count back to 0")
        elif grown:
            if new_scale == scale:
                raise Wrong(
                    f"{says}. This step counts as well: it is good step number {interval} in a row, so the scale doubles"
                )
            if new_scale == right[0]:
                raise Wrong(
                    f"{says}. After the scale has grown, the count starts again at 0, or it grows at every step"
                )
        else:
            if new_scale == 2 * scale:
                raise Wrong(
                    f"{says}. There are fewer than {interval} good steps in a row, so the scale does not grow yet"
                )
            if new_scale == scale and new_count == good_steps:
                raise Wrong(f"{says}. A step without overflow is a good step: count it")
        raise Wrong(says)

    judge_each(cases, judge, "steps")
    return "right: halved after an overflow, doubled after enough good steps in a row"


def _number(given, case: str) -> float:
    try:
        return float(given)
    except (TypeError, ValueError):
        raise Wrong(f"{case}: you return {given!r} where a number belongs") from None


@checker("7.2")
def check_largest_batch(largest_batch) -> str:
    """``largest_batch(memory, weights, frozen, per_window, reserve)``: how many windows fit."""
    cases = [
        *((10_000, 100, 40, 7, 0.0), (10_000, 100, 0, 7, 0.0), (10_000, 100, 0, 7, 0.5), (10_000, 100, 100, 7, 0.25)),
        *((1_000, 100, 0, 7, 0.0), (16_000_000_000, 110_000_000, 0, 150_000_000, 0.125)),
    ]

    def judge(memory: int, weights: int, frozen: int, per_window: int, reserve: float) -> None:
        trained = weights - frozen
        usable = memory * (1 - reserve)

        def windows(fixed: float, room: float = usable) -> int:
            return max(0, int((room - fixed) // per_window))

        fixed = 4 * weights + 12 * trained
        right = windows(fixed)
        case = (
            f"memory {memory:,}, {weights:,} weights, {frozen:,} of them frozen, {per_window:,} bytes a window, reserve "
            f"{reserve:g}"
        )
        given = _number(call(largest_batch, memory, weights, frozen, per_window, reserve), case)
        if given == right:
            return
        says = f"{case}: {given:g}, expected {right}"
        if given < 0:
            raise Wrong(f"{says}. If not even the weights fit, no window does: return 0")
        if given != int(given):
            raise Wrong(f"{says}. A window fits or it does not: return a whole number")
        if reserve and given == windows(fixed, memory):
            raise Wrong(f"{says}. You left nothing free: the reserve is a share of the whole memory")
        if reserve and given == max(0, int((memory - fixed) * (1 - reserve) // per_window)):
            raise Wrong(f"{says}. The reserve is a share of the whole memory, not of what the weights leave")
        other = {
            4
            * weights: "That counts the weights only; a trained weight has a gradient and two averages of AdamW as well",
            4 * weights + 4 * trained: "You left out the optimizer: AdamW keeps two numbers for each trained weight",
            4 * weights
            + 8
            * trained: "Something is missing: gradient and AdamW's averages are three numbers for each trained weight",
            8 * weights + 8 * trained: "Frozen weights have no gradient, either",
            12 * weights + 4 * trained: "AdamW keeps nothing for frozen weights",
            16 * weights: "Frozen weights have no gradient, and AdamW keeps nothing for them",
            16 * trained: "Frozen weights are in memory, too: the forward pass needs them",
            weights + 3 * trained: "That counts numbers; each of them has 4 bytes",
            0: "The weights, their gradients and the optimizer's averages need room as well",
        }
        for wrong, said in other.items():
            if wrong != fixed and given == windows(wrong):
                raise Wrong(f"{says}. {said}")
        if given == right + 1:
            raise Wrong(f"{says}. You rounded up, so the last window does not fit any more")
        raise Wrong(says)

    judge_each(cases, judge, "machines")
    return "right, also with frozen weights, a reserve, and a machine that is too small"


class _Held:
    """A tensor that a graph has saved for the backward pass; it dies with the graph, or when that has been used."""

    def __init__(self, tensor):
        self.tensor = tensor


class _Watched(nn.Linear):
    """A layer that notes how many rows go through at once, and whether the graph of an earlier batch is still held."""

    def __init__(self):
        super().__init__(3, 1)
        self.most_rows, self.held, self.saved = 0, False, []

    def forward(self, rows):
        self.held |= any(saved() for saved in self.saved)
        self.most_rows = max(self.most_rows, len(rows))
        try:
            with torch.autograd.graph.saved_tensors_hooks(self._save, lambda held: held.tensor):
                return super().forward(rows)
        except RuntimeError:  # torch.func allows no such hooks
            return super().forward(rows)

    def _save(self, tensor):
        held = _Held(tensor)
        self.saved.append(weakref.ref(held))
        return held


@checker("7.3")
def check_accumulate(accumulate) -> str:
    """``accumulate(model, loss_function, micro_batches)``: the large batch's gradient, one small batch at a time."""
    chance = torch.Generator().manual_seed(0)

    def judge(sizes: tuple[int, ...], earlier: bool) -> None:
        inputs, targets = (torch.randn(sum(sizes), width, generator=chance) for width in (3, 1))
        pieces = list(zip(inputs.split(sizes), targets.split(sizes)))
        model, mean_square = _Watched(), nn.functional.mse_loss

        def gradient(rows, wanted, model=model):
            outputs = nn.functional.linear(rows, model.weight, model.bias)
            return torch.autograd.grad(mean_square(outputs, wanted), list(model.parameters()))

        right, each = gradient(inputs, targets), [gradient(*piece) for piece in pieces]
        before = [parameter.detach().clone() for parameter in model.parameters()]
        if earlier:
            for parameter in model.parameters():
                parameter.grad = torch.ones_like(parameter)
        call(accumulate, model, lambda outputs, wanted: mean_square(outputs, wanted), pieces)
        _explain_gradient(model, before, right, each, sizes, earlier)

    cases = [((4, 4), False), ((4, 4, 4), False), ((6, 2), False), ((5, 3, 1), False), ((5, 3, 1), True)]
    judge_each(cases, judge, "sets of batches")
    return "right, for small batches of equal and of unequal size"


def _explain_gradient(model, before, right, each, sizes, earlier: bool) -> None:
    case = f"small batches of {', '.join(map(str, sizes))} rows"
    found = [parameter.grad for parameter in model.parameters()]
    if any(grad is None for grad in found):
        raise Wrong(f"{case}: the parameters have no gradient. Call backward() on a loss, and leave the result in .grad")  # fmt: skip
    if any(not torch.equal(old, new) for old, new in zip(before, model.parameters())):
        raise Wrong(f"{case}: the weights have changed. Compute the gradients only; the optimizer's step comes after")  # fmt: skip

    def is_(wanted) -> bool:
        return all(torch.allclose(a, b, rtol=1e-4, atol=1e-6) for a, b in zip(found, wanted))

    def summed(weights):
        return [sum(w * grads[p] for w, grads in zip(weights, each)) for p in range(len(right))]

    if is_(right):
        if model.most_rows == sum(sizes):
            raise Wrong(f"{case}: the gradient is right, but all rows went through at once. That is what memory does not allow")  # fmt: skip
        if model.held:
            raise Wrong(
                f"{case}: the gradient is right, but when a batch went through the model, the graph of an earlier one was "
                "still held, and memory fills up as with one large batch. Call backward() on each batch's loss at once, "
                "without retain_graph, instead of adding up the losses first",
                0.7,
            )
        return
    if earlier:
        raise Wrong(
            f"{case}, and .grad holds the gradient of an earlier step when your function begins: yours is mixed with it. "
            "backward() adds to what is in .grad, so clear that before the first batch",
            0.8,
        )
    if all(not grad.any() for grad in found):
        raise Wrong(f"{case}: the gradients are zero. Clear them before the first batch, not after the last")
    if is_(summed([1.0] * len(sizes))):
        raise Wrong(
            f"{case}: you add the gradients of {len(sizes)} means, which is about {len(sizes)} times too much. Each "
            "batch's loss counts for its part only"
        )
    if is_(summed([1 / len(sizes)] * len(sizes))):
        raise Wrong(
            f"{case}: you give each batch the same weight, 1/{len(sizes)}. Right for equal sizes; here a row of the "
            "smallest batch counts more than one of the largest. Weight by rows"
        )
    if is_(each[-1]) or is_([sizes[-1] / sum(sizes) * grad for grad in each[-1]]):
        raise Wrong(f"{case}: only the last batch's gradient is left. Clear the gradients once, before the first")  # fmt: skip
    if is_(summed([float(size) for size in sizes])):
        raise Wrong(f"{case}: you weight by rows, but do not divide by all rows; the gradient is {sum(sizes)} times too large")  # fmt: skip
    raise Wrong(f"{case}: the gradient is not that of the mean over all {sum(sizes)} rows")
