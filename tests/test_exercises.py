"""Every exercise of every lesson: its stub, its checker, its solution, other solutions, and wrong answers.

The exercises are those of ``qa_helpers.classroom.exercises.catalogue``; the notebooks may have no others. A new one needs, besides
its cells in the lesson and in the solution notebook, an entry there and its answers in ``tests/test_exercises_NN.py``.
"""

import ast
import importlib
import inspect
import re

import nbformat
import pytest
from exercise_cells import exercises_of, lesson_path, places, solution_path, solution_source, solutions
from exercise_checks import ANSWERS, NONSENSE

from qa_helpers import exercises
from qa_helpers.classroom.exercises.catalogue import EXERCISES, LESSONS

for lesson in LESSONS:
    importlib.import_module(f"test_exercises_{lesson:02d}")  # each enters its answers

READY = list(LESSONS)
every = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.number)
every_lesson = pytest.mark.parametrize("lesson", LESSONS)
every_ready = pytest.mark.parametrize("exercise", [e for e in EXERCISES if e.lesson in READY], ids=lambda e: e.number)


def lessons_place(exercise):
    return places(lesson_path(exercise.lesson))[exercise.number]


def wrong_answers(exercise):
    return ANSWERS[exercise.number]().wrong


@every_lesson
def test_the_catalogue_lists_the_exercises_of_the_notebooks(lesson):
    listed = [exercise.number for exercise in exercises_of(lesson)]
    assert 2 <= len(listed) <= 4
    assert listed == [f"{lesson}.{k}" for k in range(1, len(listed) + 1)]
    assert list(places(solution_path(lesson))) == listed
    if lesson in READY:
        assert list(places(lesson_path(lesson))) == listed


@every_lesson
def test_every_checker_is_in_the_catalogue_and_has_its_number(lesson):
    module = importlib.import_module(f"qa_helpers.classroom.exercises.lesson{lesson:02d}")
    assert {name for name in vars(module) if name.startswith("check_")} == {e.checker for e in exercises_of(lesson)}
    for exercise in exercises_of(lesson):
        assert exercise.check(...).exercise == exercise.number


def test_every_exercise_has_answers_and_every_answer_an_exercise():
    assert set(ANSWERS) == {exercise.number for exercise in EXERCISES}


@every_ready
def test_lesson_and_solution_agree_on_title_level_and_arguments(exercise):
    lesson, solution = lessons_place(exercise), places(solution_path(exercise.lesson))[exercise.number]
    assert lesson.title == solution.title == exercise.title
    assert lesson.level == exercise.level

    def arguments(path, position):
        body = ast.parse(nbformat.read(path, as_version=4).cells[position].source).body
        return next(ast.unparse(node.args) for node in body if getattr(node, "name", "") == exercise.answer)

    asked = arguments(lesson_path(exercise.lesson), lesson.answer)
    assert asked == arguments(solution_path(exercise.lesson), solution.answer)


@every_ready
def test_the_stub_of_the_lesson_is_open_and_runs(exercise):
    notebook = nbformat.read(lesson_path(exercise.lesson), as_version=4)
    namespace = {}
    exec(notebook.cells[lessons_place(exercise).answer].source, namespace)
    feedback = exercise.check(namespace[exercise.answer])
    assert (feedback.started, feedback.passed, feedback.share) == (False, False, 0)


@every
def test_an_untouched_stub_is_open(exercise):
    for stub in (lambda *_: ..., ...):
        feedback = exercise.check(stub)
        assert (feedback.started, feedback.passed, feedback.share) == (False, False, 0)
        assert "○" in repr(feedback)


@every
def test_the_solution_passes_as_it_stands_in_the_solution_notebook(exercise):
    feedback = exercise.check(solutions(exercise.lesson)[exercise.answer])
    assert feedback.passed and feedback.share == 1, feedback


@every
def test_the_solution_passes_in_a_single_cell(exercise):
    """As the teacher's edition has it: helpers and imports inside, earlier answers outside."""
    namespace = dict(solutions(exercise.lesson))
    del namespace[exercise.answer]
    exec(solution_source(exercise), namespace)
    assert exercise.check(namespace[exercise.answer]).passed


@every
def test_solutions_written_differently_pass(exercise):
    right = ANSWERS[exercise.number]().right
    for answer in right:
        feedback = exercise.check(answer)
        assert feedback.passed and feedback.share == 1, feedback
    own = solutions(exercise.lesson)[exercise.answer].__code__
    assert any(answer.__code__.co_code != own.co_code for answer in right), "a solution written differently is wanted"


