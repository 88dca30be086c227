"""Execute notebooks from top to bottom: a line for each with its time and result.

    python tools/run_notebooks.py [--in-place] [--output-dir DIR] [NOTEBOOK ...]

Without names, every notebook of the course. ``--in-place`` keeps the outputs (that is how the committed ones are
made); ``--output-dir`` writes the executed copies elsewhere; otherwise nothing is written. ``QA_SOURCE`` and
``QA_CHECKPOINT`` choose data and checkpoint, as in the notebooks; relative paths count from where this is started.
"""

import argparse
import json
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

ROOT = Path(__file__).resolve().parent.parent
WIDGET_VIEW, WIDGET_STATE = "application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json"
KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}


def course_notebooks() -> list[Path]:
    """All notebooks, lessons before solutions."""
    return sorted((ROOT / "notebooks").glob("*.ipynb")) + sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))


def execute(path: Path, timeout: int = 600) -> nbformat.NotebookNode:
    """Run one notebook in a fresh kernel, in its own folder, and return it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:03d}"
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k == "tags"})
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        coalesce_streams=True,  # how often a kernel flushes is chance, and no difference to keep
        extra_arguments=["--IPKernelApp.log_level=40"],  # errors only: its warning about local ports repeats for each
    )
    client.execute()
    # Some outputs name the version of Python they were made with; keep only what JupyterLab needs.
    notebook.metadata.language_info = nbformat.from_dict({"name": "python"})
    return settle_widgets(notebook)


def settle_widgets(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Keep the state of the widgets that are shown, and no other, under ids that are the same in every run.

    With its state, a widget is drawn where nothing runs, too (nbviewer). ``metadata.widgets`` *without* ``state`` makes
    GitHub call the whole notebook invalid, so a notebook that shows no widget has no such entry.
    """
    saved = notebook.metadata.pop("widgets", {}).get(WIDGET_STATE, {})
    state = saved.get("state", {})
    shown, waiting = set(), list(widget_views(notebook))
    while waiting:  # a widget's state names others: its children, layout and style
        model = waiting.pop()
        if model in state and model not in shown:
            shown.add(model)
            waiting += re.findall(r"IPY_MODEL_(\w+)", json.dumps(state[model]))
    if not shown:
        return notebook
    kept = {model: state[model] for model in state if model in shown}  # in the order in which they were made
    notebook.metadata.widgets = {WIDGET_STATE: {**saved, "state": kept}}
    text = json.dumps(notebook)
    for number, model in enumerate(kept):
        text = text.replace(model, f"{number:032x}")
    return nbformat.from_dict(json.loads(text))


def widget_views(notebook: nbformat.NotebookNode) -> list[str]:
    """The ids of the widgets in a notebook's outputs, in order."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    views = (output.get("data", {}).get(WIDGET_VIEW) for output in outputs)
    return [view["model_id"] for view in views if view]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument("--in-place", action="store_true")
    parser.add_argument("--output-dir", type=Path)
    options = parser.parse_args()
    for name in ("QA_SOURCE", "QA_CHECKPOINT"):  # kernels start in the notebook's folder
        if name in os.environ and Path(os.environ[name]).exists():
            os.environ[name] = str(Path(os.environ[name]).resolve())
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    os.environ["QA_PROGRESS"] = "off"  # no student's progress is written, or shown in what is committed
    os.environ["QA_BARS"] = "off"  # no progress bar, either
    paths = [path.resolve() for path in options.notebooks] or course_notebooks()
    failed = 0
    for path in paths:
        start = time.perf_counter()
        problem = ""
        try:
            executed = execute(path)
        except (CellExecutionError, CellTimeoutError, RuntimeError) as error:  # RuntimeError: the kernel died
            problem = str(error).strip()
        seconds = time.perf_counter() - start
        print(f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name!s:<50} {seconds:6.1f} s  "
              f"{'FAILED' if problem else 'ok'}", flush=True)  # fmt: skip
        if problem:
            failed += 1
            print(problem, file=sys.stderr)
            continue
        target = path if options.in_place else options.output_dir and options.output_dir / path.name
        if target:
            target.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(executed, target)
    print(f"{len(paths) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
