"""Which exercises are done (``qa.progress()``): saved in one small file that all notebooks and kernels share.

``QA_PROGRESS`` names the file; by default it is in the home directory. ``QA_PROGRESS=off`` saves nothing; use it for
tests and for executing notebooks that are to be committed. No problem with the file raises an error here, because a
checker must give its feedback whether or not it can be saved.
"""

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from filelock import FileLock, Timeout

from ..engine.whole_files import whole_file
from .exercises.catalogue import EXERCISES, LESSONS, Exercise
from .render import Html

FORMAT = 1
OFF = ("off", "0", "no", "false")
_DRIVE = Path("/content/drive/MyDrive")  # in Colab, once Google Drive is mounted
_PATIENCE = 5.0  # seconds to wait while another kernel is writing


def progress(lesson: int | None = None, reset: bool = False) -> Html:
    """Show which exercises are done, with a bar for each lesson.

    Your progress is saved when a checker runs, and shared between notebooks. A failure does not undo an earlier pass.

    Args:
        lesson: show the exercises of this lesson one by one (0 to 10). The default shows a row for each lesson.
        reset: start again from nothing. The old file is renamed, not deleted.

    Returns:
        An object that a notebook shows as a table and ``print`` as plain text.

    Raises:
        ValueError: there is no such lesson, or the old file cannot be renamed.
    """
    if lesson is not None and lesson not in LESSONS:
        raise ValueError(f"There is no lesson {lesson!r}; the lessons are {min(LESSONS)} to {max(LESSONS)}.")
    kept = _reset() if reset else _look()
    remarks = [_where(kept), *kept.remarks]
    if lesson is None:
        return _table("Your progress", [_lesson_row(number, kept) for number in LESSONS], remarks)
    rows = [_exercise_row(exercise, kept) for exercise in EXERCISES if exercise.lesson == lesson]
    return _table(f"Lesson {lesson:02d} · {LESSONS[lesson]}", rows, remarks)


def record(exercise: str, passed: bool, share: float) -> str:
    """Save the result of a checker, which calls this itself. Returns the reason if it cannot be saved, otherwise ""."""
    path = progress_file()
    if path is None or _in_a_solution_notebook():
        return ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(_lock(path), timeout=_PATIENCE):
            kept = _load(path, put_aside=True)
            if kept.blocked:
                return kept.remarks[0]
            entry = kept.exercises.get(exercise, {})
            entry["tries"] = entry.get("tries", 0) + 1
            entry["share"] = max(entry.get("share", 0.0), round(float(share), 4))
            if passed and not entry.get("passed"):
                entry["passed"] = datetime.now(UTC).isoformat(timespec="seconds")
            _save(path, kept.exercises | {exercise: entry})
            return " ".join(kept.remarks)
    except Timeout:
        return f"not saved for qa.progress(): another program is using {path.name}. Run the cell again"
    except (OSError, ValueError, NotImplementedError) as error:  # a full disk; a file system without locks
        return f"not saved for qa.progress(): cannot write {path} ({_reason(error)}). Set QA_PROGRESS to a file that can be written"


def progress_file() -> Path | None:
    """The file in which progress is saved; None if saving is switched off or there is no home directory."""
    named = os.environ.get("QA_PROGRESS", "").strip()
    if named.lower() in OFF:
        return None
    if named:
        path = Path(named).expanduser()
        return path / "progress.json" if path.is_dir() or not path.suffix else path
    try:
        folder = _DRIVE if _DRIVE.is_dir() else Path.home()
    except RuntimeError:  # there is no home directory, as in some containers
        return None
    return folder / ("qa_helpers" if folder == _DRIVE else ".qa_helpers") / "progress.json"


@dataclass
class _Kept:
    """The content of the file: for each exercise its ``tries``, its best ``share`` and when it was first ``passed``."""

    path: Path | None = None
    exercises: dict[str, dict] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    blocked: bool = False  # the file exists and must not be overwritten


def _load(path: Path, put_aside: bool) -> _Kept:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or not isinstance(content.get("exercises"), dict):
            raise ValueError("it contains no exercises")
        if content.get("format") != FORMAT:
            remark = f"{path} has format {content.get('format')!r}, which this version of the course does not know, so it is left unchanged"
            return _Kept(path, remarks=[remark], blocked=True)
        for name, entry in content["exercises"].items():
            if not isinstance(entry, dict) or not isinstance(entry.get("tries"), int) or not 0 <= entry["share"] <= 1:
                raise ValueError(f"its entry for {name} is damaged")
        return _Kept(path, content["exercises"])
    except FileNotFoundError:
        return _Kept(path)
    except (ValueError, KeyError, TypeError) as error:  # JSON and Unicode errors are ValueErrors
        if not put_aside:
            remark = f"{path} cannot be read ({error}); the next exercise you check will rename it and start a new file"
            return _Kept(path, remarks=[remark], blocked=True)
        aside = _put_aside(path, "damaged")
        return _Kept(
            path,
            remarks=[
                f"{path.name} could not be read ({error}); it is now called {aside.name}, and a new file was started"
            ],
        )


