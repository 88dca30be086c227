"""Several processes, as ``accelerate launch`` and ``torchrun`` start them: which one writes, which ones wait, and what
they all know.

With one process, none of this does anything. torch and Accelerate are imported only where they are needed, since the
command line calls :func:`is_main` before it loads either.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def is_main() -> bool:
    """Whether this process is the one that writes and prints (rank 0). It imports no library, so it is cheap."""
    return os.environ.get("RANK", "0") == "0"


def speaker():
    """A console to print on; of several processes, only the first one prints."""
    from rich.console import Console

    return Console(highlight=False, quiet=not is_main())


def state():
    """This process's place among the others, as ``accelerate.PartialState``; it joins them on first use."""
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())


@contextmanager
def main_process_first() -> Iterator[None]:
    """The first process of each machine runs the block, then the others do, and can use what it left on disk."""
    with state().local_main_process_first():
        yield


def decided_by_main(decide: Callable):
    """Call ``decide()`` in the main process; return its result, or raise its ValueError, in all processes."""
    found = [None, None]
    if state().is_main_process:
        try:
            found[0] = decide()
        except ValueError as error:
            found[1] = error
    if state().num_processes > 1:
        from accelerate.utils import broadcast_object_list

        broadcast_object_list(found)
    if found[1] is not None:
        raise found[1]
    return found[0]


def all_shares(own: list) -> list:
    """The lists of all processes joined, in order, in every process."""
    if state().num_processes == 1:
        return own
    from accelerate.utils import gather_object

    return gather_object(own)
