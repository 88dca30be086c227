"""AskBox: a question, a document, and the answer marked where it occurs."""

from collections.abc import Callable, Sequence
from html import escape

import ipywidgets

from ..render import Html
from ._html import THE_ANSWER, Mark, attributes, bar, legend, marked, page, text_box
from ._shell import WIDE, Shell, layout

MAX_BYTES = 1_000_000  # for an uploaded file: as much as a long book, and still comfortable for the browser
SUFFIXES = (".txt", ".md", ".markdown", ".text")
_AROUND = 400  # characters shown before and after the answer; the rest is folded
_SNIPPET = 40
_LONGEST_NAME = 255


def answer_view(question: str, document: str, answers: dict | Sequence[dict]) -> Html:
    """The document with its best answer marked, the answer's score, and the alternatives below.

    Args:
        question: as it was asked.
        document: the text to which the answers' character positions refer.
        answers: what :class:`qa_helpers.QuestionAnswerer` returned for one question: a dict, or a list of dicts with the
            best first. An empty ``answer`` means "no answer".

    Returns:
        :class:`~qa_helpers.classroom.render.Html`.

    Raises:
        ValueError: the list is empty, or an answer's characters lie outside the document.
    """
    answers = [answers] if isinstance(answers, dict) else list(answers)
    if not answers:
        raise ValueError("there is no answer to show: the list is empty")
    for found in answers:
        if not 0 <= found["start"] <= found["end"] <= len(document):
            raise ValueError(
                f"characters {found['start']} to {found['end']} lie outside the document, which has {len(document)} "
                "characters: pass the document that the question was asked about"
            )
    best, *others = answers
    text = best["answer"]
    told = f"<mark{attributes(style=THE_ANSWER)}>{escape(text)}</mark>" if text else "no answer in this document"
    place = f"characters [{best['start']}, {best['end']})" if text else ""
    head = (
        f'<div>Question: {escape(question)}</div><div aria-live="polite">Answer: <b>{told}</b> '
        f"{_score(best['score'])} {place}</div>"
    )
    plain = [
        f"Question: {question}",
        f"Answer: {text or 'no answer in this document'} (score {best['score']:.3f}{', ' if place else ''}{place})",
    ]
    plain += [f"  {found['score']:.3f}  {_where(document, found)}" for found in others]
    return Html(page(head, _document(document, best), _alternatives(document, others)), "\n".join(plain))


def _score(value: float) -> str:
    return f"score {value:.3f}{bar(value, 5, ';margin:0 0.4em')}"


def _document(document: str, best: dict) -> str:
    """The passage around the answer, with the rest of the document folded, so that the answer is in view at once."""
    start, end = best["start"], best["end"]
    first, last = max(start - _AROUND, 0), min(end + _AROUND, len(document))
    first = document.rfind(" ", 0, first) + 1 if first else 0  # not in the middle of a word
    passage = marked(document[first:last], [Mark(start - first, end - first, THE_ANSWER, tag="mark")])
    body = _folded(document[:first], "before") + passage + _folded(document[last:], "after")
    names = legend((THE_ANSWER, "the answer")) if start < end else ""
    return names + text_box(body, "the document, with the answer marked")


def _folded(text: str, where: str) -> str:
    if not text:
        return ""
    summary = f"{len(text):,} more characters {where}"
    return f'<details><summary style="cursor:pointer">{summary}</summary>{escape(text)}</details>'


def _alternatives(document: str, others: Sequence[dict]) -> str:
    if not others:
        return ""
    rows = "".join(
        f'<li style="margin:0.2em 0">{_score(found["score"])}{_snippet(document, found)}</li>' for found in others
    )
    return f'Alternatives:<ol start="2" style="margin:0.2em 0;padding-left:2em">{rows}</ol>'


def _around(document: str, found: dict) -> tuple[str, str]:
    start, end = found["start"], found["end"]
    before, after = document[max(start - _SNIPPET, 0) : start], document[end : end + _SNIPPET]
    if start > _SNIPPET:  # not in the middle of a word
        before = "…" + before[before.find(" ") + 1 :]
    if end + _SNIPPET < len(document):
        after = after[: after.rfind(" ") + 1] + "…"
    return before, after


def _snippet(document: str, found: dict) -> str:
    if not found["answer"]:
        return "no answer in this document"
    before, after = _around(document, found)
    return f"{escape(before)}<b>{escape(document[found['start'] : found['end']])}</b>{escape(after)}"


def _where(document: str, found: dict) -> str:
    before, after = _around(document, found)
    return f"{found['answer']}  ({before}[{found['answer']}]{after})" if found["answer"] else "no answer"


