"""Probes: the same questions about the same invented texts, with one thing changed, so that the right answer is still known.

What the generator of the embedded corpus knows (who an entry is, which sentence states which fact) makes each change exact.
Lesson 11 asks with them what a model has learnt.
"""

from pathlib import Path
from random import Random

from .corpus import Gazetteer
from .grammar import ASSETS, Entry

#: Name → what is changed. All but the last two leave the right answer as it was.
PROBES = {
    "as it was": "nothing",
    "reworded": "the question is another of the generator's wordings",
    "off topic": "a sentence about an entry of another kind is appended",
    "distractor": "a sentence is appended that states the same fact about another entry of the same kind",
    "denied": "a false answer is appended, as a quotation that the text calls untrue",
    "swapped": "the text is that of the distractor, and the question asks about the other entry",
}


def probes(
    count: int, seed: int = 2026, split: str = "validation", assets: str | Path = ASSETS
) -> dict[str, list[dict]]:
    """Questions about passages of their own, and each of them with one thing changed.

    Args:
        count: questions; the passages are not those of the corpus, but come from the same generator.
        seed, split: as for the corpus; entries of "validation" never occur in "train".
        assets: another folder of asset files.

    Returns:
        Probe → ``count`` examples in the course's schema. Example k of each probe has the same id, which begins with the
        number of its passage; "as it was" and the others differ in what :data:`PROBES` says.

    Raises:
        ValueError: a negative count, or a split that does not exist.
    """
    if count < 0 or split not in ("train", "validation"):
        raise ValueError(f"count must be 0 or more and split 'train' or 'validation', got {count} and {split!r}")
    gazetteer, passage = Gazetteer(split, f"{seed}/probes", Path(assets)), 0
    made: dict[str, list[dict]] = {name: [] for name in PROBES}
    while len(made["as it was"]) < count:
        title, context, entries = gazetteer.context()
        told = [(entry, start, fact) for entry, start in entries for fact in entry.stated]
        for entry, start, fact in gazetteer.rng.sample(told, min(3, len(told))):
            changed = _changed(gazetteer, entry, start, fact, context)
            if changed and len(made["as it was"]) < count:
                number = f"probe-{passage:04}-{len(made['as it was']):05}"
                for name, (text, question, (a, b)) in changed.items():
                    answers = {"text": [text[a:b]], "answer_start": [a]}
                    row = {"id": number, "title": title, "context": text, "question": question, "answers": answers}
                    made[name].append(row)
        passage += 1
    return made


def _changed(gazetteer: Gazetteer, entry: Entry, start: int, fact: str, context: str) -> dict | None:
    """Probe → (context, question, answer's characters); None if a fact has no second wording, or an entry no rival."""
    lines = [line for line in entry.kind.questions[fact] if not line.states | line.needs]
    if len(lines) < 2:
        return None
    rng: Random = gazetteer.rng
    line, other_line = rng.sample(lines, 2)
    rival = gazetteer.entry(entry.kind, entry.taken, entry.used)
    stranger = gazetteer.entry(rng.choice([k for k in gazetteer.kinds if k is not entry.kind]), entry.taken, entry.used)
    other_fact = rng.choice(list(stranger.kind.facts))
    own, entry.values[fact] = entry.values[fact], rival.values[fact]
    denied, entry.values[fact] = _named(entry, fact), own
    about_rival, about_stranger = _named(rival, fact), _named(stranger, other_fact)
    same = rival.values[fact].text == own.text  # a choice among few options
    if same or not (denied and about_rival and about_stranger):
        return None
    asked, span = _asked(entry, line), tuple(start + place for place in entry.stated[fact][0])
    sentence, (a, b) = about_rival
    both, shift = f"{context} {sentence}", len(context) + 1
    return {
        "as it was": (context, asked, span),
        "reworded": (context, _asked(entry, other_line), span),
        "off topic": (f"{context} {about_stranger[0]}", asked, span),
        "distractor": (both, asked, span),
        "denied": (f"{context} An old guidebook says: “{denied[0]}” That is not true.", asked, span),
        "swapped": (both, _asked(rival, line), (shift + a, shift + b)),
    }


def _asked(entry: Entry, line) -> str:
    text, _ = entry.render(line, question=True)
    return text[0].upper() + text[1:]


def _named(entry: Entry, fact: str) -> tuple[str, tuple[int, int]] | None:
    """A sentence that names the entry and states the fact, with the value's place in it; None if none was found."""
    tries = (entry.retell(fact) for _ in range(8))
    return next((told for told in tries if told and entry.name.removeprefix("the ") in told[0]), None)
