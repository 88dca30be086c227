"""make student, make teacher: what is handed out is whole, open or solved as it should be, and runs."""

import ast
import json
import re
from pathlib import Path

import make_editions
import nbformat
import pytest
import run_notebooks
from exercise_cells import ROOT, exercises_of, lesson_path, places, solution_path, solution_source
from make_editions import without_links, without_solutions

from qa_helpers.classroom.exercises.catalogue import EXERCISES, LESSONS

WITH_EXERCISES = [lesson for lesson in LESSONS if places(lesson_path(lesson))]
in_each = pytest.mark.parametrize("lesson", LESSONS)


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    assert make_editions.main(["student", "teacher", "--output-dir", str(folder)]) == 0
    return folder


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def grader_path(dist: Path, lesson: int) -> Path:
    return dist / "teacher" / "nbgrader" / "source" / make_editions.assignment(lesson) / lesson_path(lesson).name


def links(text: str) -> set[str]:
    return {found[3] for found in make_editions.LINK.finditer(text)}


def prose(path: Path) -> str:
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    return "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


@in_each
def test_the_students_lesson_has_all_cells_no_outputs_and_no_solutions(dist, lesson):
    original, copy = read(lesson_path(lesson)), read(dist / "student" / lesson_path(lesson).name)
    assert [cell.source for cell in copy.cells if cell.cell_type == "code"] == (
        [cell.source for cell in original.cells if cell.cell_type == "code"]
    ), "the code is that of the lesson"
    assert len(copy.cells) == len(original.cells)
    assert not [cell for cell in copy.cells if cell.get("outputs") or cell.get("execution_count")]
    assert "widgets" not in copy.metadata and copy.metadata.kernelspec.name == "python3"
    text = json.dumps(copy, ensure_ascii=False)
    assert "solutions/" not in text and "_solutions" not in text and "BEGIN SOLUTION" not in text
    for exercise in exercises_of(lesson):
        body = "\n".join(ast.unparse(node) for node in ast.parse(solution_source(exercise)).body[0].body)
        assert body not in "\n".join(cell.source for cell in copy.cells)


def test_the_students_folder_holds_lessons_and_a_readme(dist):
    assert {path.name for path in (dist / "student").iterdir()} == (
        {lesson_path(lesson).name for lesson in LESSONS} | {"README.md", "BIBLIOGRAPHY.md", "SEVERAL_GPUS.md", "images"}
    )


@pytest.mark.parametrize("lesson", WITH_EXERCISES)
def test_the_students_exercises_are_open(dist, lesson):
    path = dist / "student" / lesson_path(lesson).name
    notebook = read(path)
    assert set(places(path, notebook)) == {exercise.number for exercise in exercises_of(lesson)}
    for place in places(path, notebook).values():
        namespace = {}
        exec(notebook.cells[place.answer].source, namespace)
        assert not place.exercise.check(namespace[place.exercise.answer]).started


def test_links_of_both_editions_lead_somewhere(dist):
    texts = sorted(p for p in dist.rglob("*") if p.suffix in (".md", ".ipynb") and p.parent.name != "solutions")
    assert len(texts) > 20
    for path in texts:
        # What leads out of the notebooks' folder leads out of the teacher's edition as well.
        inside = {link for link in links(prose(path)) if not link.startswith("../")}
        missing = sorted(link for link in inside if not (path.parent / link).exists())
        assert not missing, f"{path.relative_to(dist)} links to {missing}"


@in_each
def test_only_links_to_solutions_and_badges_are_taken_out(dist, lesson):
    before, after = links(prose(lesson_path(lesson))), links(prose(dist / "student" / lesson_path(lesson).name))
    kinds = (".ipynb", ".svg", "BIBLIOGRAPHY.md", "SEVERAL_GPUS.md")
    handed_out = {link for link in before if not link.startswith(("solutions/", "../")) and link.endswith(kinds)}
    assert after == handed_out
    assert "colab.research" not in prose(dist / "student" / lesson_path(lesson).name)


