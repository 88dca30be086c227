"""The recap of a lesson: a table of every tensor's name, shape and meaning."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from ..model import MODEL_INPUTS, ExtractiveQA


def trace_shapes(model: ExtractiveQA, batch: Mapping[str, torch.Tensor]):
    """Run one batch and tabulate every tensor from the token ids to the loss, in the order of computation.

    Args:
        model: the lesson's own class.
        batch: what :func:`qa_helpers.make_batch` returned, labels included.

    Returns:
        What :func:`shape_table` returns.
    """
    seen: dict[str, torch.Tensor] = {}
    hook = model.qa_outputs.register_forward_hook(
        lambda _, inputs, output: seen.update(hidden_states=inputs[0].detach(), logits=output.detach())
    )
    try:
        with torch.no_grad():
            output = model(**batch)
    finally:
        hook.remove()
    tensors = {
        **{name: batch[name] for name in MODEL_INPUTS if name in batch},
        **seen,
        "start_logits": output.start_logits,
        "end_logits": output.end_logits,
        "start_positions": batch["start_positions"],
        "end_positions": batch["end_positions"],
        "loss": output.loss,
    }
    meanings = {
        "input_ids": "vocabulary index of each token",
        "attention_mask": "1 for a token, 0 for padding",
        "token_type_ids": "0 in the question, 1 in the context",
        "hidden_states": "one contextual embedding per token",
        "logits": "two numbers per token: start and end",
        "start_logits": "how well the answer starts at each token",
        "end_logits": "how well the answer ends at each token",
        "start_positions": "label: token where the answer starts",
        "end_positions": "label: token where the answer ends, inclusive",
        "loss": "mean of the two cross-entropies",
    }
    return shape_table(tensors, {name: meanings[name] for name in tensors})


def shape_table(tensors: Mapping[str, object], meanings: Mapping[str, str]):
    """A table of each tensor's name, shape, dtype and meaning.

    Args:
        tensors: name → tensor, array or (nested) list of equal lengths.
        meanings: name → what it holds, in a few words; every tensor needs one.

    Returns:
        pandas.DataFrame indexed by ``name``, with columns ``shape``, ``dtype``, ``meaning`` (a table in a notebook).

    Raises:
        ValueError: a tensor has no meaning given, or the other way round.
    """
    if set(tensors) != set(meanings):
        raise ValueError(f"names differ between tensors and meanings: {sorted(set(tensors) ^ set(meanings))}")
    rows = []
    for name, tensor in tensors.items():
        array = tensor if hasattr(tensor, "shape") else np.asarray(tensor)
        rows.append((name, str(tuple(array.shape)), str(array.dtype).removeprefix("torch."), meanings[name]))
    return pd.DataFrame(rows, columns=["name", "shape", "dtype", "meaning"]).set_index("name")
