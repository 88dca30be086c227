"""Progress bars: whether to show them, and one for any loop that takes more than a moment.

Bars are shown in a notebook and on a terminal. They are not shown where a program reads the output: in a script whose
output is piped, in all but the first of several processes, and where the environment variable ``QA_BARS`` is "off", as
it is when the committed notebooks are executed. ``QA_BARS=on`` shows them everywhere.
"""

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm

PATIENCE = 2.0  # seconds of work before a bar appears: in a notebook, every bar leaves a trace in the cell's output
WIDGETS = any("notebook" in kind.__name__ for kind in tqdm.__mro__)  # whether tqdm draws in a notebook
_FORMAT = "{desc} |{bar}| {n_fmt} of {total_fmt} {unit}, {remaining} left"
_WITHOUT_END = "{desc}: {n_fmt} {unit}, {elapsed} elapsed"


def bars_shown(wanted: bool | None = None) -> bool:
    """Whether long work should show a bar here: ``wanted``, or this module's rule if it is None."""
    if os.environ.get("RANK", "0") != "0":  # of several processes, only the first one shows bars
        return False
    said = os.environ.get("QA_BARS", "").strip().lower()
    if wanted is not None or said in ("on", "off"):
        return said == "on" if wanted is None else wanted
    return in_kernel() or (sys.stderr is not None and sys.stderr.isatty())


def in_kernel() -> bool:
    """Whether this runs in a notebook's kernel, whose front end draws figures and widgets (not in a terminal's IPython)."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def say(line: str) -> None:
    """Print a line about the work to come: in a notebook to stdout (stderr is red there), elsewhere to stderr, since the
    command line's results go to stdout."""
    tqdm.write(line, file=sys.stdout if in_kernel() else sys.stderr)


@contextmanager
def counting(what: str, total: int | None = None, unit: str = "", shown: bool | None = None) -> Iterator[Callable]:
    """A bar for the work of the block, which reports its progress: ``with counting("Reading") as done: … done(1)``.

    The bar appears if the block takes more than :data:`PATIENCE`, and disappears at the end of the block, however it
    ends. (A bar around a loop alone would stay after an error for as long as the notebook keeps the traceback.)
    """
    begun, count, bar = time.time(), 0, None

    def done(more: int) -> None:
        nonlocal count, bar
        count += more
        if bar is not None:
            bar.update(more)
        elif time.time() - begun > PATIENCE:
            options = {"unit": unit, "leave": False, "dynamic_ncols": True, "smoothing": 0}  # 0: the mean speed so far
            bar = open_bar(desc=what, total=total, bar_format=_FORMAT if total else _WITHOUT_END, **options)
            bar.start_t, bar.n = begun, count
            bar.refresh()

    try:
        yield done if bars_shown(shown) else lambda more: None
    finally:
        if bar is not None:
            close_bar(bar)


@contextmanager
def track(items: Iterable, what: str, total: int | None = None, unit: str = "", shown: bool | None = None) -> Iterator:
    """The same items, counted on a bar: ``with track(rows, "Reading") as rows: for row in rows: …`` (see :func:`counting`)."""
    if not bars_shown(shown):
        yield items
        return
    with counting(what, len(items) if total is None and hasattr(items, "__len__") else total, unit, True) as done:

        def counted() -> Iterator:
            for item in items:
                yield item
                done(1)

        yield counted()


def open_bar(**options) -> tqdm:
    """Open a tqdm bar, to be closed with :func:`close_bar`."""
    if not WIDGETS:
        return tqdm(**options)
    from IPython.display import display

    bar = tqdm(display=False, **options)
    view = {"version_major": 2, "version_minor": 0, "model_id": bar.container.model_id}
    shown = {"application/vnd.jupyter.widget-view+json": view, "text/plain": ""}
    bar.place = display(shown, raw=True, display_id=True)
    return bar


def close_bar(bar: tqdm, text: str = "") -> None:
    """Close a bar. In a notebook it is replaced by ``text`` (or by nothing): when the notebook is opened again without
    the kernel that knows the widget, JupyterLab would show "Error displaying widget" there."""
    if WIDGETS:
        bar.leave, bar.total = False, None  # tqdm would leave an unfinished bar there, in red
    bar.close()
    if WIDGETS:
        bar.place.update({"text/plain": text} if text else {}, raw=True)


def set_library_bars(weights: bool, downloads: bool, data: bool) -> None:
    """Switch the libraries' own bars, which appear at once, however short the work is.

    Args:
        weights: transformers' "Loading weights".
        downloads: huggingface_hub's, one for each file.
        data: those of ``datasets``: ``map``, ``filter``, and what it does with a download.
    """
    import datasets
    import huggingface_hub.utils as hub
    from transformers.utils import logging

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "Cannot disable": the libraries' own environment variables have priority
        logging.enable_progress_bar() if weights else logging.disable_progress_bar()  # this switches the hub's, too
        hub.enable_progress_bars() if downloads else hub.disable_progress_bars()
        datasets.enable_progress_bars() if data else datasets.disable_progress_bars()


@contextmanager
def library_bars(downloads: bool, data: bool) -> Iterator[None]:
    """Switch the libraries' bars for a block (see :func:`set_library_bars`); reading a model's weights shows none."""
    import datasets
    import huggingface_hub.utils as hub
    from transformers.utils import logging

    before = logging.is_progress_bar_enabled(), not hub.are_progress_bars_disabled()
    before += (not datasets.are_progress_bars_disabled(),)
    set_library_bars(False, downloads, data)
    try:
        yield
    finally:
        set_library_bars(*before)
