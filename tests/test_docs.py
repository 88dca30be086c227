"""What the pages say is there: links, headings, exercises, first uses of terms in the teaching guide and the overview,
sources in the bibliography, and the test files that tests/README.md names."""

import json
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import bibliography
import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"
LESSONS = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
PAGES = [
    *(FOLDER / f"{name}.md" for name in ("README", "TEACHING", "BIBLIOGRAPHY", "SEVERAL_GPUS")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "tools/benchmarks/RESULTS.md")),
]
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")


class Passage(NamedTuple):
    """A piece of a lesson's markdown: what stands in one cell under one heading (``""`` before the first)."""

    lesson: str
    heading: str
    text: str


@cache
def passages() -> list[Passage]:
    """All lessons in order, cut at cells and headings; code and its output are left out."""
    found = []
    for path in LESSONS:
        heading = ""
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            # The questions are written from a file of their own; a term in them is not explained there.
            if cell["cell_type"] == "markdown" and "self-check" not in cell["metadata"].get("tags", []):
                for part in re.split(r"(?m)^(?=#{2,4} )", "".join(cell["source"])):
                    titled = re.match(r"#{2,4} (.+)", part)
                    heading = anchor_of(titled[1]) if titled else heading
                    found.append(Passage(path.name, heading, part))
    return found


def anchor_of(heading: str) -> str:
    """The anchor that Jupyter gives a heading: its text without marks, spaces as hyphens."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip())
    return re.sub(r"[`*]", "", plain).replace(" ", "-")


@cache
def anchors(path: Path) -> set[str]:
    """Anchors of a notebook (as Jupyter makes them) or of a markdown page (as GitHub makes them)."""
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        return {anchor_of(heading) for heading in re.findall(r"(?m)^#{1,4} (.+)$", text)}
    headings = re.findall(r"(?m)^#{1,6} (.+)$", path.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    broken = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        name, _, anchor = unquote(link).partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page):
    assert not broken_links(page)


def test_a_wrong_link_would_be_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One heading\n[a](#one-heading) [b](#two) [c](gone.ipynb) [d](page.md#one-heading)", "utf-8")
    assert broken_links(page) == ["#two", "gone.ipynb"]


def section(title: str, level: int = 2, text: str | None = None) -> str:
    """What stands under a heading of TEACHING.md, up to the next one of its level or above."""
    text = PAGES[1].read_text(encoding="utf-8") if text is None else text
    found = re.search(rf"(?ms)^{'#' * level} {re.escape(title)}\n(.*?)(?=^#{{1,{level}}} |\Z)", text)
    assert found, f"TEACHING.md has no heading {title!r}"
    return found[1]


def title_of(path: Path) -> str:
    """``00 · The tour``: a lesson's number and short name, as its neighbours link to it."""
    cell = json.loads(path.read_text(encoding="utf-8"))["cells"][0]
    return re.match(r"# (\d\d · [^:\n]+)", "".join(cell["source"]))[1]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_guide_has_all_that_a_teacher_needs_for_each_lesson(path):
    text = section(title_of(path), level=3)
    assert f"({path.name})" in text
    for part in ("Objectives", "Prerequisites", "Time", "Discuss", "Skip"):
        assert re.search(rf"\*\*{part}\.\*\* \w+", text), f"no {part}"
    rows = re.findall(r"(?m)^\| “.+” \| .+ \|$", text)
    assert len(rows) >= 2, "two misconceptions at least, each with what dispels it"
    for row in rows:
        assert f"]({path.name}#" in row, f"dispelled where? {row}"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_times_are_those_of_the_lessons(path):
    """The lesson's own line says how long it takes; the overview and the guide say the same."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    header = "".join(cells[0]["source"])
    minutes = re.search(r"\*Time:\* (\d+) minutes", header)[1]
    exercises = [int(n) for n in re.findall(r"### Exercise .*?(\d+) minutes\)", json.dumps(cells))]
    apart = re.search(r"and (\d+) for the exercises", header)
    assert not apart or int(apart[1]) == sum(exercises)
    told = f"**Time.** {minutes} minutes to read and run" + (
        f", {sum(exercises)} for the exercises" if exercises else ""
    )
    assert told in section(title_of(path), level=3)
    row = next(line for line in PAGES[0].read_text(encoding="utf-8").splitlines() if f"]({path.name})" in line)
    cells_of_row = [cell.strip() for cell in row.split("|")]
    assert f"{minutes} min" in cells_of_row and (f"{sum(exercises)} min" if exercises else "–") in cells_of_row


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_shows_the_progress_in_its_own_exercises(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    exercises = "### Exercise " in json.dumps(cells)
    assert re.findall(r"qa\.progress\((\d*)\)", code) == exercises * [str(int(path.name[:2]))]


@pytest.mark.parametrize("plan", ["A half-day workshop", "A two-day course", "A four-week seminar"])
def test_plans_name_lessons_and_times(plan):
    text = section(plan, level=3)
    named = set(re.findall(r"\]\((\d\d_\w+\.ipynb)", text))
    assert len(named) >= 4 and named <= {path.name for path in LESSONS}
    assert re.search(r"\d+ min|\d\d:\d\d", text)


class Term(NamedTuple):
    """A row of the glossary: the term's spellings and the two links."""

    spellings: list[str]
    meaning: str
    first: str
    explained: str


