"""What a training run saves so that it can be resumed after an interruption, and whether it may be resumed.

Inside the run's output folder:

    checkpoints/run.json         what defines the run: its settings, its data, the weights it started from
    checkpoints/checkpoint-N/    the state after step N, as transformers' Trainer writes it, trainer_state.json last

A run that is interrupted, however abruptly, loses only the steps since its last complete checkpoint. A finished run
keeps its run.json and its trainer_state.json next to the model, so that the same cell, run again in another session,
uses the finished model instead of training it a second time.
"""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
from datasets import Dataset
from torch import nn
from transformers import TrainerState
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME, TRAINER_STATE_NAME

from ..model import LABELS
from .columns import lengths_of, list_column
from .fingerprint import fingerprint
from .whole_files import write_whole

CHECKPOINTS = "checkpoints"  # folder inside output_dir that holds unfinished work
_RUN = "run.json"
_FREE = ("resume", "overwrite", "progress", "output_dir")  # may differ when a run is resumed: no effect on results
_WHERE_FROM = ("_name_or_path", "transformers_version", "architectures", "dtype")  # of a model's configuration

# A model in the middle of a run → the "start" of that run. Because of it, an interrupted cell can simply be run again,
# although its model no longer has its starting weights.
_under_way: WeakKeyDictionary[nn.Module, str] = WeakKeyDictionary()


def describe_run(config, features: Dataset, model: nn.Module) -> dict:
    """What must be the same when a run is resumed: ``settings``, and fingerprints of ``data`` and ``start`` (the model's
    configuration and ``weights``)."""
    ids = list_column(features, "input_ids")
    weights = _fingerprint_of_weights(model)
    described = {name: value for name, value in model.config.to_dict().items() if name not in _WHERE_FROM}
    return {
        "settings": {name: value for name, value in asdict(config).items() if name not in _FREE},
        "data": fingerprint(lengths_of(ids), np.concatenate(ids), *(np.array(features[name]) for name in LABELS)),
        "start": fingerprint(json.dumps(described, sort_keys=True, default=str), weights),
        "weights": weights,
    }


def find_checkpoint(folder: Path, run: dict, model: nn.Module, resume: bool) -> Path | None:
    """The last complete checkpoint in ``folder`` to continue from; None if the run starts from the beginning.

    Checkpoints of other runs, and those that an interruption left incomplete, are removed. If ``model`` is the one whose
    run was interrupted in this very process, ``run`` gets the "start" that it had then.

    Raises:
        ValueError: the checkpoint belongs to another run: other settings, other data or other starting weights.
    """
    whole, record = whole_checkpoints(folder), folder / _RUN
    last = None
    if whole and resume and record.is_file():
        before = _read(record, folder, "resume=False (--no-resume) starts over")
        if _under_way.get(model) == before["start"]:
            run["start"] = before["start"]
        _refuse_another(before, run, f"{folder} holds an unfinished run", "or resume=False (--no-resume) to start over")
        last = whole[-1]
    folder.mkdir(parents=True, exist_ok=True)
    for stale in set(folder.glob("checkpoint-*")) - set(whole if last else ()):
        shutil.rmtree(stale, ignore_errors=True)
    write_whole(record, json.dumps(run))
    _under_way[model] = run["start"]
    return last


def whole_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in ``folder`` that were written completely, oldest first."""
    return sorted(filter(_is_whole, folder.glob("checkpoint-*")), key=lambda path: int(path.name.split("-")[1]))


def _is_whole(checkpoint: Path) -> bool:
    try:
        TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))  # the file that the library writes last
    except (OSError, ValueError, TypeError):
        return False
    return all((checkpoint / name).is_file() for name in (OPTIMIZER_NAME, SCHEDULER_NAME))


def write_finished(folder: Path, run: dict, model: nn.Module, state: TrainerState) -> None:
    """Write the record and the state of a finished run next to its model in ``folder``."""
    state.save_to_json(str(folder / TRAINER_STATE_NAME))
    (folder / _RUN).write_text(json.dumps({**run, "end": _fingerprint_of_weights(model)}), encoding="utf-8")
    _under_way.pop(model, None)  # from now on the model's weights are just its weights


def is_finished(folder: Path) -> bool:
    """Whether ``folder`` contains a model with the record of its run."""
    return all((folder / name).is_file() for name in (_RUN, TRAINER_STATE_NAME, "config.json"))


def check_folder(folder: Path, config) -> None:
    """Raise a ValueError if a run must not write into ``folder``, because it is a file or holds other work."""
    if folder.is_file():
        raise ValueError(f"output_dir {folder.name!r} is a file; name a folder")
    kept = [p.name for p in folder.iterdir() if p.name != CHECKPOINTS] if folder.is_dir() else []
    takes_it = config.save_every and config.resume and is_finished(folder)
    if kept and not config.overwrite and not takes_it:
        raise ValueError(
            f"output_dir {folder.name!r} already holds {kept[0]!r}: choose another folder, or set overwrite=True "
            "(--overwrite) to replace the whole folder"
        )


def find_finished(folder: Path, run: dict) -> TrainerState | None:
    """The last state of the finished run in ``folder``; None if there is none.

    Raises:
        ValueError: the finished run is a different one: other settings, other data or other starting weights.
    """
    if not is_finished(folder):
        return None
    remedy = "choose another output_dir, or set overwrite=True (--overwrite) to replace it"
    record = _read(folder / _RUN, folder, remedy)
    if run["weights"] == record.get("end"):  # the cell that trained it, run again with the same model
        run = {**run, "start": record["start"]}
    _refuse_another(record, run, f"{folder} holds a finished run", remedy)
    return TrainerState.load_from_json(str(folder / TRAINER_STATE_NAME))


def _read(record: Path, folder: Path, remedy: str) -> dict:
    try:
        return json.loads(record.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{record.name} in {folder} is damaged, so there is no telling which run this is: {remedy}"
        ) from error


def _refuse_another(before: dict, run: dict, what_is_there: str, remedy: str) -> None:
    changed = [name for name in sorted(run["settings"]) if before["settings"].get(name) != run["settings"][name]]
    if changed:
        difference = f"other settings ({', '.join(changed)}): use the same settings"
    elif before["data"] != run["data"]:
        difference = "other training data: give the same examples, in the same order"
    elif before["start"] != run["start"]:
        difference = "other starting weights: load the checkpoint that it started from, in the same class"
    else:
        return
    raise ValueError(f"{what_is_there} with {difference}, {remedy}")


def _fingerprint_of_weights(model: nn.Module) -> str:
    return fingerprint(*(part for name_and_tensor in sorted(model.state_dict().items()) for part in name_and_tensor))