def _put_aside(path: Path, why: str) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.stem}.{why}-{number}{path.suffix}")).exists():
        number += 1
    return path.rename(aside)


def _save(path: Path, exercises: dict) -> None:
    content = {"format": FORMAT, "exercises": dict(sorted(exercises.items()))}
    with whole_file(path) as partial:
        partial.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _look() -> _Kept:
    path = progress_file()
    if path is None:
        return _Kept()
    try:
        return _load(path, put_aside=False)  # reading needs no lock, because the file is replaced as a whole
    except OSError as error:
        return _Kept(path, remarks=[f"{path} cannot be read ({_reason(error)})"], blocked=True)


def _reset() -> _Kept:
    path = progress_file()
    if path is None or not path.exists():
        return _look()
    try:
        with FileLock(_lock(path), timeout=_PATIENCE):
            aside = _put_aside(path, "before-reset")
    except (Timeout, OSError, NotImplementedError) as error:
        raise ValueError(f"cannot rename {path} ({_reason(error)}), so your progress was not reset.") from error
    return _Kept(path, remarks=[f"your progress was reset; the old file is now called {aside.name}"])


def _lock(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _in_a_solution_notebook() -> bool:
    """Whether this kernel runs a solution notebook (Jupyter tells its name); running solutions is not solving."""
    return os.environ.get("JPY_SESSION_NAME", "").endswith("_solutions.ipynb")


def _where(kept: _Kept) -> str:
    if kept.path is None:
        return "Your progress is not saved here: QA_PROGRESS is off, or there is no home directory."
    if Path("/content").is_dir() and "COLAB_RELEASE_TAG" in os.environ and not kept.path.is_relative_to(_DRIVE):
        return f"Saved in {kept.path}, which Colab deletes with the machine; mount Google Drive to keep it."
    return f"Saved in {kept.path}."


@dataclass
class _Row:
    name: str
    done: float  # 0..1, the length of the bar
    said: str


def _lesson_row(number: int, kept: _Kept) -> _Row:
    own = [exercise for exercise in EXERCISES if exercise.lesson == number]
    passed = sum(bool(kept.exercises.get(exercise.number, {}).get("passed")) for exercise in own)
    shares = [_share(kept.exercises.get(exercise.number, {})) for exercise in own]
    begun = sum(0 < share < 1 for share in shares)
    said = f"{passed} of {len(own)}" + (f", {begun} started" if begun else "")
    return _Row(f"{number:02d} · {LESSONS[number]}", sum(shares) / len(own), said)


def _exercise_row(exercise: Exercise, kept: _Kept) -> _Row:
    entry = kept.exercises.get(exercise.number, {})
    share = _share(entry)
    if entry.get("passed"):
        said = f"✔ done on {entry['passed'][:10]}" if isinstance(entry["passed"], str) else "✔ done"
    else:
        said = f"✘ best try {round(100 * share)} % right" if entry else "○ open"
    return _Row(f"{exercise.number} {exercise.title} {'●' * exercise.level}{'○' * (3 - exercise.level)}", share, said)


def _share(entry: dict) -> float:
    return 1.0 if entry.get("passed") else min(float(entry.get("share", 0.0)), 0.99)


def _table(title: str, rows: list[_Row], remarks: list[str]) -> Html:
    width = max(len(row.name) for row in rows)
    plain = [title, *(f"{row.name:<{width}}  {_bar(row.done)}  {row.said}" for row in rows), *remarks]
    # Text, border and bar have the page's own text colour, which suits light and dark themes.
    cell = "padding:0.15em 0.8em 0.15em 0;text-align:left"
    body = "".join(
        f'<tr><th scope="row" style="{cell};font-weight:normal">{escape(row.name)}</th>'
        f'<td style="{cell}"><div aria-hidden="true" style="width:10em;height:0.8em;border:1px solid currentColor">'
        f'<div style="width:{round(100 * row.done)}%;height:100%;background:currentColor"></div></div></td>'
        f'<td style="{cell}">{escape(row.said)}</td></tr>'
        for row in rows
    )
    notes = "".join(f'<div style="font-size:90%">{escape(remark)}</div>' for remark in remarks)
    html = (
        f'<div class="qa-progress"><table style="border-collapse:collapse"><caption style="text-align:left;'
        f'font-weight:bold;color:inherit">{escape(title)}</caption><tbody>{body}</tbody></table>{notes}</div>'
    )
    return Html(html, "\n".join(plain))


def _bar(done: float, width: int = 12) -> str:
    filled = int(done * width)
    return "█" * filled + "·" * (width - filled)
