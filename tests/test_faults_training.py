"""A loss that is not a number, and memory that does not suffice: which batch, what is kept, how to go on."""

import math
from dataclasses import replace
from functools import wraps

import pytest
import torch
from test_resume import First, interrupted
from test_training import SHORT, Poison, assert_same_weights

from qa_helpers import fine_tune, load_model, predict_logits
from qa_helpers.engine.out_of_memory import is_out_of_memory
from qa_helpers.training import CHECKPOINTS

SAVING = replace(SHORT, save_every=4)
GPU = torch.OutOfMemoryError(
    "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has 15 GiB\nof which nothing is free"
)
CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried to …")


def spoil(model, value, is_bad):
    """Let a model's loss be ``value`` where ``is_bad(input_ids)``; returns the list of the batches it saw."""
    usual, seen = model.forward, []

    @wraps(usual)  # the trainer reads from its signature what it takes
    def forward(**batch):
        output = usual(**batch)
        seen.append(batch["input_ids"])
        if output.loss is not None and is_bad(batch["input_ids"]):
            output["loss"] = output.loss * value
        return output

    model.forward = forward
    return seen


def fail(model, error, step=1):
    """Let a model's forward pass raise ``error`` at its ``step``-th call."""
    usual, calls = model.forward, []

    @wraps(usual)  # the trainer reads from its signature what it takes
    def forward(**batch):
        calls.append(batch["input_ids"].shape)
        if len(calls) == step:
            raise error
        return usual(**batch)

    model.forward = forward
    return calls


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_the_message_names_the_step_and_the_examples_of_the_batch(checkpoint, tokenizer, examples, features, value):
    model = load_model(checkpoint)
    bad = next(row for row in features if row["example_id"] == "lamp-cost")
    ids = torch.tensor(bad["input_ids"])
    batches = spoil(model, value, lambda seen: any(torch.equal(row[: len(ids)], ids) for row in seen))
    with pytest.raises(ValueError, match=f"the loss is {value} at step") as caught:
        fine_tune(model, tokenizer, examples, None, replace(SHORT, log_every=100, max_steps=17))
    assert f"at step {len(batches)}, in a batch of windows of the examples " in str(caught.value)
    named = set(str(caught.value).split("examples ")[1].split(":")[0].replace("'", "").split(", "))
    rows = {tuple(row[row != 0].tolist()) for row in batches[-1]}
    assert named == {row["example_id"] for row in features if tuple(row["input_ids"]) in rows}
    assert "lamp-cost" in named and len(named) <= SHORT.batch_size
    assert "Lower the learning rate (now 0.001)" in str(caught.value)
    assert "Nothing was saved yet: load the model again" in str(caught.value)


@pytest.mark.parametrize("stop", [7, 8])  # between two checkpoints; in the very step after which one is written
def test_the_last_good_checkpoint_is_kept_and_a_lower_rate_goes_on_from_it(
    checkpoint, tokenizer, examples, tmp_path, stop
):
    config = replace(SAVING, output_dir=str(tmp_path / "out"), log_every=1)
    diverged = load_model(checkpoint)
    message = (
        "the loss is nan at step 8" if stop == 7 else "the weights are not finite after step 8, which is not saved"
    )
    with pytest.raises(ValueError, match=f"{message}.*checkpoint-4 is kept: .*lower_learning_rate=True") as caught:
        fine_tune(diverged, tokenizer, examples, None, config, [Poison(stop)])
    assert "--lower-learning-rate" in str(caught.value)
    left = tmp_path / "out" / CHECKPOINTS
    assert [path.parent.name for path in left.glob("*/history.json")] == ["checkpoint-4"]

    lower = replace(config, learning_rate=1e-4)
    for refused in (lower, replace(lower, learning_rate=2e-3, lower_learning_rate=True)):
        with pytest.raises(ValueError, match=r"other settings \(learning_rate\)"):
            fine_tune(load_model(checkpoint), tokenizer, examples, None, refused)
    lower, first = replace(lower, lower_learning_rate=True), First()
    # The very model whose weights are spoilt can be used: those of the checkpoint are read into it.
    result = fine_tune(diverged, tokenizer, examples, None, lower, [first])
    assert first.step == 5
    assert all(torch.isfinite(p).all() for p in result.model.parameters())
    other = fine_tune(load_model(checkpoint), tokenizer, examples, None, replace(SHORT, log_every=1))
    for row, usual in zip(result.history, other.history):
        share = 1 if row["step"] <= 4 else 0.1
        assert row["learning_rate"] == pytest.approx(share * usual["learning_rate"], rel=1e-6)


