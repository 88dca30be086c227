"""A short text that identifies content: equal content gives the same text, in every process and on every machine."""

import hashlib

import numpy as np
import torch


def fingerprint(*parts: bytes | str | np.ndarray | torch.Tensor) -> str:
    """32 hexadecimal digits that depend on every part, on its shape and number format, and on the order of the parts."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        described, content = _described(part)
        digest.update(f"{described} {len(content)} ".encode())  # so that "ab", "c" is not "a", "bc"
        digest.update(content)
    return digest.hexdigest()


def _described(part) -> tuple[str, memoryview | bytes]:
    """(kind, shape and number format; content) of a part."""
    if isinstance(part, torch.Tensor):
        numbers = part.detach().cpu().contiguous().reshape(-1).view(torch.uint8)  # also for bfloat16, which NumPy lacks
        return f"{tuple(part.shape)} {part.dtype}", memoryview(numbers.numpy())
    if isinstance(part, np.ndarray):
        return f"{part.shape} {part.dtype}", part.tobytes()
    return type(part).__name__, part.encode() if isinstance(part, str) else part
