"""Notes: short texts of everyday kinds (a lease, a recipe, minutes, a timetable), with questions about them.

They are written by hand in ``assets/notes/*.yaml``, one file per kind, and can be extended without programming. An
entry looks like this::

    - title: The flat in Millbrook Lane
      text: |
        This agreement is made between Dorothy Hale, the landlord, and ... The rent is £940 a month ...
      vary: {Dorothy Hale: female, £940: number, Millbrook Lane: street}
      questions:
        - ask: ["Who is the landlord?", "Who lets the flat?"]
          answer: Dorothy Hale
        - ask: ["How high is the rent?", "What does the tenant pay each month?"]
          answer: £940
          also: [£940 a month]            # what other annotators might also mark
        - ask: ["How large is the garden?"]
          answer: null                    # the text does not say
        - ask: ["When must the tenant leave?"]
          answer: 31 August
          in: until 31 August             # if the answer's text occurs more than once: the place that is meant

``vary`` lists what may be replaced by other values in copies of the entry, so that a model has to read: a person
(``female`` or ``male``; surname and first name are replaced, too), a ``town``, ``street``, ``company``, ``river``,
``weekday``, ``month``, ``date``, or a ``number``, whose digits change while its form stays the same.

``python -m qa_helpers.mini.notes`` checks the files and prints what they hold.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import yaml

from ..engine.misplaced import places_of
from .fact_values import MONTHS, WEEKDAYS, Pools
from .grammar import ASSETS as CORPUS
from .grammar import LOADER

NOTES = CORPUS.parent / "notes"
KINDS_OF_VALUE = {"female", "male", "town", "street", "company", "river", "weekday", "month", "date", "number"}
COPIES = 2  # of each training entry, with other values, in addition to the entry as it is written
_ENTRY, _QUESTION = {"title", "text", "vary", "questions"}, {"ask", "answer", "also", "in"}


@dataclass
class Note:
    """One entry of a file.

    Attributes:
        kind: the file's name, such as "lease"; split: "train" or "validation", the same for all entries of a kind.
        title, text: as written. vary: text → kind of value.
        questions: dicts with ``ask`` (list), ``answers`` (list of (start, end) characters; empty if the text does not say).
    """

    kind: str
    split: str
    title: str
    text: str
    vary: dict[str, str]
    questions: list[dict]


def read_notes(folder: str | Path = NOTES) -> list[Note]:
    """All entries of a folder's files, in order.

    Raises:
        ValueError: a file cannot be read, or an answer is not in its text; the message names file, entry and question.
    """
    return [note for path in sorted(Path(folder).glob("*.yaml")) for note in _read_file(path)]


def _read_file(path: Path) -> Iterator[Note]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
    except yaml.YAMLError as error:
        raise ValueError(f"{path.name}: not valid YAML: {error}") from None
    if not isinstance(content, dict) or content.get("split") not in ("train", "validation"):
        raise ValueError(f"{path.name}: must begin with `split: train` or `split: validation`, then `entries:`")
    for entry in content["entries"]:
        place = f"{path.name}: {entry.get('title', '(an entry without title)')}"
        if set(entry) - _ENTRY or not {"title", "text", "questions"} <= set(entry):
            raise ValueError(f"{place}: an entry has title, text, questions and perhaps vary; found {sorted(entry)}")
        text, vary = str(entry["text"]).strip(), {str(k): v for k, v in (entry.get("vary") or {}).items()}
        for value, kind in vary.items():
            if kind not in KINDS_OF_VALUE or value not in text:
                raise ValueError(f"{place}: vary: {value!r} ({kind}) is not in the text, or its kind is unknown")
        questions = [_read_question(question, text, place) for question in entry["questions"]]
        yield Note(path.stem, content["split"], str(entry["title"]), text, vary, questions)


def _read_question(question: Mapping, text: str, place: str) -> dict:
    asked = question.get("ask")
    if set(question) - _QUESTION or not isinstance(asked, list) or not asked or "answer" not in question:
        raise ValueError(
            f"{place}: a question has ask: [...] and answer, perhaps also and in; found {dict(question)!r:.120}"
        )
    if question["answer"] is None:
        return {"ask": asked, "answers": []}
    answer, around = str(question["answer"]), str(question.get("in", question["answer"]))
    places = places_of(around, text)
    if len(places) != 1 or answer not in around:
        raise ValueError(
            f"{place}: {asked[0]!r}: {around!r} occurs {len(places)} times in the text, but must occur once and "
            "contain the answer; give the place with `in:`"
        )
    start = places[0] + around.index(answer)
    answers = [(start, start + len(answer))]
    for other in map(str, question.get("also", [])):
        near = [p for p in places_of(other, text) if p < start + len(answer) and p + len(other) > start]
        if not near:
            raise ValueError(f"{place}: {asked[0]!r}: also: {other!r} does not overlap the answer")
        answers.append((near[0], near[0] + len(other)))
    return {"ask": asked, "answers": answers}


def build_notes(
    unanswerable: bool = False,
    copies: int = COPIES,
    seed: int = 2026,
    folder: str | Path = NOTES,
    left_out: Sequence[str] | None = None,
) -> dict[str, list[dict]]:
    """The notes as examples: ``{"train": [...], "validation": [...]}``. No kind occurs in both.

    Args:
        unanswerable: include the questions that the text does not answer (SQuAD 2.0's shape).
        copies: copies of each training entry with other values; validation entries are as they are written.
        seed: seed for the values.
        left_out: kinds that make up the validation split, instead of those whose files say `split: validation`.
    """
    rows: dict[str, list[dict]] = {"train": [], "validation": []}
    rng = Random(f"{seed}/notes")
    pools = training_values()
    notes = read_notes(folder)
    if left_out is not None:
        notes = [replace(note, split="validation" if note.kind in left_out else "train") for note in notes]
    for number in range(copies + 1):
        for note in notes:
            if number == 0 or note.split == "train":
                version = varied(note, pools, rng) if number else note
                rows[note.split] += examples_of(version, number, unanswerable)
    # If nothing can be replaced, copies repeat each other once the phrasings are used up.
    return {split: list({row["id"]: row for row in part}.values()) for split, part in rows.items()}


def training_values() -> Pools:
    """The gazetteer's names, places and numbers for the training split, to draw from."""
    return Pools(yaml.load((CORPUS / "values.yaml").read_text(encoding="utf-8"), Loader=LOADER), "train")


def examples_of(note: Note, number: int, unanswerable: bool) -> Iterator[dict]:
    """Examples of one note: all phrasings of a validation note's questions, one phrasing each of a training note's."""
    for question in note.questions:
        if not question["answers"] and not unanswerable:
            continue
        marked = question["answers"][:1] if note.split == "train" else question["answers"]
        answers = {"text": [note.text[a:b] for a, b in marked], "answer_start": [a for a, _ in marked]}
        asked = question["ask"] if note.split == "validation" else [question["ask"][number % len(question["ask"])]]
        for text in asked:
            digest = hashlib.sha256(f"{note.kind}|{note.text}|{text}".encode()).hexdigest()[:24]
            yield {"id": digest, "title": note.title, "context": note.text, "question": text, "answers": answers}


def varied(note: Note, pools: Pools, rng: Random) -> Note:
    """A copy of the note with other values; answers are moved to their places in the new text."""
    changes: dict[str, str] = {}
    for value, kind in note.vary.items():
        changes |= _other(value, kind, pools, rng)
    if not changes:
        return note
    longest_first = sorted(changes, key=len, reverse=True)
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(value)}(?!\w)" for value in longest_first))
    found = list(pattern.finditer(note.text))

    def moved(place: int, at_end: bool) -> int:
        """Where a character of the old text is in the new one."""
        shift = 0
        for match in found:
            if match.start() < place < match.end():  # an answer inside a value: "45" of "$45"
                new, inside = changes[match[0]], place - match.start()
                if match[0][:inside] != new[:inside]:
                    inside = len(new) if at_end else 0
                return match.start() + shift + inside
            if match.end() <= place:
                shift += len(changes[match[0]]) - len(match[0])
        return place + shift

    def exchanged(text: str) -> str:
        return pattern.sub(lambda match: changes[match[0]], text)

    questions = [
        {
            "ask": [exchanged(text) for text in question["ask"]],
            "answers": [(moved(a, False), moved(b, True)) for a, b in question["answers"]],
        }
        for question in note.questions
    ]
    return Note(note.kind, note.split, exchanged(note.title), exchanged(note.text), note.vary, questions)


