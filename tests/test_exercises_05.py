"""Answers to the exercises of lesson 05, right and wrong (``test_exercises.py`` tries them)."""

import re

import pytest
import torch
from exercise_checks import Answers, answers
from torch.nn import functional as F
from transformers import AutoModelForQuestionAnswering, BertConfig

from qa_helpers.classroom.exercises import lesson05

INF = float("inf")


@answers("5.1")
def separate_answers():
    return Answers(
        right=[
            lambda logits: logits.permute(2, 0, 1),
            lambda logits: torch.stack([logits[..., 0], logits[..., 1]]),
            lambda logits: torch.cat([part.squeeze(-1)[None] for part in logits.split(1, dim=-1)]),
            lambda logits: torch.einsum("bst->tbs", logits),
        ],
        wrong={
            "in order": lambda logits: logits.view(2, *logits.shape[:2]),
            "return one tensor": lambda logits: tuple(part.squeeze(-1) for part in logits.split(1, dim=-1)),
            "squeeze away the axis": lambda logits: torch.stack(logits.split(1, dim=-1)),
            "changed places": lambda logits: logits.transpose(0, 2),
            "unless you name one": lambda logits: torch.stack([part.squeeze() for part in logits.split(1, dim=-1)]),
            "still on the last axis": lambda logits: logits,
            "second axis": lambda logits: torch.stack([logits[..., 0], logits[..., 1]], dim=1),
            "end logits come first": lambda logits: logits.permute(2, 0, 1).flip(0),
        },
    )


def test_separate_sees_a_swap_that_a_square_batch_would_hide():
    feedback = lesson05.check_separate(
        lambda logits: logits.transpose(0, 2) if logits.size(0) == logits.size(1) else logits.permute(2, 0, 1)
    )
    assert not feedback.passed and "changed places" in feedback.message


def attention(query, key, mask, power=0.5, dim=-1):
    scores = (query @ key.T) / query.size(-1) ** power
    return scores.masked_fill(mask == 0, -INF).softmax(dim=dim)


def attention_with_loops(query, key, mask):
    rows = []
    for q in query:
        scores = torch.stack([(q * k).sum() / len(k) ** 0.5 if m else torch.tensor(-1e9) for k, m in zip(key, mask)])
        exponentials = (scores - scores.max()).exp()
        rows.append(exponentials / exponentials.sum())
    return torch.stack(rows)


def attention_renormalised(query, key, mask):
    weights = (query @ key.T / query.shape[1] ** 0.5).softmax(-1) * mask
    return weights / weights.sum(-1, keepdim=True)


@answers("5.2")
def attention_weights_answers():
    def plain(query, key):
        return query @ key.T / query.size(-1) ** 0.5

    return Answers(
        right=[attention, attention_with_loops, attention_renormalised],
        wrong={
            "too sharp": lambda q, k, mask: attention(q, k, mask, power=0),
            "divide by its square root": lambda q, k, mask: attention(q, k, mask, power=1),
            "columns sum to 1": lambda q, k, mask: attention(q, k, mask, dim=0),
            "query and key have changed places": lambda q, k, mask: attention(k, q, mask),
            "after the softmax": lambda q, k, mask: plain(q, k).softmax(-1) * mask,
            "A score of 0 still gets weight": lambda q, k, mask: (plain(q, k) * mask).softmax(-1),
            "the last columns must be 0": lambda q, k, mask: plain(q, k).softmax(-1),
            "the mask is the wrong way round": lambda q, k, mask: plain(q, k).masked_fill(mask == 1, -INF).softmax(-1),
            "the rows of tokens hold nan": lambda q, k, mask: (plain(q, k) + (1 - mask) * -INF).softmax(-1),
            "the softmax that makes weights": lambda q, k, mask: plain(q, k).masked_fill(mask == 0, -INF),
        },
    )


@pytest.mark.parametrize(
    "mask_scores",
    [
        lambda scores, mask: scores.masked_fill(mask.bool(), -1e9),
        lambda scores, mask: scores + mask * -1e4,
        lambda scores, mask: scores.masked_fill(mask.bool(), torch.finfo().min),
        lambda scores, mask: torch.where(mask == 0, scores, -INF),
    ],
)
def test_an_inverted_mask_is_named(mask_scores):
    feedback = lesson05.check_attention_weights(
        lambda q, k, mask: mask_scores(q @ k.T / q.size(-1) ** 0.5, mask).softmax(-1)
    )
    assert not feedback.passed and "the mask is the wrong way round" in feedback.message


@pytest.mark.parametrize("low", [-1e9, -1e4, -INF, torch.finfo().min])
def test_a_softmax_over_the_columns_is_named_whatever_padding_is_filled_with(low):
    feedback = lesson05.check_attention_weights(
        lambda q, k, mask: (q @ k.T / q.size(-1) ** 0.5).masked_fill(mask == 0, low).softmax(0)
    )
    assert not feedback.passed and "the columns sum to 1" in feedback.message


def test_rows_masked_instead_of_columns_are_rejected():
    feedback = lesson05.check_attention_weights(
        lambda q, k, mask: (q @ k.T / q.size(-1) ** 0.5).masked_fill(mask[:, None] == 0, -INF).softmax(-1)
    )
    assert not feedback.passed and "the last columns must be 0" in feedback.message


