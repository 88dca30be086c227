"""What a training runs on and what it takes: the processor or GPU, the arithmetic of a step, the memory it holds."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from ..model import half_precision


def describe_machine():
    """The device that training will use, and the precision that ``FineTuneConfig(precision="auto")`` means on it.

    Returns:
        pandas.DataFrame with a row per fact. On a GPU: name, memory (free and in all), compute capability, CUDA, driver
        (where it can be read); on a CPU: its kind, cores, threads. Precision and torch's version on both.
    """
    import pandas as pd

    on_gpu = torch.cuda.is_available()
    facts = _gpu_facts() if on_gpu else _cpu_facts()
    half = half_precision("cuda" if on_gpu else "cpu")
    precision = f"autocast to {str(half).removeprefix('torch.')}" if half else "float32"
    facts |= {"precision": precision, "torch": torch.__version__.split("+")[0]}
    return pd.DataFrame({"value": facts}).rename_axis("fact")


def count_flops(model: nn.Module, batch: Mapping[str, torch.Tensor]) -> int:
    """Floating-point operations of one training step's matrix products, forward and backward.

    A multiplication and an addition count as two. What is not a matrix product (sums, softmax, the optimizer) is a few
    per cent and left out.

    Args:
        model: in training mode or not; its gradients are left as they are. On the device "meta" nothing is computed,
            only counted; leave ``attention_mask`` out there. Elsewhere the kernel that works attention out in one go
            may not be counted: on a CPU it is not.
        batch: the model's inputs, labels included.
    """
    from torch.utils.flop_counter import FlopCounterMode

    weights = [p for p in model.parameters() if p.requires_grad]
    with FlopCounterMode(display=False) as counter:
        torch.autograd.grad(model(**batch).loss, weights, allow_unused=True)
    return counter.get_total_flops()


def saved_bytes(model: nn.Module, batch: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """Bytes that a forward pass keeps for the backward pass, the weights themselves left out.

    Args:
        model: in training mode, so that dropout's masks are counted, too. May be on the device "meta".
        batch: the model's inputs, labels included.

    Returns:
        ``"attention tables"``: tensors whose last two axes are both the sequence, one number per pair of tokens. Kernels
        that work attention out in one go keep at most the mask of these. ``"activations"``: all the others.
    """
    sequence = batch["input_ids"].size(1)
    own = {_storage(p) for p in model.parameters()} | {_storage(b) for b in model.buffers()}
    found: dict[int, tuple[str, int]] = {}
    keep = []  # a freed tensor's address may be given to another: hold them while counting

    def pack(tensor):
        if _storage(tensor) not in own:
            keep.append(tensor)
            kind = "attention tables" if tensor.shape[-2:] == (sequence, sequence) else "activations"
            found.setdefault(_storage(tensor), (kind, tensor.untyped_storage().nbytes()))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(**batch)
    return {name: sum(n for kind, n in found.values() if kind == name) for name in ("activations", "attention tables")}


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata  # identity also where there is no memory behind it ("meta")


def _gpu_facts() -> dict[str, str]:
    gpu = torch.cuda.get_device_properties(0)
    free, total = torch.cuda.mem_get_info(0)
    facts = {
        "device": f"{gpu.name}" + (f", one of {torch.cuda.device_count()}" if torch.cuda.device_count() > 1 else ""),
        "memory": f"{free / 2**30:.1f} GiB free of {total / 2**30:.1f}",
        "compute capability": f"{gpu.major}.{gpu.minor}",
        "CUDA": str(torch.version.cuda),
    }
    driver = Path("/proc/driver/nvidia/version")
    if driver.is_file():
        words = driver.read_text(encoding="utf-8").splitlines()[0].split()
        facts["driver"] = next((word for word in words if word[0].isdigit() and "." in word), "unknown")
    return facts


def _cpu_facts() -> dict[str, str]:
    return {
        "device": f"CPU, {platform.machine()}",
        "cores": str(os.cpu_count()),
        "threads that torch uses": str(torch.get_num_threads()),
    }
