import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import TrainerCallback

from qa_helpers import ExtractiveQA, FineTuneConfig, fine_tune, load_model, load_tokenizer, predict_logits
from qa_helpers.files import whole_file, whole_folder
from qa_helpers.training import CHECKPOINTS, save_model

SHORT = FineTuneConfig(
    max_steps=12, batch_size=4, learning_rate=1e-3, max_length=40, stride=12, log_every=2, precision="float32", seed=3
)


def weights(model):
    """Parameter name without the encoder's prefix → values."""
    return {
        name.removeprefix("encoder.").removeprefix("bert."): value.clone()
        for name, value in model.state_dict().items()
        if "position_ids" not in name
    }


def assert_same_weights(a, b):
    a, b = weights(a), weights(b)
    assert a.keys() == b.keys()
    different = [name for name in a if not torch.equal(a[name], b[name])]
    assert different == []


class LaptopClosed(Exception):
    pass


class Stop(TrainerCallback):
    """Breaks a run off after a step."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **_):
        if state.global_step == self.step:
            raise LaptopClosed


class Poison(TrainerCallback):
    """Makes the weights NaN after a step, as a diverging run does."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, model=None, **_):
        if state.global_step == self.step:
            with torch.no_grad():
                model.qa_outputs.bias.fill_(math.nan)


def test_training_lowers_the_loss_and_keeps_a_history(model, tokenizer, examples):
    result = fine_tune(
        model, tokenizer, examples, examples, replace(SHORT, max_steps=60, evaluate_every=30, log_every=10)
    )
    losses = [row["loss"] for row in result.history if "loss" in row]
    assert losses[-1] < 0.6 * losses[0]
    logged = [row for row in result.history if "loss" in row]
    assert [row["step"] for row in logged] == [10, 20, 30, 40, 50, 60]
    assert all(set(row) == {"step", "epoch", "seconds", "loss", "learning_rate", "grad_norm"} for row in logged)
    scored = [row for row in result.history if "f1" in row]
    assert [row["step"] for row in scored] == [30, 60], "the last evaluation should serve as the final one"
    assert all(set(row) == {"step", "epoch", "seconds", "exact_match", "f1"} for row in scored)
    assert (scored[-1]["exact_match"], scored[-1]["f1"]) == (result.scores.exact_match, result.scores.f1)
    assert result.model is model and not model.training
    assert (result.steps, result.output_dir) == (60, None)
    rates = [row["learning_rate"] for row in logged]
    assert max(rates) <= SHORT.learning_rate and rates[1:] == sorted(rates[1:], reverse=True), "warm up, then fall"


def test_scores_are_of_the_final_weights(model, tokenizer, examples):
    from qa_helpers import decode_answers, make_features, score

    result = fine_tune(model, tokenizer, examples, examples, replace(SHORT, max_answer_length=4, n_best=3))
    features = make_features(examples, tokenizer, 40, 12, labels=False)
    answers = decode_answers(examples, features, *predict_logits(model, features), n_best=3, max_answer_length=4)
    assert result.scores == score(answers, examples)
    assert [row["step"] for row in result.history if "f1" in row] == [12]
    assert result.features == len(features)


def test_without_evaluation_examples_there_are_no_scores(model, tokenizer, rows):
    result = fine_tune(model, tokenizer, rows, config=replace(SHORT, max_steps=2))
    assert result.scores is None
    assert [row["step"] for row in result.history] == [2]


def test_the_same_seed_gives_the_same_weights_and_evaluating_on_the_way_changes_nothing(
    checkpoint, tokenizer, examples
):
    first, again, watched, other = (load_model(checkpoint) for _ in range(4))
    fine_tune(first, tokenizer, examples, None, SHORT)
    fine_tune(again, tokenizer, examples, None, SHORT)
    fine_tune(watched, tokenizer, examples, examples, replace(SHORT, evaluate_every=5, log_every=3))
    fine_tune(other, tokenizer, examples, None, replace(SHORT, seed=4))
    assert_same_weights(first, again)
    assert_same_weights(first, watched)
    assert not torch.equal(first.qa_outputs.weight, other.qa_outputs.weight)


@pytest.mark.parametrize("group_by_length", [True, False])
def test_the_lessons_model_and_the_librarys_end_with_the_same_weights(checkpoint, tokenizer, examples, group_by_length):
    config = replace(SHORT, group_by_length=group_by_length, gradient_accumulation=2, max_steps=6)
    library, own = load_model(checkpoint), ExtractiveQA.from_pretrained(checkpoint)
    start = weights(library)
    theirs = fine_tune(library, tokenizer, examples, None, config)
    ours = fine_tune(own, tokenizer, examples, None, config)
    for name, value in weights(own).items():
        torch.testing.assert_close(value, weights(library)[name], rtol=1e-5, atol=1e-6)
        assert "pooler" in name or not torch.equal(value, start[name]) or "key.bias" in name, f"{name} did not move"
    assert [r["loss"] for r in ours.history] == pytest.approx([r["loss"] for r in theirs.history], rel=1e-4)


