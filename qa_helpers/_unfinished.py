"""What a training run leaves behind so that it can go on after an interruption, and whether it may.

Inside the run's output folder:

    checkpoints/run.json                    what the run is: its settings, its data, the weights it started from
    checkpoints/checkpoint-N/               the state after step N, as transformers' Trainer writes it
    checkpoints/checkpoint-N/history.json   written last: with it the checkpoint is whole, and the history goes on
"""

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from torch import nn

from .files import whole_file
from .model import LABELS
from .ragged import Ragged

CHECKPOINTS = "checkpoints"  # folder inside output_dir that holds unfinished work
_RUN, _HISTORY = "run.json", "history.json"
# These do not change what is computed, so a run may be resumed with others.
_FREE = ("resume", "overwrite", "progress", "output_dir")
_WHERE_FROM = ("_name_or_path", "transformers_version", "architectures", "dtype")  # of a model's configuration


def describe_run(config, features: Dataset, model: nn.Module, folder: Path) -> dict:
    """What must be the same when a run is resumed: ``settings``, and fingerprints of ``data`` and ``start``.

    A model whose run was broken off in this very process has moved on from its starting weights; it still counts as
    started from them, so that the cell that trained it can simply be run again.
    """
    settings = {name: value for name, value in asdict(config).items() if name not in _FREE}
    start = _begun(model).get(str(folder.resolve())) or _fingerprint_of_weights(model)
    return {"settings": settings, "data": _fingerprint_of_features(features), "start": start}


def remember_run(model: nn.Module, folder: Path, run: dict) -> None:
    """From now on, and until :func:`forget_run`, the model's weights are those of the run in ``folder``, under way."""
    _begun(model)[str(folder.resolve())] = run["start"]


def forget_run(model: nn.Module, folder: Path) -> None:
    """The run in ``folder`` has come to its end: from now on the model's weights are just its weights."""
    _begun(model).pop(str(folder.resolve()), None)


def find_checkpoint(folder: Path, run: dict, resume: bool) -> Path | None:
    """The last whole checkpoint in ``folder`` to go on from; None where a run begins.

    Checkpoints of other runs, and those that an interruption left incomplete, are removed.

    Raises:
        ValueError: what is to be resumed is another run: other settings, other data or other starting weights.
    """
    whole = sorted(folder.glob(f"checkpoint-*/{_HISTORY}"), key=lambda path: int(path.parent.name.split("-")[1]))
    record = folder / _RUN
    last = whole[-1].parent if whole and resume and record.is_file() else None
    if last:
        _refuse_another(json.loads(record.read_text(encoding="utf-8")), run, folder)
    folder.mkdir(parents=True, exist_ok=True)
    kept = {path.parent for path in whole} if last else set()
    for stale in set(folder.glob("checkpoint-*")) - kept:
        shutil.rmtree(stale, ignore_errors=True)
    with whole_file(record) as partial:
        partial.write_text(json.dumps(run), encoding="utf-8")
    return last


def write_history(checkpoint: Path, rows: list[dict], seconds: float) -> None:
    """Put the history so far into a checkpoint, which makes it whole."""
    with whole_file(checkpoint / _HISTORY) as partial:
        partial.write_text(json.dumps({"seconds": seconds, "rows": rows}), encoding="utf-8")


def read_history(checkpoint: Path) -> tuple[list[dict], float]:
    """(rows, seconds) up to a checkpoint."""
    saved = json.loads((checkpoint / _HISTORY).read_text(encoding="utf-8"))
    return saved["rows"], saved["seconds"]


def _refuse_another(before: dict, run: dict, folder: Path) -> None:
    settings = run["settings"]
    changed = sorted(name for name in settings if before["settings"].get(name) != settings[name])
    remedy = "or resume=False (--no-resume) to start over"
    for differs, what, same in (
        (changed, f"other settings ({', '.join(changed)})", "use the same settings to resume it"),
        (before["data"] != run["data"], "other training data", "give the same examples, in the same order"),
        (
            before["start"] != run["start"],
            "other starting weights",
            "load the checkpoint that it began with, in the same class",
        ),
    ):
        if differs:
            raise ValueError(f"{folder} holds an unfinished run with {what}: {same}, {remedy}")


def _begun(model: nn.Module) -> dict[str, str]:
    """Folder → fingerprint of the weights with which the model's unfinished run in that folder began."""
    if not hasattr(model, "_begun_runs"):
        model._begun_runs = {}
    return model._begun_runs


def _fingerprint_of_features(features: Dataset) -> str:
    digest = hashlib.blake2b(digest_size=16)
    ids = Ragged(features, "input_ids")
    digest.update(np.ascontiguousarray(ids.lengths, dtype=np.int64).tobytes())
    for values in ids.flat():
        digest.update(values.astype(np.int64).tobytes())
    for name in LABELS:
        digest.update(np.array(features[name], dtype=np.int64).tobytes())
    return digest.hexdigest()


def _fingerprint_of_weights(model: nn.Module) -> str:
    digest = hashlib.blake2b(digest_size=16)
    config = {name: value for name, value in model.config.to_dict().items() if name not in _WHERE_FROM}
    digest.update(json.dumps(config, sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
