"""A session ends in the middle of the tour's training, and another one goes on: the same cells, the same folder for runs.

That is what happens in Colab with a folder on Google Drive: the kernel is gone, the folder is not.
"""

import json
from pathlib import Path

import nbformat
import pytest
import torch
from kernel import Kernel
from run_notebooks import ROOT
from safetensors.torch import load_file

from qa_helpers.engine.resume import whole_checkpoints

TRAINING = "result = qa.fine_tune("
SLOWLY = """
import time
from transformers import Trainer

_step = Trainer.training_step
def slow_step(*arguments, **options):
    time.sleep(0.3)
    return _step(*arguments, **options)
Trainer.training_step = slow_step
"""
COUNTED = """
from transformers import Trainer

taken, _step = [], Trainer.training_step
def counted_step(*arguments, **options):
    taken.append(1)
    return _step(*arguments, **options)
Trainer.training_step = counted_step
"""
REPORT = """
import json

logged = [row["step"] for row in result.history if "loss" in row]
print(json.dumps({"f1": result.scores.f1, "logged": logged, "taken": len(taken)}))
"""


def cells_up_to_the_training() -> list[str]:
    """The tour's code cells, as they are, from the setup cell to the one that trains."""
    notebook = nbformat.read(ROOT / "notebooks" / "00_tour.ipynb", as_version=4)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return code[: next(k for k, source in enumerate(code) if TRAINING in source) + 1]


@pytest.fixture
def session():
    """Opens sessions, and closes what is left of them."""
    opened = []

    def open_one() -> Kernel:
        opened.append(Kernel(ROOT / "notebooks"))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def play(session: Kernel) -> dict:
    """Run the tour up to its training: F1, the steps in its history, and how many were taken in this session."""
    *before, training = cells_up_to_the_training()
    for source in [*before, COUNTED, training, REPORT]:
        printed, error = session.run(source)
        assert error is None, error
    return json.loads(printed)


def test_the_same_cells_in_a_new_session_go_on(session, sources, random_bert, tmp_path, monkeypatch):
    monkeypatch.setenv("QA_SOURCE", sources["small"])
    monkeypatch.setenv("QA_CHECKPOINT", random_bert)
    drive = tmp_path / "drive"
    monkeypatch.setenv("QA_FOLDER", str(drive))

    *before, training = cells_up_to_the_training()
    first = session()
    for source in [*before, SLOWLY]:
        assert first.run(source)[1] is None

    def step_15_is_kept():
        kept = (path for folder in drive.glob("*/checkpoints") for path in whole_checkpoints(folder))
        return any(path.name == "checkpoint-15" for path in kept)

    assert first.run(training, stop_when=step_15_is_kept)[1] == "killed"
    run = next(drive.iterdir())
    assert not (run / "config.json").exists(), "the first session should not have come to the end"

    second = play(session())
    kept = load_file(run / "model.safetensors")
    assert second["taken"] == 15, "it should go on from the checkpoint of step 15"
    assert second["logged"] == [10, 20, 30], "the history should be whole"
    assert not (run / "checkpoints").exists()

    monkeypatch.setenv("QA_FOLDER", str(tmp_path / "elsewhere"))
    unbroken = play(session())
    same = load_file(next((tmp_path / "elsewhere").iterdir()) / "model.safetensors")
    assert unbroken == {**second, "taken": 30}
    assert all(torch.equal(kept[name], same[name]) for name in same)

    # A third session finds the finished model and does not train.
    monkeypatch.setenv("QA_FOLDER", str(drive))
    written = (run / "model.safetensors").stat().st_mtime
    assert play(session()) == {**second, "taken": 0}
    assert (run / "model.safetensors").stat().st_mtime == written


def test_drive_is_mounted_in_colab_and_refused_elsewhere(monkeypatch, tmp_path):
    import sys
    import types

    import qa_helpers as qa
    from qa_helpers.engine import drive as google_drive

    with pytest.raises(ValueError, match="only Colab can mount: name a folder"):
        qa.setup(folder="drive")
    mounted = []
    drive = types.SimpleNamespace(mount=mounted.append)
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace(drive=drive))
    monkeypatch.setattr(google_drive, "DRIVE", str(tmp_path / "drive" / "MyDrive" / "extractive-qa"))
    chosen = qa.setup(folder="drive")
    assert mounted == [str(tmp_path / "drive")]
    assert Path(chosen.folder).name == "extractive-qa"
