"""A run that is cut off goes on from its last checkpoint and ends as if nothing had happened; another run is refused.

However it is cut off: by an error, by "Interrupt the kernel", by SIGKILL at the worst moments, or with damage to what it kept.
"""

import gc
import json
import shutil
import signal
import subprocess
import sys
import weakref
from dataclasses import asdict, replace
from pathlib import Path

import datasets
import killed
import numpy as np
import pytest
import torch
from conftest import REPOSITORY
from kernel import Kernel
from safetensors.torch import load_file
from support import SHORT, First, LaptopClosed, Stop, assert_same_weights, interrupted
from transformers import TrainerCallback

from qa_helpers import ExtractiveQA, fine_tune, load_model, load_tokenizer, make_features, pretraining
from qa_helpers.data import read_squad_json
from qa_helpers.engine import resume
from qa_helpers.engine.fingerprint import fingerprint
from qa_helpers.mini.corpus import write_corpus
from qa_helpers.training import CHECKPOINTS

SAVING = replace(SHORT, save_every=4)


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
    message = "other starting weights: load the checkpoint that it started from, in the same class, or resume=False"
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
    # A finished model is a new start: it does not pass for the one that another run from the old start has left,
    other = replace(config, output_dir=str(tmp_path / "other"))
    interrupted(checkpoint, tokenizer, examples, other, stop=6)
    with pytest.raises(ValueError, match="other starting weights"):
        fine_tune(model, tokenizer, examples, None, other)
    # and fine-tuning it further does not pass for the run that made it.
    interrupted(checkpoint, tokenizer, examples, replace(config, overwrite=True), stop=6, model=model)
    with pytest.raises(ValueError, match="other starting weights"):
        fine_tune(load_model(checkpoint), tokenizer, examples, None, replace(config, overwrite=True))


def test_a_model_that_moved_before_the_first_checkpoint_is_another_start(checkpoint, tokenizer, examples, tmp_path):
    config = replace(SAVING, output_dir=str(tmp_path / "out"))
    model = load_model(checkpoint)
    interrupted(checkpoint, tokenizer, examples, config, stop=2, model=model)  # nothing is kept of it
    interrupted(checkpoint, tokenizer, examples, config, stop=6, model=model)  # a run from where the model was then
    with pytest.raises(ValueError, match="other starting weights"):
        fine_tune(load_model(checkpoint), tokenizer, examples, None, config)
    first = First()
    fine_tune(model, tokenizer, examples, None, config, [first])
    assert first.step == 5


def test_an_interrupted_model_is_not_kept_alive(checkpoint, tokenizer, examples, tmp_path):
    model = load_model(checkpoint)
    interrupted(checkpoint, tokenizer, examples, replace(SAVING, output_dir=str(tmp_path / "out")), model=model)
    kept = weakref.ref(model)
    del model
    gc.collect()
    assert kept() is None


def test_a_fingerprint_depends_on_every_part_and_on_nothing_else():
    numbers = np.arange(6)
    variants = [
        ("ab", "c"),
        ("a", "bc"),
        (b"ab", "c"),
        ("c", "ab"),
        (numbers,),
        (numbers.reshape(2, 3),),
        (numbers.astype(np.int32),),
        (torch.arange(6),),
        (torch.arange(6).bfloat16(),),
        (torch.arange(6).half(),),
        (),
    ]
    assert len({fingerprint(*parts) for parts in variants}) == len(variants)
    matrix = torch.arange(6).reshape(2, 3)
    assert fingerprint(matrix.T) == fingerprint(matrix.T.clone(memory_format=torch.contiguous_format))
    assert fingerprint("ab", numbers) == "3d2fc5ba387be4984c7e72e0d4d64b64", "the same in every process"


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


# ---------------------------------------------------------------------------------------------------------------------
# Checkpoints that are incomplete or damaged
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unfinished(checkpoint, tokenizer, examples, tmp_path_factory):
    """The output folder of a run cut off after step 9, with checkpoints 4 and 8."""
    out = tmp_path_factory.mktemp("unfinished") / "out"
    interrupted(checkpoint, tokenizer, examples, replace(SAVING, output_dir=str(out)), stop=9)
    return out


