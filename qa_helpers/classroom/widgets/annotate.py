"""Annotator: choose a document, ask a question, copy the answer; the widget finds the offsets and saves the file."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

import ipywidgets

from ...figures.colours import ANSWER, ANSWER_EDGE
from ..annotations import Annotations, find_answer, in_context
from ..render import Html
from ._html import SMALL, THE_ANSWER, Mark, alert, attributes, bar, count, legend, marked, page, text_box, tint
from ._shell import WIDE, Shell, layout

_ASKED = f"color:inherit;border-bottom:2px dotted {ANSWER_EDGE};{tint(ANSWER)}"
_MAYBE = "outline:1px dashed currentColor"
_OPEN, _NONE = -1, ""  # values of menu entries; None would show as an empty menu


def annotation_view(
    annotations: Annotations,
    document: str,
    question: str = "",
    answer: str | None = "",
    occurrence: int | None = None,
    wanted: int = 12,
    note: str = "",
) -> Html:
    """A document with an answer marked in it, and a list of the annotations so far.

    Args:
        annotations: the documents and the examples so far.
        document: the title of the document to show.
        question, answer: what is about to be added; the answer may occur nowhere, once or several times, and is None if the
            document does not answer the question.
        occurrence: which occurrence of the answer is meant, counted from 0; None while this is undecided.
        wanted: the number of annotations to aim for.
        note: a message to show above everything else, such as why an annotation was refused.

    Raises:
        ValueError: there is no such document.
    """
    text = annotations.documents.get(document)
    if text is None:
        raise ValueError(f"There is no document {document!r}. Choose one of: {', '.join(annotations.documents)}")
    places, told = _places(text, answer, occurrence)
    marks = [_asked(row) for row in annotations.examples if row["title"] == document and row["answers"]["text"]]
    for k, start in enumerate(places):
        lit = occurrence == k or len(places) == 1
        span = (start, start + len(answer.strip()))
        marks.append(Mark(*span, THE_ANSWER if lit else _MAYBE, f"place {k + 1}", tag="mark" if lit else "span"))
    kinds = [(THE_ANSWER, "the answer to be added")] if any(mark.tag == "mark" for mark in marks) else []
    kinds += [(_MAYBE, "a possible occurrence")] if any(mark.style == _MAYBE for mark in marks) else []
    kinds += [(_ASKED, "already annotated")] if any(mark.style == _ASKED for mark in marks) else []
    done = len(annotations.examples)
    progress = f"{done} of {wanted} annotated"
    asked = f"Question: {question.strip()}" if question.strip() else "Type a question."
    html = page(
        alert(note),
        f'<div aria-live="polite">{bar(done / max(wanted, 1), 6)} {progress}</div>',
        f'<div>{escape(asked)}</div><div aria-live="polite" style="white-space:pre-wrap">{escape(told)}</div>',
        (legend(*kinds) if kinds else "")
        + text_box(marked(text, marks), f"the document {document}, with answers marked"),
        _list(annotations.examples),
    )
    lines = [f"  {k}. {_line(row)}" for k, row in enumerate(annotations.examples, 1)]
    return Html(html, "\n".join([*([note] if note else []), progress, f"{document}: {asked}", told, *lines]))


def _places(text: str, answer: str | None, occurrence: int | None) -> tuple[list[int], str]:
    """Where the answer occurs, and a sentence about it."""
    if answer is None:
        return [], "No answer in this document."
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
        return places, f"The answer occurs {len(places)} times. Choose the occurrence you mean:\n" + "\n".join(shown)
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
    """Give a menu new options. The browser learns the index only if it changes; without it, the menu would look empty."""
    menu.options = options
    menu.index = None
    menu.index = index


class Annotator(Shell):
    """Annotate documents with questions and answers, and save them as a SQuAD JSON file.

    Args:
        documents: title → text, or :class:`qa_helpers.classroom.annotations.Annotations` to continue with.
        output_file: SQuAD JSON, rewritten after every change; if the file exists, its annotations are kept.
        wanted: the number of annotations to aim for.

    The controls are ``document``, ``question``, ``answer``, ``unanswerable`` (a box to tick if the document does not
    answer the question), ``occurrence`` (if the answer occurs more than once), ``add``, ``annotation`` and ``remove``;
    ``annotations`` holds the examples.
    """

    css_class = "qa-annotator"

    def __init__(
        self, documents: Mapping[str, str] | Annotations, output_file: str | Path | None = None, wanted: int = 12
    ):
        if isinstance(documents, Annotations) and output_file is not None:
            raise ValueError("an Annotations object has its own output_file: pass it alone, or pass plain documents")
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
            description="Question", tooltip="A question about the text", placeholder="Who …?", **line
        )
        self.answer = ipywidgets.Text(
            description="Answer",
            tooltip="The answer, exactly as it is written in the text",
            placeholder="copied from the document below",
            **line,
        )
        self.unanswerable = ipywidgets.Checkbox(
            description="No answer in the document",
            tooltip="The document does not answer this question",
            value=False,
            indent=False,
            style=WIDE,
            layout=layout(),
        )
        self.occurrence = ipywidgets.Dropdown(
            description="Occurrence", tooltip="Which occurrence of the answer you mean", **line
        )
        self.add = ipywidgets.Button(
            description="Add", tooltip="Add this annotation and save the file", button_style="primary", layout=layout()
        )
        self.annotation = ipywidgets.Dropdown(
            description="Annotation", tooltip="The annotations so far", style=WIDE, layout=layout("60%")
        )
        self.remove = ipywidgets.Button(
            description="Remove", tooltip="Remove this annotation from the file", layout=layout()
        )
        self._offer_annotations()
        self._offer_places()
        super().__init__(
            self.document,
            self.question,
            self.answer,
            self.unanswerable,
            self.occurrence,
            self.add,
            self.annotation,
            self.remove,
        )
        self.add.on_click(lambda _: self._do(self._add))
        self.remove.on_click(lambda _: self._do(self._remove))

    def draw(self) -> Html:
        """The document and the annotations at the current values of the controls."""
        return annotation_view(self.annotations, *self._values(), self._wanted, self._note)

    def redraw(self, change=None) -> None:
        """Draw again; a new document or answer means new occurrences to choose from."""
        if self._resting:  # several controls are changing, and one redraw follows for all of them
            return
        if change is not None:
            self._note = ""
            if change["owner"] in (self.document, self.answer, self.unanswerable):
                self._quietly(self._offer_places)
        super().redraw()

    def _do(self, action) -> None:
        """Run a button's action. If it is refused, the reason appears above the document and nothing typed is lost."""
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

    def _values(self) -> tuple[str, str, str | None, int | None]:
        if self.unanswerable.value:
            return self.document.value, self.question.value, None, None
        occurrence = None if self.occurrence.value == _OPEN else self.occurrence.value
        return self.document.value, self.question.value, self.answer.value, occurrence

    def _add(self) -> None:
        self.annotations.add(*self._values())
        self.question.value = self.answer.value = ""
        self.unanswerable.value = False
        self._offer_places()
        self._offer_annotations()

    def _remove(self) -> None:
        if self.annotation.value == _NONE:
            raise ValueError("there is no annotation to remove yet")
        self.annotations.remove(self.annotation.value)
        self._offer_annotations()

    def _offer_places(self) -> None:
        text, answer = self.annotations.documents[self.document.value], self.answer.value.strip()
        self.answer.disabled = self.unanswerable.value
        try:
            places = [] if self.unanswerable.value else find_answer(text, answer)
        except ValueError:
            places = []
        shown = [(f"{k}: {in_context(text, start, start + len(answer))}", k - 1) for k, start in enumerate(places, 1)]
        several = len(places) > 1
        _offer(self.occurrence, [("which one?", _OPEN), *shown] if several else [("only one", _OPEN)], 0)
        self.occurrence.disabled = not several

    def _offer_annotations(self) -> None:
        rows = [(f"{k}: {_line(row)}", row["id"]) for k, row in enumerate(self.annotations.examples, 1)]
        last = max(len(rows) - 1, 0)  # the likeliest to be wrong
        _offer(self.annotation, rows or [("none yet", _NONE)], last)
        self.annotation.disabled = self.remove.disabled = not rows
