"""What a training run says about its progress: first how many steps it will take, then how far it is and how long it
will take.

Steps are a poor measure of time, since in each group of batches they go from long windows to short ones. So the work is
counted in tokens.
"""

import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from torch import nn
from tqdm.auto import tqdm
from transformers import TrainerCallback

from ..checkpoints import layer_weights
from ..evaluation import Evaluation
from .columns import lengths_of, list_column
from .progress_bars import bars_shown, close_bar, open_bar, say
from .sampler import TrainingOrder

SCORING = 1 / 3  # time per token, relative to training: scoring is the forward pass only
TINY = 2e10  # tokens × weights: a few seconds on a laptop
_STEPS, _SECONDS = 4, 3.0  # steps and seconds that have to pass before the speed is known
_FORMAT = "{desc} |{bar}| {elapsed}"


@dataclass(frozen=True)
class Plan:
    """The work of a run.

    Attributes:
        line: what is printed about it beforehand.
        tokens: tokens of each step, padding included.
        scored_after: the steps after which the model is scored; ``scored_tokens``: tokens in the windows to be scored.
    """

    line: str
    tokens: Sequence[int]
    scored_after: Collection[int] = ()
    scored_tokens: int = 0

    def work(self, after: int = 0) -> int:
        """Tokens still to train on after a step."""
        return sum(self.tokens[after:])


class Estimate:
    """How long a run will take, including pauses for scoring, estimated from the time that its parts have taken so far.

    The first step does not count, since it takes longer than the others. Until the model has been scored once, scoring is
    assumed to take a third of the time of training on as many tokens.

    Args:
        plan: the run's plan; ``after``: the step after which it begins (a resumed run has only the rest to do).
    """

    def __init__(self, plan: Plan, after: int = 0, clock: Callable[[], float] = time.perf_counter):
        self.plan, self.first, self.step, self.clock = plan, after + 1, after, clock
        self.due = {step for step in plan.scored_after if step > after}
        self.begun = self.last = clock()
        self.steps = self.scorings = 0  # how many have been timed
        self.tokens = self.training = self.scoring = 0.0  # tokens trained on; seconds of training and of scoring

    def stepped(self, step: int) -> None:
        """Record that a step has ended."""
        spent, self.step = self._lap(), step
        if step > self.first:
            self.steps += 1
            self.tokens += self.plan.tokens[step - 1]
            self.training += spent

    def scored(self) -> None:
        """Record that the model has been scored after the last step."""
        self.scoring += self._lap()
        self.scorings += 1
        self.due = {step for step in self.due if step > self.step}

    def seconds(self) -> tuple[float, float] | None:
        """(seconds of the whole run, seconds still to come); None as long as there is too little to go by."""
        if self.steps < _STEPS or self.training < _SECONDS:
            return None
        token = self.training / self.tokens
        once = self.scoring / self.scorings if self.scorings else SCORING * self.plan.scored_tokens * token
        left = self.plan.work(self.step) * token + len(self.due) * once
        return self.last - self.begun + left, left

    def _lap(self) -> float:
        before, self.last = self.last, self.clock()
        return self.last - before


