"""Lesson 09, your own documents: the passage of an answer, a split by documents, an answer's places in a text."""

import re

from . import Wrong, call, checker, judge_each

TEXTS = {
    "three passages": "Ann bakes.\n\nBen braids. He hums.\n\nCleo sells.",
    "one passage": "There is one passage only.",
    "line breaks inside": "A list:\n- rye\n- salt\n\nA second passage.",
    "the same words twice": "It was lit in 1874.\n\nAfter the flood it was lit again.\n\nIt was lit in 1874.",
    "a passage that begins the text with a space": " Indented.\n\nNot indented.",
}
# (which text, what the answer is, which occurrence of it, what kind of case it is)
PASSAGES = [
    ("three passages", "braids", 0, "the answer stands in the middle passage"),
    ("three passages", "Ann", 0, "the answer begins the text, at character 0"),
    ("three passages", "Cleo", 0, "the answer begins the last passage"),
    ("three passages", "sells.", 0, "the answer ends the text"),
    ("one passage", "one", 0, "the text is a single passage"),
    ("line breaks inside", "salt", 0, "the passage has single line breaks in it"),
    ("the same words twice", "1874", 1, "the passage's words stand in an earlier passage too"),
    ("a passage that begins the text with a space", "Indented", 0, "the passage begins with a space"),
]


def _passage(document: str, start: int) -> tuple[int, int]:
    before, after = document.rfind("\n\n", 0, start), document.find("\n\n", start)
    return (0 if before < 0 else before + 2), (len(document) if after < 0 else after)


@checker("9.1")
def check_passage_of(passage_of) -> str:
    """``passage_of(document, start)``: characters (start, end) of the passage around a character."""

    def judge(name: str, answer: str, occurrence: int, kind: str) -> None:
        document = TEXTS[name]
        start = [m.start() for m in re.finditer(re.escape(answer), document)][occurrence]
        right = _passage(document, start)
        try:
            found = call(passage_of, document, start)
        except ValueError as error:
            if "substring not found" not in str(error):
                raise
            raise Wrong(
                f"{kind} ({document!r}, start {start}): index fails where there is no blank line; take find"
            ) from error
        if isinstance(found, str):
            raise Wrong("you return a text; its place is wanted, (start, end): a text alone cannot be found again")
        found = tuple(int(place) for place in found)
        if found == right:
            return
        if len(found) != 2:
            raise Wrong(f"you return {len(found)} numbers; a start and an end are wanted")
        case = f"{kind} ({document!r}, start {start}): you return {found}, which is {document[slice(*found)]!r}"
        if found[1] < found[0] or found[0] < 0 or (found[0] == 1 and right[0] == 0):
            raise Wrong(f"{case}. find and rfind give -1 where there is no blank line: then the text's edge counts")
        if document[slice(*found)] == document[slice(*right)]:
            raise Wrong(f"{case}. The words are right, the place is not: they stand in the text twice")
        if found[0] == max(right[0] - 2, 0) and found[0] != right[0]:
            raise Wrong(f"{case}. The passage begins behind the blank line, which takes two characters")
        if found == (right[0], right[1] - 1):
            raise Wrong(f"{case}. The end is one past the last character, as in slices")
        if not found[0] <= start < found[1]:
            raise Wrong(
                f"{case}. Character {start} is not in it: look for the blank lines before and after that character"
            )
        if document[slice(*found)].strip() == document[slice(*right)].strip():
            raise Wrong(f"{case}. Leave the blank line out, and nothing else")
        if found[0] == right[0] and found[1] > right[1]:
            raise Wrong(f"{case}. It goes on too far: the first blank line after the character ends the passage")
        if found[1] == right[1] and found[0] < right[0]:
            raise Wrong(f"{case}. It begins too early: the last blank line before the character counts")
        if "\n" in document[slice(*right)] and found[1] - found[0] < right[1] - right[0]:
            raise Wrong(f"{case}. A single line break does not end a passage, a blank line does (two breaks)")
        raise Wrong(f"{case}; expected {document[slice(*right)]!r}")

    judge_each(PASSAGES, judge, "passages")
    return f"right in all {len(PASSAGES)} cases: now an answer can be shown with the passage it comes from"


# (titles in order, every)
SPLITS = [
    (["a", "a", "b", "b", "c", "c", "d"], 3),
    (["a", "b", "c", "d", "e", "f"], 2),
    (["z", "x", "z", "x", "y", "z"], 2),
    (["a", "a", "a"], 2),
    (["a", "b", "a"], 1),
]


def _split(rows: list[dict], every: int) -> tuple[list[dict], list[dict]]:
    order = list(dict.fromkeys(row["context"] for row in rows))
    held = {context for number, context in enumerate(order, 1) if number % every == 0}
    return [row for row in rows if row["context"] not in held], [row for row in rows if row["context"] in held]


def _runs(titles: list[str]) -> list[int]:
    """The number, from 1, of the run of equal titles that each row is in."""
    return [1 + sum(a != b for a, b in zip(titles[:k], titles[1 : k + 1])) for k in range(len(titles))]


def _rows(titles: list[str]) -> list[dict]:
    return [
        {"id": f"{title}{k}", "title": "Invented", "context": f"The text of {title}.", "question": f"Question {k}?"}
        for k, title in enumerate(titles)
    ]


