"""Two processes compute what one does: the same losses, weights, answers and scores, for the same global batch."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

from qa_helpers import load_model, load_tokenizer
from qa_helpers.engine.sampler import TrainingOrder
from qa_helpers.mini.corpus import build_corpus, to_squad_json
from qa_helpers.training import save_model

LAUNCHERS = {
    "torchrun": ["-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=0", "--rdzv-backend=c10d",
                 "--rdzv-endpoint=localhost:0", "-m"],
    "accelerate": ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes=2", "--num_machines=1",
                   "--mixed_precision=no", "--dynamo_backend=no", "--main_process_port=0", "-m"],
}  # fmt: skip


def run(launcher, *arguments):
    """Run the command line in one process (launcher None) or in two; returns what it prints."""
    command = [sys.executable, *(LAUNCHERS[launcher] if launcher else ["-m"]), "qa_helpers", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "200", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A folder of SQuAD files (51 examples to train on, 23 to score) and an encoder without dropout.

    51 windows or so fill no number of batches of 8 evenly, and 23 examples no two processes. Dropout differs from process
    to process, as it should, so it has to be off where they are compared with one.
    """
    folder = tmp_path_factory.mktemp("distributed")
    rows = build_corpus(51, 23)
    (folder / "data").mkdir()
    for split, name in (("train", "train.json"), ("validation", "dev.json")):
        (folder / "data" / name).write_text(json.dumps(to_squad_json(rows[split])), encoding="utf-8")
    model = load_model("mini-bert", seed=3)
    model.config.hidden_dropout_prob = model.config.attention_probs_dropout_prob = 0.0
    save_model(model, load_tokenizer("mini-bert"), folder / "encoder")
    return folder


@pytest.fixture(scope="module")
def trained(material):
    """Training in one process and, by either launcher, in two: name → (printed, history, weights)."""
    results = {}
    for name, batch in ((None, 8), ("torchrun", 4), ("accelerate", 4)):
        output = material / f"model-{name}"
        printed = run(
            name, "train", "--source", material / "data", "--checkpoint", material / "encoder", "--output-dir", output,
            "--epochs", 2, "--batch-size", batch, "--learning-rate", 1e-3, "--log-every", 1,
            "--history", material / f"{name}.json",
        )  # fmt: skip
        history = json.loads((material / f"{name}.json").read_text())
        results[name] = printed, history, load_file(output / "model.safetensors")
    return results


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_two_processes_train_as_one_does(trained, launcher):
    (printed, history, weights), (printed_one, history_one, weights_one) = trained[launcher], trained[None]
    losses, losses_one = ([row["loss"] for row in rows if "loss" in row] for rows in (history, history_one))
    assert len(losses) == len(losses_one) >= 12
    assert losses == pytest.approx(losses_one, abs=1e-5)
    assert losses[-1] < 0.8 * losses[0], "the comparison should be of a training that learns"
    scores, scores_one = (
        [(row["exact_match"], row["f1"]) for row in rows if "f1" in row] for rows in (history, history_one)
    )
    assert scores == scores_one and len(scores) == 1
    for name, value in weights_one.items():
        np.testing.assert_allclose(weights[name], value, atol=2e-3)
    assert printed.count("model saved") == printed_one.count("model saved") == 1, "only the first process speaks"


def test_two_processes_evaluate_as_one_does(trained, material):
    found = {}
    for launcher in (None, "torchrun"):
        file = material / f"answers-{launcher}.json"
        printed = run(
            launcher, "evaluate", "--source", material / "data", "--checkpoint", material / "model-None",
            "--predictions", file,
        )  # fmt: skip
        assert printed.count("validation: EM") == 1, "only the first process speaks"
        found[launcher] = json.loads(file.read_text()), printed.split("(23 examples)")[0]
    assert found["torchrun"] == found[None] and len(found[None][0]) == 23


@pytest.mark.parametrize("windows", [1, 7, 16, 33, 61])
@pytest.mark.parametrize(("processes", "accumulation"), [(1, 1), (1, 3), (2, 1), (3, 2), (4, 1)])
def test_every_window_is_seen_once_and_counts_alike(windows, processes, accumulation):
    lengths = [10 + k % 7 for k in range(windows)]
    parts = [
        list(TrainingOrder(lengths, 4, accumulation, seed=1, process=k, processes=processes)) for k in range(processes)
    ]
    length = len(TrainingOrder(lengths, 4, accumulation, processes=processes))
    assert {len(part) for part in parts} == {length}, "a process with fewer pieces would leave the others waiting"
    seen = [row for part in parts for piece in part if piece.weight for row in piece.rows]
    assert sorted(seen) == list(range(windows))
    for first in range(0, length, accumulation):
        pieces = [piece for part in parts for piece in part[first : first + accumulation]]
        total = sum(len(piece.rows) for piece in pieces if piece.weight)
        for piece in pieces:  # the mean over pieces, weighted, is the mean over windows
            own = len(piece.rows) if piece.weight else 0
            assert piece.weight / len(pieces) == pytest.approx(own / total)


def test_one_process_and_several_take_the_same_steps():
    lengths = np.random.default_rng(0).integers(10, 90, 101).tolist()
    steps = {}
    for processes, batch in ((1, 12), (2, 6), (3, 4)):
        parts = [list(TrainingOrder(lengths, batch, seed=5, process=k, processes=processes)) for k in range(processes)]
        steps[processes] = [
            sorted(row for piece in pieces if piece.weight for row in piece.rows) for pieces in zip(*parts)
        ]
    assert steps[1] == steps[2] == steps[3]
