"""A student in Colab: what Colab has is installed, the course is not, and a notebook stands alone in an empty folder.

The setup cell runs as it stands, with the address stamped; git is told that this address is a copy of the course on
this machine. Started by ``make test-colab``, since it installs torch and transformers anew; with ``LESSONS="06 07"`` it
runs these lessons, not the first one.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
import stamp_links

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ROOT / "tests/fixtures/colab.txt"
LESSONS = [
    path.name
    for number in os.environ.get("LESSONS", "01").split()
    for path in sorted((ROOT / "notebooks").glob(f"{number}_*.ipynb"))
]
ADDRESS = "nobody--has-this-name/qa-course"  # GitHub gives out no name with two hyphens in a row
OFFLINE = ("NewConnectionError", "ConnectTimeout", "Max retries exceeded", "name resolution", "Network is unreachable")

pytestmark = pytest.mark.skipif(
    not os.environ.get("QA_COLAB"), reason="installs torch and transformers anew: run it by `make test-colab`"
)


def run(command: list, **options) -> subprocess.CompletedProcess:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)


@pytest.fixture(scope="module")
def colab(tmp_path_factory, pytestconfig) -> Path:
    """The Python of a fresh virtual environment with the packages that Colab has."""
    written = date.fromisoformat(re.search(r"as of: (\S+)", VERSIONS.read_text(encoding="utf-8"))[1])
    age = (date.today() - written).days
    with pytestconfig.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
        print(
            f"\nColab's versions are those of {written}, {age} days ago; newer ones go into {VERSIONS.relative_to(ROOT)}"
        )
    folder = tmp_path_factory.mktemp("colab") / "venv"
    run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    packages = ["torch", "-c", torch_pin(folder.parent), "-r", VERSIONS]
    done = run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages])
    if done.returncode and any(sign in done.stderr for sign in OFFLINE):
        pytest.skip("pip reaches no package registry, so there is no Colab to play")
    assert done.returncode == 0, done.stderr[-3000:]
    return python


def torch_pin(folder: Path) -> Path:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    path = folder / "torch.txt"
    path.write_text("\n".join(line for line in lines if line.startswith("torch==")), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """A git repository with the course as it is in the working tree, stamped with an address."""
    folder = tmp_path_factory.mktemp("published")
    listed = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT)
    if listed.returncode:
        pytest.skip("not a git checkout, so there is no list of the course's files")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    stamp_links.stamp(ADDRESS, folder)
    author = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "the course"]):
        run(["git", *author, *arguments], cwd=folder, check=True)
    return folder


@pytest.fixture
def student(colab, published, tmp_path):
    """Runs a notebook, alone in an empty folder, in Colab's environment; returns (exit code, errors, the executed copy)."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "QA_", "JUPYTER"))
    }
    environment |= {
        "VIRTUAL_ENV": str(colab.parent.parent),
        "PATH": f"{colab.parent}{os.pathsep}{os.environ['PATH']}",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{published}.insteadOf",
        "GIT_CONFIG_VALUE_0": f"https://github.com/{ADDRESS}",
    }

    def open_notebook(path: Path) -> tuple[int, str, Path]:
        alone, executed = tmp_path / "content", tmp_path / "executed"
        alone.mkdir()
        shutil.copy(path, alone)
        runner = [colab, ROOT / "tools/run_notebooks.py", "--output-dir", executed, alone / path.name]
        done = run(runner, cwd=alone, env=environment)
        output = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)  # without the colours of tracebacks
        return done.returncode, output, executed / path.name

    return open_notebook


def installed(python: Path) -> dict[str, str]:
    listed = run([python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"], check=True).stdout
    return {package["name"].lower().replace("_", "-"): package["version"] for package in json.loads(listed)}


def test_without_an_address_nothing_is_installed(student, colab, published, tmp_path):
    before = installed(colab)
    stamp_links.stamp("", published)
    try:
        code, output, _ = student(published / "notebooks/01_dataset.ipynb")
    finally:
        stamp_links.stamp(ADDRESS, published)
    assert code == 1
    assert "AssertionError: This copy does not know its address on GitHub yet: open a published copy instead" in output
    assert installed(colab) == before


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_runs_and_nothing_that_colab_has_changes(student, colab, published, lesson):
    run([colab, "-m", "pip", "uninstall", "--quiet", "--yes", "qa-helpers", "torchinfo"])
    before = installed(colab)
    assert "qa-helpers" not in before
    code, output, executed = student(published / "notebooks" / lesson)
    assert code == 0, output
    after = installed(colab)
    changed = {name: (version, after.get(name)) for name, version in before.items() if after.get(name) != version}
    assert not changed, f"the setup cell changed what Colab has: {changed}"
    assert {"qa-helpers", "torchinfo"} <= set(after)
    if lesson[:2] != "12":  # its extra brings more: see the test below
        assert set(after) - set(before) == {"qa-helpers", "torchinfo"}
    outputs = [o for cell in json.loads(executed.read_text(encoding="utf-8"))["cells"] for o in cell.get("outputs", [])]
    assert len(outputs) > 10
    assert not [output for output in outputs if output["output_type"] == "error"]


def test_lesson_12_also_gets_the_packages_of_its_extra(student, colab, published, tmp_path):
    """Its first two cells alone: the lesson itself takes minutes."""
    before = installed(colab)
    notebook = json.loads((published / "notebooks/12_put_it_to_work.ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    check = {**code[1], "source": "import fastapi, httpx, onnx, onnxruntime, onnxscript"}
    notebook["cells"] = [*code[:2], check]
    path = tmp_path / "beginning.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    code, output, _ = student(path)
    assert code == 0, output
    after = installed(colab)
    assert {"fastapi", "onnx", "onnxruntime", "onnxscript"} <= set(after)
    changed = {name: (version, after.get(name)) for name, version in before.items() if after.get(name) != version}
    assert not changed, f"the packages of lesson 12 changed what Colab has: {changed}"


def test_training_works_with_the_versions_that_colab_has(colab, tmp_path):
    """Names of the library's options change between versions, and training uses most of them."""
    assert "qa-helpers" in installed(colab), "the test above installs it"
    lines = [
        "import qa_helpers as qa",
        "course = qa.setup()",
        "data = {split: rows.select(range(8)) for split, rows in course.load_data().items()}",
        "model, config = course.load_model(), course.fine_tune_config(max_steps=2)",
        "print(qa.fine_tune(model, course.load_tokenizer(), data['train'], data['validation'], config).steps, 'steps')",
    ]
    done = run([colab, "-c", "\n".join(lines)], cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "2 steps" in done.stdout
