"""The house rules: a light import, rooms that only look up, and a docstring on every public name."""

import ast
import inspect
import subprocess
import sys

import pytest
from conftest import REPOSITORY

import qa_helpers

PACKAGE = REPOSITORY / "qa_helpers"
ROOMS = [
    "corpus",
    "data",
    "checkpoints",
    "features",
    "model",
    "decoding",
    "metrics",
    "analysis",
    "evaluation",
    "training",
    "answering",
]
# These import from above:
SIDE_ROOMS_BELOW = {
    "cases",
    "course",
    "plots",
    "evaluation_plots",
    "model_plots",
    "render",
    "pretraining",
    "training_plots",
    "machine",
    "comparison",
    "family_plots",
    "cli",
    "exercises",
    "widgets",
    "annotations",
    "__main__",
}
SIDE_ROOMS_FOR_ALL = {"bars", "checksums", "faults", "files", "garbage", "processes", "ragged", "shapes"}
CUPBOARDS = {  # of one room each
    "corpus": {"_check", "_grammar", "_values"},
    "data": {"_arrow_store", "_examples", "_read_json", "_read_tables"},
    "features": {"_windows"},
    "training": {"_dropout", "_order", "_trainer", "_training_bar", "_unfinished", "_watched"},
}


def imported_rooms(path):
    """Modules of the package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            module = (node.module or "").split(".")
            if node.level == 0 and module[0] != "qa_helpers":
                continue
            if node.level == 0:
                module = module[1:]
            found |= {module[0]} if module and module[0] else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("qa_helpers.")}
    return found


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_the_package_loads_neither_torch_nor_transformers_nor_datasets():
    heavy = python(
        "import sys, qa_helpers; dir(qa_helpers); "
        "print({'torch', 'transformers', 'datasets', 'pandas', 'ipywidgets'} & set(sys.modules))"
    )
    assert heavy.strip() == "set()"


def test_the_help_of_the_command_line_loads_neither():
    code = "import sys, qa_helpers.cli; print({'torch', 'transformers', 'datasets', 'pandas'} & set(sys.modules))"
    assert python(code).strip() == "set()"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_from_rooms_above_it(room):
    allowed = set(ROOMS[: ROOMS.index(room)]) | SIDE_ROOMS_FOR_ALL | CUPBOARDS.get(room, set())
    for module in (room, *CUPBOARDS.get(room, ())):
        extra = imported_rooms(PACKAGE / f"{module}.py") - allowed
        assert not extra, f"{module}.py imports {sorted(extra)}, which stand below it (or are not rooms)"


def test_every_module_has_its_place_in_the_house():
    modules = {p.stem for p in PACKAGE.glob("*.py")} | {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    known = {*ROOMS, *SIDE_ROOMS_BELOW, *SIDE_ROOMS_FOR_ALL, "__init__"}
    assert {m for m in modules - known if not m.startswith("_")} == set()
    for module in sorted(SIDE_ROOMS_FOR_ALL):
        assert imported_rooms(PACKAGE / f"{module}.py") == set(), f"{module} serves all rooms, so it imports none"


@pytest.mark.parametrize("name", [n for n in qa_helpers.__all__ if n != "__version__"])
def test_every_public_name_exists_and_has_a_docstring(name):
    thing = getattr(qa_helpers, name)
    assert inspect.getdoc(thing), f"{name} has no docstring"
    assert "Attributes" not in inspect.getdoc(thing) or inspect.isclass(thing)
    assert not inspect.getdoc(thing).startswith(f"{name}("), f"{name}: a dataclass's automatic docstring says nothing"
    assert name in dir(qa_helpers)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        qa_helpers.nonsense  # noqa: B018
