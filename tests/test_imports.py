"""The house rules: a light import, rooms that only look up, and a docstring on every public name."""

import ast
import inspect
import subprocess
import sys

import pytest
from conftest import REPOSITORY

import qa_helpers

PACKAGE = REPOSITORY / "qa_helpers"
# The core path: each imports only from those before it, from FOR_ALL, and from the subpackages below.
ROOMS = [
    "examples",
    "data",
    "checkpoints",
    "course",
    "features",
    "model",
    "decoding",
    "metrics",
    "evaluation",
    "analysis",
    "training",
    "answering",
    "cli",
]
FOR_ALL = {"shapes"}
MAY_IMPORT = {
    "core": {"engine", "mini"},
    "engine": {"core"},
    "mini": {"core", "engine"},
    "figures": {"core", "engine", "mini"},
}


def imported_modules(path):
    """Dotted names, without the package's own, of the modules of the package that a file imports anywhere in it."""
    package = path.relative_to(PACKAGE).parent.parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            if node.level:
                module = [*package[: len(package) - node.level + 1], *module]
            elif module[0] == "qa_helpers":
                module = module[1:]
            else:
                continue
            names = [[]] if node.module not in (None, "qa_helpers") else [[alias.name] for alias in node.names]
            found |= {".".join([*module, *name]) for name in names}
        elif isinstance(node, ast.Import):
            found |= {a.name.removeprefix("qa_helpers.") for a in node.names if a.name.startswith("qa_helpers.")}
    return found


def house_of(module):
    """The subpackage that a module is in, or "core"."""
    first = module.split(".")[0]
    return first if (PACKAGE / first).is_dir() else "core"


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
    modules = imported_modules(PACKAGE / f"{room}.py")
    core = {module for module in modules if house_of(module) == "core"}
    extra = core - set(ROOMS[: ROOMS.index(room)]) - FOR_ALL
    assert not extra, f"{room}.py imports {sorted(extra)}, which stand below it"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_subpackages_import_in_one_direction(path):
    house = house_of(".".join(path.relative_to(PACKAGE).parts))
    if house == "classroom" or path.name in ("__init__.py", "__main__.py"):
        return
    others = {house_of(module) for module in imported_modules(path)} - {house}
    extra = others - MAY_IMPORT[house]
    assert not extra, f"{path.name} imports from {sorted(extra)}"


def test_every_module_has_its_place_in_the_house():
    assert {p.stem for p in PACKAGE.glob("*.py")} == {*ROOMS, *FOR_ALL, "__init__", "__main__"}
    assert {p.parent.name for p in PACKAGE.glob("*/__init__.py")} == {"engine", "mini", "figures", "classroom"}


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
