"""Quick dropout on the CPU is dropout: right shares, independent numbers, the same attention, and nothing left behind."""

import json
import math
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support import CONFIGS, SHORT, SIZES, assert_same_weights, batch_for
from torch.nn.functional import dropout, scaled_dot_product_attention
from transformers import AutoModelForQuestionAnswering, ElectraConfig, TrainerCallback, XLMRobertaConfig

from qa_helpers import ExtractiveQA, fine_tune, load_model, load_tokenizer, training
from qa_helpers.engine.quick_dropout import ATTENTION, MODEL_TYPES, QuickDropout, draw, quick_dropout, window_by_window

ENCODERS = CONFIGS | {"electra": ElectraConfig(**SIZES), "xlm-roberta": XLMRobertaConfig(**SIZES)}


def build(model_type, **changes):
    config = ENCODERS[model_type].__class__.from_dict(ENCODERS[model_type].to_dict() | changes)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return AutoModelForQuestionAnswering.from_config(config)


def dropping(model_type, rate=0.1):
    """A model that drops wherever its family can."""
    names = ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout", "qa_dropout")
    return build(model_type, **{name: rate for name in names if hasattr(ENCODERS[model_type], name)}).train()


def dropouts(model) -> list[type]:
    return [type(module) for module in model.modules() if isinstance(module, torch.nn.Dropout)]


def seeded(function, seed=0):
    torch.manual_seed(seed)
    return function()


# ── random numbers


@pytest.mark.parametrize("p", [0.9, 0.5, 0.1, 0.001])
def test_the_share_of_ones_is_the_probability(p):
    count = 4_000_000
    ones = seeded(lambda: draw(torch.empty(count), p)).double()
    assert set(ones.unique().tolist()) == {0.0, 1.0}
    # Five standard deviations, and what rounding to 1/65,536 can add.
    assert abs(ones.mean().item() - p) < 5 * math.sqrt(p * (1 - p) / count) + 2**-17


def test_neighbours_are_independent_although_four_come_from_one_number():
    centred = seeded(lambda: draw(torch.empty(4_000_000), 0.9)).double() - 0.9
    for distance in range(1, 9):
        correlation = (centred[:-distance] * centred[distance:]).mean().item() / 0.09
        assert abs(correlation) < 5 / math.sqrt(len(centred)), distance


def test_all_patterns_of_four_are_as_frequent_as_they_should_be():
    ones = seeded(lambda: draw(torch.empty(400_000), 0.5)).int().view(-1, 4)
    counts = torch.bincount((ones * torch.tensor([8, 4, 2, 1])).sum(1), minlength=16).double()
    expected = 100_000 / 16
    assert ((counts - expected) ** 2 / expected).sum() < 50  # chi-square, 15 degrees: beyond it once in 80,000


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (3, 5), (2, 3, 4)])
def test_every_type_and_shape_is_filled(dtype, shape):
    like = torch.full(shape, 7, dtype=dtype)
    ones = draw(like, 0.5)
    assert ones.shape == shape and ones.dtype == dtype and set(ones.flatten().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize(("p", "value"), [(0.0, 0), (1.0, 1), (1e-9, 0), (1 - 1e-9, 1)])
def test_nothing_and_everything(p, value):
    assert (draw(torch.full((1000,), 0.5), p) == value).all()


def test_numbers_follow_from_the_seed():
    a, b = (seeded(lambda: draw(torch.empty(999), 0.5), 3) for _ in range(2))
    assert torch.equal(a, b) and not torch.equal(a, seeded(lambda: draw(torch.empty(999), 0.5), 4))


def test_numbers_do_not_depend_on_the_number_of_threads():
    before = torch.get_num_threads()
    try:
        drawn = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            drawn.append(seeded(lambda: draw(torch.empty(300_000), 0.5)))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*drawn)


# ── within the context, and after it


@pytest.mark.parametrize("model_type", ENCODERS)
def test_all_dropout_of_a_model_is_quick_within_and_pytorchs_after_it(model_type):
    model = dropping(model_type)
    before, was = dropouts(model), model.config._attn_implementation
    with pytest.raises(RuntimeError, match="on purpose"), quick_dropout(model):
        assert set(dropouts(model)) == {QuickDropout}
        assert model.config._attn_implementation == (ATTENTION if model_type in MODEL_TYPES else was)
        raise RuntimeError("on purpose")
    assert before and dropouts(model) == before and model.config._attn_implementation == was


def test_a_quick_layer_drops_in_training_alone_and_scales_what_it_keeps():
    layer, values = QuickDropout(0.25), torch.ones(10_000, requires_grad=True)
    dropped = seeded(lambda: layer(values))
    assert torch.equal(dropped, seeded(lambda: draw(values, 0.75)) / 0.75)
    assert torch.equal(torch.autograd.grad(dropped.sum(), values)[0], dropped.detach())
    assert layer.eval()(values) is values


def test_other_dropout_in_the_process_stays_pytorchs():
    before = seeded(lambda: dropout(torch.ones(1000), 0.25))
    with quick_dropout(dropping("bert")):
        assert torch.equal(seeded(lambda: dropout(torch.ones(1000), 0.25)), before)


def test_attention_is_replaced_only_where_something_is_dropped_and_none_was_asked_for_by_name():
    own = ExtractiveQA.from_library(dropping("bert"))
    with quick_dropout(own):
        assert own.encoder.config._attn_implementation == ATTENTION
    assert own.encoder.config._attn_implementation == "sdpa"
    without, asked_for = dropping("bert", rate=0.0), dropping("bert")
    asked_for.set_attn_implementation("eager")
    for model, name in ((without, "sdpa"), (asked_for, "eager"), (dropping("bert").to("meta"), "sdpa")):
        with quick_dropout(model):
            assert model.config._attn_implementation == name
            assert (QuickDropout in dropouts(model)) == (model is asked_for)


