"""Annotations: your own questions and answers about your own documents, kept as SQuAD JSON with offsets that are right.

An annotator gives the answer's *text*; where it stands is looked up here, and asked for where it stands more than once.
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
        title → text, in alphabetical order; the title is the file's name without its ending, with spaces for ``_``.

    Raises:
        ValueError: no such folder, no text file in it, two files of one title, or a file that is empty or not UTF-8.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise ValueError(
            f"{folder.name!r} {what}: name a folder with a .txt or .md file for each document. (Texts from a table need "
            "no files: give a dict title -> text in place of what this function returns)"
        )
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".txt", ".md") and path.is_file())
    if not paths:
        raise ValueError(f"folder {folder.name!r} holds no .txt or .md file; save your documents there as plain text")
    documents: dict[str, str] = {}
    for path in paths:
        title = path.stem.replace("_", " ")
        try:
            text = path.read_text(encoding="utf-8-sig").strip()
        except UnicodeDecodeError as error:
            raise ValueError(f"{path.name}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
        if not text:
            raise ValueError(f"{path.name} is empty; put text in it, or take it out of the folder")
        if title in documents:
            raise ValueError(f"two files of folder {folder.name!r} have the title {title!r}; rename one of them")
        documents[title] = text
    return documents


def find_answer(document: str, answer: str) -> list[int]:
    """Characters at which an answer stands in a document.

    Places inside longer words ("10" in "2010") count only where there are no others.

    Raises:
        ValueError: the answer is empty, or it stands nowhere (the message shows the closest text that does).
    """
    answer = answer.strip()
    if not answer:
        raise ValueError("the answer is empty; copy it from the document")
    places = places_of(answer, document)
    if not places:
        near = closest_text(document, answer)
        hint = f"; the closest is {near!r}" if near else ""
        raise ValueError(
            f"the answer {answer!r} does not stand in the document{hint}. Copy it exactly as it stands there"
        )
    return [
        place for place in places if not any(inside_word(document, edge) for edge in (place, place + len(answer)))
    ] or places


def closest_text(document: str, text: str) -> str | None:
    """The words of the document that look most like ``text``; None if nothing does."""
    words, wanted = list(re.finditer(r"\S+", document)), len(text.split())
    matcher = SequenceMatcher(b=text.lower(), autojunk=False)
    for length in (wanted, wanted + 1, wanted - 1):  # as many words are likelier meant than one more or less
        best, best_ratio = None, 0.6  # below it, the likeness is chance
        for first, last in zip(words, words[max(length, 1) - 1 :]):
            found = document[first.start() : last.end()].strip(".,;:!?")
            matcher.set_seq1(found.lower())
            if matcher.quick_ratio() > best_ratio and matcher.ratio() > best_ratio:
                best, best_ratio = found, matcher.ratio()
        if best:
            return best
    return None


def in_context(document: str, start: int, end: int, around: int = _AROUND) -> str:
    """Characters [start, end) in brackets, with some of the text before and after, on one line."""
    before, after = document[max(0, start - around) : start], document[end : end + around]
    left, right = "…" if start > around else "", "…" if end + around < len(document) else ""
    return " ".join(f"{left}{before}[{document[start:end]}]{after}{right}".split())


class Annotations:
    """Questions and answers about documents, as examples in the course's schema, and the file that holds them.

    Args:
        documents: title → text.
        output_file: SQuAD JSON that is written anew, whole, after every change; if it exists, its examples come first.
            None keeps them in memory.

    Attributes:
        documents: as given.
        examples: the examples so far, oldest first.
        output_file: as given.

    Raises:
        ValueError: there are no documents, or one is empty; the file is not SQuAD JSON, or is about other documents.

    >>> notes = Annotations({"kettle": "The kettle holds four litres."})
    >>> notes.add("kettle", "How much does it hold?", "four litres")["answers"]
    {'text': ['four litres'], 'answer_start': [17]}
    """

    def __init__(self, documents: Mapping[str, str], output_file: str | Path | None = None):
        self.documents = dict(documents)
        if not self.documents:
            raise ValueError("there is no document to annotate; give a mapping title → text")
        for title, text in self.documents.items():
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"document {title!r} is empty; give its text")
        self.output_file = Path(output_file) if output_file is not None else None
        self.examples: list[dict] = []
        if self.output_file is not None and self.output_file.exists():
            self.examples = [self._own(example) for example in read_squad_json(self.output_file)]

    def add(self, document: str, question: str, answer: str, occurrence: int | None = None) -> dict:
        """Add an annotation, and write the file.

        Args:
            document: the title of one of the documents.
            question: what is asked.
            answer: the answer's text, exactly as it stands in the document.
            occurrence: which one, counted from 0, where the answer stands more than once.

        Returns:
            The new example.

        Raises:
            ValueError: unknown document, empty question, a question asked of this document before, an answer that does
                not stand in it, or one that stands there several times while ``occurrence`` does not say which.
        """
        context, question, answer = self._text(document), " ".join(question.split()), answer.strip()
        if not question:
            raise ValueError("the question is empty; write what the answer answers")
        same = _bare(question)
        if any(row["title"] == document and _bare(row["question"]) == same for row in self.examples):
            raise ValueError(
                f"{question!r} has been asked of {document!r} before; remove that annotation, or ask otherwise"
            )
        start = _pick(context, answer, find_answer(context, answer), occurrence)
        digest = hashlib.sha256(f"{document}|{context}|{question}".encode()).hexdigest()[:24]
        answers = {"text": [answer], "answer_start": [start]}
        example = {"id": digest, "title": document, "context": context, "question": question, "answers": answers}
        self._change([*self.examples, example])
        return example

    def remove(self, example_id: str) -> None:
        """Take an example out again, and write the file.

        Raises:
            ValueError: there is no example of this id.
        """
        kept = [example for example in self.examples if example["id"] != example_id]
        if len(kept) == len(self.examples):
            raise ValueError(f"there is no annotation with the id {example_id!r}; it may have been removed already")
        self._change(kept)

    def save(self, path: str | Path) -> None:
        """Write the examples to a file as SQuAD JSON; it appears whole or not at all."""
        order = list(self.documents)
        rows = sorted(self.examples, key=lambda example: order.index(example["title"]))  # each context once in the file
        version = "1.1" if all(row["answers"]["text"] for row in rows) else "2.0"
        write_whole(path, json.dumps(to_squad_json(rows, version), ensure_ascii=False, indent=1))

    def _change(self, examples: list[dict]) -> None:
        before, self.examples = self.examples, examples
        try:
            if self.output_file is not None:
                self.save(self.output_file)
        except BaseException:
            self.examples = before  # what cannot be kept has not been added
            raise

    def _text(self, title: str) -> str:
        if title not in self.documents:
            raise ValueError(unknown_name("document", title, self.documents, "add its text to the documents"))
        return self.documents[title]

    def _own(self, example: dict) -> dict:
        if self.documents.get(example["title"]) != example["context"]:
            what = "has another text now" if example["title"] in self.documents else "is not among the documents"
            raise ValueError(
                f"{self.output_file.name} holds annotations of {example['title']!r}, which {what}: give the document as "
                "it was, or begin another file"
            )
        return example


def _pick(document: str, answer: str, places: list[int], occurrence: int | None) -> int:
    if occurrence is None and len(places) == 1:
        return places[0]
    if occurrence is None or not 0 <= occurrence < len(places):
        shown = [f"{k}: {in_context(document, p, p + len(answer))}" for k, p in enumerate(places)]
        what = "say which by its number" if occurrence is None else f"there is no number {occurrence}"
        raise ValueError(
            f"the answer {answer!r} stands in the document at {len(places)} places; {what}:\n" + "\n".join(shown)
        )
    return places[occurrence]


def _bare(question: str) -> str:
    """A question without what does not make it another one: case, punctuation at its end."""
    return question.casefold().rstrip("?!. ")
