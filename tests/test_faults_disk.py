"""A full disk: one error that names the folder and the space needed; what was there before is as it was."""

import resource
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import datasets
import pytest
from test_training import SHORT, assert_same_weights
from transformers import TrainerCallback

from qa_helpers import cli, fine_tune, load_model, make_features
from qa_helpers.classroom.annotations import Annotations
from qa_helpers.engine.whole_files import is_full_disk, require_space, write_whole
from qa_helpers.mini.corpus import write_corpus
from qa_helpers.training import CHECKPOINTS

FULL = r"could not be written: .*(kB|MB) are needed, and .* has no room for them"


class SmallDisk:
    """A folder whose disk can be filled: ``with disk.full(): …``; ``room`` bytes are left."""

    def __init__(self, folder: Path):
        self.folder = folder

    @contextmanager
    def full(self, room: int = 0):
        self.fill(room)
        try:
            yield
        finally:
            self.clear()


class Mounted(SmallDisk):
    """A file system of 8 MB in memory."""

    def fill(self, room: int = 0):
        free = shutil.disk_usage(self.folder).free
        (self.folder / "filler").write_bytes(b"x" * (free - room))

    def clear(self):
        (self.folder / "filler").unlink()


class Limited(SmallDisk):
    """No file may be larger than ``room``: for those who may not mount file systems."""

    def fill(self, room: int = 0):
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, self.before[1]))

    def clear(self):
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)


@pytest.fixture(params=["mounted", "limited"])
def disk(request, tmp_path):
    if request.param == "limited":
        yield Limited(tmp_path)
        return
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only an administrator may mount a small disk; the limit on file sizes is tested instead")
    try:
        yield Mounted(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)  # lazily: a dataset may still be open there


class Filling(TrainerCallback):
    """Fills the disk when a run has come to a step, or to its end (step None)."""

    def __init__(self, disk, step, room=0):
        self.disk, self.step, self.room = disk, step, room

    def on_step_end(self, args, state, control, **_):
        if state.global_step == self.step:
            self.disk.fill(self.room)

    def on_train_end(self, args, state, control, **_):
        if self.step is None:
            self.disk.fill(self.room)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_corpus_file_is_replaced_whole_or_not_at_all(disk):
    out = disk.folder / "corpus"
    write_corpus(out, train_examples=20, validation_examples=20)
    before = contents(out)
    with disk.full(room=4000), pytest.raises(ValueError, match=FULL) as caught:
        write_corpus(out, train_examples=200, validation_examples=20)
    assert str(out) in str(caught.value) and "as it was" in str(caught.value)
    assert contents(out) == before
    write_corpus(out, train_examples=200, validation_examples=20)


def test_a_predictions_file_is_replaced_whole_or_not_at_all(disk, monkeypatch, capsys):
    target = disk.folder / "predictions.json"
    target.write_text("{}")
    arguments = f"qa-helpers evaluate --limit 2 --predictions {target}".split()
    monkeypatch.setattr("sys.argv", arguments)
    with disk.full(room=20), pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith(f"qa-helpers: {target} could not be written: 0.") and "Traceback" not in told
    assert contents(disk.folder) == {"predictions.json": b"{}"}


def test_an_annotation_that_cannot_be_kept_is_not_added(disk):
    file = disk.folder / "notes.json"
    notes = Annotations({"kettle": "The kettle holds four litres. " * 200}, file)
    notes.add("kettle", "What holds it?", "four litres", occurrence=0)
    before = contents(disk.folder)
    with disk.full(room=50), pytest.raises(ValueError, match=FULL):
        notes.add("kettle", "How much does it hold?", "four litres", occurrence=1)
    assert len(notes.examples) == 1 and contents(disk.folder) == before
    notes.add("kettle", "How much does it hold?", "four litres", occurrence=1)


def test_features_that_find_no_room_are_made_when_there_is_some(disk, examples, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", disk.folder / "cache")
    examples.save_to_disk(tmp_path / "examples")
    on_disk = datasets.load_from_disk(tmp_path / "examples")
    with disk.full(room=500), pytest.raises(ValueError, match=FULL) as caught:
        make_features(on_disk, tokenizer, 40, 12)
    assert str(disk.folder / "cache") in str(caught.value)
    assert make_features(on_disk, tokenizer, 40, 12)[:] == make_features(examples, tokenizer, 40, 12)[:]


@pytest.mark.parametrize("room", [0, 40_000, 200_000])  # nothing, the configuration, the weights but no optimizer
def test_a_checkpoint_that_finds_no_room_leaves_the_one_before(unbroken, disk, checkpoint, tokenizer, examples, room):
    config = replace(SHORT, save_every=4, output_dir=str(disk.folder / "out"))
    with pytest.raises(ValueError, match=r"checkpoint-8 could not be written: 0\.4 MB are needed") as caught:
        fine_tune(load_model(checkpoint), tokenizer, examples, None, config, [Filling(disk, 5, room)])
    disk.clear()
    assert str(disk.folder / "out") in str(caught.value)
    left = disk.folder / "out" / CHECKPOINTS
    assert [path.name for path in left.glob("checkpoint-*")] == ["checkpoint-4"], "half of a checkpoint takes room"
    resumed = load_model(checkpoint)
    fine_tune(resumed, tokenizer, examples, None, config)
    assert_same_weights(resumed, unbroken)


def test_a_result_that_finds_no_room_leaves_the_model_before_and_the_steps_done(
    unbroken, disk, checkpoint, tokenizer, examples
):
    out = disk.folder / "out"
    fine_tune(load_model(checkpoint), tokenizer, examples, None, replace(SHORT, max_steps=2, output_dir=str(out)))
    before = contents(out)
    config = replace(SHORT, save_every=4, output_dir=str(out), overwrite=True)
    with pytest.raises(ValueError, match=r"out could not be written: 0\.1 MB are needed"):
        fine_tune(load_model(checkpoint), tokenizer, examples, None, config, [Filling(disk, None, 20_000)])
    disk.clear()
    left = contents(out)
    assert {name: left[name] for name in before} == before
    assert load_model(out).has_trained_head, "the model before can be used"
    resumed = load_model(checkpoint)
    fine_tune(resumed, tokenizer, examples, None, config)
    assert_same_weights(resumed, unbroken)
    assert_same_weights(load_model(out), unbroken)


def test_a_run_is_refused_before_it_starts_where_its_checkpoints_will_find_no_room(
    checkpoint, tokenizer, examples, tmp_path, monkeypatch
):
    free = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: free)
    config = replace(SHORT, save_every=4, output_dir=str(tmp_path / "deep" / "out"))
    with pytest.raises(ValueError, match=r"three checkpoints\) would take 1\.1 MB, and its disk has 1\.0 MB free"):
        fine_tune(load_model(checkpoint), tokenizer, examples, None, config)
    assert not (tmp_path / "deep").exists()
    free.free = 1_300_000
    fine_tune(load_model(checkpoint), tokenizer, examples, None, config)


def test_space_is_asked_of_the_disk_that_a_folder_will_be_on(tmp_path):
    require_space(tmp_path / "not" / "yet", 1, "a byte")
    with pytest.raises(ValueError, match="yet: a library would take .* MB, and its disk has .* free"):
        require_space(tmp_path / "not" / "yet", 10**18, "a library")


def test_other_errors_are_not_taken_for_a_full_disk(tmp_path):
    assert not any(map(is_full_disk, (OSError(13, "no"), RuntimeError("size mismatch"), ValueError("os error 28"))))
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_whole(tmp_path / "folder", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
