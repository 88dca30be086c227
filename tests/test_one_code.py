"""What a student writes is what the package runs: a function that a lesson writes out and the package has is one function."""

import ast
import json

import pytest
from conftest import REPOSITORY

LESSONS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
CORE = [path for path in sorted((REPOSITORY / "qa_helpers").glob("*.py")) if path.stem != "cli"]  # commands, not steps
CORE.append(REPOSITORY / "qa_helpers" / "mini" / "shortcuts.py")  # lesson 11 writes its first functions out
# Those that must not get lost: dropping one from a lesson or from the package is a decision, not an accident.
PROMISED = {
    "01_dataset": {"question_word"},
    "03_stride_windows": {"answer_of", "check_room", "count_tokens", "cut_windows"},
    "04_labels": {"answer_of", "cls_index_of", "label_by_loop", "label_window"},
    "05_model_internals": {"ExtractiveQA.__init__", "ExtractiveQA.forward", "span_loss"},
    "08_evaluation": {
        "best_over",
        "best_spans",
        "exact_match",
        "f1",
        "inside_word",
        "normalize_answer",
        "overlaps",
        "places_of_highest",
        "whole_words",
    },
    "11_what_did_it_learn": {"reordered", "sentences_of"},
}


def bare(function: ast.FunctionDef) -> str:
    """A function without docstring, annotations and comments."""
    copy = ast.parse(ast.unparse(function)).body[0]
    for node in ast.walk(copy):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
        elif isinstance(node, ast.arg):
            node.annotation = None
    return ast.unparse(copy)


def functions(tree: ast.Module) -> dict[str, str]:
    """Name → bare code of the functions and methods that a module, or a cell, defines."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = bare(node)
        elif isinstance(node, ast.ClassDef):
            methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
            found |= {f"{node.name}.{method.name}": bare(method) for method in methods}
    return found


def in_package() -> dict[str, str]:
    found = {}
    for path in CORE:
        found |= functions(ast.parse(path.read_text(encoding="utf-8")))
    return found


def in_lesson(path) -> dict[str, str]:
    """The functions that a lesson writes out; the open ones of its exercises are left out."""
    found = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            lines = [line for line in "".join(cell["source"]).splitlines() if not line.lstrip().startswith("%")]
            found |= functions(ast.parse("\n".join(lines)))
    return {name: code for name, code in found.items() if not code.endswith("return ...")}


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_function_of_a_lesson_is_the_packages_function_of_that_name(path):
    package, lesson = in_package(), in_lesson(path)
    both = package.keys() & lesson.keys()
    assert both >= PROMISED.get(path.stem, set())
    for name in sorted(both):
        assert lesson[name] == package[name], f"{name} differs between {path.name} and the package"


def test_the_list_is_long_enough_to_be_a_promise():
    assert len({name for names in PROMISED.values() for name in names}) >= 15


@pytest.mark.parametrize(
    "change",
    ["def f(a, b=2):\n    return a + b", "def f(a, b=1):\n    return a - b", "def f(a, c=1):\n    return a + c"],
)
def test_another_body_signature_or_default_is_another_function(change):
    ours = 'def f(a: int, b: int = 1) -> int:\n    """Add."""\n    return a + b  # sum'
    assert functions(ast.parse(ours)) == functions(ast.parse("def f(a, b=1):\n    return a + b"))
    assert functions(ast.parse(ours)) != functions(ast.parse(change))
