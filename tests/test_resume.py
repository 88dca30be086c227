"""A run that is cut off goes on from its last checkpoint and ends as if nothing had happened; another run is refused."""

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from conftest import REPOSITORY
from safetensors.torch import load_file
from support import SHORT, First, LaptopClosed, Stop, assert_same_weights, interrupted
from transformers import TrainerCallback

from qa_helpers import ExtractiveQA, fine_tune, load_model
from qa_helpers.training import CHECKPOINTS


@pytest.mark.parametrize("own_class", [True, False])
@pytest.mark.parametrize("stop", [5, 8])
def test_a_resumed_run_ends_bit_for_bit_as_an_unbroken_one(checkpoint, tokenizer, examples, tmp_path, own_class, stop):
    def start():
        return ExtractiveQA.from_pretrained(checkpoint) if own_class else load_model(checkpoint)

    config = replace(SHORT, save_every=4, output_dir=str(tmp_path / "out"))
    unbroken, resumed = start(), start()
    fine_tune(unbroken, tokenizer, examples, None, replace(config, output_dir=str(tmp_path / "unbroken")))
    interrupted(checkpoint, tokenizer, examples, config, stop, start())
    assert not (tmp_path / "out" / "config.json").exists(), "an unfinished run must not look finished"
    result = fine_tune(resumed, tokenizer, examples, None, config)
    assert result.steps == 12
    assert_same_weights(unbroken, resumed)
    assert {p.name for p in (tmp_path / "out").iterdir()} >= {"config.json", "model.safetensors", "tokenizer.json"}
    assert not (tmp_path / "out" / CHECKPOINTS).exists(), "unfinished work should be cleared away"