def _other(value: str, kind: str, pools: Pools, rng: Random) -> dict[str, str]:
    """Another value of the same kind, as text → text; a person's surname and first name are replaced, too."""
    if kind in ("female", "male"):
        new = pools.draw("person", rng, {"gender": kind})
        first, surname = value.split()[0], value.split()[-1]
        new_first, new_surname = (new.plain or new).text.split()[0], new.part("surname")
        if first == surname:
            return {value: new_first}
        return {value: f"{new_first} {new_surname}", surname: new_surname, first: new_first}
    if kind == "number":
        return {value: _other_number(value, rng)}
    if kind == "date":
        new = re.sub("|".join(MONTHS), lambda _: rng.choice(MONTHS), value)
        return {value: re.sub(r"\b\d{1,2}\b", lambda _: str(rng.randint(1, 28)), new)}
    if kind in ("weekday", "month"):
        return {value: rng.choice([name for name in (WEEKDAYS if kind == "weekday" else MONTHS) if name != value])}
    return {value: pools.draw(kind, rng).text}


def _other_number(value: str, rng: Random) -> str:
    """Other digits in the same form: "£1,250" → "£4,180", "07:45" → "03:15"."""

    def digits(match: re.Match) -> str:
        old, before, after = match[0], value[: match.start()], value[match.end() :]
        if not old.strip("0"):
            return old
        if re.match(r":\d\d", after):  # an hour
            return f"{rng.randint(7, 21):02}" if len(old) == 2 else str(rng.randint(2, 9))
        if len(old) == 2 and before.endswith(":"):
            return f"{5 * rng.randint(0, 11):02}"
        if len(old) == 1:
            return str(rng.randint(2, 9))
        if len(old) == 4 and old[:2] in ("18", "19", "20"):  # probably a year
            return old[:2] + f"{rng.randint(10, 99)}"
        kept = len(old) - len(old.rstrip("0"))
        first = "1" if len(old) == 2 and old[0] == "1" else rng.choice("123456789")
        return first + "".join(rng.choice("0123456789") for _ in range(len(old) - 1 - kept)) + "0" * kept

    return re.sub(r"\d+", digits, value)


if __name__ == "__main__":
    from collections import Counter

    all_notes = read_notes()
    for kind, count in Counter(note.kind for note in all_notes).items():
        own = [note for note in all_notes if note.kind == kind]
        questions = [question for note in own for question in note.questions]
        without = sum(not question["answers"] for question in questions)
        asked = sum(len(question["ask"]) for question in questions)
        print(
            f"{kind:20} {own[0].split:10} {count:3} entries {len(questions):4} questions ({without} without answer), {asked} phrasings"
        )
    rows = build_notes(unanswerable=True)
    print({split: len(part) for split, part in rows.items()}, "examples")
