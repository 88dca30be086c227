"""How a row of a file becomes an example, and how places and values are named in messages."""

from .other_formats import answers_of_mrqa

_WRITTEN = {
    str: "text",
    int: "a whole number, without quotes or a decimal point",
    list: "a list [...]",
    dict: "an object {...}",
}


def make_example(row: dict, place: str) -> dict:
    """Make an example from a row of a file.

    Args:
        row: a row of a table, or an item of SQuAD's ``qas`` with its enclosing ``context`` and ``title``. Other keys
            are ignored, and so are ``plausible_answers``; ``is_impossible: true`` means no answer, whatever ``answers``
            contains.
        place: where it is, for messages ("dev.json: data[0]", "train.csv: row 3").

    Raises:
        ValueError: a key is missing or of the wrong type; the message names it and ``place``.
    """
    named = next((key for key in ("id", "qid", "guid") if row.get(key) not in (None, "")), "id")  # SQuAD, MRQA, KLUE
    identifier = str(value_of(row, named, (str, int), place))
    if not identifier.strip():
        raise ValueError(f"{place_of(place, 'id')}: the id is empty; give each example its own id")
    return {
        "id": identifier,
        "title": title_of(row, place),
        "context": value_of(row, "context", str, place),
        "question": value_of(row, "question", str, place),
        "answers": _answers(row, place),
    }


def title_of(row: dict, place: str) -> str:
    """The title, which may be missing (then "") or a number."""
    return str(value_of(row, "title", (str, int), place)) if row.get("title") is not None else ""


def _answers(row: dict, place: str) -> dict[str, list]:
    impossible, here = row.get("is_impossible"), place_of(place, "answers")
    if impossible is not None and not isinstance(impossible, bool):
        where = place_of(place, "is_impossible")
        raise ValueError(f"{where}: expected true or false, found {kind_of(impossible)}; write one of them")
    if impossible:
        return {"text": [], "answer_start": []}
    if "detected_answers" in row:
        row = row | {"answers": answers_of_mrqa(row["detected_answers"], value_of(row, "context", str, place), here)}
    if "answers" in row or not {"answer_text", "answer_start"} & row.keys():
        if "answers" in row and row["answers"] is None:
            raise ValueError(f"{here}: no value; a question without an answer has [], or is_impossible: true")
        pairs = _pairs(value_of(row, "answers", (list, dict), place), here)
    elif row.get("answer_text") is None and row.get("answer_start") is None:
        pairs = []
    else:  # the two columns of a table
        pairs = [(value_of(row, "answer_text", str, place), value_of(row, "answer_start", int, place))]
    if impossible is False and not pairs:
        raise ValueError(f"{here}: no answer, but is_impossible is false; add the answer, or set is_impossible to true")
    return {"text": [text for text, _ in pairs], "answer_start": [start for _, start in pairs]}


def _pairs(answers: list | dict, place: str) -> list[tuple[str, int]]:
    """(text, answer_start) of each answer, from SQuAD's list of objects or from the two lists in a row of a dataset."""
    if isinstance(answers, dict):
        texts, starts = value_of(answers, "text", list, place), value_of(answers, "answer_start", list, place)
        if len(texts) != len(starts):
            raise ValueError(f"{place}: {len(texts)} texts but {len(starts)} answer_start; each text needs one start")
        answers = [{"text": text, "answer_start": start} for text, start in zip(texts, starts)]
    places = [f"{place}[{k}]" for k in range(len(answers))]
    return [(value_of(a, "text", str, p), value_of(a, "answer_start", int, p)) for a, p in zip(answers, places)]


def value_of(mapping, key: str, kinds: type | tuple, place: str):
    """``mapping[key]``; raise a ValueError that names the place if it is missing or of the wrong type."""
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    expected = " or ".join(kind.__name__ for kind in kinds)
    if not isinstance(mapping, dict) or key not in mapping:
        raise ValueError(f"{place}: the key {key!r} is missing (expected {expected}); add it: SQuAD has it here")
    value = mapping[key]
    if not isinstance(value, kinds) or isinstance(value, bool):
        remedy = " or ".join(_WRITTEN[kind] for kind in kinds)
        raise ValueError(f"{place_of(place, key)}: expected {expected}, found {kind_of(value)}; write {remedy}")
    return value


def place_of(place: str, key: str) -> str:
    """The place of a key: "dev.json: data", "dev.json: data[0].title", but "train.csv: row 3, title"."""
    if ": " not in place:
        return f"{place}: {key}"
    return f"{place}.{key}" if place.endswith(("]", "answers")) else f"{place}, {key}"


def shown(text: str) -> str:
    """Text for a message: quoted, and shortened in the middle if it is long."""
    quoted = repr(text if len(text) <= 1000 else text[:500] + text[-500:])
    return quoted if len(quoted) <= 160 else f"{quoted[:100]} … {quoted[-50:]}"


def kind_of(value) -> str:
    return type(value).__name__


def is_unicode(text: str) -> bool:
    """Whether a text consists of valid characters only: half a surrogate pair is not one, and tokenizers reject it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
