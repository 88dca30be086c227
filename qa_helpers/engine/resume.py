"""What a training run leaves behind so that it can go on after an interruption, and whether it may.

A run that has come to its end keeps two of these files beside its model, so that the same cell, run again in another
session, takes the finished model instead of training it a second time.

Inside the run's output folder:

    checkpoints/run.json                    what the run is: its settings, its data, the weights it started from
    checkpoints/checkpoint-N/               the state after step N, as transformers' Trainer writes it
    checkpoints/checkpoint-N/SHA256SUMS     checksums of its files
    checkpoints/checkpoint-N/history.json   written last: with it the checkpoint is whole, and the history goes on

A run that is cut off, however roughly, loses the steps since its last whole checkpoint, and nothing else.
"""

import hashlib
import json
import shutil
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from torch import nn

from ..model import LABELS
from .checksums import find_damage, write_checksums
from .columns import lengths_of, list_column
from .whole_files import write_whole

CHECKPOINTS = "checkpoints"  # folder inside output_dir that holds unfinished work
_RUN, _HISTORY = "run.json", "history.json"
# These do not change what is computed, so a run may be resumed with others.
_FREE = ("resume", "lower_learning_rate", "overwrite", "progress", "output_dir")
_END, _STEPS = "end", "steps"  # of a finished run's record: fingerprint of its weights, optimizer steps taken
_WHERE_FROM = ("_name_or_path", "transformers_version", "architectures", "dtype")  # of a model's configuration


def describe_run(config, features: Dataset, model: nn.Module, folder: Path) -> dict:
    """What must be the same when a run is resumed: ``settings``, and fingerprints of ``data`` and ``start``.

    A model whose run was broken off in this very process has moved on from its starting weights; it still counts as
    started from them, so that the cell that trained it can simply be run again.
    """
    settings = {name: value for name, value in asdict(config).items() if name not in _FREE}
    start = _begun(model).get(str(folder.resolve())) or _fingerprint_of_model(model)
    return {"settings": settings, "data": _fingerprint_of_features(features), "start": start}


def remember_run(model: nn.Module, folder: Path, run: dict) -> None:
    """From now on, and until :func:`forget_run`, the model's weights are those of the run in ``folder``, under way."""
    _begun(model)[str(folder.resolve())] = run["start"]


def forget_run(model: nn.Module, folder: Path) -> None:
    """The run in ``folder`` has come to its end: from now on the model's weights are just its weights."""
    _begun(model).pop(str(folder.resolve()), None)


def find_checkpoint(folder: Path, run: dict, resume: bool, lower_learning_rate: bool = False) -> Path | None:
    """The last whole checkpoint in ``folder`` to go on from; None where a run begins.

    Checkpoints of other runs, and those that an interruption left incomplete, are removed. One that was complete but
    has been damaged since (see :mod:`qa_helpers.engine.checksums`) is passed over, with a warning.

    Raises:
        ValueError: what is to be resumed is another run (other settings, other data or other starting weights; a lower
            learning rate is no other run if ``lower_learning_rate``), or all its checkpoints are damaged.
    """
    whole = whole_checkpoints(folder)
    record = folder / _RUN
    last = None
    if whole and resume and record.is_file():
        remedy = "or resume=False (--no-resume) to start over"
        before = _read(record, folder, "resume=False (--no-resume) starts over")
        _refuse_another(before, run, f"{folder} holds an unfinished run", remedy, lower_learning_rate)
        whole = _undamaged(whole, folder)
        last = whole[-1]
    folder.mkdir(parents=True, exist_ok=True)
    for stale in set(folder.glob("checkpoint-*")) - set(whole if last else ()):
        shutil.rmtree(stale, ignore_errors=True)
    write_whole(record, json.dumps(run))
    return last


def write_finished(folder: Path, run: dict, model: nn.Module, rows: list[dict], seconds: float, steps: int) -> None:
    """Put the record and the history of a run that has come to its end beside its model in ``folder``."""
    end = {_END: _fingerprint_of_weights(model), _STEPS: steps}
    (folder / _RUN).write_text(json.dumps({**run, **end}), encoding="utf-8")
    (folder / _HISTORY).write_text(json.dumps({"seconds": seconds, "rows": rows}), encoding="utf-8")


def is_finished(folder: Path) -> bool:
    """Whether ``folder`` holds a model with the record of its run."""
    return (folder / _RUN).is_file() and (folder / "config.json").is_file()


