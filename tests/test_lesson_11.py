"""Attributions as lesson 11 writes them out: against captum's, on models and on functions whose answer is known."""

import numpy as np
import pytest
import torch
from captum.attr import FeatureAblation, IntegratedGradients
from support import names_of_lesson

import qa_helpers as qa

NAMES = ("span_score", "occlusion", "integrated_gradients")
ROW = {
    "question": "What year was the mill opened?",
    "context": "The mill at Varn was opened in 1874 by Odile Brask. A second one, built in 1902, burnt down.",
}


@pytest.fixture(
    scope="module", params=["mini-bert-qa", "mini-roberta", "mini-albert", "mini-deberta", "mini-distilbert"]
)
def looked(request):
    """A model, what it sees, and the lesson's functions. (The heads of the encoders are random, which does not matter.)"""
    tokenizer, model = qa.load_tokenizer(request.param), qa.load_model(request.param, attention="eager")
    model.requires_grad_(False)
    pair = tokenizer(ROW["question"], ROW["context"], return_offsets_mapping=True)
    ids = torch.tensor([pair["input_ids"]])
    others = {name: torch.tensor([pair[name]]) for name in pair if name in qa.model.MODEL_INPUTS[1:]}
    embed = model.get_input_embeddings()
    lesson = names_of_lesson("11_what_did_it_learn", *NAMES, torch=torch, embed=embed, tokenizer=tokenizer)
    special = torch.isin(ids, torch.tensor(tokenizer.all_special_ids))
    reference = embed(ids.masked_fill(~special, tokenizer.mask_token_id))
    first = pair.char_to_token(ROW["context"].index("1874"), sequence_index=1)
    last = pair.char_to_token(ROW["context"].index("1874") + 3, sequence_index=1)
    return model, ids, others, (first, last), embed(ids), reference, lesson, tokenizer


def test_a_spans_score_is_that_of_the_ids(looked):
    model, ids, others, (first, last), vectors, _, lesson, _ = looked
    output = model(input_ids=ids, **others)
    expected = output.start_logits[0, first] + output.end_logits[0, last]
    torch.testing.assert_close(lesson["span_score"](model, vectors, others, (first, last))[0], expected)


def test_integrated_gradients_are_captums_and_complete_within_one_percent(looked):
    model, _, others, span, vectors, reference, lesson, _ = looked

    def score(point):
        return lesson["span_score"](model, point, others, span)

    ours = lesson["integrated_gradients"](score, vectors, reference, steps=50)
    theirs = IntegratedGradients(score).attribute(
        vectors, baselines=reference, n_steps=50, method="riemann_middle", internal_batch_size=1
    )
    torch.testing.assert_close(ours, theirs.to(ours.dtype), atol=1e-4, rtol=1e-4)
    distance = (score(vectors) - score(reference)).item()
    assert abs(ours.sum().item() - distance) < 0.01 * ours.sum(-1).abs().sum().item()


def test_occlusion_is_captums_ablation_of_a_token(looked):
    model, ids, others, span, _, _, lesson, tokenizer = looked

    def score(given):
        output = model(input_ids=given, **{name: values.expand(len(given), -1) for name, values in others.items()})
        return output.start_logits[:, span[0]] + output.end_logits[:, span[1]]

    with torch.no_grad():
        theirs = FeatureAblation(score).attribute(ids, baselines=tokenizer.mask_token_id)
    ours = lesson["occlusion"](lambda vectors: lesson["span_score"](model, vectors, others, span), ids)
    torch.testing.assert_close(ours, theirs[0].to(ours.dtype), atol=1e-4, rtol=1e-4)


def test_where_the_integral_is_known_it_is_found():
    integrated_gradients = names_of_lesson("11_what_did_it_learn", "integrated_gradients", torch=torch)[
        "integrated_gradients"
    ]
    point, reference = torch.tensor([[3.0, -1.0]]), torch.tensor([[1.0, 0.0]])
    linear = integrated_gradients(lambda x: 2 * x[:, 0] - 5 * x[:, 1], point, reference, steps=1)
    torch.testing.assert_close(linear, torch.tensor([[4.0, 5.0]]))
    square = integrated_gradients(lambda x: (x**2).sum(1), point, reference, steps=7)
    torch.testing.assert_close(square, torch.tensor([[8.0, 1.0]]))  # the middle of each part is exact for a square
    product = integrated_gradients(lambda x: x[:, 0] * x[:, 1], point, reference, steps=4)
    torch.testing.assert_close(product, torch.tensor([[-1.0, -2.0]]))


def test_an_effect_needs_an_interval_without_0_and_seeds_that_agree():
    lesson = names_of_lesson("11_what_did_it_learn", "effect", "verdict", qa=qa)
    before, groups = np.zeros((3, 40)), np.arange(40)
    better = np.ones((3, 40)) * (np.arange(40) % 2)
    change, low, high, by_seed = lesson["effect"](before, better, groups)
    assert change == 50 and 30 < low < 50 < high < 70 and by_seed.tolist() == [50, 50, 50]
    assert lesson["verdict"](low, high, by_seed) == "more right answers"
    assert lesson["verdict"](-high, -low, -by_seed) == "fewer right answers"
    assert lesson["verdict"](-1, high, by_seed) == lesson["verdict"](low, high, [50, 50, -1]) == "no effect shown"


def test_rank_correlation_looks_at_the_order_alone():
    import pandas as pd

    rank_correlation = names_of_lesson("11_what_did_it_learn", "rank_correlation", np=np, pd=pd)["rank_correlation"]
    assert rank_correlation([1, 2, 3], [0, 5, 1000]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [3, 2, -7]) == pytest.approx(-1)
    assert rank_correlation([1, 2, 3, 4], [1, 1, 2, 2]) == pytest.approx(0.8944, abs=1e-4)  # ties share a rank
