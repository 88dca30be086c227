"""The project's own files agree with each other: versions, notebooks, what may and may not be committed."""

import json
import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import qa_helpers

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
NOTEBOOKS = [path for path in NOTEBOOKS if ".ipynb_checkpoints" not in path.parts]


def requirements() -> list[Requirement]:
    extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    return [Requirement(line) for line in sorted({*PROJECT["dependencies"], *extras})]  # in the same order everywhere


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("requirement", requirements(), ids=lambda r: r.name)
def test_every_dependency_is_pinned_within_its_range(requirement):
    pinned = {name.lower().replace("_", "-"): value for name, value in pins().items()}
    assert requirement.name.lower() in pinned, f"{requirement.name} has no line in constraints.txt"
    assert requirement.specifier.contains(pinned[requirement.name.lower()])


@pytest.mark.parametrize("name", pins())
def test_the_tests_run_on_the_pinned_versions(name):
    assert version(name).split("+")[0] == pins()[name], f"run make again: {name} is not the version of constraints.txt"


def test_environment_yml_installs_the_same():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == ["-c constraints.txt", "-e .[lab,serve,test]"]
    python = next(entry for entry in environment["dependencies"] if str(entry).startswith("python="))
    assert Requirement("python" + PROJECT["requires-python"]).specifier.contains(python.split("=")[1])


def setup_cell(path: Path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return next("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_share_one_setup_cell(path):
    assert setup_cell(path) == setup_cell(NOTEBOOKS[0])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_are_executed_in_order_without_errors(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        for output in cell["outputs"]:
            assert output.get("name") != "stderr", "".join(output["text"])
            expected = "raises-exception" in cell["metadata"].get("tags", [])
            assert output["output_type"] != "error" or expected, output.get("evalue")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_no_table_cuts_a_cell_off(path):
    """pandas cuts off what is longer than 50 characters, unless a notebook tells it not to."""
    cut = re.findall(r"<td>([^<]*\.\.\.)</td>", path.read_text(encoding="utf-8"))
    assert not cut, f"{path.name} shows {cut}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_widgets_are_saved_with_their_state(path):
    """``metadata.widgets`` without state is an "Invalid Notebook" on GitHub; a view without state shows nothing."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    views = [output.get("data", {}).get("application/vnd.jupyter.widget-view+json") for output in outputs]
    shown = {view["model_id"] for view in views if view}
    assert ("widgets" in notebook["metadata"]) == bool(shown)
    if shown:
        state = notebook["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
        named = set(re.findall(r"IPY_MODEL_(\w+)", json.dumps(state)))
        assert shown | named == set(state), "views, and the widgets they name, are those that have a state"
        made = {model["model_name"] for model in state.values()}
        assert "FloatProgressModel" not in made, "a progress bar (tqdm) is no output to keep"


@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if p.parent.name == "notebooks"], ids=lambda p: p.stem)
def test_links_between_notebooks_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(((?!http)[^)#]+\.ipynb)", text))
    missing = sorted(name for name in linked if not (path.parent / name).is_file())
    assert not missing, f"{path.name} links to {missing}"


def test_nothing_names_this_machine():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so there is no list of committed files")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    telling = [re.escape(str(ROOT)), re.escape(str(Path.home())) + "/", r"--(extra-)?index-url", r"/tmp/[a-z]+\w*/"]
    for name in tracked:
        path = ROOT / name
        if path.suffix in {".ipynb", ".md", ".py", ".yml", ".toml", ".txt", ".json"} and path != Path(__file__):
            found = re.search("|".join(telling), path.read_text(encoding="utf-8"))
            assert not found, f"{name} holds {found.group()!r}"


TOP_LEVEL = [
    ".ci",
    ".devcontainer",
    ".github",
    ".gitignore",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "constraints.txt",
    "environment.yml",
    "notebooks",
    "pyproject.toml",
    "qa_helpers",
    "tests",
    "tools",
]


def test_a_codespace_has_the_same_python_and_packages_and_opens_the_tour():
    settings = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    version = next(entry for entry in conda if str(entry).startswith("python=")).removeprefix("python=")
    assert settings["image"].startswith(f"python:{version}-")
    assert settings["postCreateCommand"] == "make .venv/.ready", "the Makefile installs the versions of constraints.txt"
    assert settings["customizations"]["codespaces"]["openFiles"] == ["notebooks/00_tour.ipynb"]


def test_the_top_level_holds_what_a_visitor_expects_and_no_more():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so there is no list of committed files")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    assert {name.split("/")[0] for name in tracked if name} == set(TOP_LEVEL)


def test_the_citation_names_this_version_and_no_person():
    """Citation File Format 1.2.0: the keys it asks for, and a version that does not lag behind."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0" and citation["message"] and citation["type"] == "software"
    assert citation["title"] == "Extractive QA in notebooks"
    assert citation["authors"] == [{"name": "The Extractive QA in notebooks maintainers"}]
    assert str(citation["version"]) == qa_helpers.__version__
    assert citation["license"] in PROJECT["license"]


def test_contributing_fits_a_page_and_names_targets_and_files_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 80
    rules = re.findall(r"(?m)^([\w -]+):", (ROOT / "Makefile").read_text(encoding="utf-8"))
    targets = " ".join(rules).split()
    assert set(re.findall(r"`make ([\w-]+)", text)) <= set(targets)
    named = [name for name in re.findall(r"`((?:\w+/)+\w+\.(?:py|md|ipynb))`", text) if "NN" not in name]
    assert named and all((ROOT / name).is_file() for name in named)


def pictures(page: Path) -> list[tuple[str, Path]]:
    """The pictures of a page that lie in the repository: alternative text and file."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    found = re.findall(r"!\[([^\]]*)\]\((?!https?:|attachment:|data:)([^)]+)\)", text)
    return [(alt, (page.parent / name).resolve()) for alt, name in found]


def test_the_readme_has_one_picture_and_all_pictures_are_small_and_described():
    assert len(pictures(ROOT / "README.md")) == 1
    shown = [each for page in (*ROOT.glob("*.md"), *ROOT.glob("notebooks/*.md"), *NOTEBOOKS) for each in pictures(page)]
    assert len(shown) >= 3
    for alt, path in shown:
        assert len(alt.split()) >= 8, f"{path.name}: an alternative text says what is to be seen"
        assert path.stat().st_size < 150_000
    assert set((ROOT / "notebooks" / "images").iterdir()) == {path for _, path in shown}
