"""Write the course as it is handed out: `make student` and `make teacher`.

    python tools/make_editions.py student|teacher ... [--output-dir dist]

Both come from the same notebooks. The student's edition has no outputs and no solutions, and its exercises are open.
The teacher's has everything, and sources of assignments for nbgrader, one for each lesson. Cells of exercises carry
nbgrader's metadata in both, so a notebook of the student's edition can be handed in and graded as well.
"""

import argparse
import re
import shutil
import sys
import tomllib
from pathlib import Path

import nbformat
from exercise_cells import ROOT, lesson_path, places, solution_source
from nbformat import NotebookNode

from qa_helpers.classroom.exercises.catalogue import EXERCISES, LESSONS, Exercise
from qa_helpers.engine.whole_files import whole_folder

LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|mailto:|#|data:|attachment:)([^)#\s]+)(#[^)\s]*)?\)")
BADGE = re.compile(r"\[!\[Open in Colab\]\([^)]*\)\]\([^)]*\)(?: · )?")
TO_SOLUTIONS = r"\[[^\]]*\]\(solutions/[^)]*\)"
GRADES = {"schema_version": 3, "task": False}


def student_edition(folder: Path) -> None:
    """All lessons with open exercises, and a README.

    Raises:
        ValueError: an exercise lacks a cell, or its stub is not open.
    """
    pages = ("BIBLIOGRAPHY.md", "SEVERAL_GPUS.md")
    names = {lesson_path(lesson).name for lesson in LESSONS} | set(pages)
    shutil.copytree(ROOT / "notebooks" / "images", folder / "images")
    names |= {f"images/{path.name}" for path in (folder / "images").iterdir()}
    for page in pages:
        text = (ROOT / "notebooks" / page).read_text(encoding="utf-8")
        (folder / page).write_text(without_links(text, names), encoding="utf-8")
    for lesson in LESSONS:
        path = lesson_path(lesson)
        notebook = cleared(nbformat.read(path, as_version=4))
        for place in places(path, notebook).values():
            if "return ..." not in notebook.cells[place.answer].source:
                raise ValueError(f"{path.name}: the stub of exercise {place.exercise.number} is not open any more.")
            mark(notebook, place)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = without_links(without_solutions(BADGE.sub("", cell.source)), names)
        write(notebook, folder / path.name)
    (folder / "README.md").write_text(student_readme(), encoding="utf-8")


