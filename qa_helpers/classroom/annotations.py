"""Annotations: your own questions and answers about your own documents, saved as SQuAD JSON with correct offsets.

The annotator gives only the *text* of an answer. This module finds where it occurs, and asks which occurrence is meant if
there are several.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from difflib import SequenceMatcher
from pathlib import Path

from ..data import read_squad_json, unknown_name
from ..decoding import inside_word
from ..engine.misplaced import places_of
from ..engine.whole_files import write_whole
from ..mini.corpus import to_squad_json

_AROUND = 30  # characters shown before and after an occurrence


def read_documents(folder: str | Path) -> dict[str, str]:
    """Read every text file (``*.txt``, ``*.md``, UTF-8) of a folder.

    Returns:
        title → text, in alphabetical order. The title is the file's name without its suffix, with spaces instead of
        ``_``.

    Raises:
        ValueError: there is no such folder or no text file in it, two files have the same title, or a file is empty or
            not UTF-8.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise ValueError(
            f"{folder.name!r} {what}: give a folder with one .txt or .md file per document. (If your texts come from a "
            "table, you need neither files nor this function: use a dict title -> text instead of its result)"
        )
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".txt", ".md") and path.is_file())
    if not paths:
        raise ValueError(
            f"folder {folder.name!r} contains no .txt or .md file; save your documents there as plain text"
        )
    documents: dict[str, str] = {}
    for path in paths:
        title = path.stem.replace("_", " ")
        try:
            text = path.read_text(encoding="utf-8-sig").strip()
        except UnicodeDecodeError as error:
            raise ValueError(f"{path.name}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
        if not text:
            raise ValueError(f"{path.name} is empty; put some text in it, or remove it from the folder")
        if title in documents:
            raise ValueError(f"two files in folder {folder.name!r} have the title {title!r}; rename one of them")
        documents[title] = text
    return documents


def find_answer(document: str, answer: str) -> list[int]:
    """The character positions at which an answer occurs in a document.

    Occurrences inside longer words ("10" in "2010") count only if there are no others.

    Raises:
        ValueError: the answer is empty, or it does not occur (the message shows the most similar text that does).
    """
    answer = answer.strip()
    if not answer:
        raise ValueError(
            "the answer is empty; copy it from the document, or pass None if the document does not answer the question"
        )
    places = places_of(answer, document)
    if not places:
        near = closest_text(document, answer)
        hint = f"; the most similar text is {near!r}" if near else ""
        raise ValueError(
            f"the answer {answer!r} does not occur in the document{hint}. Copy it exactly as it is written there"
        )
    return [
        place for place in places if not any(inside_word(document, edge) for edge in (place, place + len(answer)))
    ] or places


def closest_text(document: str, text: str) -> str | None:
    """The words of the document that are most similar to ``text``; None if nothing is similar enough."""
    words, wanted = list(re.finditer(r"\S+", document)), len(text.split())
    matcher = SequenceMatcher(b=text.lower(), autojunk=False)
    for length in (wanted, wanted + 1, wanted - 1):  # the same number of words is likelier than one more or one fewer
        best, best_ratio = None, 0.6  # a lower similarity occurs between unrelated texts
        for first, last in zip(words, words[max(length, 1) - 1 :]):
            found = document[first.start() : last.end()].strip(".,;:!?")
            matcher.set_seq1(found.lower())
            if matcher.quick_ratio() > best_ratio and matcher.ratio() > best_ratio:
                best, best_ratio = found, matcher.ratio()
        if best:
            return best
    return None


def in_context(document: str, start: int, end: int, around: int = _AROUND) -> str:
    """Characters [start, end) in brackets, with some of the text before and after them, on one line."""
    before, after = document[max(0, start - around) : start], document[end : end + around]
    left, right = "…" if start > around else "", "…" if end + around < len(document) else ""
    return " ".join(f"{left}{before}[{document[start:end]}]{after}{right}".split())


class Annotations:
    """Questions and answers about documents, as examples in the course's schema, and the file in which they are saved.

    Args:
        documents: title → text.
        output_file: SQuAD JSON, rewritten after every change; if the file exists, its examples are loaded first. None
            keeps the examples in memory only.

    Attributes:
        documents: as given.
        examples: the examples so far, oldest first.
        output_file: as given.

    Raises:
        ValueError: there are no documents, or one of them is empty; the file is not SQuAD JSON, or it is about other
            documents.

    >>> notes = Annotations({"kettle": "The kettle holds four litres."})
    >>> notes.add("kettle", "How much does it hold?", "four litres")["answers"]
    {'text': ['four litres'], 'answer_start': [17]}
    """

    def __init__(self, documents: Mapping[str, str], output_file: str | Path | None = None):
        self.documents = dict(documents)
        if not self.documents:
            raise ValueError("there is no document to annotate; pass a mapping title → text")
        for title, text in self.documents.items():
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"document {title!r} is empty; pass its text")
        self.output_file = Path(output_file) if output_file is not None else None
        self.examples: list[dict] = []
        if self.output_file is not None and self.output_file.exists():
            self.examples = [self._own(example) for example in read_squad_json(self.output_file)]

    def add(self, document: str, question: str, answer: str | None, occurrence: int | None = None) -> dict:
        """Add an annotation and save the file.

        Args:
            document: the title of one of the documents.
            question: the question's text.
            answer: the answer's text, exactly as it is written in the document; None if the document does not answer the
                question (SQuAD 2.0).
            occurrence: which occurrence of the answer is meant, counted from 0, if it occurs more than once.

        Returns:
            The new example.

        Raises:
            ValueError: there is no such document, the question is empty or has already been asked about this document,
                the answer does not occur in it, or it occurs several times and ``occurrence`` does not say which.
        """
        context, question = self._text(document), " ".join(question.split())
        if not question:
            raise ValueError("the question is empty; write the question that you want to annotate")
        same = _bare(question)
        if any(row["title"] == document and _bare(row["question"]) == same for row in self.examples):
            raise ValueError(
                f"{question!r} has already been asked about {document!r}; remove that annotation, or reword the question"
            )
        answers: dict[str, list] = {"text": [], "answer_start": []}
        if answer is not None:
            answer = answer.strip()
            start = _pick(context, answer, find_answer(context, answer), occurrence)
            answers = {"text": [answer], "answer_start": [start]}
        elif occurrence is not None:
            raise ValueError("a question without an answer has no occurrence; leave it out")
        digest = hashlib.sha256(f"{document}|{context}|{question}".encode()).hexdigest()[:24]
        example = {"id": digest, "title": document, "context": context, "question": question, "answers": answers}
        self._change([*self.examples, example])
        return example

    def remove(self, example_id: str) -> None:
        """Remove an example and save the file.

        Raises:
            ValueError: there is no example with this id.
        """
        kept = [example for example in self.examples if example["id"] != example_id]
        if len(kept) == len(self.examples):
            raise ValueError(f"there is no annotation with the id {example_id!r}; it may have been removed already")
        self._change(kept)

    def save(self, path: str | Path) -> None:
        """Save the examples as SQuAD JSON; the file is written completely or not at all."""
        order = list(self.documents)
        # Sorted, so that the file contains each context once.
        rows = sorted(self.examples, key=lambda example: order.index(example["title"]))
        version = "1.1" if all(row["answers"]["text"] for row in rows) else "2.0"
        write_whole(path, json.dumps(to_squad_json(rows, version), ensure_ascii=False, indent=1))

    def _change(self, examples: list[dict]) -> None:
        before, self.examples = self.examples, examples
        try:
            if self.output_file is not None:
                self.save(self.output_file)
        except BaseException:
            self.examples = before  # an example that cannot be saved has not been added
            raise

    def _text(self, title: str) -> str:
        if title not in self.documents:
            raise ValueError(unknown_name("document", title, self.documents, "add its text to the documents"))
        return self.documents[title]

    def _own(self, example: dict) -> dict:
        if self.documents.get(example["title"]) != example["context"]:
            what = "has a different text now" if example["title"] in self.documents else "is not among the documents"
            raise ValueError(
                f"{self.output_file.name} contains annotations of {example['title']!r}, which {what}: pass the original "
                "document, or start a new file"
            )
        return example


def _pick(document: str, answer: str, places: list[int], occurrence: int | None) -> int:
    if occurrence is None and len(places) == 1:
        return places[0]
    if occurrence is None or not 0 <= occurrence < len(places):
        shown = [f"{k}: {in_context(document, p, p + len(answer))}" for k, p in enumerate(places)]
        what = "choose one by its number" if occurrence is None else f"there is no number {occurrence}"
        raise ValueError(
            f"the answer {answer!r} occurs {len(places)} times in the document; {what}:\n" + "\n".join(shown)
        )
    return places[occurrence]


def _bare(question: str) -> str:
    """A question without case and final punctuation, which do not make it a different question."""
    return question.casefold().rstrip("?!. ")
