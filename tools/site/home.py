"""The first page: what the course is, the picture of the pipeline, the way through the lessons, and how to run them."""

import json
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

import live_places
from bs4 import BeautifulSoup, Tag

TITLE = "Extractive QA in notebooks"
SUMMARY = (
    "Learn how BERT and its relatives are fine-tuned to answer a question by pointing at a span of a text, in {number} "
    "executed notebooks: from a raw row of the data to a scored answer."
)
NUMBERS = {9: "nine", 10: "ten", 11: "eleven", 12: "twelve", 13: "thirteen", 14: "fourteen", 15: "fifteen"}
BOX = re.compile(r'<rect x="(\d+)" y="(\d+)" width="205" height="226"')  # a step of the picture


@dataclass
class Row:
    """A lesson's line in the table of notebooks/README.md."""

    about: str  # HTML
    builds_on: str  # HTML
    reading: int  # minutes
    exercises: int


def summary(lessons: int) -> str:
    return SUMMARY.format(number=NUMBERS.get(lessons, lessons))


def lesson_rows(overview: Tag | None) -> dict[str, Row]:
    """The overview's table by the notebook that a line links to; read before links are settled."""
    rows = {}
    for line in overview.select("tbody tr") if overview else ():
        cells = line.find_all("td")
        if len(cells) == 6 and cells[1].a and cells[1].a["href"].endswith(".ipynb"):
            about, builds_on = (cell.decode_contents().strip() for cell in cells[2:4])
            rows[cells[1].a["href"]] = Row(about, builds_on, _minutes(cells[4]), _minutes(cells[5]))
    return rows


def _minutes(cell: Tag) -> int:
    found = re.match(r"(\d+) min", cell.get_text())
    return int(found[1]) if found else 0


def pipeline_html(file: Path, description: str) -> str:
    """The picture of the eight steps, in the page itself: whole where there is room, and step by step on a phone.

    The parts for the phone are windows onto the same drawing, each as large as a step's box.
    """
    svg = file.read_text(encoding="utf-8")
    svg = re.sub(r"<(title|desc) .*?</\1>\s*", "", svg, flags=re.S).replace('id="tip"', 'id="pipeline-tip"')
    svg = svg.replace("url(#tip)", "url(#pipeline-tip)")
    svg = re.sub(r' role="img" aria-labelledby="[^"]*"', ' id="pipeline-drawing" class="whole"', svg, count=1)
    corners = BOX.findall(svg)
    if len(corners) != 8:
        raise ValueError(f"{file.name} has {len(corners)} boxes for its eight steps")
    steps = "".join(
        f'<svg viewBox="{int(x) - 2} {int(y) - 2} 209 230"><use href="#pipeline-drawing" width="960" height="592"/></svg>'
        for x, y in corners
    )
    return f'<div class="pipeline" role="img" aria-label="{escape(description)}">{svg}<div class="steps">{steps}</div></div>'


def inline_pipeline(tree: BeautifulSoup, images: Path) -> None:
    """In place of each image of the pipeline in a page, the drawing itself."""
    for image in tree.select('img[src$="images/pipeline.svg"]'):
        html = pipeline_html(images / "pipeline.svg", image["alt"])
        paragraph = image.find_parent("p")
        (paragraph if paragraph and not paragraph.get_text(strip=True) else image).replace_with(
            BeautifulSoup(html, "html.parser").div
        )


def body(lessons: list, pages: list, rows: dict[str, Row], pipeline: str, repository: str, pdf: bool) -> BeautifulSoup:
    """The page's content."""
    return BeautifulSoup(
        f"<h1>{TITLE}</h1>"
        f'<p class="lead">{summary(len(lessons))} Every step is shown, run and checked: offsets, stride windows, labels, '
        "the model's head, training, decoding, EM and F1.</p>"
        f"{_demonstration(lessons)}"
        f"{_live(lessons)}"
        f"{_picture(pipeline)}"
        f"{_way(lessons, pages, rows, pdf)}"
        f"{_running(repository)}"
        f"{_more(pages)}",
        "html.parser",
    )


def _demonstration(lessons: list) -> str:
    """The task in two lines, and where to begin."""
    begin = (
        f'<p class="begin"><a href="{lessons[0].name}">Start with the tour</a> <a href="#run">Run it yourself</a></p>'
        if lessons
        else ""
    )
    return (
        '<div class="asked"><p><b>Question</b> How long is the bridge?</p>'
        "<p><b>Text</b> The bridge is <mark>212 metres</mark> long. It was opened in 1893.</p>"
        "<p><b>Answer</b> characters 14 to 24 of the text</p></div>"
        f"{begin}"
    )


def _live(lessons: list) -> str:
    """The place of the box that asks the model; without scripts, nothing."""
    content = live_places.bridge(lesson_addresses(lessons)) | {"title": live_places.TITLE, "allowNone": True}
    given = escape(json.dumps(content, ensure_ascii=False))
    return f'<section id="live" class="live qa-ask-box" data-live="qa-ask-box" data-given="{given}" hidden></section>'