@pytest.fixture
def run(unfinished, tmp_path):
    """(a copy of that run's checkpoints, the configuration to resume it with)"""
    out = shutil.copytree(unfinished, tmp_path / "out")
    return out / CHECKPOINTS, replace(SAVING, output_dir=str(out))


def cut(file: Path) -> None:
    """Leave half of a file, as a process does that is killed while it writes."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize(
    "name, spoil",
    [
        ("trainer_state.json", Path.unlink),
        ("trainer_state.json", cut),
        ("optimizer.pt", Path.unlink),
        ("scheduler.pt", Path.unlink),
    ],
)
def test_a_checkpoint_that_is_not_whole_is_not_used(run, unbroken, checkpoint, tokenizer, examples, name, spoil):
    left, config = run
    spoil(left / "checkpoint-8" / name)
    resumed, first = load_model(checkpoint), First()
    fine_tune(resumed, tokenizer, examples, None, config, [first])
    assert first.step == 5, "it should go on from checkpoint-4"
    assert_same_weights(resumed, unbroken)


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_damaged_file_is_named_with_what_to_do(run, unbroken, checkpoint, tokenizer, examples, name):
    left, config = run
    cut(left / "checkpoint-8" / name)
    message = "checkpoint-8 is damaged .*delete this folder to go on from the checkpoint before it.*resume=False"
    with pytest.raises(ValueError, match=message):
        fine_tune(load_model(checkpoint), tokenizer, examples, None, config)
    assert (left / "checkpoint-8").is_dir(), "a refusal removes nothing"
    shutil.rmtree(left / "checkpoint-8")
    resumed, first = load_model(checkpoint), First()
    fine_tune(resumed, tokenizer, examples, None, config, [first])
    assert first.step == 5
    assert_same_weights(resumed, unbroken)


def test_a_run_whose_record_is_damaged_is_refused(run, checkpoint, tokenizer, examples):
    left, config = run
    (left / "run.json").write_text('{"settings": {"batch')
    with pytest.raises(ValueError, match=r"run.json in .* is damaged.*resume=False \(--no-resume\) starts over"):
        fine_tune(load_model(checkpoint), tokenizer, examples, None, config)


# ---------------------------------------------------------------------------------------------------------------------
# SIGKILL at the worst moments: nothing half-written is used or in the way, and the next run succeeds
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wreck(checkpoint, rows, examples, tmp_path_factory):
    """A folder with what the killed processes left, and how each ended."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "run.json").write_text(json.dumps([checkpoint, rows, asdict(SAVING)]))
    examples.save_to_disk(folder / "examples")
    command = [sys.executable, killed.__file__, str(folder)]
    child = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    return folder, json.loads(child.stdout.splitlines()[-1])


def assert_killed(wreck, name):
    folder, outcomes = wreck
    assert outcomes[name]["status"] == -signal.SIGKILL, outcomes[name]["log"]
    return folder


@pytest.mark.parametrize(
    "name, whole, next_step",
    [("in_a_checkpoint", ["checkpoint-4"], 5), ("in_the_last_save", ["checkpoint-8", "checkpoint-12"], None)],
)
def test_training_goes_on_from_the_last_whole_checkpoint(
    wreck, unbroken, checkpoint, tokenizer, rows, name, whole, next_step
):
    out = assert_killed(wreck, name) / name
    assert [path.name for path in out.iterdir()] == [CHECKPOINTS], "an unfinished run must not look finished"
    assert [path.name for path in resume.whole_checkpoints(out / CHECKPOINTS)] == whole
    resumed, first = load_model(checkpoint), First()
    result = fine_tune(resumed, tokenizer, rows, None, replace(SAVING, output_dir=str(out)), [first])
    assert first.step == next_step, "it should go on from there, not from the start"
    assert [row["step"] for row in result.history] == [2, 4, 6, 8, 10, 12]
    assert_same_weights(resumed, unbroken)
    assert_same_weights(load_model(out), unbroken)
    assert not (out / CHECKPOINTS).exists()


