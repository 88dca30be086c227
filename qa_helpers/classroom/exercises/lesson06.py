"""Lesson 06, fine-tuning: the steps of a run, a schedule, the share of padding."""

import math

from . import Wrong, call, call_each, checker, complain_of_errors, judge_each, partly


def _number(given, what: str) -> float:
    """The student's number; whatever else it is becomes feedback."""
    try:
        return float(given)
    except (TypeError, ValueError):
        raise Wrong(f"you return {given!r}; return one number, {what}") from None


def _same(given: float, wanted: float, share: float = 1e-6) -> bool:
    return math.isclose(given, wanted, rel_tol=share, abs_tol=1e-9)


def _close(result, wanted: float) -> bool:
    return isinstance(result, int | float) and _same(result, wanted)


@checker("6.1")
def check_optimizer_steps(optimizer_steps) -> str:
    """``optimizer_steps(windows, batch_size, accumulation, epochs)``: how many steps a run takes."""
    cases = [(160, 16, 1, 2), (160, 16, 5, 1), (161, 16, 1, 1), (100, 8, 4, 1), (100, 8, 4, 3), (96, 16, 1, 1.5), (90, 8, 4, 2.5)]  # fmt: skip

    def judge(windows: int, batch: int, together: int, epochs: float) -> None:
        per_epoch = math.ceil(math.ceil(windows / batch) / together)
        right = math.ceil(epochs * per_epoch)
        given = _number(call(optimizer_steps, windows, batch, together, epochs), "the steps")
        if given == right:
            return
        case = f"{windows} windows, batch_size {batch}, accumulation {together}, {epochs} epochs: {given:g}"
        if given != int(given):
            raise Wrong(f"{case}. A step is taken or not: round up to a whole number, here {right}")
        if together > 1 and given == math.ceil(epochs * math.ceil(windows / batch)):
            raise Wrong(f"{case}. That counts batches; {together} of them make one step. Expected {right}")
        if together > 1 and given == math.ceil(epochs * math.ceil(windows * together / batch)):
            raise Wrong(f"{case}. Accumulation makes steps fewer, not more. Expected {right}")
        if epochs != 1 and given == per_epoch:
            raise Wrong(f"{case}. That is one epoch; there are {epochs}. Expected {right}")
        if epochs != int(epochs) and given == math.ceil(epochs) * per_epoch:
            raise Wrong(f"{case}. You rounded the epochs up; of the last one, only a part is trained. Expected {right}")
        if epochs != int(epochs) and given == math.floor(epochs * per_epoch):
            raise Wrong(f"{case}. You rounded down; a part of a step at the end counts as a step. Expected {right}")
        if given in (math.floor(epochs * (windows // batch // together)), math.floor(epochs * (windows // (batch * together)))):  # fmt: skip
            raise Wrong(
                f"{case}. The windows that are left at the end make a smaller batch, or a step of fewer batches, and "
                f"that counts as well. Expected {right}"
            )
        if given == math.ceil(epochs * windows / (batch * together)):
            raise Wrong(
                f"{case}. You rounded once, at the end; but every epoch ends with a step of its own, however few windows "
                f"are left for it. Expected {right}"
            )
        raise Wrong(f"{case}, expected {right}")

    judge_each(cases, judge, "runs")
    return "right, also with a smaller batch at the end and with part of an epoch"


def _cosine(step: int, total: int, warmup: int, peak: float) -> float:
    if step < warmup:
        return peak * step / warmup
    return peak * (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2


@checker("6.2")
def check_cosine_schedule(learning_rate) -> str:
    """``learning_rate(step, total, warmup, peak)``: linear warmup, then half a cosine down to 0."""
    total, warmup, peak = 100, 20, 3e-5
    steps = range(total + 1)
    right = [_cosine(step, total, warmup, peak) for step in steps]
    results = call_each(learning_rate, [(step, total, warmup, peak) for step in steps])
    complain_of_errors(results, [_close(r, w) for r, w in zip(results, right)], lambda k: f"step {k}", "steps")
    given = [_number(result, "the learning rate") for result in results]
    good = [_same(g, r) for g, r in zip(given, right)]
    if not all(good):
        raise partly(_about_schedule(given, right, total, warmup, peak), good, "steps")
    try:
        without = _number(call(learning_rate, 0, 10, 0, 1.0), "the learning rate")
    except ZeroDivisionError:
        raise Wrong("right with a warmup; but with warmup 0 you divide by zero. There is no rise to compute then", 0.9) from None  # fmt: skip
    if not _same(without, 1.0):
        raise Wrong(f"with warmup 0 the first step has the full rate, 1.0; yours is {without:g}", 0.9)
    other = [_number(call(learning_rate, step, 37, 5, 2.0), "the learning rate") for step in range(38)]
    if not all(_same(g, _cosine(step, 37, 5, 2.0)) for step, g in enumerate(other)):
        raise Wrong("right for 100 steps, wrong for 37 with warmup 5 and peak 2: is a number written in?", 0.7)
    return "right: up in a line, down in half a cosine"


def _about_schedule(given, right, total: int, warmup: int, peak: float) -> str:
    fall = range(warmup, total + 1)

    def falls_like(formula) -> bool:
        return all(_same(given[step], formula(step)) for step in fall)

    def progress(step: int) -> float:
        return (step - warmup) / (total - warmup)

    if all(_same(g * peak, r) for g, r in zip(given, right)):
        return "that is the share of the peak, from 0 to 1; multiply it by the peak"
    if not all(_same(given[step], right[step]) for step in range(warmup)):
        if _same(given[0], right[1]):
            return f"the rise is one step early: step 0 has the rate 0, yours {given[0]:.2g}"
        if _same(given[0], right[warmup]) or falls_like(lambda step: right[step]):
            return f"the fall is there, but not the rise: at step 10 you give {given[10]:.2g}, half the peak is {peak / 2:.2g}"
        return f"the rise is wrong: at step 10 of 20 you give {given[10]:.2g}, half the peak is {peak / 2:.2g}"
    if falls_like(lambda step: peak * (1 - progress(step))):
        return "the rise is right, but you fall in a straight line; it should fall like half a cosine"
    if falls_like(lambda step: peak * math.cos(math.pi * progress(step))):
        return "the cosine runs from 1 to -1, so your rate becomes negative. Add 1, and halve"
    if falls_like(lambda step: peak * (1 + math.cos(math.pi * step / total)) / 2):
        return (
            f"at the end of the warmup your rate jumps from the peak to {given[warmup]:.2g}. The fall begins there, so "
            "its progress counts from the warmup's end: 0 there, 1 at step total"
        )
    if falls_like(lambda step: peak * (1 + math.cos(progress(step))) / 2) or falls_like(lambda step: peak * (1 + math.cos(180 * progress(step))) / 2):  # fmt: skip
        return "the cosine takes radians: half a wave is math.pi, not 1 or 180"
    if falls_like(lambda step: peak * (1 + math.cos(2 * math.pi * progress(step))) / 2):
        return "your rate comes up again at the end: that is a whole wave; use half of one"
    early = [(step - warmup) / (total - 1 - warmup) for step in fall]
    if any(all(_same(given[step], peak * (1 + math.cos(math.pi * p)) / 2) for step, p in zip(fall, kind)) for kind in (early, [min(1, p) for p in early])):  # fmt: skip
        return "your progress is 1 one step too early, at step total - 1. Steps count from 0, and it should be 1 at step total"
    step = next(step for step in fall if not _same(given[step], right[step]))
    return f"the fall is wrong: at step {step} you give {given[step]:.6g}, expected {right[step]:.6g}"


def _computed(lengths: list[int], size: int) -> list[int]:
    """How many tokens are computed for each batch of ``size`` windows, cut in the order given."""
    batches = [lengths[start : start + size] for start in range(0, len(lengths), size)]
    return [len(batch) * max(batch) for batch in batches]


@checker("6.3")
def check_padding_share(padding_share) -> str:
    """``padding_share(lengths, batch_size)``: the part of all computed tokens that is padding."""
    cases = [([10, 10, 10, 10], 2), ([10, 20], 2), ([10, 20, 30, 30], 2), ([10, 20, 90, 100], 2), ([40, 80, 50, 60, 10], 2), ([10, 20, 30], 8)]  # fmt: skip

    def judge(lengths: list[int], size: int) -> None:
        batches = [lengths[start : start + size] for start in range(0, len(lengths), size)]
        computed = _computed(lengths, size)
        padding = sum(computed) - sum(lengths)
        right = padding / sum(computed)
        given = _number(call(padding_share, list(lengths), size), "a share from 0 to 1")
        if _same(given, right):
            return
        case = f"lengths {lengths} in batches of {size}: {given:.4g}, expected {right:.4g}"
        full = [(batch, n) for batch, n in zip(batches, computed) if len(batch) == size]
        dropped = 1 - sum(sum(batch) for batch, _ in full) / sum(n for _, n in full) if full else 0.0
        if right and _same(given, 100 * right):
            raise Wrong(f"{case}. That is per cent; return a share from 0 to 1")
        if _same(given, 1 - right):
            raise Wrong(f"{case}. That is the share of text; padding is the rest")
        if _same(given, padding):
            raise Wrong(f"{case}. That is a number of tokens; divide it by all that are computed")
        if _same(given, padding / sum(lengths)):
            raise Wrong(f"{case}. You compare padding with the text; return its share of *all* computed tokens")  # fmt: skip
        if _same(given, 1 - sum(lengths) / (len(lengths) * max(lengths))):
            raise Wrong(f"{case}. You pad everything to the longest window of all; each batch has its own longest")  # fmt: skip
        if any(_same(given, 1 - sum(lengths) / sum(_computed(ordered, size))) for ordered in (sorted(lengths), sorted(lengths)[::-1])):  # fmt: skip
            raise Wrong(f"{case}. You sort the lengths before you cut batches; keep the order in which the windows are trained on")  # fmt: skip
        if _same(given, sum(1 - sum(batch) / n for batch, n in zip(batches, computed)) / len(batches)):
            raise Wrong(f"{case}. A mean of the batches' shares counts a short batch as much as a long one; add tokens first, divide once")  # fmt: skip
        if _same(given, dropped):
            raise Wrong(f"{case}. The windows left at the end are a batch, too, though a smaller one")
        if _same(given, 1 - sum(lengths) / sum(size * max(batch) for batch in batches)):
            raise Wrong(f"{case}. You count the last batch as full; it has only the windows that are left")
        raise Wrong(case)

    judge_each(cases, judge, "lists")
    return "right, also with a smaller batch at the end"
