"""What several test files share: a short run, callbacks that disturb it, and comparisons of models."""

import math

import pytest
import torch
from transformers import TrainerCallback

from qa_helpers import FineTuneConfig, fine_tune, load_model

SHORT = FineTuneConfig(
    max_steps=12, batch_size=4, learning_rate=1e-3, max_length=40, stride=12, log_every=2, precision="float32", seed=3
)


def weights(model):
    """Parameter name without the encoder's prefix → values."""
    return {
        name.removeprefix("encoder.").removeprefix("bert."): value.clone()
        for name, value in model.state_dict().items()
        if "position_ids" not in name
    }


def assert_same_weights(a, b):
    a, b = weights(a), weights(b)
    assert a.keys() == b.keys()
    different = [name for name in a if not torch.equal(a[name], b[name])]
    assert different == []


def assert_close_weights(a, b, start):
    """They end at the same place, but for rounding: the distance between them is small beside the way they went.

    Rounding cannot be ruled out weight by weight: where a gradient is nearly 0 (the bias of every key), Adam scales its
    rounding up to full steps.
    """
    a, b, start = (torch.cat([value.flatten() for value in weights(model).values()]) for model in (a, b, start))
    assert (a - b).norm() < 0.05 * (a - start).norm()


class LaptopClosed(Exception):
    pass


class Stop(TrainerCallback):
    """Breaks a run off after a step."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **_):
        if state.global_step == self.step:
            raise LaptopClosed


class First(TrainerCallback):
    """Notes the first step that a run takes."""

    step = None

    def on_step_end(self, args, state, control, **_):
        self.step = self.step or state.global_step


class Poison(TrainerCallback):
    """Makes the weights NaN after a step, as a diverging run does."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, model=None, **_):
        if state.global_step == self.step:
            with torch.no_grad():
                model.qa_outputs.bias.fill_(math.nan)


def interrupted(checkpoint, tokenizer, examples, config, stop=9, model=None):
    """Train, and break the run off after a step."""
    with pytest.raises(LaptopClosed):
        fine_tune(model or load_model(checkpoint), tokenizer, examples, None, config, callbacks=[Stop(stop)])
