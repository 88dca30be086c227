"""Where an exercise is in the notebooks: its heading, the cell to fill in, the checker's cell, and its solution.

Used by the tests of the exercises and by ``make_editions.py``. What is missing is a ``ValueError`` that says what to
write into which notebook.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

import nbformat

from qa_helpers.classroom.exercises.catalogue import EXERCISES, Exercise

ROOT = Path(__file__).resolve().parent.parent
HEADING = re.compile(
    r"^#{2,3} Exercise (?P<number>\d+\.\d+) · (?P<title>[^\n]*?)(?: \((?P<level>[●○]+), [^\n)]*\))?$", re.M
)


@dataclass(frozen=True)
class Place:
    """An exercise in a notebook: positions of its heading, of the cell that defines its answer, and of its checker."""

    exercise: Exercise
    title: str
    level: int
    heading: int
    answer: int
    check: int


def lesson_path(lesson: int) -> Path:
    """The lesson's notebook."""
    (path,) = (ROOT / "notebooks").glob(f"{lesson:02d}_*.ipynb")
    return path


def solution_path(lesson: int) -> Path:
    """The lesson's solution notebook, whether or not it is there."""
    return ROOT / "notebooks" / "solutions" / f"{lesson_path(lesson).stem}_solutions.ipynb"


def places(path: Path, notebook: nbformat.NotebookNode | None = None) -> dict[str, Place]:
    """The exercises of a notebook (a lesson's or a solution notebook) by their numbers, in order."""
    notebook = notebook or nbformat.read(path, as_version=4)
    known = {exercise.number: exercise for exercise in EXERCISES}
    headings = {}
    for position, cell in enumerate(notebook.cells):
        for found in HEADING.finditer(cell.source) if cell.cell_type == "markdown" else ():
            if found["number"] not in known:
                raise ValueError(
                    f"{path.name} has an exercise {found['number']}, which is not in qa_helpers/classroom/exercises/catalogue.py. "
                    "Enter it there, with a checker, a solution and wrong answers (see tests/test_exercises.py)."
                )
            if found["number"] in headings:
                raise ValueError(f"{path.name} has two exercises with the number {found['number']}.")
            headings[found["number"]] = (position, found)
    starts = [position for position, _ in headings.values()]
    result = {}
    for number, (position, found) in headings.items():
        beyond = min((start for start in starts if start > position), default=len(notebook.cells))
        exercise = known[number]
        section = [k for k in range(position, beyond) if notebook.cells[k].cell_type == "code"]
        answer = [k for k in section if exercise.answer in defined(notebook.cells[k].source)]
        check = [
            k for k in section if f"{exercise.module}.{exercise.checker}({exercise.answer})" in notebook.cells[k].source
        ]
        for what, cells in (
            (f"define {exercise.answer}", answer),
            (f"call {exercise.module}.{exercise.checker}", check),
        ):
            if len(cells) != 1:
                raise ValueError(f"{path.name}, exercise {number}: {len(cells)} cells {what}; one is wanted.")
        level = (found["level"] or "").count("●")
        result[number] = Place(exercise, found["title"], level, position, answer[0], check[0])
    return result


def defined(source: str) -> set[str]:
    """Names of the functions that a cell defines at its top level."""
    try:
        return {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    except SyntaxError:  # magics
        return set()


def statements(lesson: int) -> list[tuple[ast.stmt, str]]:
    """Imports and functions of a solution notebook behind its setup cell, in order, with their source."""
    notebook = nbformat.read(solution_path(lesson), as_version=4)
    first = min(place.heading for place in places(solution_path(lesson), notebook).values())
    found = []
    for cell in notebook.cells[first:]:
        if cell.cell_type == "code":
            body = ast.parse(cell.source).body
            kept = (node for node in body if isinstance(node, ast.FunctionDef | ast.Import | ast.ImportFrom))
            found += [(node, ast.get_source_segment(cell.source, node)) for node in kept]
    return found


def solutions(lesson: int) -> dict:
    """The answers' functions, by name, as the solution notebook defines them."""
    namespace: dict = {}
    for _, source in statements(lesson):
        exec(source, namespace)
    return {e.answer: namespace[e.answer] for e in EXERCISES if e.lesson == lesson}


def solution_source(exercise: Exercise) -> str:
    """The function of the solution notebook, with the imports and helpers it needs moved into its body.

    It so replaces the stub of the lesson, in one cell, wherever that stands. Answers of earlier exercises that it uses
    (1.3 uses 1.2's) stay outside: they stand in the lesson already.
    """
    known = statements(exercise.lesson)
    answers = {other.answer for other in EXERCISES}
    function, source = next((n, s) for n, s in known if getattr(n, "name", "") == exercise.answer)
    wanted, needed = [function], []
    while wanted:
        names = {node.id for node in ast.walk(wanted.pop()) if isinstance(node, ast.Name)}
        for node, text in known:
            if text not in needed and _binds(node) & (names - answers):
                needed.append(text)
                wanted.append(node)
    head, _, body = source.partition(":\n")
    imports = [text for node, text in known if text in needed and not isinstance(node, ast.FunctionDef)]
    functions = [text for node, text in known if text in needed and isinstance(node, ast.FunctionDef)]
    helpers = "\n\n".join(["\n".join(dict.fromkeys(imports)), *functions]).strip("\n")
    return f"{head}:\n{indent(helpers, '    ')}\n\n{body}" if helpers else source


def _binds(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef):
        return {node.name}
    return {(alias.asname or alias.name).split(".")[0] for alias in node.names}


def exercises_of(lesson: int) -> list[Exercise]:
    """The lesson's exercises, in order."""
    return [exercise for exercise in EXERCISES if exercise.lesson == lesson]
