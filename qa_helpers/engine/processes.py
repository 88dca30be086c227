"""Several processes, as ``accelerate launch`` and ``torchrun`` start them: who writes, who waits, what all of them know.

With one process all of this does nothing. torch and Accelerate are loaded where they are needed: the command line asks
:func:`is_main` before it loads either.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def is_main() -> bool:
    """Whether this process is the one that writes and prints (rank 0). Touches no library, so it is free to ask."""
    return os.environ.get("RANK", "0") == "0"


def speaker():
    """A console to print on; of several processes, the first one speaks for all."""
    from rich.console import Console

    return Console(highlight=False, quiet=not is_main())


def state():
    """This process's place among the others, as ``accelerate.PartialState``; it joins them on first use."""
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())


@contextmanager
def main_process_first() -> Iterator[None]:
    """The first process of each machine runs the block, then the others do: they find what it has left."""
    with state().local_main_process_first():
        yield


def decided_by_main(decide: Callable):
    """What ``decide()`` returns in the main process, in all processes. Its ValueError is raised in all of them, too."""
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
