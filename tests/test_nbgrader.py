"""nbgrader itself hands lesson 02 out, takes it back from three students, and grades it.

Started by ``make test-nbgrader``: nbgrader gets an environment of its own. The kernel that runs the notebooks is the
project's. ``QA_NBGRADER`` may also name the Python of an environment that has nbgrader.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import make_editions
import nbformat
import pytest
from exercise_cells import ROOT, exercises_of, lesson_path, places, solution_source

LESSON, NAME = 2, lesson_path(2).name
ASSIGNMENT = make_editions.assignment(LESSON)
SWITCH = os.environ.get("QA_NBGRADER", "")
OFFLINE = ("NewConnectionError", "ConnectTimeout", "Max retries exceeded", "name resolution", "Network is unreachable")
FULL = sum(exercise.level for exercise in exercises_of(LESSON))

pytestmark = pytest.mark.skipif(not SWITCH, reason="installs nbgrader: run it by `make test-nbgrader`")


@pytest.fixture(scope="module")
def grader(tmp_path_factory) -> Path:
    """The Python of an environment with nbgrader."""
    if Path(SWITCH).is_file():
        return Path(SWITCH)
    folder = tmp_path_factory.mktemp("nbgrader") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "nbgrader>=0.9.5,<0.10"]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode and any(sign in done.stderr for sign in OFFLINE):
        pytest.skip("pip reaches no package registry, so nbgrader cannot be installed")
    assert done.returncode == 0, done.stderr[-3000:]
    return python


@pytest.fixture(scope="module")
def nbgrader(grader, tmp_path_factory):
    """Runs an nbgrader command in the teacher's folder, where ``python3`` is the project's kernel; returns its output."""
    folder = tmp_path_factory.mktemp("course")
    make_editions.teacher_edition(folder / "teacher")
    home = folder / "home"
    kernel = home / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Python 3", "language": "python", "env": {"PYTHONPATH": str(ROOT)}}
    (kernel / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "PYTHON"))}
    kept.pop("QA_PROGRESS", None)  # the folder's configuration has to switch it off
    ours = {
        "JUPYTER_PATH": str(home / "jupyter"),
        "HOME": str(home),
        "PATH": f"{grader.parent}{os.pathsep}{kept['PATH']}",
    }

    def run(*command) -> str:
        arguments = (
            [grader, *map(str, command)] if command[0] == "-c" else [grader, "-m", "nbgrader", *map(str, command)]
        )
        cwd = folder / "teacher" / "nbgrader"
        done = subprocess.run(arguments, cwd=cwd, env={**kept, **ours}, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
        return done.stdout

    run.folder, run.home = folder / "teacher" / "nbgrader", home
    run("generate_assignment", ASSIGNMENT)
    return run


@pytest.fixture(scope="module")
def released(nbgrader) -> Path:
    return nbgrader.folder / "release" / ASSIGNMENT / NAME


def hand_in(nbgrader, student: str, notebook: nbformat.NotebookNode) -> None:
    folder = nbgrader.folder / "submitted" / student / ASSIGNMENT
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / NAME)


@pytest.fixture(scope="module")
def grades(nbgrader, released, tmp_path_factory) -> dict[str, dict[str, float]]:
    """Points by student and exercise: one solved all, one touched nothing, one got half of it right."""
    solved = nbformat.read(released, as_version=4)
    for place in places(released, solved).values():
        solved.cells[place.answer].source = solution_source(place.exercise)
    hand_in(nbgrader, "solver", solved)
    hand_in(nbgrader, "sleeper", nbformat.read(released, as_version=4))
    student = tmp_path_factory.mktemp("student")
    make_editions.student_edition(student)
    half = nbformat.read(student / NAME, as_version=4)
    first, second, _ = places(student / NAME, half).values()
    half.cells[first.answer].source = solution_source(first.exercise)
    half.cells[second.answer].source = (  # wrong where there is padding or a second separator
        "def context_tokens(sequence_ids):\n    return sequence_ids.index(1), len(sequence_ids) - 1"
    )
    hand_in(nbgrader, "halfway", half)
    nbgrader("autograde", ASSIGNMENT, "--create")
    lines = [
        "import json; from nbgrader.api import Gradebook",
        "with Gradebook('sqlite:///gradebook.db') as book:",
        "    found = {s.student.id: {g.name: [g.auto_score, g.max_score, g.needs_manual_grade] for n in s.notebooks "
        f"for g in n.grades}} for s in book.assignment_submissions({ASSIGNMENT!r})}}",
        "print(json.dumps(found))",
    ]
    return json.loads(nbgrader("-c", "\n".join(lines)))


def test_what_is_released_has_open_stubs_and_no_solution(released):
    notebook, lesson = (nbformat.read(path, as_version=4) for path in (released, lesson_path(LESSON)))
    for number, place in places(released, notebook).items():
        stub = lesson.cells[places(lesson_path(LESSON))[number].answer].source
        assert notebook.cells[place.answer].source == stub
        assert "HIDDEN" not in notebook.cells[place.check].source and "share" not in notebook.cells[place.check].source
    assert not [cell for cell in notebook.cells if cell.get("outputs")]


def test_a_student_gets_what_the_checkers_see(grades):
    ids = {exercise.number: f"exercise-{exercise.number.replace('.', '-')}-check" for exercise in exercises_of(LESSON)}
    assert {name: set(points) for name, points in grades.items()} == {
        name: set(ids.values()) for name in ("solver", "sleeper", "halfway")
    }
    total = {name: sum(auto for auto, _, _ in points.values()) for name, points in grades.items()}
    assert {sum(most for _, most, _ in points.values()) for points in grades.values()} == {FULL}
    assert total["solver"] == FULL and total["sleeper"] == 0
    assert grades["halfway"][ids["2.1"]][0] == 1 and grades["halfway"][ids["2.3"]][0] == 0
    assert 0 < grades["halfway"][ids["2.2"]][0] < 2
    assert not any(manual for points in grades.values() for _, _, manual in points.values())


def test_grading_is_nobodys_progress(grades, nbgrader):
    assert not list(nbgrader.home.rglob("progress.json"))


def test_the_feedback_names_the_idea(grades, nbgrader):
    nbgrader("generate_feedback", ASSIGNMENT)
    (page,) = (nbgrader.folder / "feedback" / "halfway" / ASSIGNMENT).glob("*.html")
    assert "look at the second: padding at the right" in page.read_text(encoding="utf-8")
