"""Answers to the exercises of lesson 06, right and wrong (``test_exercises.py`` tries them)."""

import math

import numpy as np
import torch
from exercise_checks import Answers, answers
from transformers import get_cosine_schedule_with_warmup

from qa_helpers.classroom.exercises import lesson06


def optimizer_steps(windows, batch_size, accumulation, epochs):
    return math.ceil(epochs * math.ceil(math.ceil(windows / batch_size) / accumulation))


def optimizer_steps_by_counting(windows, batch_size, accumulation, epochs):
    batches = len(range(0, windows, batch_size))
    steps = len(range(0, batches, accumulation))
    return -int(-(epochs * steps) // 1)


@answers("6.1")
def optimizer_steps_answers():
    return Answers(
        right=[optimizer_steps, optimizer_steps_by_counting],
        wrong={
            "round up": lambda windows, batch, together, epochs: epochs * windows / batch / together,
            "That counts batches": lambda windows, batch, _, epochs: math.ceil(epochs * math.ceil(windows / batch)),
            "fewer, not more": lambda windows, batch, together, epochs: math.ceil(epochs * windows / batch) * together,
            "That is one epoch": lambda windows, batch, together, _: optimizer_steps(windows, batch, together, 1),
            "a smaller batch": lambda windows, batch, together, epochs: int(epochs * (windows // batch // together)),
            "rounded the epochs up": lambda windows, batch, together, epochs: optimizer_steps(
                windows, batch, together, math.ceil(epochs)
            ),
            "You rounded down": lambda windows, batch, together, epochs: int(
                epochs * optimizer_steps(windows, batch, together, 1)
            ),
            "rounded once": lambda windows, batch, together, epochs: math.ceil(epochs * windows / (batch * together)),
        },
    )


def cosine(step, total, warmup, peak):
    if step < warmup:
        return peak * step / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))


def cosine_of_the_library(step, total, warmup, peak):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=peak)
    return peak * get_cosine_schedule_with_warmup(optimizer, warmup, total).lr_lambdas[0](step)


def falling(shape):
    def rate(step, total, warmup, peak):
        return peak * step / warmup if step < warmup else peak * shape((step - warmup) / (total - warmup))

    return rate


@answers("6.2")
def cosine_schedule_answers():
    return Answers(
        right=[cosine, cosine_of_the_library, lambda *given: torch.tensor(cosine(*given), dtype=torch.float64)],
        wrong={
            "straight line": falling(lambda progress: 1 - progress),
            "becomes negative": falling(lambda progress: math.cos(math.pi * progress)),
            "radians": falling(lambda progress: (1 + math.cos(progress)) / 2),
            "a whole wave": falling(lambda progress: (1 + math.cos(2 * math.pi * progress)) / 2),
            "share of the peak": lambda step, total, warmup, peak: cosine(step, total, warmup, 1.0),
            "rate jumps": lambda step, total, warmup, peak: (
                peak * step / warmup if step < warmup else peak * (1 + math.cos(math.pi * step / total)) / 2
            ),
            "one step too early": lambda step, total, warmup, peak: cosine(step, total - 1, warmup, peak),
            "not the rise": lambda step, total, warmup, peak: cosine(max(step, warmup), total, warmup, peak),
            "one step early": lambda step, total, warmup, peak: (
                peak * (step + 1) / warmup if step < warmup else cosine(step, total, warmup, peak)
            ),
            "you divide by zero": lambda step, total, warmup, peak: min(
                peak * step / warmup, cosine(max(step, warmup), total, warmup, peak)
            ),
            "written in": lambda step, total, warmup, peak: cosine(step, 100, 20 if warmup else 0, peak),
        },
    )


def test_a_schedule_that_is_0_one_step_too_early_and_stays_0_is_named_too():
    feedback = lesson06.check_cosine_schedule(
        lambda step, total, *given: cosine(min(step, total - 1), total - 1, *given)
    )
    assert not feedback.passed and "one step too early" in feedback.message


def test_a_rate_that_is_nearly_right_is_shown_with_enough_digits():
    feedback = lesson06.check_cosine_schedule(
        lambda *given: 1.0001 * cosine(*given) if given[0] >= given[2] else cosine(*given)
    )
    assert "at step 20 you give 3.0003e-05, expected 3e-05" in feedback.message


def padding_share(lengths, batch_size):
    computed = 0
    for start in range(0, len(lengths), batch_size):
        batch = lengths[start : start + batch_size]
        computed += len(batch) * max(batch)
    return 1 - sum(lengths) / computed


def padding_share_of_masks(lengths, batch_size):
    text = padding = 0
    for batch in torch.tensor(lengths).split(batch_size):
        mask = torch.arange(int(batch.max()))[None, :] < batch[:, None]
        text, padding = text + int(mask.sum()), padding + int((~mask).sum())
    return padding / (text + padding)


def batches_of(lengths, size):
    return [lengths[start : start + size] for start in range(0, len(lengths), size)]


@answers("6.3")
def padding_share_answers():
    def counted(lengths, size):
        return sum(len(batch) * max(batch) for batch in batches_of(lengths, size)) - sum(lengths)

    def mean_of_shares(lengths, size):
        shares = [1 - sum(batch) / (len(batch) * max(batch)) for batch in batches_of(lengths, size)]
        return sum(shares) / len(shares)

    def without_the_rest(lengths, size):
        whole = len(lengths) // size * size
        return padding_share(lengths[:whole], size) if whole else padding_share(lengths, size)

    def full_batches(lengths, size):
        return 1 - sum(lengths) / sum(size * max(batch) for batch in batches_of(lengths, size))

    return Answers(
        right=[padding_share, padding_share_of_masks, lambda *given: np.float64(padding_share(*given))],
        wrong={
            "per cent": lambda *given: 100 * padding_share(*given),
            "share of text": lambda *given: 1 - padding_share(*given),
            "a number of tokens": counted,
            "with the text": lambda lengths, size: counted(lengths, size) / sum(lengths),
            "You sort the lengths": lambda lengths, size: padding_share(sorted(lengths), size),
            "the longest window of all": lambda lengths, _: 1 - sum(lengths) / (len(lengths) * max(lengths)),
            "A mean of the batches' shares": mean_of_shares,
            "are a batch, too": without_the_rest,
            "the last batch as full": full_batches,
        },
    )


def test_lengths_sorted_from_long_to_short_are_named_too():
    feedback = lesson06.check_padding_share(lambda lengths, size: padding_share(sorted(lengths)[::-1], size))
    assert not feedback.passed and "You sort the lengths" in feedback.message
