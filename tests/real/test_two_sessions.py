"""A session ends in the middle of the tour's training, and another one goes on: the same cells, the same folder for runs.

That is what happens in Colab with a folder on Google Drive: the kernel is gone, the folder is not.
"""

import json
import queue
from pathlib import Path

import nbformat
import pytest
import torch
from jupyter_client.manager import start_new_kernel
from run_notebooks import ROOT
from safetensors.torch import load_file
from test_lessons_walked import random_bert, settings, sources  # noqa: F401 (fixtures)

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


class Session:
    """A kernel that cells are run in, until it is closed or dies."""

    def __init__(self):
        self.manager, self.client = start_new_kernel(kernel_name="python3", cwd=str(ROOT / "notebooks"))

    def run(self, source: str, stop_when=lambda: False) -> str | None:
        """What a cell prints; None if the kernel was killed because ``stop_when()`` became true."""
        request, printed = self.client.execute(source), []
        while True:
            if stop_when():
                self.manager.shutdown_kernel(now=True)
                return None
            try:
                message = self.client.get_iopub_msg(timeout=0.05)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            assert kind != "error", "\n".join(content["traceback"])
            if kind == "stream":
                printed.append(content["text"])
            if kind == "status" and content["execution_state"] == "idle":
                return "".join(printed)

    def close(self):
        self.client.stop_channels()
        if self.manager.is_alive():
            self.manager.shutdown_kernel(now=True)


@pytest.fixture
def session():
    """Opens sessions, and closes what is left of them."""
    opened = []

    def open_one() -> Session:
        opened.append(Session())
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def play(session: Session) -> dict:
    """Run the tour up to its training: F1, the steps in its history, and how many were taken in this session."""
    *before, training = cells_up_to_the_training()
    for source in [*before, COUNTED, training]:
        session.run(source)
    return json.loads(session.run(REPORT))


def test_the_same_cells_in_a_new_session_go_on(session, sources, random_bert, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv("QA_SOURCE", sources["small"])
    monkeypatch.setenv("QA_CHECKPOINT", random_bert)
    drive = tmp_path / "drive"
    monkeypatch.setenv("QA_FOLDER", str(drive))

    *before, training = cells_up_to_the_training()
    first = session()
    for source in [*before, SLOWLY]:
        first.run(source)
    assert first.run(training, stop_when=lambda: list(drive.glob("*/checkpoints/*-15/history.json"))) is None
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
    from qa_helpers import course

    with pytest.raises(ValueError, match="only Colab can mount: name a folder"):
        qa.setup(folder="drive")
    mounted = []
    drive = types.SimpleNamespace(mount=mounted.append)
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace(drive=drive))
    monkeypatch.setattr(course, "DRIVE", str(tmp_path / "drive" / "MyDrive" / "extractive-qa"))
    chosen = qa.setup(folder="drive")
    assert mounted == [str(tmp_path / "drive")]
    assert Path(chosen.folder).name == "extractive-qa"
