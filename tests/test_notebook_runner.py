"""tests/run_notebooks.py: what ``make run`` and ``make notebooks`` rely on."""

import subprocess
import sys
from pathlib import Path

import nbformat

RUNNER = Path(__file__).with_name("run_notebooks.py")


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