def gradient(logits, positions, sign=1.0, divisor=None, dim=-1, truth=1.0, ignore=True):
    sequence = logits.size(1)
    clamped = positions.clamp(0, sequence)
    inside = clamped < sequence
    one_hot = (
        F.one_hot(clamped, sequence + 1)[:, :sequence]
        if ignore
        else F.one_hot(positions.clamp(0, sequence - 1), sequence)
    )
    difference = sign * (logits.softmax(dim) - truth * one_hot)
    if ignore:
        difference = difference * inside[:, None]
    return difference / (inside.sum().clamp(min=1) if divisor is None else divisor(logits, inside))


def gradient_by_rows(logits, positions):
    result = torch.zeros_like(logits)
    kept = [row for row, position in enumerate(positions.tolist()) if position < logits.shape[1]]
    for row in kept:
        result[row] = logits[row].exp() / logits[row].exp().sum()
        result[row, max(int(positions[row]), 0)] -= 1
    return result / max(len(kept), 1)


@answers("5.3")
def gradient_of_span_loss_answers():
    return Answers(
        right=[gradient, gradient_by_rows],
        wrong={
            "sign is reversed": lambda *given: gradient(*given, sign=-1.0),
            "the loss is a mean": lambda *given: gradient(*given, divisor=lambda *_: 1),
            "is for start and end": lambda *given: gradient(*given, divisor=lambda _, inside: 2 * inside.sum()),
            "subtract the truth": lambda *given: gradient(*given, truth=0.0),
            "the tokens of one window compete": lambda *given: gradient(*given, dim=0),
            "divide by 2": lambda *given: gradient(*given, divisor=lambda logits, _: len(logits)),
            "its gradient is zero": lambda *given: gradient(*given, ignore=False),
            "raise RuntimeError": lambda logits, positions: (
                (logits.softmax(-1) - F.one_hot(positions, logits.size(1))) / len(logits)
            ),
            "no row counts": lambda *given: gradient(*given, divisor=lambda _, inside: inside.sum()),
            "you ignore the negative label": ignoring_negatives,
            "counts from the end of the row": counting_from_the_end,
            "should be [": lambda logits, positions: logits,
        },
    )


def ignoring_negatives(logits, positions):
    return gradient(logits, torch.where(positions < 0, logits.size(1), positions))


def counting_from_the_end(logits, positions):
    return gradient(logits, torch.where(positions < 0, positions + logits.size(1), positions))


def shaken(logits, positions):
    """Only the last row is wrong, and by little."""
    result = gradient(logits, positions)
    result[-1, 0] += 1e-4
    return result


def test_a_row_that_differs_is_shown_with_digits_that_differ():
    message = lesson05.check_gradient_of_span_loss(shaken).message
    wanted, given = re.search(r"row 3 should be (\[.*\]), but is (\[.*\])", message).groups()
    assert wanted != given


def by_python_numbers(logits, positions):
    rows = sum(1 for position in positions.tolist() if position < logits.size(1))
    return gradient(logits, positions) * max(rows, 1) * (1 / rows)


def test_dividing_python_numbers_by_no_rows_is_named():
    feedback = lesson05.check_gradient_of_span_loss(by_python_numbers)
    assert "[4, 9]: all lie outside" in feedback.message and 0.7 < feedback.share < 1


def count(config, bias=1, norms=2, head=True, heads=1, layers=None, tables=True, pooler=False):
    h, f = config.hidden_size, config.intermediate_size
    layers = config.num_hidden_layers if layers is None else layers
    positions = config.max_position_embeddings + config.type_vocab_size if tables else 0
    attention = heads * 3 * h * (h + bias) + h * (h + bias)
    layer = attention + h * f + f * h + bias * (h + f) + 2 * norms * h
    total = (config.vocab_size + positions) * h + norms * h + layers * layer
    return total + (2 * h + 2) * head + pooler * h * (h + 1)


def count_the_built_model(config):
    with torch.device("meta"):
        model = AutoModelForQuestionAnswering.from_config(BertConfig(**vars(config)))
    return sum(parameter.numel() for parameter in model.parameters())


@answers("5.4")
def count_parameters_answers():
    return Answers(
        right=[count, lambda config: float(count(config))],
        wrong={
            "of all linear layers": lambda config: count(config, bias=0) - 2,
            "of the linear layers are": lambda config: count(config, bias=0),
            "all LayerNorms": lambda config: count(config, norms=0),
            "2 constants are missing": lambda config: count(config) - 2,
            "the head (": lambda config: count(config, head=False),
            "the number of heads": lambda config: count(config, heads=config.num_attention_heads),
            "one layer": lambda config: count(config, layers=1),
            "positions and segments": lambda config: count(config, tables=False),
            "the pooler": lambda config: count(config, pooler=True),
            "whole number": lambda config: count(config) / 7,
            "too few": lambda config: count(config) - 7,
        },
    )


def test_the_count_of_the_checker_is_that_of_the_librarys_model():
    assert lesson05.check_count_parameters(count_the_built_model).passed
