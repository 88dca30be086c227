"""Making shapes explicit: a check against named axes, and a table of tensors for a lesson's recap."""

from collections.abc import Mapping


def expect(tensor, axes: str, **sizes: int) -> dict[str, int]:
    """Check a tensor's shape against named axes and return the size of each name.

    Args:
        tensor: anything with a ``.shape`` (torch, numpy).
        axes: names and numbers separated by spaces, one per axis: ``"batch sequence 2"``. A number must match
            exactly; a name may have any size, but the same size everywhere it occurs; ``_`` matches anything.
        sizes: sizes already known, usually what an earlier ``expect`` returned: ``expect(x, "batch 2", **known)``.

    Returns:
        name → size, the known ones included.

    Raises:
        ValueError: the message says which axis differs, what was expected, and the whole shape.

    >>> import torch
    >>> known = expect(torch.zeros(5, 30, 768), "batch sequence hidden")
    >>> expect(torch.zeros(5, 30), "batch sequence", **known)["batch"]
    5
    """
    wanted = axes.split()
    shape = tuple(int(n) for n in tensor.shape)
    named = "(" + ", ".join(wanted) + ")"
    if len(wanted) != len(shape):
        more = "one axis too many: squeeze or index it" if len(shape) == len(wanted) + 1 else "too many axes"
        raise ValueError(
            f"expected {len(wanted)} axes {named}, got {len(shape)} with shape {shape}"
            + (f": {more}" if len(shape) > len(wanted) else ": an axis is missing; was it squeezed or summed away?")
        )
    known = dict(sizes)
    for position, (axis, size) in enumerate(zip(wanted, shape)):
        if axis == "_":
            continue
        want = int(axis) if axis.isdigit() else known.setdefault(axis, size)
        if want != size:
            swapped = sorted(shape) == sorted(int(a) if a.isdigit() else known.get(a, -1) for a in wanted)
            raise ValueError(
                f"axis {position} ({axis}) should be {want}, is {size}: expected {named}, got shape {shape}"
                + ("; the sizes fit in another order: is a transpose missing?" if swapped else "")
            )
    return known


def shape_table(tensors: Mapping[str, object], meanings: Mapping[str, str]):
    """Recap of a lesson: a table of each tensor's name, shape, dtype and meaning.

    Args:
        tensors: name → tensor, array or (nested) list of equal lengths.
        meanings: name → what it holds, in a few words; every tensor needs one.

    Returns:
        pandas.DataFrame indexed by ``name``, with columns ``shape``, ``dtype``, ``meaning`` (a table in a notebook).

    Raises:
        ValueError: a tensor has no meaning given, or the other way round.
    """
    import numpy as np
    import pandas as pd

    if set(tensors) != set(meanings):
        raise ValueError(f"names differ between tensors and meanings: {sorted(set(tensors) ^ set(meanings))}")
    rows = []
    for name, tensor in tensors.items():
        array = tensor if hasattr(tensor, "shape") else np.asarray(tensor)
        rows.append((name, str(tuple(array.shape)), str(array.dtype).removeprefix("torch."), meanings[name]))
    return pd.DataFrame(rows, columns=["name", "shape", "dtype", "meaning"]).set_index("name")