class TrainingBar(TrainerCallback):
    """A bar for training: ``with TrainingBar(…) as bar: trainer.train()``. It stays when training is over.

    Args:
        shown: as ``FineTuneConfig.progress``.
        plan: maps the number of steps to a :class:`Plan`, or to None if the run is so short that it needs no bar.
    """

    def __init__(
        self, shown: bool | None, plan: Callable[[int], Plan | None], clock: Callable[[], float] = time.perf_counter
    ):
        self.shown, self.plan, self.clock = bars_shown(shown), plan, clock
        self.bar = self.estimate = None
        self.steps, self.loss = 0, ""

    def __enter__(self) -> "TrainingBar":
        return self

    def __exit__(self, *_) -> None:
        if self.bar is not None:
            self.bar.bar_format = _FORMAT
            seconds = self.bar.format_dict["elapsed"]
            done = f"{self.estimate.step:,} of {_count(self.steps, 'step')} in {tqdm.format_interval(seconds)}"
            close_bar(self.bar, done + self.loss)
            self.bar = None

    def on_train_begin(self, args, state, control, **_):
        plan = self.plan(state.max_steps) if self.shown else None
        if plan is None:
            return
        begun, self.steps = state.global_step, state.max_steps
        say(plan.line + (f", continuing after step {begun:,}" if begun else ""))
        self.estimate = Estimate(plan, begun, self.clock)
        options = {"dynamic_ncols": True, "mininterval": 0.5, "miniters": 1, "bar_format": _FORMAT}
        self.bar = open_bar(total=plan.work(begun), desc=self._description(), **options)

    def on_step_end(self, args, state, control, **_):
        if self.bar is not None:
            self.estimate.stepped(state.global_step)
            self._tell(refresh=False)
            self.bar.update(self.estimate.plan.tokens[state.global_step - 1])

    def on_log(self, args, state, control, logs=None, **_):
        if self.bar is not None and "loss" in (logs or {}):
            self.loss = f", loss {float(logs['loss']):.2f}"
            self._tell()

    @contextmanager
    def scoring(self) -> Iterator[None]:
        """Shows that the model is scored within the block."""
        if self.bar is None:
            yield
            return
        self._tell(", scoring")
        yield
        self.estimate.scored()
        self._tell()

    def _tell(self, doing: str | None = None, refresh: bool = True) -> None:
        times = self.estimate.seconds()
        told = f" of {roughly(times[0])}, {tqdm.format_interval(times[1])} left" if times else ""
        self.bar.bar_format = _FORMAT + told
        self.bar.set_description_str(self._description(doing), refresh)

    def _description(self, doing: str | None = None) -> str:
        return f"step {self.estimate.step:,} of {self.steps:,}{doing or self.loss}"


def plan_training(
    steps: int, config, order: TrainingOrder, model: nn.Module, evaluation: Evaluation | None
) -> Plan | None:
    """The plan of a fine-tuning run of ``steps`` steps with a ``FineTuneConfig``; None if it takes only a moment."""
    questions = len(evaluation.examples) if evaluation else 0
    scored_tokens = (
        int(lengths_of(list_column(evaluation.features, "input_ids")).sum()) if evaluation and evaluation.windows else 0
    )
    epoch = -(-len(order) // order.accumulation)
    scored_after = _scored_after(steps, epoch, config.evaluate_every) if questions else set()
    line = _line(steps, steps / epoch, order, questions, len(scored_after))
    plan = Plan(line, order.tokens(steps), scored_after, scored_tokens)
    size = model.config
    weights = layer_weights(size)
    work = plan.work() + len(scored_after) * SCORING * scored_tokens
    return None if config.progress is None and work * weights < TINY else plan


def _scored_after(steps: int, epoch: int, every: int | str | None) -> set[int]:
    """The steps after which a run is scored; the last one is always among them."""
    every = epoch if every == "epoch" else every
    return {*range(every, steps + 1, every), steps} if every else {steps}


def _line(steps: int, epochs: float, order: TrainingOrder, questions: int, scored: int) -> str:
    """``500 steps of 16 windows (2 epochs over 4,012 windows), scored 4 times on 1,000 questions``."""
    share = f"{epochs:.3g} epoch{'' if epochs == 1 else 's'} over" if epochs >= 1 else f"{100 * epochs:.2g}% of"
    size, all_windows = _count(order.windows_per_step, "window"), _count(len(order.lengths), "window")
    line = f"{_count(steps, 'step')} of {size} ({share} {all_windows})"
    often = {1: "once", 2: "twice"}.get(scored, f"{scored} times")
    return f"{line}, scored {often} on {_count(questions, 'question')}" if questions else line


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def roughly(seconds: float) -> str:
    """A duration in words: "about 40 seconds", "about 1.5 minutes", "about 6 minutes", "about 2 hours"."""
    if seconds <= 50:
        return f"about {max(1, math.ceil(seconds / 10)) * 10} seconds"
    if seconds < 90 * 60:
        minutes = round(seconds / 60) if seconds >= 270 else round(seconds / 30) / 2
        return f"about {minutes:g} minutes" if minutes > 1 else "about a minute"
    return f"about {round(seconds / 3600, 1):g} hours"