@pytest.mark.parametrize("group_by_length", [True, False])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_resuming_holds_in_any_epoch_and_with_accumulated_gradients(
    checkpoint, tokenizer, examples, features, tmp_path, group_by_length, accumulation
):
    # The library's own sampler for lengths fails this from the second epoch on: its order hangs on what was drawn before.
    per_epoch = -(-len(features) // (12 * accumulation))
    config = replace(SHORT, batch_size=12, gradient_accumulation=accumulation, group_by_length=group_by_length)
    config = replace(config, max_steps=2 * per_epoch + 3)
    unbroken = load_model(checkpoint)
    fine_tune(unbroken, tokenizer, examples, None, config)
    for save_every in (per_epoch, per_epoch + 1, 2 * per_epoch + 1):  # between two epochs, in the second, in the third
        saving = replace(config, save_every=save_every, output_dir=str(tmp_path / str(save_every)))
        interrupted(checkpoint, tokenizer, examples, saving, save_every + 1)
        resumed, first = load_model(checkpoint), First()
        fine_tune(resumed, tokenizer, examples, None, saving, callbacks=[first])
        assert first.step == save_every + 1, "it should go on from the checkpoint, not from the start"
        assert_same_weights(unbroken, resumed)


KILLED = """
import json, os, signal, sys
import torch
from transformers import TrainerCallback
from transformers.utils import logging
from qa_helpers import FineTuneConfig, fine_tune, load_model, load_tokenizer

class Kill(TrainerCallback):
    def on_step_begin(self, args, state, control, **_):
        if state.global_step == 13:  # the fourteenth step has begun
            os.kill(os.getpid(), signal.SIGKILL)

torch.set_num_threads(1)
logging.disable_progress_bar()
checkpoint, examples, config = json.loads(sys.argv[1])
fine_tune(load_model(checkpoint), load_tokenizer(checkpoint), examples, None, FineTuneConfig(**config), [Kill()])
"""


def test_a_process_killed_in_the_middle_of_an_epoch_resumes_to_the_same_bits(
    checkpoint, tokenizer, rows, features, tmp_path
):
    per_epoch = -(-len(features) // 8)
    assert per_epoch < 12 < 13 < 2 * per_epoch, "checkpoint and kill should both fall inside the second epoch"
    config = replace(SHORT, max_steps=20, batch_size=8, save_every=4, output_dir=str(tmp_path / "out"))
    arguments = json.dumps([checkpoint, rows, asdict(config)])
    child = subprocess.run([sys.executable, "-c", KILLED, arguments], cwd=REPOSITORY, capture_output=True, text=True)
    assert child.returncode == -signal.SIGKILL, child.stderr
    left = tmp_path / "out" / CHECKPOINTS
    assert sorted(p.parent.name for p in left.glob("*/trainer_state.json")) == ["checkpoint-12", "checkpoint-8"]
    assert torch.get_num_threads() == 1, "as in the other process"
    fine_tune(load_model(checkpoint), tokenizer, rows, None, config)
    fine_tune(load_model(checkpoint), tokenizer, rows, None, replace(config, output_dir=str(tmp_path / "unbroken")))
    resumed, unbroken = (load_file(tmp_path / name / "model.safetensors") for name in ("out", "unbroken"))
    assert all(torch.equal(resumed[name], unbroken[name]) for name in unbroken)


def test_a_checkpoint_that_was_cut_off_while_it_was_written_is_not_used(checkpoint, tokenizer, examples, tmp_path):
    config = replace(SHORT, save_every=4, output_dir=str(tmp_path / "out"))
    interrupted(checkpoint, tokenizer, examples, config, stop=9)  # leaves checkpoints at 4 and 8
    torn = tmp_path / "out" / CHECKPOINTS / "checkpoint-8"
    for name in ("trainer_state.json", "optimizer.pt"):
        (torn / name).unlink()
    (torn / "model.safetensors").write_bytes(b"half of it")
    resumed, unbroken = load_model(checkpoint), load_model(checkpoint)
    fine_tune(resumed, tokenizer, examples, None, config)
    fine_tune(unbroken, tokenizer, examples, None, SHORT)
    assert_same_weights(resumed, unbroken)


def test_the_history_of_a_resumed_run_is_whole_and_its_seconds_go_on(checkpoint, tokenizer, examples, tmp_path):
    config = replace(SHORT, evaluate_every=6, output_dir=str(tmp_path / "out"), save_every=4)
    unbroken = fine_tune(load_model(checkpoint), tokenizer, examples, examples, replace(config, output_dir=None, save_every=None))  # fmt: skip
    with pytest.raises(LaptopClosed):
        fine_tune(load_model(checkpoint), tokenizer, examples, examples, config, callbacks=[Stop(9)])
    saved = tmp_path / "out" / CHECKPOINTS / "checkpoint-8" / "trainer_state.json"
    state = json.loads(saved.read_text())
    state["log_history"][-1]["seconds"] += 100
    saved.write_text(json.dumps(state))
    resumed = fine_tune(load_model(checkpoint), tokenizer, examples, examples, config)

    def without_seconds(history):
        return [{k: v for k, v in row.items() if k != "seconds"} for row in history]

    assert without_seconds(resumed.history) == without_seconds(unbroken.history)
    assert [row["step"] for row in resumed.history if "f1" in row] == [6, 12]
    assert resumed.scores == unbroken.scores
    seconds = [row["seconds"] for row in resumed.history]
    assert seconds == sorted(seconds) and seconds[-1] > 100 and resumed.seconds > 100


def test_a_run_cut_off_after_its_last_step_is_only_scored_and_saved(checkpoint, tokenizer, examples, tmp_path):
    config = replace(SHORT, evaluate_every=4, save_every=4, output_dir=str(tmp_path / "out"))
    kept = tmp_path / "kept"
    keep = type("Keep", (TrainerCallback,), {"on_train_end": lambda *_, **__: shutil.copytree(tmp_path / "out", kept)})
    whole = fine_tune(load_model(checkpoint), tokenizer, examples, examples, config, callbacks=[keep()])
    shutil.rmtree(tmp_path / "out")
    kept.rename(tmp_path / "out")
    again = fine_tune(load_model(checkpoint), tokenizer, examples, examples, config)
    assert_same_weights(whole.model, again.model)
    assert [row["step"] for row in again.history if "f1" in row] == [4, 8, 12]
    assert again.scores == whole.scores


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


@pytest.mark.parametrize("change", ["fewer", "order", "label"])
def test_other_data_refuse_to_resume(checkpoint, tokenizer, rows, tmp_path, change):
    config = replace(SHORT, save_every=4, output_dir=str(tmp_path / "out"))
    interrupted(checkpoint, tokenizer, rows, config)
    # "Ida" instead of "Ida Varn": only a label moves, neither a number of windows nor a token
    shorter = {**rows[0], "answers": {"text": ["Ilse"], "answer_start": rows[0]["answers"]["answer_start"]}}
    others = {"fewer": rows[:-1], "order": rows[::-1], "label": [shorter, *rows[1:]]}[change]
    with pytest.raises(
        ValueError, match=r"other training data: give the same examples, in the same order, or resume=F"
    ):
        fine_tune(load_model(checkpoint), tokenizer, others, None, config)
    fine_tune(load_model(checkpoint), tokenizer, rows, None, config)


def test_other_starting_weights_refuse_to_resume(checkpoint, encoder_checkpoint, tokenizer, rows, tmp_path):
    config = replace(SHORT, save_every=4, output_dir=str(tmp_path / "out"))
    interrupted(checkpoint, tokenizer, rows, config)
    message = "other starting weights: load the checkpoint that it began with, in the same class, or resume=False"
    dropping = load_model(checkpoint)
    dropping.config.hidden_dropout_prob = 0.5  # the same weights, but another model in training
    for other in (load_model(encoder_checkpoint), ExtractiveQA.from_pretrained(checkpoint), dropping):
        with pytest.raises(ValueError, match=message):
            fine_tune(other, tokenizer, rows, None, config)
    fine_tune(load_model(checkpoint), tokenizer, rows, None, config)


def test_an_interrupted_cell_can_just_be_run_again_with_the_same_model(checkpoint, tokenizer, examples, tmp_path):
    config = replace(SHORT, save_every=4, output_dir=str(tmp_path / "out"))
    model, unbroken = load_model(checkpoint), load_model(checkpoint)
    interrupted(checkpoint, tokenizer, examples, config, stop=6, model=model)  # its weights are those of step 6 now
    fine_tune(model, tokenizer, examples, None, config)
    fine_tune(unbroken, tokenizer, examples, None, SHORT)
    assert_same_weights(model, unbroken)
    # A finished model is a new start: fine-tuning it further does not pass for the run that made it.
    interrupted(checkpoint, tokenizer, examples, replace(config, overwrite=True), stop=6, model=model)
    with pytest.raises(ValueError, match="other starting weights"):
        fine_tune(load_model(checkpoint), tokenizer, examples, None, replace(config, overwrite=True))


def test_a_run_started_over_never_resumes_from_the_old_ones_checkpoints(checkpoint, tokenizer, examples, tmp_path):
    config = replace(SHORT, save_every=4, output_dir=str(tmp_path / "out"))
    interrupted(checkpoint, tokenizer, examples, config, stop=9)  # leaves checkpoints at 4 and 8
    over = replace(config, learning_rate=1e-4, resume=False)
    interrupted(checkpoint, tokenizer, examples, over, stop=5)  # leaves one at 4
    resumed, unbroken = load_model(checkpoint), load_model(checkpoint)
    fine_tune(resumed, tokenizer, examples, None, replace(over, resume=True))
    fine_tune(unbroken, tokenizer, examples, None, replace(SHORT, learning_rate=1e-4))
    assert_same_weights(resumed, unbroken)


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


@pytest.mark.parametrize("own_class", [True, False])
def test_a_finished_run_is_taken_and_not_trained_again(checkpoint, tokenizer, examples, tmp_path, own_class):
    def start():
        return ExtractiveQA.from_pretrained(checkpoint) if own_class else load_model(checkpoint)

    config = replace(SHORT, save_every=4, output_dir=str(tmp_path / "out"))
    model, first = start(), First()
    before = fine_tune(model, tokenizer, examples, examples, config)
    for other in (start(), model):  # a new session, and the same cell once more
        after = fine_tune(other, tokenizer, examples, examples, config, callbacks=[first])
        assert first.step is None, "no step should be taken"
        assert_same_weights(other, model)
        assert (after.history, after.steps, after.features) == (before.history, before.steps, before.features)
        assert (after.scores.exact_match, after.scores.f1) == (before.scores.exact_match, before.scores.f1)
    assert not other.training


def test_a_finished_run_of_another_kind_is_not_taken(checkpoint, encoder_checkpoint, tokenizer, rows, tmp_path):
    config = replace(SHORT, save_every=4, output_dir=str(tmp_path / "out"))
    fine_tune(load_model(checkpoint), tokenizer, rows, None, config)
    kept = load_file(tmp_path / "out" / "model.safetensors")
    for model, data, settings, what in (
        (checkpoint, rows, replace(config, learning_rate=1e-4), r"other settings \(learning_rate\)"),
        (checkpoint, rows[:-1], config, "other training data"),
        (encoder_checkpoint, rows, config, "other starting weights"),
    ):
        with pytest.raises(ValueError, match=f"holds a finished run with {what}.*overwrite=True"):
            fine_tune(load_model(model), tokenizer, data, None, settings)
    with pytest.raises(ValueError, match="already holds"):
        fine_tune(load_model(checkpoint), tokenizer, rows, None, replace(config, resume=False))
    (tmp_path / "out" / "run.json").write_text("half of")
    with pytest.raises(ValueError, match="run.json in .* is damaged.*overwrite=True"):
        fine_tune(load_model(checkpoint), tokenizer, rows, None, config)
    assert all(
        torch.equal(value, kept[name]) for name, value in load_file(tmp_path / "out" / "model.safetensors").items()
    )
    again = fine_tune(load_model(checkpoint), tokenizer, rows, None, replace(config, overwrite=True))
    assert again.steps == 12