def test_a_process_killed_in_the_middle_of_an_epoch_resumes_to_the_same_bits(
    wreck, checkpoint, tokenizer, rows, features, tmp_path
):
    out = assert_killed(wreck, "in_an_epoch") / "in_an_epoch"
    per_epoch = -(-len(features) // 8)
    assert per_epoch < 12 < 13 < 2 * per_epoch, "checkpoint and kill should both fall inside the second epoch"
    assert [path.name for path in resume.whole_checkpoints(out / CHECKPOINTS)] == ["checkpoint-8", "checkpoint-12"]
    assert torch.get_num_threads() == 1, "as in the other process"
    config = replace(SAVING, **killed.LONGER)
    fine_tune(load_model(checkpoint), tokenizer, rows, None, replace(config, output_dir=str(out)))
    unbroken = load_model(checkpoint)
    fine_tune(unbroken, tokenizer, rows, None, replace(config, output_dir=str(tmp_path / "unbroken")))
    assert_same_weights(load_model(out), unbroken)


def test_half_of_a_features_cache_is_never_used(wreck, examples, tokenizer, monkeypatch):
    folder = assert_killed(wreck, "in_the_features")
    assert not list((folder / "cache").rglob("*.arrow")), "half of the windows would pass for all of them"
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "cache")
    made = make_features(datasets.load_from_disk(folder / "examples"), tokenizer, 40, 12)
    assert made[:] == make_features(examples, tokenizer, 40, 12)[:]
    assert made.cache_files, "what was made should be kept this time"


