"""Answers to the exercises of lesson 07, right and wrong (``test_exercises.py`` tries them)."""

import math

import torch
from exercise_checks import Answers, answers, give_partial_credit

from qa_helpers.classroom.exercises import lesson07


def update(scale, good_steps, overflow, interval):
    if overflow:
        return scale / 2, 0
    if good_steps + 1 == interval:
        return scale * 2, 0
    return scale, good_steps + 1


def update_by_torch(scale, good_steps, overflow, interval):
    """What PyTorch's own scaler calls after each step."""
    scale, good_steps = torch.tensor(float(scale)), torch.tensor(good_steps, dtype=torch.int32)
    torch._amp_update_scale_(scale, good_steps, torch.tensor(float(overflow)), 2.0, 0.5, interval)
    return [scale, good_steps]


@answers("7.1")
def update_answers():
    def without_reset(scale, good_steps, overflow, interval):
        return (scale / 2, good_steps) if overflow else update(scale, good_steps, overflow, interval)

    def never_reset(scale, good_steps, overflow, interval):
        new, count = update(scale, good_steps, overflow, interval)
        return new, count if overflow else good_steps + 1

    def one_late(scale, good_steps, overflow, interval):
        return update(scale, good_steps, overflow, interval + 1)

    def at_once(scale, good_steps, overflow, interval):
        return update(scale, good_steps, overflow, good_steps + 1)

    def shrinks_only(scale, good_steps, overflow, interval):
        return (scale / 2, 0) if overflow else (scale, good_steps)

    return Answers(
        right=[update, update_by_torch],
        wrong={
            "the scale has to shrink": lambda scale, good, overflow, n: update(scale, good, not overflow, n),
            "you make it larger": lambda scale, good, overflow, n: (
                (2 * scale, 0) if overflow else update(scale, good, False, n)
            ),
            "would overflow again": lambda scale, good, overflow, n: (
                (scale, 0) if overflow else update(scale, good, False, n)
            ),
            "rounds down to a whole number": lambda scale, good, overflow, n: (
                (scale // 2, 0) if overflow else update(scale, good, False, n)
            ),
            "an overflow sets their count back": without_reset,
            "the count starts again": never_reset,
            "This step counts as well": one_late,
            "does not grow yet": at_once,
            "is a good step: count it": shrinks_only,
            "the scale comes first": lambda *given: update(*given)[::-1],
            "Return two values": lambda *given: update(*given)[0],
        },
    )


def test_a_scale_that_only_shrinks_gets_part_of_the_credit():
    def halve(scale, good_steps, overflow, interval):
        return (scale / 2, 0) if overflow else (scale, good_steps + 1)

    message = give_partial_credit(lesson07.check_update, halve, 0.7, 0.8)
    assert message.startswith("6 of 8 steps right; look at the fourth")


def largest_batch(memory, weights, frozen, per_window, reserve):
    trained = weights - frozen
    fixed = 4 * weights + 12 * trained
    return max(0, int((memory * (1 - reserve) - fixed) // per_window))


def largest_batch_by_trying(memory, weights, frozen, per_window, reserve):
    copies = [weights, weights - frozen, weights - frozen, weights - frozen]
    windows = 0
    while sum(4 * numbers for numbers in copies) + (windows + 1) * per_window <= memory * (1 - reserve):
        windows += 1
    return windows


@answers("7.2")
def largest_batch_answers():
    def with_fixed(fixed):
        def count(memory, weights, frozen, per_window, reserve):
            taken = fixed(weights, weights - frozen)
            return max(0, int((memory * (1 - reserve) - taken) // per_window))

        return count

    def rounded_up(memory, weights, frozen, per_window, reserve):
        fixed = 4 * weights + 12 * (weights - frozen)
        return max(0, math.ceil((memory * (1 - reserve) - fixed) / per_window))

    def negative(memory, weights, frozen, per_window, reserve):
        return (memory * (1 - reserve) - 4 * weights - 12 * (weights - frozen)) // per_window

    def no_rounding(memory, weights, frozen, per_window, reserve):
        return (memory * (1 - reserve) - 4 * weights - 12 * (weights - frozen)) / per_window

    def reserve_of_the_rest(memory, weights, frozen, per_window, reserve):
        return max(0, int((memory - 4 * weights - 12 * (weights - frozen)) * (1 - reserve) // per_window))

    return Answers(
        right=[largest_batch, largest_batch_by_trying],
        wrong={
            "That counts the weights only": with_fixed(lambda weights, trained: 4 * weights),
            "You left out the optimizer": with_fixed(lambda weights, trained: 4 * weights + 4 * trained),
            "Something is missing": with_fixed(lambda weights, trained: 4 * weights + 8 * trained),
            "no gradient, either": with_fixed(lambda weights, trained: 8 * weights + 8 * trained),
            "AdamW keeps nothing for frozen weights": with_fixed(lambda weights, trained: 12 * weights + 4 * trained),
            "AdamW keeps nothing for them": with_fixed(lambda weights, trained: 16 * weights),
            "the forward pass needs them": with_fixed(lambda weights, trained: 16 * trained),
            "each of them has 4 bytes": with_fixed(lambda weights, trained: weights + 3 * trained),
            "need room as well": with_fixed(lambda weights, trained: 0),
            "You left nothing free": lambda *given: largest_batch(*given[:-1], 0.0),
            "not of what the weights leave": reserve_of_the_rest,
            "You rounded up": rounded_up,
            "no window does: return 0": negative,
            "a whole number": no_rounding,
        },
    )


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


@answers("7.3")
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

    feedback = lesson07.check_accumulate(retained)
    assert not feedback.passed and "without retain_graph" in feedback.message


def test_all_rows_at_once_are_noticed_even_if_their_losses_are_taken_apart():
    def taken_apart(model, loss_function, micro_batches):
        model.zero_grad()
        outputs = model(torch.cat([inputs for inputs, _ in micro_batches]))
        for part, (_, targets) in zip(outputs.split([len(t) for _, t in micro_batches]), micro_batches):
            (loss_function(part, targets) * len(targets) / len(outputs)).backward(retain_graph=True)

    feedback = lesson07.check_accumulate(taken_apart)
    assert not feedback.passed and "all rows went through at once" in feedback.message


def test_an_earlier_gradient_that_is_divided_along_is_noticed():
    def sums_on_top(model, loss_function, micro_batches):
        rows = sum(len(inputs) for inputs, _ in micro_batches)
        for inputs, targets in micro_batches:
            (loss_function(model(inputs), targets) * len(inputs)).backward()
        for parameter in model.parameters():
            parameter.grad /= rows

    feedback = lesson07.check_accumulate(sums_on_top)
    assert not feedback.passed and "clear that before the first batch" in feedback.message and feedback.share >= 0.8
