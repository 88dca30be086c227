"""Annotator: pick a document, ask a question, give the answer by its text; the offsets and the file are looked after."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

import ipywidgets

from ..annotations import Annotations, find_answer, in_context
from ..render import Html
from ._html import ANSWER, BLUE, SMALL, Mark, alert, attributes, bar, count, marked, page, text_box, tint
from ._shell import WIDE, Shell, layout

_ASKED = f"color:inherit;border-bottom:2px dotted rgb({BLUE});{tint(BLUE)}"
_MAYBE = "outline:1px dashed currentColor"
_OPEN, _NONE = -1, ""  # in the menus; None would show as an empty menu


def annotation_view(
    annotations: Annotations,
    document: str,
    question: str = "",
    answer: str = "",
    occurrence: int | None = None,
    wanted: int = 12,
    note: str = "",
) -> Html:
    """A document with an answer lit in place, and what has been annotated so far.

    Args:
        annotations: the documents and the examples so far.
        document: the title of the one to show.
        question, answer: what is about to be added; the answer may stand nowhere, or more than once.
        occurrence: which of the answer's places is meant, counted from 0; None where that is open.
        wanted: how many annotations are aimed at.
        note: something to say above all else, such as why an annotation was refused.

    Raises:
        ValueError: unknown document.
    """
    text = annotations.documents.get(document)
    if text is None:
        raise ValueError(f"There is no document {document!r}. Choose one of: {', '.join(annotations.documents)}")
    places, told = _places(text, answer, occurrence)
    marks = [_asked(row) for row in annotations.examples if row["title"] == document and row["answers"]["text"]]
    for k, start in enumerate(places):
        lit = occurrence == k or len(places) == 1
        span = (start, start + len(answer.strip()))
        marks.append(Mark(*span, ANSWER if lit else _MAYBE, f"place {k + 1}", tag="mark" if lit else "span"))
    done = len(annotations.examples)
    progress = f"{done} of {wanted} annotated"
    asked = f"Question: {question.strip()}" if question.strip() else "Type a question."
    html = page(
        alert(note),
        f'<div aria-live="polite">{bar(done / max(wanted, 1), 6)} {progress}</div>',
        f'<div>{escape(asked)}</div><div aria-live="polite" style="white-space:pre-wrap">{escape(told)}</div>',
        text_box(marked(text, marks), f"the document {document}, with answers marked"),
        _list(annotations.examples),
    )
    lines = [f"  {k}. {_line(row)}" for k, row in enumerate(annotations.examples, 1)]
    return Html(html, "\n".join([*([note] if note else []), progress, f"{document}: {asked}", told, *lines]))


def _places(text: str, answer: str, occurrence: int | None) -> tuple[list[int], str]:
    """Where the answer stands, and a sentence about it."""
    answer = answer.strip()
    if not answer:
        return [], "Copy the answer from the document."
    try:
        places = find_answer(text, answer)
    except ValueError as error:
        message = str(error)
        return [], message[0].upper() + message[1:] + "."
    if len(places) > 1 and occurrence is None:
        shown = [f"{k}: {in_context(text, start, start + len(answer))}" for k, start in enumerate(places, 1)]
        return places, f"The answer stands at {len(places)} places. Choose which is meant:\n" + "\n".join(shown)
    start = places[occurrence or 0]
    return places, f"Answer: {answer!r}, characters [{start}, {start + len(answer)})"


def _asked(row: dict) -> Mark:
    start, text = row["answers"]["answer_start"][0], row["answers"]["text"][0]
    return Mark(start, start + len(text), _ASKED, row["question"])


def _line(row: dict) -> str:
    texts = row["answers"]["text"]
    return f"{row['title']}: {row['question']} → {texts[0] if texts else 'no answer'}"


def _list(examples: list[dict]) -> str:
    if not examples:
        return "Nothing annotated yet."
    items = "".join(f'<li style="margin:0.1em 0">{escape(_line(row))}</li>' for row in examples)
    style = "max-height:22em;overflow:auto"
    region = attributes(tabindex="0", role="region", aria_label="annotations so far", style=f"{style};{SMALL}")
    return f'{count(len(examples), "annotation")}:<div{region}><ol style="margin:0.2em 0;padding-left:2.5em">{items}</ol></div>'


def _offer(menu: ipywidgets.Dropdown, options: list[tuple], index: int) -> None:
    """Give a menu other options. The page is told the index only when it changes, and without it shows an empty menu."""
    menu.options = options
    menu.index = None
    menu.index = index


class Annotator(Shell):
    """Write questions and answers about documents into a SQuAD JSON file.

    Args:
        documents: title → text, or :class:`qa_helpers.classroom.annotations.Annotations` to go on with.
        output_file: SQuAD JSON, written whole after every change; if it exists, it is continued.
        wanted: how many annotations to aim at.

    The controls are ``document``, ``question``, ``answer``, ``occurrence`` (where the answer stands more than once),
    ``add``, ``annotation`` and ``remove``; ``annotations`` holds the examples.
    """

    css_class = "qa-annotator"

    def __init__(
        self, documents: Mapping[str, str] | Annotations, output_file: str | Path | None = None, wanted: int = 12
    ):
        if isinstance(documents, Annotations) and output_file is not None:
            raise ValueError("these annotations have their own output_file; give them alone, or give plain documents")
        self.annotations = documents if isinstance(documents, Annotations) else Annotations(documents, output_file)
        self._wanted, self._note, self._resting = wanted, "", False
        line = {"style": WIDE, "layout": layout("98%")}
        self.document = ipywidgets.Dropdown(
            options=list(self.annotations.documents),
            description="Document",
            tooltip="The text to ask about",
            style=WIDE,
            layout=layout(),
        )
        self.question = ipywidgets.Text(
            description="Question", tooltip="What you would ask about the text", placeholder="Who …?", **line
        )
        self.answer = ipywidgets.Text(
            description="Answer",
            tooltip="The answer exactly as it stands in the text",
            placeholder="copied from the document below",
            **line,
        )
        self.occurrence = ipywidgets.Dropdown(
            description="Place", tooltip="Which of the answer's places is meant", **line
        )
        self.add = ipywidgets.Button(
            description="Add", tooltip="Add this annotation and save the file", button_style="primary", layout=layout()
        )
        self.annotation = ipywidgets.Dropdown(
            description="Annotation", tooltip="One of those added so far", style=WIDE, layout=layout("60%")
        )
        self.remove = ipywidgets.Button(
            description="Remove", tooltip="Take this annotation out of the file", layout=layout()
        )
        self._offer_annotations()
        self._offer_places()
        super().__init__(
            self.document, self.question, self.answer, self.occurrence, self.add, self.annotation, self.remove
        )
        self.add.on_click(lambda _: self._do(self._add))
        self.remove.on_click(lambda _: self._do(self._remove))

    def draw(self) -> Html:
        """The document and the annotations at the controls' values."""
        return annotation_view(self.annotations, *self._values(), self._wanted, self._note)

    def redraw(self, change=None) -> None:
        """Draw anew; another document or answer has other places to choose from."""
        if self._resting:  # several controls change at once; they are drawn together
            return
        if change is not None:
            self._note = ""
            if change["owner"] in (self.document, self.answer):
                self._quietly(self._offer_places)
        super().redraw()

    def _do(self, action) -> None:
        """Run what a button asks for; a refusal is shown above the document, and nothing typed is lost."""
        self._note = ""
        try:
            self._quietly(action)
        except (ValueError, OSError) as error:
            self._note = str(error)
        self.redraw()

    def _quietly(self, action) -> None:
        self._resting = True
        try:
            action()
        finally:
            self._resting = False

    def _values(self) -> tuple[str, str, str, int | None]:
        occurrence = None if self.occurrence.value == _OPEN else self.occurrence.value
        return self.document.value, self.question.value, self.answer.value, occurrence

    def _add(self) -> None:
        self.annotations.add(*self._values())
        self.question.value = self.answer.value = ""
        self._offer_places()
        self._offer_annotations()

    def _remove(self) -> None:
        if self.annotation.value == _NONE:
            raise ValueError("there is no annotation to remove yet")
        self.annotations.remove(self.annotation.value)
        self._offer_annotations()

    def _offer_places(self) -> None:
        text, answer = self.annotations.documents[self.document.value], self.answer.value.strip()
        try:
            places = find_answer(text, answer)
        except ValueError:
            places = []
        shown = [(f"{k}: {in_context(text, start, start + len(answer))}", k - 1) for k, start in enumerate(places, 1)]
        several = len(places) > 1
        _offer(self.occurrence, [("which one?", _OPEN), *shown] if several else [("only one", _OPEN)], 0)
        self.occurrence.disabled = not several

    def _offer_annotations(self) -> None:
        rows = [(f"{k}: {_line(row)}", row["id"]) for k, row in enumerate(self.annotations.examples, 1)]
        _offer(self.annotation, rows or [("none yet", _NONE)], max(len(rows) - 1, 0))  # the last is the likeliest slip
        self.annotation.disabled = self.remove.disabled = not rows
