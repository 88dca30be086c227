"""tools/run_notebooks.py: what ``make run`` and ``make notebooks`` rely on."""

import subprocess
import sys
from pathlib import Path

import nbformat

VIEW, STATE = "application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json"
RUNNER = Path(__file__).parents[1] / "tools" / "run_notebooks.py"


def write(path: Path, *sources: str) -> Path:
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources]), path)
    return path


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, RUNNER, *map(str, arguments)], capture_output=True, text=True)


def test_reports_each_notebook_and_fails_if_one_does(tmp_path):
    good, bad = write(tmp_path / "good.ipynb", "print(6 * 7)"), write(tmp_path / "bad.ipynb", "1 / 0")
    before = bad.read_text()
    finished = run("--in-place", good, bad)
    assert finished.returncode == 1
    assert "1 passed, 1 failed" in finished.stdout and "ZeroDivisionError" in finished.stderr
    assert bad.read_text() == before, "a notebook that fails is left as it was"
    executed = nbformat.read(good, as_version=4)
    assert executed.cells[0].outputs[0].text == "42\n" and executed.cells[0].execution_count == 1
    assert executed.metadata.kernelspec.name == "python3"


def test_writes_nothing_unless_asked(tmp_path):
    path = write(tmp_path / "quiet.ipynb", "print('hello')")
    before = path.read_text()
    finished = run(path)
    assert finished.returncode == 0 and "1 passed, 0 failed" in finished.stdout
    assert path.read_text() == before
    assert run("--output-dir", tmp_path / "out", path).returncode == 0
    assert "hello" in (tmp_path / "out" / "quiet.ipynb").read_text()


def test_keeps_the_state_of_the_widgets_it_shows(tmp_path):
    make = "import ipywidgets as w; unseen = w.HTML('unseen'); box = w.VBox([w.IntSlider(7)]); box"
    path = write(tmp_path / "widget.ipynb", make, "box")
    assert run("--in-place", path).returncode == 0
    first = path.read_text()
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    saved = notebook.metadata.widgets[STATE]
    views = [cell.outputs[0].data[VIEW]["model_id"] for cell in notebook.cells]
    assert views[0] == views[1] and saved["state"][views[0]]["model_name"] == "VBoxModel"
    assert (saved["version_major"], saved["version_minor"]) == (2, 0)
    (slider,) = saved["state"][views[0]]["state"]["children"]
    assert saved["state"][slider.removeprefix("IPY_MODEL_")]["state"]["value"] == 7
    assert "unseen" not in str(saved), "what no output shows is left out"
    assert run("--in-place", path).returncode == 0
    assert path.read_text() == first, "ids are the same in every run"


def test_without_widgets_there_is_no_entry_for_them(tmp_path):
    path = write(tmp_path / "plain.ipynb", "import ipywidgets as w; unseen = w.HTML('unseen')\n6 * 7")
    assert run("--in-place", path).returncode == 0
    assert "widgets" not in nbformat.read(path, as_version=4).metadata
