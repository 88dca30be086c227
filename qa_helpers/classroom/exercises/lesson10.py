"""Lesson 10, your own documents: the passage of an answer, a split by documents, an answer's places in a text."""

import itertools
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
    ("three passages", "braids", 0, "the answer is in the middle passage"),
    ("three passages", "Ann", 0, "the answer begins the text, at character 0"),
    ("three passages", "Cleo", 0, "the answer begins the last passage"),
    ("three passages", "sells.", 0, "the answer ends the text"),
    ("one passage", "one", 0, "the text is a single passage"),
    ("line breaks inside", "salt", 0, "the passage has single line breaks in it"),
    ("the same words twice", "1874", 1, "an earlier passage has the same words"),
    ("a passage that begins the text with a space", "Indented", 0, "the passage begins with a space"),
]


def _passage(document: str, start: int) -> tuple[int, int]:
    before, after = document.rfind("\n\n", 0, start), document.find("\n\n", start)
    return (0 if before < 0 else before + 2), (len(document) if after < 0 else after)


@checker("10.1")
def check_passage_of(passage_of) -> str:
    """``passage_of(document, start)``: characters (start, end) of the passage around a character."""

    def judge(name: str, answer: str, occurrence: int, kind: str) -> None:
        document = TEXTS[name]
        start = [m.start() for m in re.finditer(re.escape(answer), document)][occurrence]
        right, found = _passage(document, start), call(passage_of, document, start)
        if isinstance(found, str):
            raise Wrong("you return a text; return its place, (start, end): a text alone does not say where it is")
        if isinstance(found, int):
            raise Wrong(f"you return one number, {found}; return two, a start and an end")
        found = tuple(int(place) for place in found)
        if found == right:
            return
        if len(found) != 2:
            raise Wrong(f"you return {len(found)} numbers; return two, a start and an end")
        case = f"{kind} ({document!r}, start {start}): you return {found}, which is {document[slice(*found)]!r}"
        text, wanted = document[slice(*found)], document[slice(*right)]
        if text == wanted.strip() != wanted:
            raise Wrong(f"{case}. Spaces at the edge of a passage belong to it: leave out nothing but the blank line")
        if min(found) < 0 or (found[0] == 1 and right[0] == 0):
            raise Wrong(
                f"{case}. find and rfind return -1 if there is no blank line: then the passage begins or ends where the text does"
            )
        if found[1] == right[1] - right[0] and found[0] == right[0]:
            raise Wrong(f"{case}. Your second number is the length; return the end, which is start + length")
        if found[1] < found[0]:
            raise Wrong(
                f"{case}. It ends before it starts. Search backwards and forwards from `start`: without it, find returns the "
                "first blank line of the whole text, and rfind the last"
            )
        if text == wanted:
            raise Wrong(f"{case}. The words are right, but the place is not: they occur twice in the text")
        if found == (right[0], right[1] - 1):
            raise Wrong(f"{case}. The last character is missing. The end is exclusive: one past the last character")
        if text.strip() in wanted and text.endswith(".") and found[1] < right[1]:
            raise Wrong(f"{case}. A full stop does not end a passage, a blank line does")
        if found[0] == start != right[0]:
            raise Wrong(f"{case}. You begin at the answer; search backwards to the blank line before it")
        if "\n\n" in text.strip():
            raise Wrong(
                f"{case}. That is more than one passage: you need the last blank line before `start` and the first one "
                "after it"
            )
        if found[0] == max(right[0] - 2, 0) and found[0] != right[0]:
            raise Wrong(f"{case}. The passage begins after the blank line, which takes two characters")
        if text.strip() == wanted.strip():
            raise Wrong(f"{case}. Leave the blank line out, and nothing else")
        if "\n" in wanted and found[1] - found[0] < right[1] - right[0]:
            raise Wrong(f"{case}. A single line break does not end a passage, a blank line does (two breaks)")
        raise Wrong(f"{case}; expected {wanted!r}")

    judge_each(PASSAGES, judge, "passages")
    return f"right in all {len(PASSAGES)} cases: now you can show an answer with the passage it comes from"


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


def _rows(titles: list[str]) -> list[dict]:
    """Rows with a context for each letter. Letters three apart in the alphabet, such as b and e, share a title."""
    return [
        {
            "id": f"{letter}{k}",
            "title": f"Title {ord(letter) % 3}",
            "context": f"The text of {letter}.",
            "question": f"Question {k}?",
        }
        for k, letter in enumerate(titles)
    ]


