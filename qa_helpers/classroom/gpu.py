"""For lesson 07 on any machine: a small memory to run out of, and what was recorded on a GPU by ``make gpu``."""

import json
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ..checkpoints import ASSETS

RECORD = ASSETS / "gpu_run.json"
#: Everything that ``tools/gpu_run.py`` measures, in its order; a record has rows for each of them.
STEPS = {
    "timing": "ten products by the clock, waited for and not, at the beginning of a program and later (section 2)",
    "peaks": "what a large product reaches in each number format (sections 1 and 3)",
    "step": "a training step of bert-base in each number format (section 9)",
    "scaling": "the scale of a float16 training, from one that is far too large (section 5)",
    "memory": "GiB at the peak of a step, by batch size and way to train (section 6)",
    "largest batch": "the largest batch that fits, by memory and way to train (section 7)",
    "drill": "out of memory in fine_tune, the two messages, and the way around it (section 7)",
    "padding": "bert-base on windows of SQuAD's lengths, padded in three ways (section 10)",
    "feeding": "loading alone and loading for a small model, with workers and pinned memory (section 10)",
    "families": "a step of the base size of each family (lesson 09)",
    "end to end": "a model of six layers from SQuAD's files to scores, which say nothing since its first weights are random: "
    "everything padded and float32, and fine_tune (section 12)",
}


class Budget(torch.autograd.graph.saved_tensors_hooks):
    """Within the block, what forward passes keep for their backward passes may not take more than ``total`` bytes.

    It stands in for a small GPU. Memory that several tensors share counts once, and no longer counts once it is
    freed. The model's weights do not count: they are in memory anyway. ``used``: the bytes kept now; ``most``: the most so far.

    Raises:
        torch.OutOfMemoryError: in the forward pass that wants to keep more.
    """

    def __init__(self, total: float = float("inf")):
        super().__init__(self._keep, lambda kept: kept.tensor)
        self.total, self.used, self.most = total, 0, 0
        self._holders: dict[int, int] = {}  # storage → how many of the tensors that are kept share it

    def __enter__(self) -> "Budget":
        super().__enter__()
        return self

    def _keep(self, tensor: torch.Tensor) -> "_Kept":
        storage = tensor.untyped_storage()
        place, size = storage._cdata, storage.nbytes()
        root = tensor if tensor._base is None else tensor._base
        if isinstance(root, torch.nn.Parameter):  # in memory anyway
            return _Kept(tensor)
        if place not in self._holders:
            if self.used + size > self.total:
                raise torch.OutOfMemoryError(
                    f"The budget is out of memory. Tried to allocate {size / 2**20:.2f} MiB. It has a total capacity of "
                    f"{self.total / 2**20:.2f} MiB, of which {(self.total - self.used) / 2**20:.2f} MiB is free."
                )
            self.used += size
            self.most = max(self.most, self.used)
        self._holders[place] = self._holders.get(place, 0) + 1
        kept = _Kept(tensor)
        weakref.finalize(kept, self._release, place, size)
        return kept

    def _release(self, place: int, size: int) -> None:
        self._holders[place] -= 1
        if not self._holders[place]:
            del self._holders[place]
            self.used -= size


class _Kept:
    """A tensor that a graph has kept; it dies with the graph."""

    def __init__(self, tensor: torch.Tensor):
        self.tensor = tensor


class Timeline:
    """Who did what, and when, for figures of work that goes on side by side.

    Attributes:
        events: (worker, what, start, end), in seconds since the beginning.
    """

    def __init__(self):
        self.events: list[tuple[str, str, float, float]] = []
        self._begun = time.perf_counter()

    def note(self, worker: str, what: str, work: Callable[[], object]):
        """Do the work and note how long it took; the work's result."""
        start = time.perf_counter() - self._begun
        result = work()
        self.events.append((worker, what, start, time.perf_counter() - self._begun))
        return result


@dataclass(frozen=True)
class RecordedRun:
    """What :func:`recorded_run` read.

    Attributes:
        measured: True for a run of full size on a GPU, False for a dry run, whose figures say nothing about one.
        machine: device, memory, driver and versions.
        steps: name (see :data:`STEPS`) → rows of its table.
    """

    measured: bool
    machine: Mapping[str, object] = field(repr=False)
    steps: Mapping[str, Sequence[Mapping[str, object]]] = field(repr=False)

    def __str__(self) -> str:
        if not self.measured:
            return (
                "Nobody has run this on a GPU yet. The tables about GPUs in this lesson are estimates, made from data sheets "
                "and from the assumptions beside them. `make gpu`, in the folder of the repository, measures them."
            )
        facts = [f"{name} {value}" for name, value in self.machine.items() if name != "device" and value is not None]
        return f"Measured on one {self.machine['device']} ({', '.join(facts)})."

    def table(self, step: str, estimate):
        """The rows of a step, if they were measured on a GPU, else the estimate that is given instead.

        Args:
            step: a name of :data:`STEPS`.
            estimate: pandas.DataFrame with one or more of the table's columns.

        Returns:
            pandas.DataFrame, whose corner says whether it is measured or estimated.
        """
        import pandas as pd

        if not self.measured:
            return estimate.rename_axis(columns="estimate")
        rows = pd.DataFrame(list(self.steps[step]))
        return rows.set_index(rows.columns[0]).rename_axis(columns=f"measured: {self.machine['device']}")

    def show(self, *steps: str) -> None:
        """Show the tables of these steps (all, if none is named), or say that nothing has been measured."""
        from IPython.display import display

        if not self.measured:
            print("There are none: nobody has measured this on a GPU yet.")
            return
        for step in steps or STEPS:
            print(f"{step}: {STEPS[step]}")
            display(self.table(step, None))


def recorded_run(path: str | Path = RECORD) -> RecordedRun:
    """Read the record that ``make gpu`` wrote.

    Raises:
        ValueError: there is no record, or it is damaged; the message says what to do.
    """
    path = Path(path)
    remedy = "Put the committed file back, or make a new one with `make gpu`"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"there is no recorded run at {path.name}. {remedy}") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"the recorded run {path.name} is damaged ({error}). {remedy}") from None
    steps = found.get("steps") if isinstance(found, dict) else None
    missing = [name for name in STEPS if not (isinstance(steps, dict) and isinstance(steps.get(name), list))]
    parts = (
        isinstance(found, dict) and isinstance(found.get("dry_run"), bool) and isinstance(found.get("machine"), dict)
    )
    if missing or not parts or "device" not in found["machine"]:
        lacks = f"steps {', '.join(missing)}" if missing else "its machine, or whether it is a dry run"
        raise ValueError(f"the recorded run {path.name} is damaged: it lacks {lacks}. {remedy}")
    return RecordedRun(not found["dry_run"], found["machine"], steps)