def teacher_edition(folder: Path) -> None:
    """Lessons as executed, solutions, guide, and nbgrader's sources in ``nbgrader/``.

    Raises:
        ValueError: a lesson has not been executed, or an exercise lacks a cell or a solution.
    """
    for lesson in LESSONS:
        code = [c for c in nbformat.read(lesson_path(lesson), as_version=4).cells if c.cell_type == "code"]
        if not all(cell.execution_count for cell in code):
            raise ValueError(
                f"{lesson_path(lesson).name} has cells that were not executed: run `make notebooks` first."
            )
    unwanted = shutil.ignore_patterns(".*", "runs", "*.part", "__pycache__")
    shutil.copytree(ROOT / "notebooks", folder, ignore=unwanted, dirs_exist_ok=True)
    for lesson in LESSONS:
        path = lesson_path(lesson)
        if places(path):
            target = folder / "nbgrader" / "source" / assignment(lesson) / path.name
            write(grader_source(lesson), target)
    (folder / "nbgrader" / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
    (folder / "nbgrader" / "README.md").write_text(GRADER_README.format(points=points_table()), encoding="utf-8")


def assignment(lesson: int) -> str:
    """The name of a lesson's assignment."""
    return f"lesson_{lesson:02d}"


def grader_source(lesson: int) -> NotebookNode:
    """The lesson as nbgrader's source: solutions between its marks, checkers as tests with points."""
    path = lesson_path(lesson)
    notebook = cleared(nbformat.read(path, as_version=4))
    for place in places(path, notebook).values():
        exercise = place.exercise
        notebook.cells[place.answer].source = between_marks(solution_source(exercise))
        notebook.cells[place.check].source = (
            f"from qa_helpers.classroom.exercises import {exercise.module}\n\n"
            f"feedback = {exercise.module}.{exercise.checker}({exercise.answer})\n"
            "print(feedback)\n"
            "### BEGIN HIDDEN TESTS\n"
            "assert feedback.share > 0, feedback.message  # an error gives no points, a number that many\n"
            f"round({exercise.level} * feedback.share, 2)\n"
            "### END HIDDEN TESTS"
        )
        mark(notebook, place)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = without_links(without_solutions(BADGE.sub("", cell.source)), set())
    return notebook


def between_marks(function: str) -> str:
    """A function whose body stands between the marks at which nbgrader cuts solutions out."""
    head, _, body = function.partition(":\n")
    return f"{head}:\n    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION"


def mark(notebook: NotebookNode, place) -> None:
    """Write nbgrader's metadata into an exercise's two cells. The ids depend on the number only."""
    answer, check, exercise = notebook.cells[place.answer], notebook.cells[place.check], place.exercise
    name = f"exercise-{exercise.number.replace('.', '-')}"
    ours = {"grade_id": name, "grade": False, "solution": True, "locked": False}
    answer.metadata["nbgrader"] = nbformat.from_dict({**GRADES, **ours})
    ours = {"grade_id": f"{name}-check", "grade": True, "solution": False, "locked": True, "points": exercise.level}
    check.metadata["nbgrader"] = nbformat.from_dict({**GRADES, **ours})


def cleared(notebook: NotebookNode) -> NotebookNode:
    """The notebook without outputs, execution counts and saved widgets."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def without_solutions(text: str) -> str:
    """The text without what points at solution notebooks: an entry between dots, or else the sentence."""
    text = re.sub(rf"(?: · {TO_SOLUTIONS})(?= ·|$|\n)", "", text)
    text = re.sub(rf"(?m)(^|(?<=\n)){TO_SOLUTIONS} · ", "", text)
    return re.sub(rf"[ \t]*(?:(?<=^)|(?<=\n)|(?<=[.!?)] ))[^.!?\n]*?{TO_SOLUTIONS}[^.!?\n]*[.!?]?", "", text).strip(
        "\n"
    )


def without_links(text: str, known: set[str]) -> str:
    """The text with links to files that are not handed out turned into plain text."""
    return LINK.sub(lambda found: found[0] if found[3] in known else found[2], text)


def write(notebook: NotebookNode, path: Path) -> None:
    nbformat.validate(notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def student_readme() -> str:
    """What a student needs to begin."""
    repository = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["qa-helpers"][
        "repository"
    ]
    source = f'"git+https://github.com/{repository}"' if repository else "COURSE"
    note = "" if repository else "\nCOURSE is the folder or the address of the course, which your teacher names.\n"
    lessons = [f"- [{lesson:02d} · {title}]({lesson_path(lesson).name})" for lesson, title in LESSONS.items()]
    return STUDENT_README.format(source=source, note=note, lessons="\n".join(lessons))


def points_table() -> str:
    """A line of points for each assignment."""

    def row(lesson: int) -> str:
        own: list[Exercise] = [exercise for exercise in EXERCISES if exercise.lesson == lesson]
        each = " + ".join(str(exercise.level) for exercise in own)
        return f"| `{assignment(lesson)}` | {LESSONS[lesson]} | {each} = {sum(e.level for e in own)} |"

    return "\n".join(row(lesson) for lesson in LESSONS)


STUDENT_README = """# Extractive QA in notebooks

Thirteen lessons, from a dataset row to a model that reads your own documents. They come without outputs: run the cells from
top to bottom, and do the exercises where they stand. Each has a checker that says what it sees.

{lessons}

## Before you begin

You need Python 3.11 or newer. Install JupyterLab and the course's package, and open this folder:

    pip install jupyterlab {source}
    jupyter lab
{note}
`qa.progress()` in any notebook shows which exercises you have done. It is kept in `.qa_helpers` in your home directory,
or where the variable `QA_PROGRESS` says.
"""

GRADER_README = """# The lessons as assignments for nbgrader

This folder is a course directory for nbgrader: `source/` has one assignment for each lesson, and `nbgrader_config.py` the
settings they need. In this folder:

    nbgrader generate_assignment lesson_02      # what students get, in release/
    nbgrader autograde lesson_02                # what they handed in, in submitted/STUDENT/lesson_02/
    nbgrader generate_feedback lesson_02

Notebooks of the student's edition (`make student`) can be handed in as well: they have the same ids.
The kernel that grades needs qa_helpers; nbgrader itself can live in another environment.

## Points

A point for each ●. What is partly right gets its share, as the checker sees it; an untouched exercise gets none.
The table gives the points of each exercise in order.

| assignment | lesson | points |
|---|---|---|
{points}
"""

CONFIG = '''"""Settings for nbgrader: what stands in place of a solution, and how long a cell may take."""

import os

os.environ["QA_PROGRESS"] = "off"  # grading is nobody's own progress
os.environ["QA_BARS"] = "off"

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "extractive-qa"
c.ClearSolutions.code_stub = {"python": "return ..."}  # the stub of the lessons, which the checkers know
c.Execute.timeout = 1200  # seconds a cell; lesson 06 trains
'''

EDITIONS = {"student": student_edition, "teacher": teacher_edition}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("editions", nargs="+", choices=EDITIONS)
    parser.add_argument("--output-dir", type=Path, default=ROOT / "dist")
    options = parser.parse_args(arguments)
    for edition in options.editions:
        target = options.output_dir / edition
        try:
            with whole_folder(target) as folder:
                EDITIONS[edition](folder)
        except ValueError as error:
            print(f"{edition}: {error}", file=sys.stderr)
            return 1
        print(f"{edition}: {sum(1 for path in target.rglob('*') if path.is_file())} files in {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
