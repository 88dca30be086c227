"""tests/README.md names every test file, and no file that is not there."""

import re

from conftest import REPOSITORY

TESTS = REPOSITORY / "tests"
PAGE = (TESTS / "README.md").read_text(encoding="utf-8")


def test_every_test_file_named_is_there():
    named = re.findall(r"`((?:\w+/)?\w+\.py)`", PAGE)
    assert len(named) > 50
    assert [name for name in named if not (TESTS / name).is_file()] == []


def test_every_test_file_is_named_in_a_table():
    rows = [line for line in PAGE.splitlines() if line.startswith("|")]
    named = {name for line in rows for name in re.findall(r"`((?:\w+/)?test_\w+\.py)`", line)}
    there = {path.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py") if "fixtures" not in path.parts}
    assert there - named == set(), "say in tests/README.md what they show"


def test_every_promise_names_what_shows_it():
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells != ["promise", "shown by"]:
            assert len(cells) == 2 and "`" in cells[1], line
