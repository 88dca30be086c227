"""SIGKILL at the worst moments: nothing half-written is ever used or in the way, and the next run succeeds."""

import json
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import datasets
import killed
import pytest
from conftest import REPOSITORY
from test_resume import First
from test_training import SHORT, assert_same_weights

from qa_helpers import fine_tune, load_model, load_tokenizer, make_features, pretraining
from qa_helpers.data import read_squad_json
from qa_helpers.mini.corpus import write_corpus
from qa_helpers.training import CHECKPOINTS

CONFIG = replace(SHORT, save_every=4)


@pytest.fixture(scope="module")
def wreck(checkpoint, rows, examples, tmp_path_factory):
    """A folder with what the killed processes left, and how each ended."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "run.json").write_text(json.dumps([checkpoint, rows, asdict(CONFIG)]))
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
    histories = sorted((out / CHECKPOINTS).glob("*/history.json"), key=lambda path: len(path.parent.name))
    assert [path.parent.name for path in histories] == whole
    resumed, first = load_model(checkpoint), First()
    result = fine_tune(resumed, tokenizer, rows, None, replace(CONFIG, output_dir=str(out)), [first])
    assert first.step == next_step, "it should go on from there, not from the start"
    assert [row["step"] for row in result.history] == [2, 4, 6, 8, 10, 12]
    assert_same_weights(resumed, unbroken)
    assert_same_weights(load_model(out), unbroken)
    assert not (out / CHECKPOINTS).exists()


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
