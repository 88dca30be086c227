"""qa.progress(): what is kept, where, and what happens when it cannot be."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

import qa_helpers as qa
from qa_helpers.classroom import progress as _progress
from qa_helpers.classroom.exercises import lesson00
from qa_helpers.classroom.exercises.catalogue import EXERCISES, LESSONS


def right(starts, ends):
    spans = [(a, b) for a in range(len(starts)) for b in range(a, len(ends))]
    return max(spans, key=lambda span: starts[span[0]] + ends[span[1]])


def apart(starts, ends):
    return starts.index(max(starts)), ends.index(max(ends))


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "kept" / "progress.json"
    monkeypatch.setenv("QA_PROGRESS", str(path))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    return path


def entries(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))["exercises"]


def test_a_pass_is_kept_for_other_kernels(file):
    assert lesson00.check_best_span(right).note == ""
    code = "import qa_helpers as qa; print(qa.progress())"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert re.search(r"^00 · The tour .* 1 of 2$", shown, re.M) and f"Saved in {file}." in shown
    assert re.search(r"^01 · The data .* 0 of 3$", shown, re.M)


def test_the_best_is_kept_and_a_later_failure_undoes_nothing(file):
    lesson00.check_best_span(apart)
    assert "passed" not in entries(file)["0.1"] and 0 < entries(file)["0.1"]["share"] < 1
    assert "1 started" in repr(qa.progress()) and "best try 57 % right" in repr(qa.progress(0))
    lesson00.check_best_span(right)
    lesson00.check_best_span(lambda *_: None)
    assert entries(file)["0.1"]["tries"] == 3 and entries(file)["0.1"]["share"] == 1
    assert re.search(r"0\.1 A span that runs forwards ●○○ .*✔ done on \d{4}-\d\d-\d\d$", repr(qa.progress(0)), re.M)


def test_an_untouched_stub_is_not_a_try(file):
    lesson00.check_best_span(lambda *_: ...)
    assert not file.exists()


def test_switched_off_nothing_is_written_or_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for word in ("off", "OFF", "0"):
        monkeypatch.setenv("QA_PROGRESS", word)
        assert lesson00.check_best_span(right).note == ""
        assert "1 of 2" not in repr(qa.progress()) and "Your progress is not saved here" in repr(qa.progress())
    assert list(tmp_path.iterdir()) == []


def test_the_notebooks_of_this_project_run_switched_off():
    runner, makefile = (Path(_progress.__file__).parents[2] / name for name in ("tools/run_notebooks.py", "Makefile"))
    assert 'os.environ["QA_PROGRESS"] = "off"' in runner.read_text(encoding="utf-8")
    assert "nbval: export QA_PROGRESS = off" in makefile.read_text(encoding="utf-8")


def test_where_it_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("QA_PROGRESS", raising=False)
    assert _progress.progress_file() == tmp_path / ".qa_helpers" / "progress.json"
    monkeypatch.setenv("QA_PROGRESS", str(tmp_path))
    assert _progress.progress_file() == tmp_path / "progress.json", "a folder may be named as well as a file"
    monkeypatch.setenv("QA_PROGRESS", "~/course/mine.json")
    assert _progress.progress_file() == tmp_path / "course" / "mine.json"


def test_colab_keeps_it_on_a_drive_that_is_mounted(tmp_path, monkeypatch):
    monkeypatch.delenv("QA_PROGRESS", raising=False)
    monkeypatch.setattr(_progress, "_DRIVE", tmp_path)
    assert _progress.progress_file() == tmp_path / "qa_helpers" / "progress.json"


def test_without_a_home_nothing_is_kept(monkeypatch):
    def nowhere():
        raise RuntimeError("no home")

    monkeypatch.delenv("QA_PROGRESS", raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    assert lesson00.check_best_span(right).passed
    assert "no home directory" in repr(qa.progress())


def test_running_the_solutions_is_not_solving(file, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "course/solutions/00_tour_solutions.ipynb")
    assert lesson00.check_best_span(right).passed
    assert not file.exists()


@pytest.mark.parametrize(
    "damage", ['{"format": 1, "exer', "[]", "\x00\x01", '{"format": 1, "exercises": {"0.1": {"tries": "many"}}}', ""]
)
def test_a_damaged_file_is_told_and_kept_aside(file, damage):
    file.parent.mkdir()
    file.write_text(damage, encoding="utf-8")
    shown = repr(qa.progress())
    assert "cannot be read" in shown and "0 of 2" in shown
    assert file.read_text(encoding="utf-8") == damage, "looking changes nothing"
    feedback = lesson00.check_best_span(right)
    assert feedback.passed and "now called progress.damaged-1.json" in feedback.note and feedback.note in repr(feedback)
    assert file.with_name("progress.damaged-1.json").read_text(encoding="utf-8") == damage
    assert entries(file)["0.1"]["passed"]
    file.write_text("again", encoding="utf-8")
    assert "progress.damaged-2.json" in lesson00.check_best_span(right).note


def test_bytes_that_are_no_text_are_damage_too(file):
    file.parent.mkdir()
    file.write_bytes(b"\xff\xfe\xfd")
    assert "damaged-1" in lesson00.check_best_span(right).note


def test_a_newer_format_is_left_as_it_is(file):
    file.parent.mkdir()
    file.write_text('{"format": 2, "exercises": {}}', encoding="utf-8")
    feedback = lesson00.check_best_span(right)
    assert feedback.passed and "format 2" in feedback.note and "format 2" in repr(qa.progress())
    assert json.loads(file.read_text(encoding="utf-8"))["format"] == 2


def test_exercises_that_this_version_does_not_know_are_kept(file):
    file.parent.mkdir()
    other = {"10.1": {"tries": 2, "share": 1.0, "passed": "2026-01-01"}}
    file.write_text(json.dumps({"format": 1, "exercises": other}), encoding="utf-8")
    lesson00.check_best_span(right)
    assert entries(file)["10.1"] == other["10.1"] and entries(file)["0.1"]["passed"]


def test_where_nothing_can_be_written_the_checker_still_answers(tmp_path, monkeypatch):
    (tmp_path / "occupied").write_text("a file where a folder would have to be")
    monkeypatch.setenv("QA_PROGRESS", str(tmp_path / "occupied" / "progress.json"))
    feedback = lesson00.check_best_span(right)
    assert feedback.passed and "cannot write" in feedback.note and "QA_PROGRESS" in feedback.note
    assert "0 of 2" in repr(qa.progress())


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), ValueError("The disk is full"), OSError(28, "No space left")]
)
def test_a_folder_that_takes_nothing(file, monkeypatch, error):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(_progress, "whole_file", refuse)
    feedback = lesson00.check_best_span(right)
    assert feedback.passed and (getattr(error, "strerror", None) or str(error)) in feedback.note


def test_another_kernel_that_holds_the_file_is_waited_for_and_told(file, monkeypatch):
    file.parent.mkdir()
    monkeypatch.setattr(_progress, "_PATIENCE", 0.05)
    with FileLock(_progress._lock(file)):
        feedback = lesson00.check_best_span(right)
    assert feedback.passed and "another program is using progress.json" in feedback.note
    assert lesson00.check_best_span(right).note == ""


def test_kernels_that_write_at_the_same_time_lose_nothing(file):
    lines = [
        "import sys; from qa_helpers.classroom import progress as _progress; _progress._PATIENCE = 300.0",
        "for k in range(12): assert _progress.record(f'{sys.argv[1]}.{k}', True, 1.0) == ''",
    ]
    kernels = [subprocess.Popen([sys.executable, "-c", "\n".join(lines), str(number)]) for number in range(3)]
    assert [kernel.wait(timeout=300) for kernel in kernels] == [0, 0, 0]
    assert set(entries(file)) == {f"{number}.{k}" for number in range(3) for k in range(12)}
    assert {path.name for path in file.parent.iterdir()} <= {file.name, _progress._lock(file).name}


def test_reset_puts_the_old_file_aside(file):
    lesson00.check_best_span(right)
    shown = repr(qa.progress(reset=True))
    assert "0 of 2" in shown and "progress.before-reset-1.json" in shown
    assert entries(file.with_name("progress.before-reset-1.json"))["0.1"]["passed"]
    assert "1 of 2" not in repr(qa.progress())
    assert "0 of 2" in repr(qa.progress(reset=True)), "where nothing is kept there is nothing to put aside"


def test_all_lessons_and_all_exercises_are_shown(file):
    for number, title in LESSONS.items():
        assert f"{number:02d} · {title}" in repr(qa.progress())
        shown = repr(qa.progress(number))
        assert all(f"{e.number} {e.title}" in shown for e in EXERCISES if e.lesson == number)


@pytest.mark.parametrize("lesson", [13, -1, "3"])
def test_an_unknown_lesson_is_told(lesson):
    with pytest.raises(ValueError, match="the lessons are 0 to 12"):
        qa.progress(lesson)


def test_the_html_is_escaped_and_takes_the_pages_own_colours(tmp_path, monkeypatch):
    monkeypatch.setenv("QA_PROGRESS", str(tmp_path / "<b>&.json"))
    lesson00.check_best_span(apart)
    html = qa.progress()._repr_html_()
    assert "<b>" not in html and "&lt;b&gt;&amp;.json" in html
    assert not re.search(r"#[0-9a-fA-F]{3,6}\b|rgb|opacity", html), "currentColor only: good contrast in every theme"
    assert html.count('<th scope="row"') == len(LESSONS) and html.count('aria-hidden="true"') == len(LESSONS)
    assert "width:29%" in html