def lesson_addresses(lessons: list) -> dict[str, str]:
    """Number of each lesson, such as "02" → its page."""
    return {lesson.source.stem[:2]: lesson.name for lesson in lessons}


def _picture(pipeline: str) -> str:
    if not pipeline:
        return ""
    return (
        f"<figure>{pipeline}<figcaption>One question on its way through the eight steps. The answer is yellow, its start "
        "blue, its end orange. Label and dashed arrow belong to training.</figcaption></figure>"
    )


def _way(lessons: list, pages: list, rows: dict[str, Row], pdf: bool) -> str:
    known = [rows[lesson.source.name] for lesson in lessons if lesson.source.name in rows]
    longest = max((row.reading + row.exercises for row in known), default=1)
    items = "".join(_lesson(lesson, pages, rows.get(lesson.source.name), longest, pdf) for lesson in lessons)
    total = (
        f"<p>Together they take about {_hours(sum(row.reading for row in known))} hours of reading and running, and "
        f"{_hours(sum(row.exercises for row in known))} for the exercises. The bars show how the lessons compare: "
        '<span class="key reading"></span> reading and running, <span class="key exercises"></span> exercises.</p>'
        if known
        else ""
    )
    return f'<h2>The way through the lessons</h2>{total}<ol class="lessons">{items}</ol>'


def _lesson(lesson, pages: list, row: Row | None, longest: int, pdf: bool) -> str:
    number, dot, rest = lesson.title.partition(" · ")
    name = rest if dot else lesson.title
    solutions = next((p for p in pages if p.spoiler and p.source.stem == f"{lesson.source.stem}_solutions"), None)
    links = [f'<a href="pdf/{lesson.source.stem}.pdf">to print (PDF)</a>'] if pdf else []
    links += [f'<a href="{solutions.name}">solutions</a>'] if solutions else []
    facts = ""
    if row:
        needs = f" Builds on {row.builds_on}." if row.builds_on != "–" else ""
        doing = f", {row.exercises} min for the exercises" if row.exercises else ""
        facts = (
            f"<p>{row.about[:1].upper()}{row.about[1:]}.{needs}</p>"
            f'<p class="time"><span class="bar" aria-hidden="true" style="width:{14 * (row.reading + row.exercises) / longest:.1f}rem">'
            f'<span class="reading" style="flex:{row.reading}"></span><span class="exercises" style="flex:{row.exercises}"></span></span>'
            f" {' · '.join([f'{row.reading} min{doing}', *links])}</p>"
        )
    elif links:
        facts = f'<p class="time">{" · ".join(links)}</p>'
    return (
        f'<li><span class="number" aria-hidden="true">{escape(number) if dot else ""}</span>'
        f'<h3><a href="{lesson.name}"><span class="unseen">{escape(number + dot)}</span>{escape(name)}</a></h3>{facts}</li>'
    )


def _hours(minutes: int) -> str:
    """Minutes as hours to the next half: 7 or 7½."""
    halves = max(1, round(minutes / 30))
    return f"{halves // 2 or ''}{'½' if halves % 2 else ''}"


def _running(repository: str) -> str:
    there = ""
    if repository:
        colab = f"https://colab.research.google.com/github/{repository}/blob/main/notebooks/00_tour.ipynb"
        binder = f"https://mybinder.org/v2/gh/{repository}/main?urlpath=lab/tree/notebooks/00_tour.ipynb"
        there = (
            f'<p>Without installing anything: open the tour in <a href="{colab}">Colab</a> or <a href="{binder}">Binder</a>. The '
            f'course is on <a href="https://github.com/{repository}">GitHub</a>.</p>'
        )
    clone = f"git clone https://github.com/{repository}\ncd {repository.split('/')[1]}\n" if repository else ""
    return (
        '<h2 id="run">Run it yourself</h2>'
        "<p>A laptop with Python 3.11 or newer is enough: the data and the small models come with the course, so once it is "
        "installed you need neither a network nor a GPU. In the course's folder:</p>"
        f'<div class="highlight"><pre>{clone}make lab    <span class="c1"># install it, and open the first lesson in JupyterLab</span>\n'
        'make test   <span class="c1"># run all tests, and every notebook again</span></pre></div>'
        f"{there}"
    )


def _more(pages: list) -> str:
    """The pages beside the lessons, each with what it is for."""
    purposes = {
        "readme.html": "what builds on what, how to run the notebooks, and what to do when you are stuck",
        "glossary.html": "the words of the course, and where each is explained",
        "bibliography.html": "the papers and other sources behind the lessons",
        "teaching.html": "for teachers: aims, misconceptions, plans, and the size of a shared server",
        "several_gpus.html": "training on more than one device",
    }
    by_name = {page.name: page for page in pages}
    items = "".join(
        f'<li><a href="{name}">{escape(by_name[name].title)}</a>: {what}</li>'
        for name, what in purposes.items()
        if name in by_name
    )
    return f"<h2>More</h2><ul>{items}</ul>" if items else ""