def read_upload(name: str, content: bytes, max_bytes: int = MAX_BYTES) -> str:
    """An uploaded file's text.

    Raises:
        ValueError: the file is not a text or markdown file, is too large, empty, or not UTF-8; the message says what to do.
    """
    if not name.lower().endswith(SUFFIXES):
        raise ValueError(
            f"{name!r} is not a plain text or Markdown file. Save the document as one ({', '.join(SUFFIXES[:2])}), or paste its text"
        )
    if len(content) > max_bytes:
        raise ValueError(
            f"{name!r} has {len(content):,} bytes, but the limit is {max_bytes:,}. Shorten the file, or paste the part you want to ask about"
        )
    try:
        text = bytes(content).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name!r} is not UTF-8 (byte {error.start} cannot be read). Save it as UTF-8 in your editor, or paste its text"
        ) from error
    if "\0" in text:
        raise ValueError(
            f"{name!r} contains bytes that are not text. Save the document as plain text, or paste its text"
        )
    if not text.strip():
        raise ValueError(f"{name!r} is empty. Choose a file that contains text")
    return text.replace("\r\n", "\n")


def uploaded_file(value: Sequence[dict] | dict) -> tuple[str, bytes]:
    """The name and content of the file in an upload button's ``value``.

    In ipywidgets 8 the value is a sequence of files, in ipywidgets 7 (Colab's) a dict of files by name.
    """
    file = next(iter(value.values())) if isinstance(value, dict) else value[0]
    return file.get("name") or file["metadata"]["name"], bytes(file["content"])


class AskBox(Shell):
    """Ask a question about a document that you paste or upload; the answer is marked in it, with its score.

    Args:
        answerer: a :class:`qa_helpers.QuestionAnswerer`, or any function that takes ``question=``, ``context=`` and
            ``top_k=`` and returns answers of the same form.
        question, document: the texts in the fields at the beginning; if both are given, the question is asked at once.
        allow_upload: offer a button to upload a file (plain text or Markdown, UTF-8, at most 1 MB).
        top_k: number of answers to show.
        options: passed on to the answerer, such as ``handle_impossible_answer=True``.

    The controls are ``question``, ``document``, ``upload`` and ``ask``; pressing Enter in the question also asks it.
    """

    css_class = "qa-ask-box"

    def __init__(
        self,
        answerer: Callable,
        question: str = "",
        document: str = "",
        allow_upload: bool = True,
        top_k: int = 4,
        **options,
    ):
        self.answerer, self.top_k, self.options = answerer, top_k, options
        self.question = ipywidgets.Text(
            question,
            description="Question",
            tooltip="Your question; press Enter to ask it",
            placeholder="Who …?",
            style=WIDE,
            layout=layout("98%"),
        )
        self.document = ipywidgets.Textarea(
            document,
            description="Document",
            tooltip="The text in which to look for the answer",
            placeholder="Paste a text here",
            rows=6,
            style=WIDE,
            layout=layout("98%"),
        )
        self.ask = ipywidgets.Button(
            description="Ask", tooltip="Look for the answer in the document", button_style="primary", layout=layout()
        )
        self.upload = ipywidgets.FileUpload(
            accept=",".join(SUFFIXES),
            description="Upload a text file",
            tooltip="Plain text or Markdown, UTF-8, at most 1 MB; it replaces the document",
            layout=layout() if allow_upload else ipywidgets.Layout(display="none"),
            disabled=not allow_upload,
        )
        super().__init__(self.question, self.document, self.ask, self.upload, live=False)
        self.ask.on_click(self.redraw)
        self.question.on_msg(self._submitted)
        self.upload.observe(self._uploaded, "value")
        if question and document:
            self.redraw()

    def draw(self) -> Html:
        """The answer to the question in its field, about the document in its field."""
        question, document = self.question.value, self.document.value
        for name, text in (("question", question), ("document", document)):
            if not text.strip():
                raise ValueError(f"The {name} is empty. Type or paste one, then press Ask")
        found = self.answerer(question=question, context=document, top_k=self.top_k, **self.options)
        return answer_view(question.strip(), document, found)

    def redraw(self, _change=None) -> None:
        """Ask the question, as the button does; the button is disabled meanwhile."""
        self.ask.disabled = True
        self.view.value = page('<div aria-live="polite">Reading the document …</div>')
        try:
            super().redraw()
        finally:
            self.ask.disabled = False

    def _submitted(self, _widget, content: dict, _buffers) -> None:
        if content.get("event") == "submit":  # the Enter key
            self.redraw()

    def _uploaded(self, change: dict) -> None:
        if change["new"]:
            self.show(self._take_upload)

    def _take_upload(self) -> Html:
        name, content = uploaded_file(self.upload.value)
        name = name[-_LONGEST_NAME:]  # the name comes from the browser, so its length is not to be trusted
        self.upload.value = type(self.upload.value)()  # frees the bytes, and lets the same file be chosen again
        self.document.value = read_upload(name, content)
        told = f"{name} is the document now: {len(self.document.value):,} characters. Type a question and press Ask"
        return Html(page(escape(told)), told)
