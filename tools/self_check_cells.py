"""Write the self-check questions of notebooks/self_check.yaml into the lessons, a Markdown cell each.

    python tools/self_check_cells.py

The cell is tagged "self-check" and stands before "What to remember". An answer is folded; opening it shows what is to be said
about it, as on the site, which leaves the cell out and shows its own form of the questions. Nothing is executed.
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools" / "site"))

from self_check import TAG, Choice, Question, inline, load, plain  # noqa: E402

INTRODUCTION = (
    "One answer to each question is right. The wrong ones are misconceptions that many readers have at first. Choose one, "
    "then open it to see whether it is right."
)


def guide_rows(guide: str) -> dict[str, str]:
    """Misconception → the Markdown of what dispels it, from the tables of the teaching guide."""
    rows = re.findall(r"(?m)^\| (“.+?”) \| (.+) \|$", guide)
    return {plain(thought): dispels for thought, dispels in rows}


def cell_source(questions: list[Question], rows: dict[str, str]) -> str:
    """The cell's Markdown.

    Raises:
        ValueError: a wrong choice names a misconception that the guide does not have.
    """
    parts = ["### Check yourself", INTRODUCTION]
    for number, question in enumerate(questions, 1):
        parts.append(f"**{number}.** {' '.join(question.ask.split())}")
        parts += [_choice(choice, rows) for choice in question.choices]
    return "\n\n".join(parts)


def _choice(choice: Choice, rows: dict[str, str]) -> str:
    if choice.right:
        said = f"**Right.** {choice.because}"
    else:
        if plain(choice.misconception) not in rows:
            raise ValueError(f"TEACHING.md has no misconception {choice.misconception!r}")
        dispels = rows[plain(choice.misconception)]
        said = f"**Not quite.** {choice.because} This is the misconception “{choice.misconception}”. {dispels}"
    said = " ".join(said.split())
    return f"<details><summary>{inline(choice.text)}</summary>\n\n{said}\n\n</details>"


def with_questions(notebook: dict, source: str) -> dict:
    """The notebook with this cell before "What to remember" (else before its last cell), in the place of an older one."""
    old = [cell for cell in notebook["cells"] if TAG in cell["metadata"].get("tags", [])]
    cells = [cell for cell in notebook["cells"] if cell not in old]
    place = next(
        (k for k, cell in enumerate(cells) if "".join(cell["source"]).startswith("**What to remember**")),
        len(cells) - 1,
    )
    cell = {
        "cell_type": "markdown",
        "id": old[0]["id"] if old else TAG,
        "metadata": {"tags": [TAG]},
        "source": source.splitlines(keepends=True),
    }
    return {**notebook, "cells": [*cells[:place], cell, *cells[place:]]}


def main() -> None:
    folder = ROOT / "notebooks"
    rows = guide_rows((folder / "TEACHING.md").read_text(encoding="utf-8"))
    for lesson, questions in load(folder / "self_check.yaml").items():
        path = folder / f"{lesson}.ipynb"
        notebook = json.loads(path.read_text(encoding="utf-8"))
        changed = (
            json.dumps(with_questions(notebook, cell_source(questions, rows)), indent=1, ensure_ascii=False) + "\n"
        )
        if changed != path.read_text(encoding="utf-8"):
            path.write_text(changed, encoding="utf-8")
            print("written:", path.name)


if __name__ == "__main__":
    main()