def _numbered(keys: list, every: int, at_each_change: bool = False) -> set[int]:
    """Positions that are held out if documents are told apart by these keys, or begin wherever the key changes."""
    if at_each_change:
        numbers = list(itertools.accumulate(int(k == 0 or keys[k] != keys[k - 1]) for k in range(len(keys))))
    else:
        order = list(dict.fromkeys(keys))
        numbers = [order.index(key) + 1 for key in keys]
    return {k for k, number in enumerate(numbers) if number % every == 0}


def _about_documents(rows: list[dict], held: list[str], every: int) -> str:
    """Which mistake holds out whole documents, but the wrong ones; or these rows."""
    positions, texts = {k for k, row in enumerate(rows) if row["id"] in held}, [row["context"] for row in rows]
    order, contexts = list(dict.fromkeys(texts)), {texts[k] for k in positions}
    if positions == _numbered(texts, every, at_each_change=True):
        return (
            "A document's examples may be apart. Give a context that you have seen before its old number, not a new one"
        )
    if positions == _numbered([row["title"] for row in rows], every):
        return "You tell documents apart by their title, but several have the same; a document is a context"
    if both := [text for k, text in enumerate(texts) if text in contexts and k not in positions]:
        return f"{min(both)!r} is on both sides: hold out whole documents, not examples"
    whole = [context for context in order if context in contexts]
    if contexts == set(sorted(order)[every - 1 :: every]):
        return "Number the documents as they first appear, not by the alphabet"
    if whole == order[::every]:
        return f"Documents are numbered from 1, not from 0: the first one held out is number {every}"
    if whole == order[every - 1 : every]:
        return f"You hold out document {every} only; hold out {2 * every}, {3 * every} and so on as well"
    if len(whole) == len(order) // every:
        return (
            f"The right number of documents, but not those whose number is divisible by {every}. Number them as they "
            "first appear: a set has no order, and the first few or the last few are not what is asked for"
        )
    return f"Documents are numbered from 1; those whose number is divisible by {every} are held out"


@checker("10.2")
def check_split_by_document(split_by_document) -> str:
    """``split_by_document(examples, every)``: (train, held out), every so-many-th document held out whole."""

    def judge(titles: list[str], every: int) -> None:
        rows = _rows(titles)
        found = call(split_by_document, [dict(row) for row in rows], every)
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise Wrong("return two lists: the examples to train on, and those held out")
        found = [list(part) for part in found]
        if any(not isinstance(row, dict) for part in found for row in part):
            raise Wrong(
                "the lists should contain the examples themselves, whole rows, not their ids, contexts or places"
            )
        train, held = ([row["id"] for row in part] for part in found)
        right = [[row["id"] for row in part] for part in _split(rows, every)]
        if [train, held] == right:
            return
        case = f"contexts {titles}, every {every}: held out are {held}, expected {right[1]}"
        if [held, train] == right:
            raise Wrong(f"{case}. The two lists are swapped: training examples come first")
        for row in rows:
            times = (train + held).count(row["id"])
            if times != 1:
                where = "in neither" if not times else "in both" if row["id"] in train and row["id"] in held else "there twice"  # fmt: skip
                raise Wrong(f"{case}. Each example belongs in exactly one of the lists, and {row['id']!r} is {where}")
        if [sorted(train), sorted(held)] == [sorted(part) for part in right]:
            raise Wrong(f"{case}. The right examples, but in another order: keep the order that they had")
        raise Wrong(f"{case}. {_about_documents(rows, held, every)}")

    judge_each(SPLITS, judge, "lists")
    return f"right on all {len(SPLITS)} lists: no document on both sides"


# (document, answer, what kind of case it is)
PLACES = [
    ("The dough rests for nine hours.", "nine hours", "it occurs once, exactly as given"),
    ("Nine hours, or nine hours and a bit.", "nine hours", "it occurs twice, once with a capital"),
    ("It rests for nine\n   hours in a bowl.", "nine hours", "there are a line break and spaces between its words"),
    ("It rests for nine hours.", "ten hours", "it does not occur"),
    ("It costs $2.50 (with cream).", "$2.50 (with cream)", "the answer has characters with a meaning in a pattern"),
    ("It costs 2x50 or 2.50 crowns.", "2.50", "a dot means a dot"),
    ("İznik ware: a blue bowl.", "Blue Bowl", "a letter before it becomes longer in lower case (İ)"),
    ("  A   blue    bowl,\nthen a blue bowl.", "a BLUE bowl", "the text has many spaces before it"),
    ("One plum, one pear.", "  one plum\n", "the answer has spaces around it"),
    ("Ninehours is a name, nine hours a time.", "nine hours", "without a space it is a different word"),
    ("They sing la la la.", "la la", "two places would overlap"),
    ("Éclairs, or one éclair.", "éclair", "it occurs twice, once with an accented capital"),
    ("It rests for nine\u00a0hours.", "nine hours", "there is a no-break space between its words"),
    ("It rests for nine hours.", "nine\n  hours", "the answer itself has a line break and spaces between its words"),
]


