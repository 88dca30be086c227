"""What one student's kernel needs while a lesson runs: peak memory and CPU seconds, for planning a shared server.

    OMP_NUM_THREADS=1 python tools/measure_lessons.py notebooks/04_labels.ipynb notebooks/06_fine_tuning.ipynb

Executes each notebook in a kernel of its own, saves nothing, and watches the kernel and all processes below it. The
figures stand in notebooks/TEACHING.md. "rss" is resident memory summed over these processes; "pss" counts pages that
several processes share (libraries) in parts, so it is closer to what one more student costs on a server full of them.
"""

import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient

INTERVAL = 0.2  # seconds between two looks; a peak shorter than that can be missed


def memory(tree: list[psutil.Process]) -> tuple[int, int]:
    """(rss, pss) in bytes, summed over processes that are still there."""
    rss = pss = 0
    for process in tree:
        with suppress(psutil.NoSuchProcess):
            rss += process.memory_info().rss
            pss += getattr(process.memory_full_info(), "pss", 0)  # Linux only
    return rss, pss


class Watch(threading.Thread):
    """Looks at the processes below this one until told to stop; peaks in bytes, CPU time in seconds."""

    def __init__(self):
        super().__init__(daemon=True)
        self.stopped, self.rss, self.pss, self.cpu = threading.Event(), 0, 0, {}

    def run(self):
        me = psutil.Process()
        while not self.stopped.wait(INTERVAL):
            tree = me.children(recursive=True)
            rss, pss = memory(tree)
            self.rss, self.pss = max(self.rss, rss), max(self.pss, pss)
            for process in tree:
                with suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    self.cpu[process.pid] = times.user + times.system


def measure(path: Path) -> None:
    notebook, watch = nbformat.read(path, as_version=4), Watch()
    watch.start()
    begun = time.perf_counter()
    NotebookClient(
        notebook, timeout=None, kernel_name="python3", resources={"metadata": {"path": path.parent}}
    ).execute()
    seconds = time.perf_counter() - begun
    watch.stopped.set()
    watch.join()
    mib = f"rss {watch.rss / 2**20:5.0f} MiB  pss {watch.pss / 2**20:5.0f} MiB"
    print(f"{path.stem:<26} {mib}  CPU {sum(watch.cpu.values()):4.0f} s  wall {seconds:4.0f} s", flush=True)


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(__doc__)
    os.environ["QA_BARS"] = "off"
    for name in sys.argv[1:]:
        measure(Path(name))
