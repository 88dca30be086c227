"""The mini corpus: a fictional gazetteer in SQuAD's shape, built from a seed.

Every name, date and fact is invented, so a right answer can only come from reading. The prose comes from
``assets/corpus/*.yaml``, one file per kind of entry, which anybody can extend without programming; ``grammar.py`` says
what those lines mean. No entity occurs in both splits: a digest of its name alone decides whether it belongs to train
or validation.

``python -m qa_helpers.mini.corpus --kind bridge --count 3`` prints samples, ``--check`` checks the assets.
"""

import argparse
import hashlib
import json
import textwrap
from itertools import islice
from pathlib import Path
from random import Random

from ..engine.whole_files import write_whole
from . import grammar
from .fact_values import Pools, side_of
from .grammar import ASSETS, Entry, Kind

QUESTIONS_PER_CONTEXT = (3, 4, 4, 5)
LONG_SHARE = 1 / 7  # share of contexts made of several entries
UNANSWERABLE_SHARE = 0.35  # about a third in the end, since an entry that states all its facts leaves none to ask about


# ---------------------------------------------------------------------------------------------------------------------
# Contexts
# ---------------------------------------------------------------------------------------------------------------------


class Gazetteer:
    """An endless supply of contexts for one split; entry names never repeat."""

    def __init__(self, split: str, seed: str, assets: Path, kinds: list[str] | None = None):
        lists, self.kinds = grammar.load(Path(assets))
        if kinds:
            self.kinds = [kind for kind in self.kinds if kind.file.removesuffix(".yaml") in kinds]
        if not self.kinds:
            raise ValueError(f"no {' or '.join(kinds or ['kind of entry'])} among the corpus assets in {assets}")
        self.split, self.rng = split, Random(f"{seed}/{split}")  # a string seed does not depend on PYTHONHASHSEED
        self.pools, self.names = Pools(lists, split), set()

    def entry(self, kind: Kind, taken: set, used: set) -> Entry:
        for _ in range(2000):
            name = self._name(kind)
            bare = name.removeprefix("the ")  # "the Varn Garden" and "Varn Garden" would be the same to the reader
            if bare not in self.names and side_of(bare) == self.split:
                self.names.add(bare)
                return Entry(kind, name, self.pools, self.rng, taken, used)
        raise ValueError(f"{kind.file}: no unused name left after {len(self.names):,} entries; add to `names:`")

    def _name(self, kind: Kind) -> str:
        name = ""
        for piece in self.rng.choice(kind.names).pieces:
            if isinstance(piece, str):
                name += piece
            elif piece.key in kind.lists:
                name += self.rng.choice(kind.lists[piece.key])
            else:
                name += self.pools.draw(piece.key, self.rng).text
        return name

    def context(self) -> tuple[str, str, list[tuple[Entry, int]]]:
        """(title, context, entries with the character at which each begins)."""
        rng = self.rng
        many = rng.choices((2, 3, 4, 5), (42, 32, 16, 10))[0] if rng.random() < LONG_SHARE else 1
        kind, same = rng.choice(self.kinds), rng.random() < 0.5
        entries, text, taken, used = [], "", set(), set()
        for _ in range(many):
            entry = self.entry(kind, taken, used)
            facts = rng.randint(3, 6) if many > 1 else rng.choices(range(3, 10), (20, 24, 22, 16, 10, 5, 3))[0]
            entry.tell(facts, asides=rng.choices(range(4), (14, 41, 30, 15))[0])
            start = len(text) + 1 if text else 0
            text += ("\n" if text else "") + entry.text
            entries.append((entry, start))
            kind = kind if same else rng.choice(self.kinds)
        if many == 1:
            title = entries[0][0].name.removeprefix("the ")
        else:
            title = f"Gazetteer of {self.pools.draw('region', rng).text}"
        return title[0].upper() + title[1:], text, entries

    def examples(self, unanswerable: bool):
        """An endless supply of examples, about four per context."""
        rng = self.rng
        while True:
            title, context, entries = self.context()
            told = [(entry, start, fact) for entry, start in entries for fact in entry.stated]
            untold = [(entry, fact) for entry, _ in entries for fact in entry.kind.facts if fact not in entry.stated]
            # facts that an aside repeats are asked for more often: of two occurrences only one answers the question
            told.sort(key=lambda item: rng.random() + 0.4 * (item[2] in item[0].repeated))
            rng.shuffle(untold)
            for _ in range(rng.choice(QUESTIONS_PER_CONTEXT)):
                if unanswerable and untold and rng.random() < UNANSWERABLE_SHARE:
                    entry, fact = untold.pop()
                    question, spans = self._question(entry, fact), []
                elif told:
                    entry, start, fact = told.pop()
                    question = self._question(entry, fact)
                    spans = self._annotate([(start + a, start + b) for a, b in entry.stated[fact]])
                else:
                    break
                digest = hashlib.sha256(f"{self.split}|{context}|{question}|{fact}".encode()).hexdigest()[:24]
                answers = {"text": [context[a:b] for a, b in spans], "answer_start": [a for a, _ in spans]}
                yield {"id": digest, "title": title, "context": context, "question": question, "answers": answers}

    def _question(self, entry: Entry, fact: str) -> str:
        questions = [line for line in entry.kind.questions[fact] if line.states | line.needs <= entry.stated.keys()]
        text, _ = entry.render(self.rng.choice(questions or entry.kind.questions[fact]), question=True)
        return text[0].upper() + text[1:]

    def _annotate(self, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """One annotator's span for training, three for validation; now and then one marks a little more or less."""
        usual, others = spans[0], spans[1:]
        if self.split == "train":
            return [self.rng.choice(others) if others and self.rng.random() < 0.08 else usual]
        return [self.rng.choice(others) if others and self.rng.random() < 0.25 else usual for _ in range(3)]


# ---------------------------------------------------------------------------------------------------------------------
# Public functions
# ---------------------------------------------------------------------------------------------------------------------


def build_corpus(
    train_examples: int = 6000,
    validation_examples: int = 1000,
    seed: int = 2026,
    unanswerable: bool = False,
    assets: str | Path = ASSETS,
) -> dict[str, list[dict]]:
    """Build the gazetteer: ``{"train": [...], "validation": [...]}`` with exactly as many examples as asked for.

    An example is ``{"id", "title", "context", "question", "answers": {"text": [...], "answer_start": [...]}}``;
    ``answer_start`` counts characters of ``context``. Train examples carry one answer, validation examples three
    annotators'. With ``unanswerable`` (the SQuAD 2.0 shape) about a third have empty lists: the context is about the
    right thing but does not contain the answer. The same arguments give the same corpus on every machine, and a smaller
    corpus is the beginning of a larger one. ``assets`` is another folder of asset files.

    Raises:
        ValueError: for a negative count, or assets that cannot be read (the message names file and line of text).
    """
    corpus = {}
    for split, count in (("train", train_examples), ("validation", validation_examples)):
        if count < 0:
            raise ValueError(f"cannot build {count} {split} examples: the count must be 0 or more")
        examples = Gazetteer(split, f"{seed}/{unanswerable}", Path(assets)).examples(unanswerable)
        corpus[split] = list(islice(examples, count))
    return corpus


def passages(count: int, seed: int = 2026, split: str = "train", assets: str | Path = ASSETS) -> list[str]:
    """``count`` contexts without questions, for masked language modelling; by default only train entities occur."""
    if split not in ("train", "validation"):
        raise ValueError(f"split must be 'train' or 'validation', not {split!r}")
    gazetteer = Gazetteer(split, f"{seed}/passages", Path(assets))
    return [gazetteer.context()[1] for _ in range(count)]


def retellings(count: int, seed: int = 2026, assets: str | Path = ASSETS) -> list[dict]:
    """Passages, each with one of its facts told again in other words, as text for pretraining.

    Returns ``count`` rows ``{"context", "start", "end", "sentence", "sentence_start", "sentence_end"}``: characters
    [start, end) of the context and of the sentence hold the same value. No questions; train entities only.
    """
    gazetteer, rows = Gazetteer("train", f"{seed}/retellings", Path(assets)), []
    while len(rows) < count:
        _, context, entries = gazetteer.context()
        told = [(entry, start, fact) for entry, start in entries for fact in entry.stated]
        for entry, start, fact in gazetteer.rng.sample(told, min(3, len(told))):
            again = entry.retell(fact)
            a, b = entry.stated[fact][0]
            if again and again[0][again[1][0] : again[1][1]] == context[start + a : start + b]:
                names = ("context", "start", "end", "sentence", "sentence_start", "sentence_end")
                rows.append(dict(zip(names, (context, start + a, start + b, again[0], *again[1]))))
    return rows[:count]


def to_squad_json(examples: list[dict], version: str = "1.1") -> dict:
    """Nest examples as SQuAD's files do: data → paragraphs → qas. Version "v2.0" (or "2.0") adds ``is_impossible``."""
    version = version.removeprefix("v")
    if version not in ("1.1", "2.0"):
        raise ValueError(f"SQuAD's JSON comes in versions 1.1 and 2.0, not {version!r}")
    data = []
    for example in examples:
        texts, starts = example["answers"]["text"], example["answers"]["answer_start"]
        if version == "1.1" and not texts:
            raise ValueError(f"example {example['id']} has no answer, which SQuAD 1.1 cannot express: use version 2.0")
        if not data or data[-1]["title"] != example["title"]:
            data.append({"title": example["title"], "paragraphs": []})
        paragraphs = data[-1]["paragraphs"]
        if not paragraphs or paragraphs[-1]["context"] != example["context"]:
            paragraphs.append({"context": example["context"], "qas": []})
        answers = [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)]
        qa = {"id": example["id"], "question": example["question"], "answers": answers}
        if version == "2.0":
            qa["is_impossible"] = not texts
        paragraphs[-1]["qas"].append(qa)
    return {"version": "1.1" if version == "1.1" else "v2.0", "data": data}