def _places(document: str, answer: str) -> list[tuple[int, int]]:
    pattern = r"\s+".join(re.escape(word) for word in answer.split())
    return [match.span() for match in re.finditer(pattern, document, flags=re.IGNORECASE)]


def _as_list(found) -> list:
    """The spans as a list; :class:`Wrong` if they are not pairs of numbers, but what is easily returned instead."""
    if isinstance(found, tuple) and len(found) == 2 and all(isinstance(place, int) for place in found):
        raise Wrong(f"you return one pair, {found}; return a list of pairs, even for one place")
    found = list(found)
    for place in found:
        if isinstance(place, str):
            raise Wrong(f"you return texts, such as {place!r}; return their places, pairs of a start and an end")
        if isinstance(place, re.Match):
            raise Wrong("you return matches; return the place of each, which its method `span` gives you")
        if isinstance(place, int):
            raise Wrong(f"you return single numbers, such as {place}; return a start and an end for each place")
    return found


@checker("10.3")
def check_places_of(places_of) -> str:
    """``places_of(document, answer)``: all (start, end) where it occurs, whatever the case and the white space."""

    def judge(document: str, answer: str, kind: str) -> None:
        right = _places(document, answer)
        try:
            found = call(places_of, document, answer)
        except re.error as error:
            raise Wrong(f"{kind} ({answer!r}): your pattern is broken ({error}). Escape the answer's words") from error
        found = _as_list(found)
        found = [tuple(int(place) for place in span) for span in found]
        if found == right:
            return
        case = f"{kind} (document {document!r}, answer {answer!r}): you return {found}, expected {right}"
        if any(len(span) != 2 for span in found):
            raise Wrong(f"{case}. Each place is a start and an end")
        if sorted(found) == sorted(right):
            raise Wrong(f"{case}. The right places, but from left to right, please")
        if found and len(found) < len(right) and set(found) < set(right):
            raise Wrong(f"{case}. Some are missing: return all places, whether in upper or lower case")
        if not found and "\u00a0" in document:
            raise Wrong(f"{case}. A no-break space (\\xa0) is white space, too: \\s matches it, a list of a few characters does not")  # fmt: skip
        if not found and " ".join(answer.split()) != answer.strip():
            raise Wrong(
                f"{case}. White space in the answer may be of any kind and length, too: split it into its words"
            )
        if not found and "\n" in document + answer:
            raise Wrong(
                f"{case}. Any white space will do between two words, and white space around the answer does not count"
            )
        if not found and answer not in document and answer.lower() in document.lower():
            raise Wrong(f"{case}. Upper and lower case should not matter")
        if not found:
            raise Wrong(f"{case}. Escape the answer: its characters mean themselves")
        if any(one[1] > other[0] for one, other in itertools.pairwise(found)):
            raise Wrong(f"{case}. Places do not overlap: after one of them, search on from its end")
        if any(len(document[slice(*span)].split()) < len(answer.split()) for span in found):
            raise Wrong(f"{case}. There is at least one white space between two words: \\s+, not \\s*")
        if len(found) > len(right):
            raise Wrong(
                f"{case}. That is more than there is: escape the answer, and return an empty list if it does not occur"
            )
        if found == [(start, end - 1) for start, end in right]:
            raise Wrong(f"{case}. The end is exclusive: one past the last character")
        if found == [(start, start + len(answer)) for start, _ in right]:
            raise Wrong(
                f"{case}. The end is not start + len(answer): in the document as it was given, the place can be longer. "
                "Count characters there, and not in a copy that you have changed"
            )
        raise Wrong(
            f"{case}, which is {document[slice(*right[0])]!r}. Count characters of the document as it was given, not of a "
            "copy that you have changed"
        )

    judge_each(PLACES, judge, "documents")
    return f"right in all {len(PLACES)} cases: an answer from anywhere can be checked against the text"