def test_a_features_cache_that_was_cut_short_is_made_anew(examples, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    examples.save_to_disk(tmp_path / "examples")
    examples = datasets.load_from_disk(tmp_path / "examples")
    whole = make_features(examples, tokenizer, 40, 12)
    rows, file = whole[:], Path(whole.cache_files[0]["filename"])
    content = file.read_bytes()
    for length in (0, 100, len(content) // 2, len(content) - 20):
        file.unlink()
        file.write_bytes(content[:length])
        assert make_features(examples, tokenizer, 40, 12)[:] == rows, f"{length} of {len(content)} bytes"


def test_the_corpus_command_leaves_whole_files_only_and_nothing_in_the_way(wreck):
    folder = assert_killed(wreck, "in_the_corpus") / "corpus"
    visible = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    assert visible == ["train-v1.1.json"]
    hidden = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    assert hidden and all(name.endswith(".part") for name in hidden)
    train, dev = write_corpus(folder, train_examples=40)
    assert len(list(read_squad_json(train))) == 40
    assert len(list(read_squad_json(dev))) == 1000


def test_pretraining_leaves_no_folder_and_starts_over(wreck, monkeypatch):
    folder = assert_killed(wreck, "in_pretraining")
    assert not (folder / "encoder").exists(), "half of an encoder must not look like one"
    hidden = [path.name for path in folder.iterdir() if path.name.startswith(".encoder")]
    assert hidden and all(name.endswith(".part") for name in hidden)
    for name, value in killed.SMALL.items():
        monkeypatch.setattr(pretraining, name, value)
    history = pretraining.pretrain("bert", folder / "encoder", pretraining.PretrainConfig(stages=(killed.STAGE,)))
    assert history[-1]["step"] == killed.STAGE.steps, "it starts over"
    assert load_model(folder / "encoder").config.model_type == "bert"
    assert load_tokenizer(folder / "encoder").is_fast


def test_prediction_without_memory_says_what_to_try(wreck):
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux holds a process to RLIMIT_AS")
    outcome = wreck[1]["without_memory"]
    assert outcome["status"] == 1, outcome["log"]
    assert outcome["log"].startswith("ValueError: out of memory while predicting, with a batch of 1,"), outcome["log"]
    assert "try batch_size=" in outcome["log"]


# ---------------------------------------------------------------------------------------------------------------------
# "Interrupt the kernel" leaves a kernel and a model that can be used
# ---------------------------------------------------------------------------------------------------------------------


SETUP = """
import os, threading, time
os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
import torch
import qa_helpers as qa
from qa_helpers import features, training
from transformers import TrainerCallback
torch.set_num_threads(1)
course = qa.setup()
data = {{split: qa.build_corpus(200, 40)[split] for split in ("train", "validation")}}
tokenizer, model = course.load_tokenizer(), course.load_model()
windows = qa.make_features(data["validation"], tokenizer, 64, 16)
config = course.fine_tune_config(max_steps=8, batch_size=4, max_length=64, stride=16, save_every=2, output_dir={out!r})

class Stuck(TrainerCallback):
    # Says which step it is at, and stays there until it is interrupted.
    def on_step_end(self, args, state, control, **_):
        if state.global_step == 5:
            print("begun", flush=True)
            time.sleep(600)
print("ready")
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    if sys.platform == "win32":
        pytest.skip("a kernel is interrupted in another way there")
    started = Kernel(REPOSITORY)
    printed, error = started.run(SETUP.format(out=str(tmp_path_factory.mktemp("interrupted") / "out")))
    assert error is None and "ready" in printed, error
    yield started
    started.close()


def test_training_can_be_interrupted_and_goes_on_when_the_cell_is_run_again(kernel):
    cell = "result = qa.fine_tune(model, tokenizer, data['train'], data['validation'], config, {callbacks})"
    printed, error = kernel.run(cell.format(callbacks="[Stuck()]"), interrupt_at="begun")
    assert error.startswith("KeyboardInterrupt"), error
    assert kernel.value("model.training, 1 + 1") == "False 2"
    assert kernel.value("sorted(os.listdir(config.output_dir + '/checkpoints'))") == str(
        ["checkpoint-2", "checkpoint-4", "run.json"]
    )
    # The same cell again, with the same model, whose weights are half-trained ones.
    assert kernel.run(cell.format(callbacks="[]"))[1] is None
    kernel.run(
        "other = course.load_model()\n"
        "free = course.fine_tune_config(max_steps=8, batch_size=4, max_length=64, stride=16)\n"
        "qa.fine_tune(other, tokenizer, data['train'], None, free)"
    )
    same = "all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters()))"
    assert kernel.value(f"result.steps, {same}") == "8 True"


def test_making_features_can_be_interrupted(kernel):
    slow = (
        "usual, features.features_of = features.features_of, "
        "lambda *a, **k: (print('begun', flush=True), time.sleep(600), usual(*a, **k))[2]\n"
        "try:\n    made = qa.make_features(data['train'], tokenizer, 64, 16)\n"
        "finally:\n    features.features_of = usual"
    )
    _, error = kernel.run(slow, interrupt_at="begun")
    assert error.startswith("KeyboardInterrupt"), error
    assert int(kernel.value("len(qa.make_features(data['train'], tokenizer, 64, 16))")) >= 200


def test_prediction_can_be_interrupted_and_leaves_the_model_in_the_mode_it_had(kernel):
    slow = (
        "usual, calls = model.forward, []\n"
        "def forward(*a, **k):\n"
        "    calls.append(1)\n"
        "    if len(calls) == 2:\n        print('begun', flush=True); time.sleep(600)\n"
        "    return usual(*a, **k)\n"
        "model.train()\nmodel.forward = forward\n"
        "try:\n    qa.predict_logits(model, windows, batch_size=4)\n"
        "finally:\n    model.forward = usual"
    )
    _, error = kernel.run(slow, interrupt_at="begun")
    assert error.startswith("KeyboardInterrupt"), error
    assert (
        kernel.value("model.training, torch.is_inference_mode_enabled(), torch.is_grad_enabled()") == "True False True"
    )
    assert kernel.value("len(qa.predict_logits(model.eval(), windows)[0]) == len(windows)") == "True"
