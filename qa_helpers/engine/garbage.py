"""Python's search for garbage, and when it is not worth its time."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """No search for objects that only refer to each other, where many are made and none of them do.

    Python looks through all objects again whenever their number has grown by a quarter. With PyTorch and transformers
    loaded that takes a fifth of a second each time: longer than reading or decoding a thousand examples.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
