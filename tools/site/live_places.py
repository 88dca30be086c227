"""The places of the live widgets on the pages, and what each is given: its example, and the settings of its static twin.

A widget of a notebook leaves a remark on its page, and after it the picture of the widget, its static twin. The place of the
live widget is right after the remark: where a browser runs JavaScript, the widget is there instead of the remark. The example
is read from the twin. If the twin does not show the whole text, the embedded corpus is asked for the text of its question; a question that it
does not have (the lesson was run with other data) is left out, and the widget begins with an example of the corpus.
"""

import json
import re
from functools import cache
from itertools import product

from bs4 import BeautifulSoup, Tag

import qa_helpers as qa

TITLE = "Ask it yourself"
# The document of the tour's first cells, with questions that go well and one that the text does not answer.
CONTEXT = (
    "The Tarn Bridge is a road bridge over the Ellim. It was designed by the engineer Odile Brask; an earlier plan by Henrik "
    "Sorley had been rejected in 1871 as too costly. The bridge was opened to traffic on 4 May 1893 and cost £4,200. It is "
    "212 metres long and rests on nine arches."
)
QUESTIONS = (
    "Who designed the bridge?",
    "How much did the bridge cost?",
    "Why was the earlier plan rejected?",
    "Who wrote Hamlet?",
)
# The widgets that work in a page, and the scripts of each in tools/site/live.
SCRIPTS = {
    "qa-offset-explorer": ("offset_explorer.js",),
    "qa-window-explorer": ("window_explorer.js",),
    "qa-label-stepper": ("label_stepper.js",),
    "qa-span-explorer": ("span_explorer.js",),
    "qa-ask-box": ("occlusion.js", "ask_box.js"),
}
FURTHER, LONGEST = 4, 1500  # examples beside the lesson's own, and their characters


def scripts_of(tree: BeautifulSoup | Tag) -> list[str]:
    """The scripts that the widgets of a page need, each once."""
    return list(dict.fromkeys(name for place in tree.select("[data-live]") for name in SCRIPTS[place["data-live"]]))


def add(tree: BeautifulSoup, lessons: dict[str, str]) -> None:
    """The places of a lesson's widgets, hidden until a script fills them.

    Args:
        lessons: the number of each lesson, such as "02" → the address of its page, for links.

    Raises:
        ValueError: the picture after a widget does not show what the widget begins with.
    """
    for remark in tree.select(".remark[data-widget]"):
        widget, twin = remark["data-widget"], remark.find_next(class_="qa-view")
        if widget in SCRIPTS and twin is not None:
            remark.insert_after(place(tree, widget, given(widget, twin) | {"lessons": lessons}))
    heading = next((h for h in tree.find_all("h2") if "Ask it something" in h.get_text()), None)
    cell = heading.find_next(class_="code") if heading else None
    if cell is not None:  # the tour has no widget, but a section for it
        cell.insert_after(place(tree, "qa-ask-box", bridge(lessons)))


def place(tree: BeautifulSoup, widget: str, content: dict) -> Tag:
    told = json.dumps(content, ensure_ascii=False)
    return tree.new_tag("div", attrs={"class": f"live {widget}", "data-live": widget, "data-given": told, "hidden": ""})


def bridge(lessons: dict[str, str]) -> dict:
    """What the box on the first page and in the tour is given."""
    return {"question": QUESTIONS[0], "questions": QUESTIONS, "context": CONTEXT, "lessons": lessons}


def given(widget: str, twin: Tag) -> dict:
    """What a widget's static twin shows: texts, and settings where it states them."""
    box = twin.find(class_="qa-text")
    asked = next((text for text in twin.stripped_strings if text.startswith("Question: ")), "")
    if not (asked or box and widget == "qa-offset-explorer") or widget == "qa-ask-box" and not box:
        raise ValueError(
            f"the picture after the widget {widget} shows no question or no text: call the view of this widget"
        )
    if widget == "qa-offset-explorer":
        return {"text": box.get_text()}
    question = asked.removeprefix("Question: ")
    if widget == "qa-ask-box":
        for summary in box.find_all("summary"):
            summary.decompose()
        return {"question": question, "context": box.get_text()}
    # The label stepper's picture has only an excerpt of a long text.
    whole = box and widget != "qa-label-stepper"
    own = {"question": question, "context": box.get_text(), "answer": marked(box)} if whole else found(question)
    settings = re.search(r"at max_length (\d+), stride (\d+)", twin.get_text())
    told = {"maxLength": int(settings[1]), "stride": int(settings[2])} if settings else {}
    others = further(own and own["context"], widget == "qa-span-explorer")
    return {"examples": [own, *others] if own else others, **told}


def marked(box: Tag) -> list[int] | None:
    """Characters [start, end) of the marks in a text."""
    at, edges = 0, []
    for text in box.find_all(string=True):
        if text.find_parent("mark"):
            edges += [at, at + len(text)]
        at += len(text)
    return [edges[0], edges[-1]] if edges else None


@cache
def rows(source: str, split: str = "validation") -> list[dict]:
    """The examples of an embedded source, with the positions of the first answer."""
    return [
        {
            "question": row["question"],
            "context": row["context"],
            "answer": list(qa.features.answer_of(row)) if row["answers"]["text"] else None,
        }
        for row in qa.load_squad(source)[split]
    ]


def found(question: str) -> dict | None:
    """The example of the embedded sources that asks this."""
    parts = product(("validation", "train"), ("mini_v2", "mini"))
    return next((row for split, source in parts for row in rows(source, split) if row["question"] == question), None)


def further(context: str | None, some_unanswerable: bool) -> list[dict]:
    """Some more examples, with other contexts, evenly spread over the corpus."""
    source = rows("mini_v2" if some_unanswerable else "mini")
    short = [row for row in source if 500 < len(row["context"]) < LONGEST and row["context"] != context]
    return [short[k * len(short) // FURTHER] for k in range(FURTHER)]
