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


def accumulate(model, loss_function, micro_batches):
    rows = sum(len(inputs) for inputs, _ in micro_batches)
    model.zero_grad()
    for inputs, targets in micro_batches:
        (loss_function(model(inputs), targets) * len(inputs) / rows).backward()


def accumulate_sums(model, loss_function, micro_batches):
    rows = 0
    for parameter in model.parameters():
        parameter.grad = None
    for inputs, targets in micro_batches:
        (loss_function(model(inputs), targets) * len(targets)).backward()
        rows += len(targets)
    for parameter in model.parameters():
        parameter.grad /= rows


def accumulate_without_backward(model, loss_function, micro_batches):
    """Gradients by torch.func, whose transforms allow no hooks on what is saved."""
    rows = sum(len(inputs) for inputs, _ in micro_batches)
    own = {name: parameter.detach() for name, parameter in model.named_parameters()}

    def loss(parameters, inputs, targets):
        return loss_function(torch.func.functional_call(model, parameters, inputs), targets) * len(inputs) / rows

    each = [torch.func.grad(loss)(own, *batch) for batch in micro_batches]
    for name, parameter in model.named_parameters():
        parameter.grad = sum(gradients[name] for gradients in each)


def accumulate_and_log(model, loss_function, micro_batches):
    """Keeps numbers of every loss, which hold no graph, and looks at the outputs first, without one."""
    with torch.no_grad():
        rows = sum(len(model(inputs)) for inputs, _ in micro_batches)
    log = []
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    for inputs, targets in micro_batches:
        outputs = model(inputs)
        loss = loss_function(outputs, targets)
        for parameter, gradient in zip(model.parameters(), torch.autograd.grad(loss, list(model.parameters()))):
            parameter.grad += gradient * len(inputs) / rows
        log.append((loss.item(), outputs.detach()))


def weighted(weight, clear_each=False, then=lambda model: None):
    def run(model, loss_function, micro_batches):
        rows = sum(len(inputs) for inputs, _ in micro_batches)
        for inputs, targets in micro_batches:
            if clear_each:
                model.zero_grad()
            (loss_function(model(inputs), targets) * weight(len(inputs), rows, len(micro_batches))).backward()
        then(model)

    return run


@answers("6.4")
def accumulate_answers():
    def at_once(model, loss_function, micro_batches):
        inputs, targets = (torch.cat(column) for column in zip(*micro_batches))
        loss_function(model(inputs), targets).backward()

    def take_the_step(model):
        torch.optim.SGD(model.parameters(), lr=0.1).step()

    def add_up_losses_first(model, loss_function, micro_batches):
        rows = sum(len(inputs) for inputs, _ in micro_batches)
        model.zero_grad()
        total = 0.0
        for inputs, targets in micro_batches:
            total += loss_function(model(inputs), targets) * len(inputs) / rows
        total.backward()

    return Answers(
        right=[accumulate, accumulate_sums, accumulate_without_backward, accumulate_and_log],
        wrong={
            "times too much": weighted(lambda own, rows, batches: 1),
            "Weight by rows": weighted(lambda own, rows, batches: 1 / batches),
            "only the last batch": weighted(lambda own, rows, batches: own / rows, clear_each=True),
            "do not divide by all rows": weighted(lambda own, rows, batches: own),
            "the graph of an earlier one was still held": add_up_losses_first,
            "clear that before the first batch": weighted(lambda own, rows, batches: own / rows),
            "all rows went through at once": at_once,
            "the weights have changed": weighted(lambda own, rows, batches: own / rows, then=take_the_step),
            "the gradients are zero": weighted(
                lambda own, rows, batches: own / rows, then=lambda model: model.zero_grad(set_to_none=False)
            ),
            "no gradient": lambda model, loss_function, micro_batches: [
                loss_function(model(inputs), targets) for inputs, targets in micro_batches
            ],
        },
    )


def test_a_graph_that_is_kept_is_noticed():
    def retained(model, loss_function, micro_batches):
        rows = sum(len(inputs) for inputs, _ in micro_batches)
        model.zero_grad()
        for inputs, targets in micro_batches:
            loss = loss_function(model(inputs), targets) * len(inputs) / rows
            loss.backward(retain_graph=True)

    feedback = lesson06.check_accumulate(retained)
    assert not feedback.passed and "without retain_graph" in feedback.message


def test_all_rows_at_once_are_noticed_even_if_their_losses_are_taken_apart():
    def taken_apart(model, loss_function, micro_batches):
        model.zero_grad()
        outputs = model(torch.cat([inputs for inputs, _ in micro_batches]))
        for part, (_, targets) in zip(outputs.split([len(t) for _, t in micro_batches]), micro_batches):
            (loss_function(part, targets) * len(targets) / len(outputs)).backward(retain_graph=True)

    feedback = lesson06.check_accumulate(taken_apart)
    assert not feedback.passed and "all rows went through at once" in feedback.message


def test_an_earlier_gradient_that_is_divided_along_is_noticed():
    def sums_on_top(model, loss_function, micro_batches):
        rows = sum(len(inputs) for inputs, _ in micro_batches)
        for inputs, targets in micro_batches:
            (loss_function(model(inputs), targets) * len(inputs)).backward()
        for parameter in model.parameters():
            parameter.grad /= rows

    feedback = lesson06.check_accumulate(sums_on_top)
    assert not feedback.passed and "clear that before the first batch" in feedback.message and feedback.share >= 0.8