@pytest.mark.parametrize(
    "text, left",
    [
        ("Run it. Solutions are in [the notebook](solutions/01_x_solutions.ipynb).", "Run it."),
        ("Run it. [Solutions](solutions/01_x_solutions.ipynb)", "Run it."),
        ("Run it. [Solutions](solutions/01_x.ipynb). Then go on.", "Run it. Then go on."),
        ("## Exercises\n\nDo them, then compare with [these](solutions/a.ipynb), if you must.", "## Exercises"),
        ("[01](01_a.ipynb) · [Solutions](solutions/a.ipynb) · [03](03_a.ipynb)", "[01](01_a.ipynb) · [03](03_a.ipynb)"),
        ("[Solutions](solutions/a.ipynb) · [03](03_a.ipynb)", "[03](03_a.ipynb)"),
        ("[01](01_a.ipynb) · [Solutions](solutions/a.ipynb)", "[01](01_a.ipynb)"),
        ("Nothing here. Nor (e.g.) here.", "Nothing here. Nor (e.g.) here."),
    ],
)
def test_sentences_about_solutions_are_taken_out(text, left):
    assert without_solutions(text) == left


def test_links_to_what_is_not_handed_out_become_text():
    text = (
        "See [the guide](TEACHING.md#time), [01](01_a.ipynb#x), [the site](https://example.org/a) and [here](#there)."
    )
    assert without_links(text, {"01_a.ipynb"}) == text.replace("[the guide](TEACHING.md#time)", "the guide")


@in_each
def test_the_teacher_has_the_lesson_as_executed_and_its_solutions(dist, lesson):
    for path in (lesson_path(lesson), solution_path(lesson)):
        copy = dist / "teacher" / path.relative_to(ROOT / "notebooks")
        assert copy.read_bytes() == path.read_bytes()


def test_the_teacher_has_whatever_text_stands_beside_the_lessons(dist):
    for path in (ROOT / "notebooks").glob("*.md"):
        assert (dist / "teacher" / path.name).read_bytes() == path.read_bytes()


def test_a_lesson_that_was_not_executed_is_told(tmp_path, monkeypatch, capsys):
    bare = tmp_path / "03_stride_windows.ipynb"
    nbformat.write(make_editions.cleared(read(lesson_path(3))), bare)
    monkeypatch.setattr(make_editions, "lesson_path", lambda lesson: bare if lesson == 3 else lesson_path(lesson))
    assert make_editions.main(["teacher", "--output-dir", str(tmp_path / "dist")]) == 1
    assert "03_stride_windows.ipynb has cells that were not executed" in capsys.readouterr().err
    assert not (tmp_path / "dist" / "teacher").exists(), "nothing half-written is left"


def test_a_solved_stub_is_told(tmp_path, monkeypatch, capsys):
    solved = read(lesson_path(3))
    solved.cells[places(lesson_path(3))["3.1"].answer].source = solution_source(exercises_of(3)[0])
    nbformat.write(solved, tmp_path / "03_stride_windows.ipynb")
    ours = tmp_path / "03_stride_windows.ipynb"
    monkeypatch.setattr(make_editions, "lesson_path", lambda lesson: ours if lesson == 3 else lesson_path(lesson))
    assert make_editions.main(["student", "--output-dir", str(tmp_path / "dist")]) == 1
    assert "the stub of exercise 3.1 is not open" in capsys.readouterr().err


def test_an_older_edition_is_replaced_whole(tmp_path):
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "10_old.ipynb").write_text("old")
    assert make_editions.main(["student", "--output-dir", str(tmp_path)]) == 0
    assert not (tmp_path / "student" / "10_old.ipynb").exists()


def marks(notebook: nbformat.NotebookNode) -> list[dict]:
    return [dict(cell.metadata.nbgrader) for cell in notebook.cells if "nbgrader" in cell.metadata]