@checker("9.2")
def check_split_by_document(split_by_document) -> str:
    """``split_by_document(examples, every)``: (train, held out), every so-many-th document held out whole."""

    def judge(titles: list[str], every: int) -> None:
        rows = _rows(titles)
        found = call(split_by_document, [dict(row) for row in rows], every)
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise Wrong("two lists are wanted: the examples to train on, and those held out")
        if not all(isinstance(row, dict) and "id" in row for part in found for row in part):
            raise Wrong(
                "the lists hold the examples themselves, as they were given: dicts with id, context and question"
            )
        train, held = ([row["id"] for row in part] for part in found)
        right = [[row["id"] for row in part] for part in _split(rows, every)]
        if [train, held] == right:
            return
        case = f"contexts {titles}, every {every}: held out are {held}, expected {right[1]}"
        if [held, train] == right:
            raise Wrong(f"{case}. The two lists are exchanged: training examples come first")
        if sorted(train + held) != sorted(row["id"] for row in rows):
            raise Wrong(f"{case}. Each example belongs into exactly one of the lists")
        contexts = {row["id"]: row["context"] for row in rows}
        if len(set(titles)) > 1 and not held and right[1]:
            raise Wrong(
                f"{case}. Nothing is held out: all rows have one title here, so tell documents apart by `context`"
            )
        runs = [title for k, title in enumerate(titles) if k == 0 or titles[k - 1] != title]
        by_run = [row["id"] for row, run in zip(rows, _runs(titles)) if run % every == 0]
        if len(runs) > len(set(runs)) and held == by_run:
            raise Wrong(f"{case}. A document may come back further down: it keeps the number it had")
        both = {contexts[i] for i in train} & {contexts[i] for i in held}
        if both:
            raise Wrong(f"{case}. {min(both)!r} is on both sides: hold out whole documents, not examples")
        if [sorted(train), sorted(held)] == [sorted(part) for part in right]:
            raise Wrong(f"{case}. The right examples, but keep them in their order")
        held_contexts, order = {contexts[i] for i in held}, list(dict.fromkeys(contexts.values()))
        if len(order) > every > 1 and held_contexts == set(
            order[: len({row["context"] for row in _split(rows, every)[1]})]
        ):
            raise Wrong(f"{case}. The held-out documents are spread over the list: number {every}, {2 * every}, …")
        ordered = sorted({row["context"] for row in rows})
        if {contexts[i] for i in held} == {c for n, c in enumerate(ordered, 1) if n % every == 0}:
            raise Wrong(f"{case}. Number the documents as they first appear, not by the alphabet")
        raise Wrong(f"{case}. Documents are numbered from 1; those whose number {every} divides are held out")

    judge_each(SPLITS, judge, "lists")
    return f"right on all {len(SPLITS)} lists: no document on both sides"


# (document, answer, what kind of case it is)
PLACES = [
    ("The dough rests for nine hours.", "nine hours", "it stands there once, as it is"),
    ("Nine hours, or nine hours and a bit.", "nine hours", "it stands there twice, once with a capital"),
    ("It rests for nine\n   hours in a bowl.", "nine hours", "a line break and spaces stand between its words"),
    ("It rests for nine hours.", "ten hours", "it does not stand there"),
    ("It costs $2.50 (with cream).", "$2.50 (with cream)", "the answer has signs that mean something in a pattern"),
    ("It costs 2x50 or 2.50 crowns.", "2.50", "a point is a point"),
    ("İznik ware: a blue bowl.", "Blue Bowl", "a letter before it grows longer in lower case (İ)"),
    ("  A   blue    bowl,\nthen a blue bowl.", "a BLUE bowl", "the text has many spaces before it"),
    ("One plum, one pear.", "  one plum\n", "the answer has spaces around it"),
    ("They sang la la la la all night.", "la la", "it could begin inside the place before"),
]


def _places(document: str, answer: str) -> list[tuple[int, int]]:
    pattern = r"\s+".join(re.escape(word) for word in answer.split())
    return [match.span() for match in re.finditer(pattern, document, flags=re.IGNORECASE)]


@checker("9.3")
def check_places_of(places_of) -> str:
    """``places_of(document, answer)``: all (start, end) where it stands, whatever the case and the white space."""

    def judge(document: str, answer: str, kind: str) -> None:
        right = _places(document, answer)
        try:
            found = call(places_of, document, answer)
        except re.error as error:
            raise Wrong(f"{kind} ({answer!r}): your pattern is broken ({error}). Escape the answer's words") from error
        if any(isinstance(span, str) for span in found):
            raise Wrong("you return texts; their places are wanted, (start, end): a text alone cannot be found again")
        found = [tuple(int(place) for place in span) for span in found]
        if found == right:
            return
        case = f"{kind} (document {document!r}, answer {answer!r}): you return {found}, expected {right}"
        if any(len(span) != 2 for span in found):
            raise Wrong(f"{case}. Each place is a start and an end")
        if sorted(found) == sorted(right):
            raise Wrong(f"{case}. The right places, but from left to right, please")
        if found and len(found) < len(right) and set(found) < set(right):
            raise Wrong(f"{case}. Some are missing: all places are wanted, in any case")
        if not found and "\n" in document + answer:
            raise Wrong(f"{case}. Between two words any white space will do, and around the answer none counts")
        if not found and answer not in document and answer.lower() in document.lower():
            raise Wrong(f"{case}. Capitals are not to matter")
        if not found:
            raise Wrong(f"{case}. Escape the answer: its signs are meant as they are")
        if set(right) < set(found) and any(a[1] > b[0] for a, b in zip(sorted(found), sorted(found)[1:])):
            raise Wrong(f"{case}. Some of these overlap: after a place is found, the search goes on behind it")
        if len(found) > len(right):
            raise Wrong(f"{case}. That is more than is there: escape the answer, and return nothing for no place")
        raise Wrong(
            f"{case}, which is {document[slice(*right[0])]!r}. Count characters of the document as it was given, not of a "
            "copy that you have changed"
        )

    judge_each(PLACES, judge, "documents")
    return f"right in all {len(PLACES)} cases: an answer from anywhere can be checked against the text"