@pytest.mark.parametrize("own_class", [True, False])
@pytest.mark.parametrize("stop", [5, 8])
def test_a_resumed_run_ends_bit_for_bit_as_an_unbroken_one(checkpoint, tokenizer, examples, tmp_path, own_class, stop):
    def start():
        return ExtractiveQA.from_pretrained(checkpoint) if own_class else load_model(checkpoint)

    config = replace(SHORT, save_every=4, output_dir=str(tmp_path / "out"))
    unbroken, broken, resumed = start(), start(), start()
    fine_tune(unbroken, tokenizer, examples, None, replace(config, output_dir=str(tmp_path / "unbroken")))
    with pytest.raises(LaptopClosed):
        fine_tune(broken, tokenizer, examples, None, config, callbacks=[Stop(stop)])
    assert not (tmp_path / "out" / "config.json").exists(), "an unfinished run must not look finished"
    result = fine_tune(resumed, tokenizer, examples, None, config)
    assert result.history[0]["step"] > 4, "it should go on from the checkpoint, not from the start"
    assert result.steps == 12
    assert_same_weights(unbroken, resumed)
    assert {p.name for p in (tmp_path / "out").iterdir()} >= {"config.json", "model.safetensors", "tokenizer.json"}
    assert not (tmp_path / "out" / CHECKPOINTS).exists(), "unfinished work should be cleared away"


def interrupted(checkpoint, tokenizer, examples, config, stop=9):
    with pytest.raises(LaptopClosed):
        fine_tune(load_model(checkpoint), tokenizer, examples, None, config, callbacks=[Stop(stop)])


def test_changed_settings_refuse_to_resume_and_say_which(checkpoint, tokenizer, examples, tmp_path):
    config = replace(SHORT, save_every=4, output_dir=str(tmp_path / "out"))
    interrupted(checkpoint, tokenizer, examples, config)
    with pytest.raises(
        ValueError, match=r"other settings \(batch_size, learning_rate\): .*resume=False \(--no-resume\)"
    ):
        fine_tune(load_model(checkpoint), tokenizer, examples, None, replace(config, batch_size=2, learning_rate=1e-4))
    # The refusal leaves the unfinished run as it was.
    resumed, unbroken = load_model(checkpoint), load_model(checkpoint)
    fine_tune(resumed, tokenizer, examples, None, replace(config, progress=False))
    fine_tune(unbroken, tokenizer, examples, None, SHORT)
    assert_same_weights(resumed, unbroken)


def test_a_run_started_over_never_resumes_from_the_old_ones_checkpoints(checkpoint, tokenizer, examples, tmp_path):
    config = replace(SHORT, save_every=4, output_dir=str(tmp_path / "out"))
    interrupted(checkpoint, tokenizer, examples, config, stop=9)  # leaves checkpoints at 4 and 8
    over = replace(config, learning_rate=1e-4, resume=False)
    interrupted(checkpoint, tokenizer, examples, over, stop=5)  # leaves one at 4
    resumed, unbroken = load_model(checkpoint), load_model(checkpoint)
    fine_tune(resumed, tokenizer, examples, None, replace(over, resume=True))
    fine_tune(unbroken, tokenizer, examples, None, replace(SHORT, learning_rate=1e-4))
    assert_same_weights(resumed, unbroken)


@pytest.mark.parametrize("log_every", [2, 100])
def test_a_loss_that_is_not_a_number_stops_the_run_and_saves_nothing(model, tokenizer, examples, tmp_path, log_every):
    config = replace(SHORT, log_every=log_every, output_dir=str(tmp_path / "out"))
    with pytest.raises(ValueError, match="the loss is nan at step .*Lower the learning rate .now 0.001"):
        fine_tune(model, tokenizer, examples, None, config, callbacks=[Poison(3)])
    assert not (tmp_path / "out" / "model.safetensors").exists()


