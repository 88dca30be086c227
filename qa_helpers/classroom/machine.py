"""What a training run uses: the processor or GPU it runs on, the operations of a step, the memory that a step keeps."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from ..model import half_precision


def describe_machine():
    """The device that training will use, and the precision that ``FineTuneConfig(precision="auto")`` selects on it.

    Returns:
        pandas.DataFrame with a row per fact. On a GPU: name, memory (free and total), compute capability, CUDA version,
        and the driver if it can be read; on a CPU: its architecture, cores and threads. On both, the precision and the
        version of torch.
    """
    import pandas as pd

    on_gpu = torch.cuda.is_available()
    facts = _gpu_facts() if on_gpu else _cpu_facts()
    half = half_precision("cuda" if on_gpu else "cpu")
    precision = f"autocast to {str(half).removeprefix('torch.')}" if half else "float32"
    facts |= {"precision": precision, "torch": torch.__version__.split("+")[0]}
    return pd.DataFrame({"value": facts}).rename_axis("fact")


def count_flops(model: nn.Module, batch: Mapping[str, torch.Tensor]) -> int:
    """Count the floating-point operations in the matrix products of one training step, forward and backward.

    A multiplication and an addition count as two operations. Everything else (sums, softmax, the optimizer) adds a few
    per cent and is not counted.

    Args:
        model: in training mode or not; its gradients do not change. On the "meta" device the operations are counted
            without being computed; leave out ``attention_mask`` there. On other devices, operations inside a fused
            attention kernel may be missed; on a CPU they are.
        batch: the model's inputs, labels included.
    """
    from torch.utils.flop_counter import FlopCounterMode

    weights = [p for p in model.parameters() if p.requires_grad]
    with FlopCounterMode(display=False) as counter:
        torch.autograd.grad(model(**batch).loss, weights, allow_unused=True)
    return counter.get_total_flops()


def saved_bytes(model: nn.Module, batch: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """The bytes that a forward pass keeps for the backward pass, not counting the weights themselves.

    Args:
        model: in training mode, so that the masks of dropout are counted, too. It may be on the "meta" device.
        batch: the model's inputs, labels included.

    Returns:
        ``"attention tables"``: tensors whose last two axes are both the sequence, with a number for each pair of tokens.
        Of these, a fused attention kernel keeps the mask at most. ``"activations"``: all other tensors.
    """
    sequence = batch["input_ids"].size(1)
    own = {_storage(p) for p in model.parameters()} | {_storage(b) for b in model.buffers()}
    found: dict[int, tuple[str, int]] = {}
    keep = []  # holds the tensors while counting, because the address of a freed tensor may be used again

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
    return tensor.untyped_storage()._cdata  # identifies the storage even on "meta", where it has no memory


def _gpu_facts() -> dict[str, str]:
    gpu = torch.cuda.get_device_properties(0)
    free, total = torch.cuda.mem_get_info(0)
    facts = {
        "device": f"{gpu.name}" + (f", one of {torch.cuda.device_count()}" if torch.cuda.device_count() > 1 else ""),
        "memory": f"{free / 2**30:.1f} GiB free of {total / 2**30:.1f} GiB",
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
