"""Quick dropout on the CPU is dropout: right shares, independent numbers, the same attention, and nothing left behind."""

import itertools
import json
import math
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support import CONFIGS, SHORT, SIZES, assert_same_weights, batch_for
from torch.nn.functional import dropout, scaled_dot_product_attention
from transformers import AutoModelForQuestionAnswering, ElectraConfig, TrainerCallback

from qa_helpers import ExtractiveQA, fine_tune, load_model, training
from qa_helpers.engine.quick_dropout import ATTENTION, MODEL_TYPES, QuickDropout, draw, quick_dropout, window_by_window

ENCODERS = CONFIGS | {"electra": ElectraConfig(**SIZES)}


def build(model_type, **changes):
    config = ENCODERS[model_type].__class__.from_dict(ENCODERS[model_type].to_dict() | changes)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return AutoModelForQuestionAnswering.from_config(config)


@pytest.fixture
def bert():
    return build("bert")


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
    ones = seeded(lambda: draw(torch.empty(4_000_000), 0.9)).double().view(-1, 4)
    centred = ones - 0.9
    for distance in range(1, 9):
        flat = centred.flatten()
        correlation = (flat[:-distance] * flat[distance:]).mean().item() / 0.09
        assert abs(correlation) < 5 / math.sqrt(len(flat)), distance
    for a, b in itertools.combinations(range(4), 2):
        assert abs((centred[:, a] * centred[:, b]).mean().item() / 0.09) < 5 / 1000, (a, b)
    assert torch.allclose(ones.mean(0), torch.full((4,), 0.9, dtype=torch.double), atol=5 * 0.3 / 1000)


def test_all_patterns_of_four_are_as_frequent_as_they_should_be():
    ones = seeded(lambda: draw(torch.empty(400_000), 0.5)).int().view(-1, 4)
    counts = torch.bincount((ones * torch.tensor([8, 4, 2, 1])).sum(1), minlength=16).double()
    expected = 100_000 / 16
    assert ((counts - expected) ** 2 / expected).sum() < 50  # chi-square, 15 degrees: beyond it once in 80,000


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.int64, torch.bool]
)
@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (3, 5), (2, 3, 4)])
def test_every_type_and_shape_is_filled(dtype, shape):
    into = torch.full(shape, 1, dtype=dtype)
    assert draw(into, 0.5) is into
    assert into.shape == shape and into.dtype == dtype and set(into.double().unique().tolist()) <= {0.0, 1.0}


def test_a_transposed_tensor_is_filled_in_its_own_order():
    into = torch.empty(40, 30).t()
    draw(into, 0.5)
    assert 0.4 < into.mean() < 0.6 and into.stride() == (1, 30)


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


def dropouts(model) -> list[type]:
    return [type(module) for module in model.modules() if isinstance(module, torch.nn.Dropout)]


def test_the_models_own_dropout_is_quick_within_and_pytorchs_after_it(bert):
    before, keys = dropouts(bert), list(bert.state_dict())
    bert.train()
    with pytest.raises(RuntimeError, match="on purpose"), quick_dropout(bert):
        layer = bert.bert.embeddings.dropout
        assert {type(layer)} == set(dropouts(bert)) == {QuickDropout} and list(bert.state_dict()) == keys
        values = torch.ones(10_000)
        expected = seeded(lambda: draw(torch.empty(10_000), 1 - layer.p)) / (1 - layer.p)
        assert torch.equal(seeded(lambda: layer(values)), expected)
        assert torch.equal(layer.eval()(values), values)
        bert.eval()
        raise RuntimeError("on purpose")
    assert dropouts(bert) == before and bert.config._attn_implementation == "sdpa"
    assert not any(module.training for module in bert.modules()), "modules that come back are in the model's mode"


def test_where_nothing_is_dropped_nothing_is_touched():
    model = build("bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    before = list(model.modules())
    with quick_dropout(model):
        assert list(model.modules()) == before and model.config._attn_implementation == "sdpa"


def test_other_dropout_in_the_process_stays_pytorchs(bert):
    before = seeded(lambda: dropout(torch.ones(1000), 0.25))
    with quick_dropout(bert):
        assert torch.equal(seeded(lambda: dropout(torch.ones(1000), 0.25)), before)


def test_attention_is_replaced_only_where_it_is_known_and_something_is_dropped():
    for model_type, config in ENCODERS.items():
        rates = ("attention_probs_dropout_prob", "attention_dropout")  # ALBERT has none unless told
        model = build(model_type, **{name: 0.1 for name in rates if hasattr(config, name)})
        was = model.config._attn_implementation
        with quick_dropout(model):
            assert model.config._attn_implementation == (ATTENTION if model_type in MODEL_TYPES else was)
        assert model.config._attn_implementation == was
    without = build("bert", attention_probs_dropout_prob=0.0)
    with quick_dropout(without):
        assert without.config._attn_implementation == "sdpa"
    drawn = build("bert")
    drawn.set_attn_implementation("eager")  # asked for by name: left alone
    with quick_dropout(drawn):
        assert drawn.config._attn_implementation == "eager"
    own = ExtractiveQA.from_library(build("bert"))
    with quick_dropout(own):
        assert own.encoder.config._attn_implementation == ATTENTION
    assert own.encoder.config._attn_implementation == "sdpa"


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
def test_gradients_are_the_slopes_of_the_function(padding):
    def attention(*tensors):
        return seeded(lambda: window_by_window(None, *tensors, MASKS[padding], dropout=0.3)[0])

    assert torch.autograd.gradcheck(attention, inputs())


@pytest.mark.parametrize("padding", MASKS)
def test_with_almost_nothing_dropped_it_is_pytorchs_attention(padding):
    mask, tensors = MASKS[padding], inputs()
    expected = scaled_dot_product_attention(*tensors, None if mask is None else mask[:, None, None, :]).transpose(1, 2)
    for rate in (0.0, 1e-9):
        ours, weights = window_by_window(None, *tensors, mask, dropout=rate)
        torch.testing.assert_close(ours, expected)
        assert weights is None


def test_the_mean_over_many_draws_is_attention_without_dropout():
    tensors = [tensor.detach() for tensor in inputs(5)]
    torch.manual_seed(0)
    mean = sum(window_by_window(None, *tensors, None, dropout=0.1)[0] for _ in range(4000)) / 4000
    torch.testing.assert_close(mean, scaled_dot_product_attention(*tensors).transpose(1, 2), atol=0.05, rtol=0)


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
    tiny = 1e-9  # not 0, so that our attention is taken; nothing is ever dropped
    rates = ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout", "qa_dropout")
    model = build(model_type, **{name: tiny for name in rates if hasattr(ENCODERS[model_type], name)}).train()
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


def test_a_model_whose_weights_are_bfloat16_can_be_trained_with_it():
    model = build("bert").to(torch.bfloat16).train()
    with quick_dropout(model):
        loss = model(**batch_for(model, [3, 4, 5, 6, 7], [4, 6, 8, 9, 9])).loss
        loss.backward()
    assert loss.isfinite() and all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


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


def test_without_dropout_training_is_what_pytorch_makes_of_it(checkpoint, tokenizer, examples, monkeypatch):
    def trained(quick):
        model = load_model(checkpoint)
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        model.config.hidden_dropout_prob = model.config.attention_probs_dropout_prob = 0.0
        if not quick:
            monkeypatch.setattr(training, "quick_dropout", lambda _: nullcontext())
        fine_tune(model, tokenizer, examples, None, SHORT)
        return model

    assert_same_weights(trained(quick=True), trained(quick=False))
