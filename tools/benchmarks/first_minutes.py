"""How long a newcomer waits: for the import, for the command line's help, and for the tour's first answer.

    python tools/benchmarks/first_minutes.py

Medians of several tries, each in a fresh process, after one that is not counted (it fills the disk's cache). The import
and the help are without the interpreter's own start, which is measured beside them.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]


def seconds(*arguments: str, tries: int = 7) -> float:
    """Median time of a Python process."""
    times = []
    for _ in range(tries + 1):
        begun = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True, cwd=ROOT)
        times.append(time.perf_counter() - begun)
    return statistics.median(times[1:])


def first_answer(tries: int = 3) -> tuple[float, str]:
    """Median time from a kernel's start to the tour's first printed answer, and that answer."""
    path = ROOT / "notebooks" / "00_tour.ipynb"
    times = []
    for _ in range(tries + 1):
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(
            notebook,
            resources={"metadata": {"path": str(path.parent)}},
            extra_arguments=["--IPKernelApp.log_level=40"],  # errors only
        )
        begun = time.perf_counter()
        with client.setup_kernel():
            for number, cell in enumerate(notebook.cells):
                client.execute_cell(cell, number)
                printed = "".join(output.get("text", "") for output in cell.get("outputs", []))
                if "'answer':" in printed:
                    break
        times.append(time.perf_counter() - begun)
    return statistics.median(times[1:]), printed.strip()


def main() -> None:
    os.environ["QA_BARS"] = "off"
    bare = seconds("-c", "pass")
    print(f"python itself: {bare:.2f} s")
    print(f"import qa_helpers: {seconds('-c', 'import qa_helpers') - bare:.3f} s more")
    print(f"qa-helpers --help: {seconds('-m', 'qa_helpers', '--help'):.2f} s in all")
    answer_time, answer = first_answer()
    print(f"the tour's first answer: {answer_time:.1f} s after its kernel was started; {answer}")


if __name__ == "__main__":
    main()