@pytest.mark.parametrize("own_class", [True, False])
def test_a_saved_model_loads_again_with_its_head_and_gives_the_same_logits(
    encoder_checkpoint, tokenizer, examples, features, tmp_path, own_class
):
    model = load_model(encoder_checkpoint)
    model = ExtractiveQA.from_library(model) if own_class else model
    out = tmp_path / "deep" / "out"
    result = fine_tune(model, tokenizer, examples, None, replace(SHORT, output_dir=str(out)))
    assert result.output_dir == str(out)
    again = load_model(out, needs_head=True)
    for a, b in zip(predict_logits(model, features), predict_logits(again, features), strict=True):
        assert all((x == y).all() for x, y in zip(a, b, strict=True))
    assert load_tokenizer(out)("Who built it?").input_ids == tokenizer("Who built it?").input_ids
    assert [p.name for p in out.parent.iterdir()] == ["out"], "no temporary folder may stay behind"
    assert not list(out.glob("*.bin")), "safetensors only"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs must be positive, got 0"),
        ({"batch_size": -1}, "batch_size must be positive"),
        ({"gradient_accumulation": 0}, "gradient_accumulation must be positive"),
        ({"learning_rate": math.nan}, "learning_rate must be positive, got nan"),
        ({"log_every": 0}, "log_every must be positive"),
        ({"max_steps": 0}, "max_steps must be positive"),
        ({"max_steps": -1}, "max_steps must be positive"),
        ({"precision": "fp16"}, "precision is 'auto', 'bf16' or 'float32', got 'fp16'"),
        ({"save_every": 5}, "save_every needs an output_dir"),
        ({"max_length": 40, "stride": 40}, "stride 40 does not fit max_length 40"),
        ({"max_length": 200, "stride": 20}, r"a window has \d+ tokens, the model takes 128"),
    ],
)
def test_bad_settings_are_refused_before_training(model, tokenizer, examples, change, message):
    long = {**examples[6], "context": examples[6]["context"] * 2}
    with pytest.raises(ValueError, match=message):
        fine_tune(model, tokenizer, [*examples, long], None, replace(SHORT, **change))


def test_an_output_folder_with_other_content_is_refused_and_untouched(model, tokenizer, examples, tmp_path):
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter.txt").write_text("years of work")
    with pytest.raises(
        ValueError, match="output_dir 'thesis' already holds 'chapter.txt': choose another.*--overwrite"
    ):
        fine_tune(model, tokenizer, examples, None, replace(SHORT, output_dir=str(out)))
    assert [p.name for p in out.iterdir()] == ["chapter.txt"]
    with pytest.raises(ValueError, match="output_dir 'chapter.txt' is a file; name a folder"):
        fine_tune(model, tokenizer, examples, None, replace(SHORT, output_dir=str(out / "chapter.txt")))


def test_the_older_model_stays_until_the_new_one_is_whole(model, tokenizer, examples, tmp_path, monkeypatch):
    out = tmp_path / "out"
    save_model(load_model(model.config._name_or_path), tokenizer, out)
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    config = replace(SHORT, max_steps=2, output_dir=str(out), overwrite=True)

    def fail(*_, **__):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(type(tokenizer), "save_pretrained", fail)
        with pytest.raises(OSError, match="no space left"):
            fine_tune(model, tokenizer, examples, None, config)
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.name != CHECKPOINTS} == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    fine_tune(model, tokenizer, examples, None, config)
    assert (out / "model.safetensors").read_bytes() != before["model.safetensors"]


def test_whole_file_and_folder_leave_all_or_nothing(tmp_path):
    with whole_file(tmp_path / "new" / "a.txt") as partial:
        partial.write_text("first")
        assert not (tmp_path / "new" / "a.txt").exists()
    with pytest.raises(RuntimeError), whole_file(tmp_path / "new" / "a.txt") as partial:
        partial.write_text("half")
        raise RuntimeError
    assert (tmp_path / "new" / "a.txt").read_text() == "first"
    with whole_folder(tmp_path / "folder") as partial:
        (partial / "old.txt").write_text("1")
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "folder") as partial:
        (partial / "half.txt").write_text("2")
        raise RuntimeError
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["old.txt"]
    with whole_folder(tmp_path / "folder") as partial:
        (partial / "new.txt").write_text("3")
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["new.txt"], "a folder is replaced, not merged"
    assert {p.name for p in tmp_path.iterdir()} == {"new", "folder"}
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_the_progress_of_a_resumed_run_is_not_lost_by_a_second_interruption(checkpoint, tokenizer, examples, tmp_path):
    config = replace(SHORT, save_every=3, output_dir=str(tmp_path / "out"))
    interrupted(checkpoint, tokenizer, examples, config, stop=4)
    interrupted(checkpoint, tokenizer, examples, config, stop=7)
    saved = sorted(p.name for p in Path(config.output_dir, CHECKPOINTS).glob("checkpoint-*"))
    assert saved == ["checkpoint-3", "checkpoint-6"]
    resumed, unbroken = load_model(checkpoint), load_model(checkpoint)
    fine_tune(resumed, tokenizer, examples, None, config)
    fine_tune(unbroken, tokenizer, examples, None, SHORT)
    assert_same_weights(resumed, unbroken)