def find_finished(folder: Path, run: dict, model: nn.Module) -> tuple[list[dict], float, int] | None:
    """(history, seconds, steps) of the finished run in ``folder``; None if there is none.

    Raises:
        ValueError: the finished run is another one: other settings, other data or other starting weights.
    """
    if not is_finished(folder):
        return None
    remedy = "choose another output_dir, or set overwrite=True (--overwrite) to replace it"
    record = _read(folder / _RUN, folder, remedy)
    if _fingerprint_of_weights(model) == record.get(_END):  # the cell that trained it, run again with the same model
        run = {**run, "start": record["start"]}
    _refuse_another(record, run, f"{folder} holds a finished run", remedy)
    return *read_history(folder), record[_STEPS]


def whole_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in ``folder`` that were written to their end, oldest first."""
    histories = folder.glob(f"checkpoint-*/{_HISTORY}")
    return sorted((path.parent for path in histories), key=lambda path: int(path.name.split("-")[1]))


def write_history(checkpoint: Path, rows: list[dict], seconds: float) -> None:
    """Put checksums and the history so far into a checkpoint, which makes it whole."""
    # On several GPUs each process writes its own rng_state_N.pth, perhaps only after this.
    write_checksums(checkpoint, lambda name: not name.startswith("rng_state_"))
    write_whole(checkpoint / _HISTORY, json.dumps({"seconds": seconds, "rows": rows}))


def read_history(checkpoint: Path) -> tuple[list[dict], float]:
    """(rows, seconds) up to a checkpoint."""
    saved = json.loads((checkpoint / _HISTORY).read_text(encoding="utf-8"))
    return saved["rows"], saved["seconds"]


def _read(record: Path, folder: Path, remedy: str) -> dict:
    try:
        return json.loads(record.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{record.name} in {folder} is damaged, so nobody can tell what run this is: {remedy}"
        ) from error


def _undamaged(whole: list[Path], folder: Path) -> list[Path]:
    """The checkpoints up to the last one whose files are those that were saved."""
    for count in range(len(whole), 0, -1):
        damage = find_damage(whole[count - 1]) or _damaged_history(whole[count - 1])
        if damage is None:
            return whole[:count]
        warnings.warn(f"{whole[count - 1]} is damaged ({damage}) and passed over", stacklevel=4)
    raise ValueError(
        f"{folder} holds an unfinished run, but its checkpoints are damaged (of {whole[0].name}, {damage}): "
        "resume=False (--no-resume) starts over"
    )


def _damaged_history(checkpoint: Path) -> str | None:
    try:
        read_history(checkpoint)
    except (ValueError, KeyError, TypeError):
        return f"{_HISTORY} cannot be read"


def _refuse_another(
    before: dict, run: dict, what_is_there: str, remedy: str, lower_learning_rate: bool = False
) -> None:
    settings = run["settings"]
    changed = sorted(name for name in settings if before["settings"].get(name) != settings[name])
    if lower_learning_rate and settings["learning_rate"] < before["settings"].get("learning_rate", 0):
        changed.remove("learning_rate")
    for differs, what, same in (
        (changed, f"other settings ({', '.join(changed)})", "use the same settings"),
        (before["data"] != run["data"], "other training data", "give the same examples, in the same order"),
        (
            before["start"] != run["start"],
            "other starting weights",
            "load the checkpoint that it began with, in the same class",
        ),
    ):
        if differs:
            raise ValueError(f"{what_is_there} with {what}: {same}, {remedy}")


def _begun(model: nn.Module) -> dict[str, str]:
    """Folder → fingerprint of the weights with which the model's unfinished run in that folder began."""
    if not hasattr(model, "_begun_runs"):
        model._begun_runs = {}
    return model._begun_runs


def _fingerprint_of_features(features: Dataset) -> str:
    digest = hashlib.blake2b(digest_size=16)
    ids = list_column(features, "input_ids")
    digest.update(lengths_of(ids).tobytes())
    digest.update(np.concatenate(ids).astype(np.int64).tobytes())
    for name in LABELS:
        digest.update(np.array(features[name], dtype=np.int64).tobytes())
    return digest.hexdigest()


def _fingerprint_of_model(model: nn.Module) -> str:
    config = {name: value for name, value in model.config.to_dict().items() if name not in _WHERE_FROM}
    described = json.dumps([config, _fingerprint_of_weights(model)], sort_keys=True, default=str)
    return hashlib.blake2b(described.encode(), digest_size=16).hexdigest()


def _fingerprint_of_weights(model: nn.Module) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