def glossary() -> list[Term]:
    """Rows ``| **term**, **other spelling** | meaning | [..](first) | [..](explained) |``."""
    rows = re.findall(r"(?m)^\| (\*\*.+\*\*) \| (.+) \| \[.+?\]\((\S+)\) \| \[.+?\]\((\S+)\) \|$", section("Glossary"))
    return [Term(re.findall(r"\*\*(.+?)\*\*", names), *rest) for names, *rest in rows]


def pattern(spellings: list[str]) -> re.Pattern:
    """Any of the spellings as a whole word, in any case, singular or plural."""
    words = [re.sub("y$", "(?:y|ie)", re.escape(spelling)) for spelling in spellings]  # a vocabulary, two vocabularies
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?:s|es)?(?!\w)", re.IGNORECASE)


def place(link: str) -> tuple[str, str]:
    lesson, _, anchor = unquote(link).partition("#")
    return lesson, anchor


def test_the_glossary_has_the_words_of_the_trade_in_order():
    names = [term.spellings[0] for term in glossary()]
    wanted = """attention, batch, [CLS], cross-entropy, embedding, EM, encoder, epoch, F1, fine-tuning, learning rate,
        logit, masked language modelling, n-best list, null score, offsets, pretraining, segment, softmax, span, stride,
        token, vocabulary, warmup, window"""
    assert {word.strip() for word in wanted.split(",")} <= set(names)
    keys = [name.strip("[]").lower() for name in names]
    assert keys == sorted(keys) and len(set(keys)) == len(keys)


@pytest.mark.parametrize("term", glossary(), ids=lambda term: term.spellings[0])
def test_a_term_is_first_used_and_explained_where_the_glossary_says(term):
    word = pattern(term.spellings)
    first = next((part for part in passages() if word.search(part.text)), None)
    assert first, "no lesson uses the word"
    assert (first.lesson, first.heading) == place(term.first), f"used before: {first.text[:200]}"
    bold = [part for part in passages() if (part.lesson, part.heading) == place(term.explained)]
    marked = " ".join(
        mark
        for part in bold
        for mark in re.findall(r"\*\*(.+?)\*\*|`(.+?)`|^#+ (.+)$", part.text, re.M)
        for mark in mark
    )
    assert word.search(marked), "it is not set off (bold, code or heading) where it is said to be explained"


def test_the_bibliography_has_every_source_that_is_cited_and_says_where():
    page = bibliography.PAGE.read_text(encoding="utf-8")
    entries, texts = bibliography.entries(page), bibliography.places()
    assert len(entries) == len(re.findall(r"(?m)^- ", page)) > 30, (
        "a line is not of the form that bibliography.py reads"
    )
    missing = {place: bibliography.without_entry(text, set(entries)) for place, text in texts.items()}
    assert not {place: keys for place, keys in missing.items() if keys}, (
        "no entry, or cited by another name than its key"
    )
    assert bibliography.updated(page, texts) == page, "run python tools/site/bibliography.py"
    for key, found in entries.items():
        assert re.search(r"(?:Cited in|Background to) [\d`]", found[0]), f"{key}: where does it belong?"
        assert re.search(r"\]\(https://\S+\)", found["what"]), f"{key}: no link"


def test_citations_are_found_in_the_forms_that_texts_use():
    text = bibliography.plain(
        "As (Devlin et al. 2019) and Rajpurkar et al. (2016,\n2018) said; Efron 1979; Xu, Yu and Zhu, 2020, by Li and Wu (2021)."
    )
    keys = ["Devlin et al. 2019", "Rajpurkar et al. 2018", "Efron 1979", "Xu et al. 2020", "Devlin et al. 2018"]
    assert [bibliography.is_cited(key, text) for key in keys] == [True, True, True, True, False]
    assert bibliography.without_entry(text, {"Devlin et al. 2019", "Rajpurkar et al. 2016"}) == [
        "Xu et al. 2020",
        "Li and Wu 2021",
    ]


TESTS = ROOT / "tests"
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
    promises = re.sub(r"(?s)\n## Architectures\n.*?(?=\n## )", "", PAGE)  # test_architectures.py keeps that table
    for line in promises.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells != ["promise", "shown by"]:
            assert len(cells) == 2 and "`" in cells[1], line


def test_no_test_file_imports_another():
    for path in sorted(TESTS.rglob("test_*.py")):
        found = re.findall(r"(?m)^\s*(?:from|import) (test_\w+)", path.read_text(encoding="utf-8"))
        assert not found, f"{path.name} imports {found}: what tests share is in support.py or a conftest.py"
