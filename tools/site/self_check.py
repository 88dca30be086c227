"""The self-check questions of notebooks/self_check.yaml: read, judged, and set on a lesson's page.

A lesson's entry is a list of three to five questions:

    - ask: Where does the answer come from?
      choices:
        - right: From the context, between two positions.
          because: The model returns positions, and the text between them is cut out.
        - wrong: The model writes it.
          is: The model writes the answer          # a misconception of the teaching guide, in its words
          because: It never produces a word.       # may be left out: the guide's own sentence is always shown

What "is" names must be a row of a table of misconceptions in notebooks/TEACHING.md: the row says what dispels it, and links to
the section.
"""

import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

import yaml
from bs4 import BeautifulSoup, Tag
from nbconvert.filters.markdown_mistune import markdown2html_mistune

TAG = "self-check"  # of the cell that holds a lesson's questions (tools/self_check_cells.py)


@dataclass(frozen=True)
class Choice:
    """An answer to choose: right, or wrong by a misconception."""

    text: str
    right: bool
    because: str
    misconception: str  # "" for the right one


@dataclass(frozen=True)
class Question:
    ask: str
    choices: tuple[Choice, ...]


def load(path: Path) -> dict[str, list[Question]]:
    """The questions of each lesson, by the name of its notebook without ``.ipynb``; none where there is no file.

    Raises:
        ValueError: the file is not of the form above; the message names lesson and question.
    """
    if not path.is_file():
        return {}
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path.name}: each lesson needs an entry with its questions, such as '00_tour: […]'")
    return {lesson: _lesson(entry, f"{path.name}, {lesson}") for lesson, entry in content.items()}


def _lesson(entry, place: str) -> list[Question]:
    if not isinstance(entry, list) or not 3 <= len(entry) <= 5:
        raise ValueError(f"{place}: a lesson has three to five questions")
    questions = [_question(item, f"{place}, question {number}") for number, item in enumerate(entry, 1)]
    if len({question.ask for question in questions}) < len(questions):
        raise ValueError(f"{place}: a question is there twice")
    return questions


def _question(item, place: str) -> Question:
    if not isinstance(item, dict) or set(item) != {"ask", "choices"} or not _is_text(item["ask"]):
        raise ValueError(f"{place}: a question has the entries 'ask' and 'choices', and nothing else")
    if not isinstance(item["choices"], list) or not 2 <= len(item["choices"]) <= 5:
        raise ValueError(f"{place}: there are two to five choices")
    choices = tuple(_choice(choice, f"{place}, choice {number}") for number, choice in enumerate(item["choices"], 1))
    if sum(choice.right for choice in choices) != 1:
        raise ValueError(f"{place}: exactly one choice is right")
    if len({choice.text for choice in choices}) < len(choices):
        raise ValueError(f"{place}: a choice is there twice")
    return Question(item["ask"], choices)


def _choice(choice, place: str) -> Choice:
    if not isinstance(choice, dict) or not all(map(_is_text, choice.values())):
        raise ValueError(f"{place}: a choice is a mapping from 'right' or 'wrong' to a text, with 'because' and 'is'")
    if set(choice) == {"right", "because"}:
        return Choice(choice["right"], True, choice["because"], "")
    if set(choice) in ({"wrong", "is"}, {"wrong", "is", "because"}):
        return Choice(choice["wrong"], False, choice.get("because", ""), choice["is"])
    raise ValueError(
        f"{place}: the right choice has 'right' and 'because'; a wrong one has 'wrong', 'is', and may have 'because'"
    )


def _is_text(value) -> bool:
    return isinstance(value, str) and bool(value.strip())


def misconceptions(guide: BeautifulSoup | Tag) -> dict[str, Tag]:
    """The rows of the guide's tables of misconceptions: what students think → the cell that says what dispels it."""
    found = {}
    for table in guide.find_all("table"):
        if table.th and table.th.get_text() == "Misconception":
            for row in table.select("tbody tr"):
                thought, dispels = row.find_all("td")
                found[plain(thought.get_text())] = dispels
    return found


def plain(text: str) -> str:
    """A misconception without quotation marks and without marks for code and emphasis."""
    return " ".join(re.sub(r"[`*]", "", text).strip().strip("“”").split())


def section_html(questions: list[Question], rows: dict[str, Tag], name: str) -> str:
    """The questions as a section: lists, with what is said about each choice folded away. self_check.js makes forms of them.

    Raises:
        ValueError: a wrong choice names a misconception that the guide does not have.
    """
    return (
        '<section class="self-check"><h2>Check yourself</h2>'
        "<p>One answer to each question is right. The wrong ones are misconceptions that many readers have at first.</p>"
        + "".join(
            _question_html(question, rows, f"{name}, question {number}") for number, question in enumerate(questions, 1)
        )
        + "</section>"
    )


def _question_html(question: Question, rows: dict[str, Tag], place: str) -> str:
    items = []
    for choice in question.choices:
        if choice.right:
            said = f"<b>Right.</b> {inline(choice.because)}"
        else:
            row = rows.get(plain(choice.misconception))
            if row is None:
                raise ValueError(f"{place}: TEACHING.md has no misconception {choice.misconception!r}")
            why = f"{inline(choice.because)} " if choice.because else ""
            said = (
                f'<b>Not quite.</b> {why}<span class="misconception">This is the misconception '
                f"“{inline(choice.misconception)}”. {row.decode_contents()}</span>"
            )
        items.append(
            f'<li data-right="{int(choice.right)}"><div class="choice">{inline(choice.text)}</div>'
            f'<details><summary>Is this right?</summary><p class="said">{said}</p></details></li>'
        )
    return f'<div class="question"><p class="ask">{inline(question.ask)}</p><ul>{"".join(items)}</ul></div>'


def inline(markdown: str) -> str:
    """One line of Markdown as HTML without a paragraph around it."""
    html = markdown2html_mistune(" ".join(markdown.split())).strip()
    return re.sub(r"^<p>|</p>$", "", html) if html.startswith("<p>") else escape(markdown)
