"""Ctrl-C (the button "Interrupt the kernel") in a notebook's cell leaves a kernel and a model that can be used."""

import queue
import sys
import time

import pytest
from conftest import REPOSITORY
from jupyter_client.manager import start_new_kernel

SECONDS = 900  # for one cell, however busy the machine

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


class Kernel:
    """A notebook's kernel: run a cell to its end, or interrupt it in the middle."""

    def __init__(self):
        self.manager, self.client = start_new_kernel(
            startup_timeout=SECONDS, kernel_name="python3", cwd=str(REPOSITORY)
        )

    def run(self, cell: str, interrupt_at: str | None = None) -> tuple[str, str | None]:
        """(what the cell printed, the name of the error it ended with)."""
        wanted = self.client.execute(cell)
        printed, error, deadline = "", None, time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                message = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") != wanted:
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                printed += content["text"]
                if interrupt_at and interrupt_at in printed:
                    interrupt_at = self.manager.interrupt_kernel()
            elif message["msg_type"] == "error":
                error = f"{content['ename']}: {content['evalue']}"
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                return printed, error
        pytest.fail(f"the cell did not end; it printed {printed!r}")

    def value(self, expression: str) -> str:
        printed, error = self.run(f"print({expression})")
        assert error is None, error
        return printed.strip()


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    if sys.platform == "win32":
        pytest.skip("a kernel is interrupted in another way there")
    started = Kernel()
    printed, error = started.run(SETUP.format(out=str(tmp_path_factory.mktemp("interrupted") / "out")))
    assert error is None and "ready" in printed, error
    yield started
    started.client.stop_channels()
    started.manager.shutdown_kernel(now=True)


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