# ── attention


def inputs(tokens=11, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(3, 2, tokens, 4, generator=generator, dtype=dtype).requires_grad_()
        for _ in ("query", "key", "value")
    ]


MASKS = {
    "none": None,
    "right": torch.tensor([[1] * 11, [1] * 7 + [0] * 4, [1] + [0] * 10]).bool(),
    "left": torch.tensor([[1] * 11, [0] * 4 + [1] * 7, [0] * 10 + [1]]).bool(),
}


def plain(query, key, value, mask, rate):
    """softmax(q kᵀ / √size), dropped with the numbers of the same seed, times v; as the papers write it."""
    torch.manual_seed(7)
    results = []
    for k in range(len(query)):
        scores = query[k] @ key[k].transpose(1, 2) / math.sqrt(query.shape[-1])
        kept = slice(None) if mask is None else mask[k]
        weights = torch.softmax(scores[:, :, kept], -1)
        weights = weights * draw(torch.empty_like(weights), 1 - rate) / (1 - rate)
        results.append(weights @ value[k][:, kept])
    return torch.stack(results).transpose(1, 2)


@pytest.mark.parametrize("padding", MASKS)
def test_attention_and_its_gradients_are_those_of_the_formula(padding):
    mask, tensors = MASKS[padding], inputs()
    ours = seeded(lambda: window_by_window(None, *tensors, mask, dropout=0.3)[0], 7)
    expected = plain(*tensors, mask, 0.3)
    torch.testing.assert_close(ours, expected)
    above = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for a, b in zip(torch.autograd.grad(ours, tensors, above), torch.autograd.grad(expected, tensors, above)):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("padding", MASKS)
def test_with_almost_nothing_dropped_it_is_pytorchs_attention(padding):
    mask, tensors = MASKS[padding], inputs()
    expected = scaled_dot_product_attention(*tensors, None if mask is None else mask[:, None, None, :]).transpose(1, 2)
    for rate in (0.0, 1e-9):
        ours, weights = window_by_window(None, *tensors, mask, dropout=rate)
        torch.testing.assert_close(ours, expected)
        assert weights is None


def test_under_autocast_attention_is_still_computed_in_float32():
    half = [tensor.detach().bfloat16().requires_grad_() for tensor in inputs(dtype=torch.float32)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours = seeded(lambda: window_by_window(None, *half, MASKS["right"], dropout=0.3)[0], 7)
    expected = plain(*(tensor.float() for tensor in half), MASKS["right"], 0.3)
    assert ours.dtype == torch.bfloat16
    torch.testing.assert_close(ours.float(), expected, rtol=2**-8, atol=1e-6)  # rounded once, at the end
    ours.sum().backward()
    assert {tensor.grad.dtype for tensor in half} == {torch.bfloat16}


def test_padding_between_tokens_is_refused():
    hole = MASKS["right"].clone()
    hole[1, 3] = False
    with pytest.raises(ValueError, match="window 1 of the batch has padding between its tokens"):
        window_by_window(None, *inputs(), hole, dropout=0.3)
    with pytest.raises(ValueError, match="window 0 of the batch"):
        window_by_window(None, *inputs(), torch.zeros(3, 11).bool(), dropout=0.3)


@pytest.mark.parametrize("model_type", MODEL_TYPES)
@pytest.mark.parametrize("left", [False, True])
def test_a_model_with_almost_no_dropout_has_the_same_loss_and_gradients(model_type, left):
    model = dropping(model_type, rate=1e-9)  # not 0, so that our attention is taken; nothing is ever dropped
    batch = batch_for(model, [3, 4, 5, 6, 7], [4, 6, 8, 9, 9])
    if left:
        batch |= {name: batch[name].flip(1) for name in ("input_ids", "attention_mask")}
    found = []
    for ours in (False, True):
        model.zero_grad()
        if ours:
            with quick_dropout(model):
                assert model.config._attn_implementation == ATTENTION
                model(**batch).loss.backward()
        else:
            model(**batch).loss.backward()
        found.append({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, atol=1e-6, rtol=1e-4, msg=name)


# ── in training


def test_training_uses_it_and_saves_nothing_of_it(checkpoint, tokenizer, examples, tmp_path):
    seen = set()

    class Look(TrainerCallback):
        def on_step_end(self, args, state, control, model=None, **_):
            seen.add((model.config._attn_implementation, QuickDropout in dropouts(model)))

        def on_save(self, args, state, control, **_):
            config = json.loads((Path(args.output_dir) / f"checkpoint-{state.global_step}" / "config.json").read_text())
            seen.add(ATTENTION in json.dumps(config))

    model = load_model(checkpoint)
    assert model.config.attention_probs_dropout_prob > 0
    config = replace(SHORT, max_steps=4, save_every=2, output_dir=str(tmp_path / "out"))
    fine_tune(model, tokenizer, examples, None, config, callbacks=[Look()])
    assert seen == {(ATTENTION, True), False}
    assert model.config._attn_implementation == "sdpa" and QuickDropout not in dropouts(model)
    assert ATTENTION not in (tmp_path / "out" / "config.json").read_text()


def test_a_shipped_checkpoint_has_no_dropout_and_trains_to_the_bit_as_without_the_context(examples, monkeypatch):
    def trained():
        model = load_model("mini-bert", seed=0)
        fine_tune(model, load_tokenizer("mini-bert"), examples, None, replace(SHORT, max_steps=3))
        return model, torch.get_rng_state()

    model, state = trained()
    monkeypatch.setattr(training, "quick_dropout", lambda _: nullcontext())
    plainly, plain_state = trained()
    assert_same_weights(model, plainly)
    assert torch.equal(state, plain_state)