@every
def test_wrong_answers_are_told_apart_by_the_idea_they_miss(exercise):
    wrong = wrong_answers(exercise)
    assert len(wrong) >= 2, "at least two plausible wrong answers are wanted"
    messages = {}
    for idea, answer in wrong.items():
        feedback = exercise.check(answer)
        assert feedback.started and not feedback.passed and 0 <= feedback.share < 1, (idea, feedback)
        assert idea in feedback.message, (idea, feedback.message)
        assert not re.search(r"\bline \d|Traceback", feedback.message)
        messages[feedback.message] = idea
    assert len(messages) == len(wrong), "two mistakes get the same message"


@every
def test_what_is_partly_right_gets_part_of_the_credit_and_the_place_to_look_at(exercise):
    partly = [feedback for answer in wrong_answers(exercise).values() if (feedback := exercise.check(answer)).share]
    assert partly, "none of the wrong answers is partly right"
    assert any(re.search(r"^\d+ of \d+ \w.* right; ", feedback.message) for feedback in partly), partly


@every
@pytest.mark.parametrize("nonsense", NONSENSE)
def test_nothing_a_student_hands_in_makes_a_checker_raise(exercise, nonsense):
    feedback = exercise.check(NONSENSE[nonsense])
    assert feedback.started and not feedback.passed and feedback.message
    assert feedback.share <= 0.7, feedback


@every
def test_a_checker_does_not_change_when_a_student_changes_what_is_handed_in(exercise):
    """Wrong answers that also empty every list they get; then the solution must still pass."""

    def spoil(*given):
        for thing in given:
            for part in thing.values() if isinstance(thing, dict) else [thing]:
                for inner in part.values() if isinstance(part, dict) else [part]:
                    if isinstance(inner, list):
                        inner.clear()

    exercise.check(spoil)
    assert exercise.check(solutions(exercise.lesson)[exercise.answer]).passed


def test_an_exercise_that_is_not_in_the_catalogue_is_found(tmp_path):
    new = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("### Exercise 3.9 · New (●○○, 5 minutes)")])
    with pytest.raises(ValueError, match=r"x.ipynb has an exercise 3.9, which is not in .*catalogue"):
        places(tmp_path / "x.ipynb", new)


@pytest.mark.parametrize("missing", ["answer", "check"])
def test_an_exercise_without_its_cells_is_found(missing):
    notebook = nbformat.read(lesson_path(3), as_version=4)
    del notebook.cells[getattr(places(lesson_path(3))["3.2"], missing)]
    with pytest.raises(ValueError, match="03_stride_windows.ipynb, exercise 3.2: 0 cells"):
        places(lesson_path(3), notebook)


def test_a_message_counts_what_is_right_and_names_the_first_that_is_not():
    def judge(number):
        if number % 2:
            raise exercises.Wrong(f"{number} is odd")

    with pytest.raises(exercises.Wrong, match="^3 of 4 windows right; look at the second: 1 is odd$") as caught:
        exercises.judge_each([(0,), (1,), (2,), (4,)], judge, "windows")
    assert caught.value.share == 0.75
    with pytest.raises(exercises.Wrong, match="^1 is odd$") as caught:
        exercises.judge_each([(1,), (3,)], judge)
    assert caught.value.share == 0
    assert [exercises.ordinal(k) for k in (0, 9, 10, 11, 12, 20, 21, 22, 23, 110)] == (
        ["first", "tenth", "11th", "12th", "13th", "21st", "22nd", "23rd", "24th", "111th"]
    )


def test_who_raised_is_told():
    @exercises.checker("9.9")
    def check(answer):
        return int(exercises.call(answer)) and "fine"

    assert "your code raised ZeroDivisionError" in check(lambda: 1 / 0).message
    assert "returned None" in check(lambda: None).message
    assert "returned [1, 2], which is not the kind of result" in check(lambda: [1, 2]).message
    assert "the checker expects a function" in check(7).message
    assert check(leave_quietly).message == "your code raised SystemExit: 3"


def leave_quietly():
    raise SystemExit(3)


def test_the_catalogue_loads_no_torch():
    source = inspect.getsource(exercises.catalogue) + inspect.getsource(exercises)
    assert not re.search(r"^\s*(import|from) (torch|numpy|pandas)", source, re.M)