@pytest.mark.parametrize("lesson", WITH_EXERCISES)
def test_the_metadata_are_nbgraders_and_the_same_in_both_editions(dist, lesson):
    source = read(grader_path(dist, lesson))
    nbformat.validate(source)
    found = marks(source)
    assert found == marks(read(dist / "student" / lesson_path(lesson).name))
    assert len({mark["grade_id"] for mark in found}) == len(found) == 2 * len(exercises_of(lesson))
    for mark in found:
        assert mark["schema_version"] == 3 and mark["task"] is False
        assert mark["grade"] is mark["locked"] is not mark["solution"]
        assert ("points" in mark) is mark["grade"]
    first = exercises_of(lesson)[0]
    assert found[0]["grade_id"] == f"exercise-{lesson}-1", "ids depend on the number only: grades of last year fit"
    assert found[1] == {
        "schema_version": 3, "task": False, "grade_id": f"exercise-{lesson}-1-check",
        "grade": True, "solution": False, "locked": True, "points": first.level,
    }  # fmt: skip


@pytest.mark.parametrize("lesson", WITH_EXERCISES)
def test_nbgraders_source_is_solved_between_its_marks_and_full_points_are_given(dist, lesson):
    notebook = read(grader_path(dist, lesson))
    original = read(lesson_path(lesson))
    namespace: dict = {}
    for number, place in places(grader_path(dist, lesson), notebook).items():
        answer, check = (notebook.cells[k].source for k in (place.answer, place.check))
        before, inside, after = re.split(r"    ### (?:BEGIN|END) SOLUTION\n?", answer)
        assert after == "" and inside.strip()
        assert f"{before}    return ..." == original.cells[places(lesson_path(lesson))[number].answer].source
        assert points(answer, check, namespace) == place.exercise.level


def points(answer: str, check: str, namespace: dict) -> float:
    """What nbgrader would give: nothing where the check raises, else the value of its last line."""
    exec(answer, namespace)
    *statements, last = ast.parse(check).body
    try:
        exec(compile(ast.Module(statements, []), "check", "exec"), namespace)
    except AssertionError:
        return 0
    return eval(compile(ast.Expression(last.value), "check", "eval"), namespace)


def test_points_of_open_and_half_right_answers(dist):
    notebook = read(grader_path(dist, 2))
    place = places(grader_path(dist, 2), notebook)["2.2"]
    check = notebook.cells[place.check].source
    assert points("def context_tokens(sequence_ids):\n    return ...", check, {}) == 0
    half = "def context_tokens(sequence_ids):\n    return sequence_ids.index(1), len(sequence_ids) - 1"
    assert 0 < points(half, check, {}) < 2


def test_the_guide_to_nbgrader_lists_all_assignments(dist):
    guide = (dist / "teacher" / "nbgrader" / "README.md").read_text(encoding="utf-8")
    for lesson in LESSONS:
        own = [exercise.level for exercise in EXERCISES if exercise.lesson == lesson]
        assert f"| `lesson_{lesson:02d}` |" in guide and f" = {sum(own)} |" in guide
    assert "get_config()" in (dist / "teacher" / "nbgrader" / "nbgrader_config.py").read_text(encoding="utf-8")


def test_the_students_readme_names_the_address_if_there_is_one(dist, tmp_path, monkeypatch):
    assert "which your teacher names" in (dist / "student" / "README.md").read_text(encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text('[tool.qa-helpers]\nrepository = "some/where"\n', encoding="utf-8")
    monkeypatch.setattr(make_editions, "ROOT", tmp_path)
    assert 'pip install jupyterlab "git+https://github.com/some/where"' in make_editions.student_readme()


def test_a_students_lesson_runs_from_top_to_bottom_with_exercises_open(dist):
    executed = run_notebooks.execute(dist / "student" / lesson_path(2).name)
    outputs = json.dumps(executed.cells, ensure_ascii=False)
    assert outputs.count("still open. Replace the ... with your code") == len(exercises_of(2))
    assert not [o for cell in executed.cells for o in cell.get("outputs", []) if o.output_type == "error"]