def test_a_run_with_a_lowered_rate_can_be_resumed_itself(checkpoint, tokenizer, examples, tmp_path):
    config = replace(SAVING, output_dir=str(tmp_path / "out"))
    interrupted(checkpoint, tokenizer, examples, config, stop=5)
    lower = replace(config, learning_rate=1e-4, lower_learning_rate=True)
    interrupted(checkpoint, tokenizer, examples, lower, stop=7)  # before it has a checkpoint of its own
    again = load_model(checkpoint)
    fine_tune(again, tokenizer, examples, None, replace(lower, lower_learning_rate=False))
    interrupted(checkpoint, tokenizer, examples, replace(config, output_dir=str(tmp_path / "once")), stop=5)
    once = load_model(checkpoint)
    fine_tune(once, tokenizer, examples, None, replace(lower, output_dir=str(tmp_path / "once")))
    assert_same_weights(again, once)


@pytest.mark.parametrize("error", [GPU, CPU, MemoryError("std::bad_alloc")], ids=["gpu", "cpu", "machine"])
def test_training_without_memory_names_the_batch_and_the_settings_to_try(checkpoint, tokenizer, examples, error):
    model = load_model(checkpoint)
    calls = fail(model, error, step=3)
    with pytest.raises(ValueError) as caught:
        fine_tune(model, tokenizer, examples, None, replace(SHORT, gradient_accumulation=2))
    windows, tokens = calls[2]
    assert str(caught.value).startswith(
        f"out of memory while training, at step 2, with a batch of {windows} windows of {tokens} tokens: "
        "try batch_size=2 with gradient_accumulation=4"
    )
    assert caught.value.__cause__ is error and "\n" not in str(caught.value)
    assert not model.training
    calls.clear()
    fine_tune(load_model(checkpoint), tokenizer, examples, None, replace(SHORT, batch_size=2, gradient_accumulation=4))


def test_the_advice_halves_what_the_batches_are_measured_in(checkpoint, tokenizer, examples):
    for tokens, advice in ((160, "try batch_tokens=80 with gradient_accumulation=2"), (60, "one window at a time")):
        model = load_model(checkpoint)
        fail(model, CPU)
        with pytest.raises(ValueError, match=advice):
            fine_tune(model, tokenizer, examples, None, replace(SHORT, batch_tokens=tokens))


def test_one_window_without_memory_should_be_shorter(checkpoint, tokenizer, examples, features):
    model = load_model(checkpoint)
    fail(model, CPU)
    with pytest.raises(ValueError, match="a batch of 1 windows .* try shorter ones: max_length=20"):
        fine_tune(model, tokenizer, examples, None, replace(SHORT, batch_size=1))
    model = load_model(checkpoint)
    fail(model, CPU)
    with pytest.raises(ValueError, match="make features with a shorter max_length"):
        predict_logits(model, features, batch_size=1)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("error", [GPU, CPU], ids=["gpu", "cpu"])
def test_prediction_without_memory_names_the_batch_and_leaves_the_model_as_it_was(model, features, error, training):
    calls = fail(model.train(training), error, step=2)
    with pytest.raises(
        ValueError, match="out of memory while predicting, with a batch of 4 windows of .* try batch_size=2"
    ):
        predict_logits(model, features, batch_size=4)
    assert model.training == training
    assert len(predict_logits(model, features, batch_size=2)[0]) == len(features)
    assert max(rows for rows, _ in calls[2:]) == 2


def test_what_the_failed_batch_held_is_let_go(model, features):
    """A notebook keeps the last traceback, and with it every tensor in it."""
    import weakref

    usual, held = model.forward, []

    @wraps(usual)  # the trainer reads from its signature what it takes
    def forward(**batch):
        large = torch.zeros(1000)
        held.append(weakref.ref(large))
        usual(**batch)
        raise CPU

    model.forward = forward
    with pytest.raises(ValueError, match="out of memory") as caught:
        predict_logits(model, features)
    assert caught.tb is not None and held[0]() is None


def test_other_errors_pass_unchanged(model, tokenizer, examples, features):
    bug = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    assert not is_out_of_memory(bug) and not is_out_of_memory(ValueError("bad_alloc"))
    fail(model, bug)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        predict_logits(model, features)
    fail(model, bug)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        fine_tune(model, tokenizer, examples, None, SHORT)
