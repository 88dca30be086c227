"""What an example is: its columns, how one is made of what a file says, and what may be wrong with it."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from numbers import Integral

from datasets import Features, List, Value

FEATURES = Features(
    {
        "id": Value("string"),
        "title": Value("string"),
        "context": Value("string"),
        "question": Value("string"),
        "answers": {"text": List(Value("string")), "answer_start": List(Value("int32"))},
    }
)


_WRITTEN = {
    str: "text",
    int: "a whole number, without quotes or a point",
    list: "a list [...]",
    dict: "an object {...}",
}


class Repeated(dict):
    """A JSON object in which ``key`` stood twice; which value was meant, nobody knows."""

    key: str


@dataclass(frozen=True)
class Problem:
    """What is wrong with one example: ``kind`` is one of empty_question, empty_context, malformed, empty_answer,
    misaligned; ``message`` says it in full, with the remedy."""

    example_id: str
    kind: str
    message: str


def example_problems(example: dict) -> list[Problem]:
    """Everything that would spoil training on this example; an empty list if it is sound."""
    identifier, context, answers = str(example["id"]), example["context"], example["answers"]
    found = []

    def report(kind: str, message: str) -> None:
        found.append(Problem(identifier, kind, f"example {shown(identifier)}: {message}"))

    for field in ("question", "context"):
        if not isinstance(example[field], str) or not example[field].strip():
            report(f"empty_{field}", f"the {field} is empty; fill it in or drop the example")
    for field in ("id", "title", "question", "context"):
        if isinstance(example.get(field), str) and not is_unicode(example[field]):
            report("malformed", f"the {field} holds half a surrogate pair, which is no character; repair the text")
    try:
        texts, starts = answers["text"], answers["answer_start"]
        sizes = len(texts), len(starts)
    except (TypeError, KeyError, IndexError):
        report("malformed", "answers must be {'text': [...], 'answer_start': [...]}; an unanswerable one has two []")
        return found
    if sizes[0] != sizes[1]:
        report("malformed", "answers.text and answers.answer_start differ in length; each text needs one start")
    for text, start in zip(texts, starts):
        if not isinstance(text, str):
            report("malformed", f"an answer's text is no text but {_kind(text)}; write it as a string")
        elif not isinstance(start, Integral) or isinstance(start, bool):
            report("malformed", f"an answer_start is no whole number but {_kind(start)}; it counts characters")
        elif not text.strip():
            report("empty_answer", "an answer is empty; an unanswerable question has empty lists instead")
        elif not isinstance(context, str):
            continue  # reported above: there is no text for the answer to stand in
        elif start < 0 or context[start : start + len(text)] != text:
            at = context[max(start, 0) : max(start, 0) + len(text)]
            right = context.find(text)
            remedy = f"the text does occur at {right}" if right >= 0 else "the text does not occur in the context"
            report(
                "misaligned", f"answer_start {start} points at {shown(at)}, not at the answer {shown(text)}; {remedy}"
            )
    return found


def sound(read: Callable[[], Iterator[tuple[str, dict]]]) -> Iterator[dict]:
    """The examples of the (place, example) pairs that ``read()`` gives, as long as they are sound and no id occurs twice.

    ``read`` is called a second time only to find out where an id was met first.

    Raises:
        ValueError: an example is not sound; the message names the place and the remedy.
    """
    seen = set()
    with closing(read()) as pairs:
        for place, example in pairs:
            for problem in example_problems(example):
                raise ValueError(f"{place}: {problem.message}")
            identifier = example["id"]
            if identifier in seen:
                first = next(place for place, earlier in read() if earlier["id"] == identifier)
                raise ValueError(
                    f"{place}: the id {shown(identifier)} occurs twice, first at {first.partition(': ')[2]}. "
                    "Answers and scores are told apart by the id: drop one of the two, or give it an id of its own"
                )
            seen.add(identifier)
            yield example


def make_example(entry, place: str, context: str | None = None, title: str | None = None) -> dict:
    """An example of what a file holds: a row, or (with context and title from around it) an item of SQuAD's ``qas``.

    Unknown keys are ignored, and so are ``plausible_answers``. ``is_impossible: true`` means two empty lists, whatever
    ``answers`` says: some files leave plausible answers there.

    Raises:
        ValueError: a key is missing or of the wrong type; the message names it and ``place``.
    """
    identifier = str(value_of(entry, "id", (str, int), place))
    if not identifier.strip():
        raise ValueError(f"{place_inside(place, 'id')}: the id is empty; give each example an id of its own")
    return {
        "id": identifier,
        "title": title_of(entry, place) if title is None else title,
        "context": value_of(entry, "context", str, place) if context is None else context,
        "question": value_of(entry, "question", str, place),
        "answers": _answers(entry, place),
    }


def title_of(entry: dict, place: str) -> str:
    """The title, which may be missing (then "") or a number."""
    title = value_of(entry, "title", (str, int), place) if entry.get("title") is not None else ""
    return str(title)


def _answers(entry: dict, place: str) -> dict[str, list]:
    impossible = entry.get("is_impossible")
    if impossible is not None and not isinstance(impossible, bool):
        raise ValueError(
            f"{place_inside(place, 'is_impossible')}: expected true or false, found {_kind(impossible)}; write one of them"
        )
    if impossible:
        return {"text": [], "answer_start": []}
    if "answers" in entry or not {"answer_text", "answer_start"} & entry.keys():
        there = place_inside(place, "answers")
        if "answers" in entry and entry["answers"] is None:
            raise ValueError(f"{there}: nothing there; a question without an answer has [], or is_impossible: true")
        pairs = _pairs(value_of(entry, "answers", (list, dict), place), there)
    else:  # a table's two columns: one answer, or none
        there = place
        pairs = [entry] if entry.get("answer_text") is not None or entry.get("answer_start") is not None else []
        pairs = [(value_of(x, "answer_text", str, there), value_of(x, "answer_start", int, there)) for x in pairs]
    if impossible is False and not pairs:
        raise ValueError(
            f"{there}: no answer, but is_impossible is false; add the answer, or set is_impossible to true"
        )
    return {"text": [text for text, _ in pairs], "answer_start": [start for _, start in pairs]}


def _pairs(answers: list | dict, there: str) -> list[tuple[str, int]]:
    """(text, answer_start) of each answer, from SQuAD's list of objects or from the two lists of a dataset's row."""
    if isinstance(answers, list):
        places = [f"{there}[{k}]" for k in range(len(answers))]
        return [(value_of(x, "text", str, p), value_of(x, "answer_start", int, p)) for x, p in zip(answers, places)]
    texts, starts = value_of(answers, "text", list, there), value_of(answers, "answer_start", list, there)
    if len(texts) != len(starts):
        raise ValueError(f"{there}: {len(texts)} texts but {len(starts)} answer_start; each text needs one start")
    for key, values, kind in (("text", texts, str), ("answer_start", starts, int)):
        for k, value in enumerate(values):
            _require(value, kind, f"{place_inside(there, key)}[{k}]")
    return list(zip(texts, starts))


def value_of(mapping, key: str, kind, place: str):
    """``mapping[key]`` if it is there and of the right type; a ValueError that names the place if not."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if isinstance(mapping, Repeated):
        raise ValueError(
            f"{place}: the key {shown(mapping.key)} occurs twice in one object; keep the one that is meant"
        )
    if not isinstance(mapping, dict) or key not in mapping:
        raise ValueError(f"{place}: the key {key!r} is missing (expected {_names(kinds)}); add it: SQuAD has it here")
    value = mapping[key]
    _require(value, kinds, place_inside(place, key))
    return value


def place_inside(place: str, key: str) -> str:
    """The place of a key: "dev.json: data[0].title", but "train.csv: row 3, title"."""
    return f"{place}.{key}" if place.endswith("]") or place.endswith("answers") else f"{place}, {key}"


def shown(text: str) -> str:
    """Text for a message: quoted, its middle left out if it is long."""
    quoted = repr(text if len(text) <= 1000 else text[:500] + text[-500:])
    return quoted if len(quoted) <= 160 else f"{quoted[:100]} … {quoted[-50:]}"


def _require(value, kind, place: str) -> None:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, kinds) or isinstance(value, bool):
        remedy = " or ".join(_WRITTEN[kind] for kind in kinds)
        raise ValueError(f"{place}: expected {_names(kinds)}, found {_kind(value)}; write {remedy}")


def _names(kinds: tuple) -> str:
    return " or ".join(kind.__name__ for kind in kinds)


def _kind(value) -> str:
    return type(value).__name__


def is_unicode(text: str) -> bool:
    """Whether a text is made of characters only: half of a surrogate pair is none, and tokenizers refuse it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