def write_corpus(
    output_dir: str | Path,
    version: str = "1.1",
    train_examples: int = 6000,
    validation_examples: int = 1000,
    seed: int = 2026,
) -> list[Path]:
    """Write train-v1.1.json and dev-v1.1.json (or -v2.0) into ``output_dir``; a file appears whole or not at all."""
    corpus = build_corpus(train_examples, validation_examples, seed, unanswerable=version.removeprefix("v") == "2.0")
    written = []
    for split, name in (("train", "train"), ("validation", "dev")):
        content = to_squad_json(corpus[split], version)
        path = Path(output_dir) / f"{name}-v{version.removeprefix('v')}.json"
        write_whole(path, json.dumps(content, ensure_ascii=False))
        written.append(path)
    return written


def check_assets(assets: str | Path = ASSETS, kinds: list[str] | None = None) -> None:
    """Check every asset line; the ``ValueError`` lists each fault with its file, fact and line of text."""
    from .check_assets import faults

    found = faults(Path(assets), kinds)
    if found:
        raise ValueError(f"{len(found)} faults in the corpus assets:\n" + "\n".join(found))


def _print_samples(gazetteer: Gazetteer, count: int, unanswerable: bool) -> None:
    seen = None
    for example in gazetteer.examples(unanswerable):
        if example["context"] != seen:
            if count == 0:
                return
            seen, count = example["context"], count - 1
            print(f"\n=== {example['title']}")
            for paragraph in seen.split("\n"):
                print(textwrap.fill(paragraph, 110))
        print(f"  ? {example['question']}")
        for text in dict.fromkeys(example["answers"]["text"] or ["(no answer)"]):
            print(f"      → {text}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m qa_helpers.mini.corpus", description="Print samples, or check.")
    parser.add_argument("--kind", action="append", help="only this kind of entry (may be repeated)")
    parser.add_argument("--count", type=int, default=3, help="passages to print")
    parser.add_argument("--seed", default="2026")
    parser.add_argument("--split", default="validation", choices=["train", "validation"])
    parser.add_argument("--unanswerable", action="store_true")
    parser.add_argument("--assets", type=Path, default=ASSETS)
    parser.add_argument("--check", action="store_true", help="check the asset files instead")
    options = parser.parse_args()
    if options.check:
        try:
            check_assets(options.assets, options.kind)
        except ValueError as error:
            raise SystemExit(str(error)) from None
        print("the assets are in order")
    else:
        chosen = Gazetteer(options.split, f"{options.seed}/samples", options.assets, options.kind)
        _print_samples(chosen, options.count, options.unanswerable)
