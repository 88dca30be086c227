"""Making shapes explicit: a check against named axes."""


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
        hint = "an axis is missing; was it squeezed or summed away?"
        if len(shape) > len(wanted):
            hint = "one axis too many: squeeze or index it" if len(shape) == len(wanted) + 1 else "too many axes"
        raise ValueError(f"expected {len(wanted)} axes {named}, got {len(shape)} with shape {shape}: {hint}")
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
