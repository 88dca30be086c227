"""Questions in other words: so that a model learns to read, the same question comes back again and again, never quite the same.

What may be put for what is data, in ``assets/words/``: a line is a group of words that can stand for each other
(``verbs.txt``, ``nouns.txt``, ``adjectives.txt``), words of one family (``families.txt``), or beginnings of questions
(``questions.txt``).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from .grammar import ASSETS as CORPUS

WORDS = CORPUS.parent / "words"
_WORD = re.compile(r"[^\W\d_]{3,}")
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
_ASKS = re.compile(
    r"(how (?:many|much|long|often|far|old|big|high|large|tall|wide|heavy|late|early|soon|fast)|what (?:colour|time|kind|sort)"
    r"|which|what|who|whom|whose|when|where|why|how)\b",
    re.IGNORECASE,
)
# Words that say what kind of answer is asked for, or hold a sentence together: never exchanged for any other word.
_KEPT_LINE = (
    "the and for are was were with that this from has have had not but its his her their they you your our she him who "
    "whom whose what which when where why how many much does did can may must will shall would should could long often "
    "far old big large there here into onto over under than then them some any all one two three four five six seven "
    "eight nine ten been being about after before between during each every other more most only own same such too very "
    "out off per via also kind name time day year years days colour number amount person"
)
_KEPT = set(_KEPT_LINE.split())


@dataclass(frozen=True)
class Asked:
    """A question about a text whose answer is characters [start, end) of it."""

    question: str
    context: str
    start: int
    end: int


class Rewording:
    """Rewords questions.

    Args:
        texts: their words are put in the place of others.
        rng: decides.
        words: folder of the lists.
    """

    def __init__(self, texts: Iterable[str], rng: Random, words: Path = WORDS):
        self.rng = rng
        self.of_a_shape: dict[tuple[bool, int], list[str]] = {}
        for word in sorted({w for text in texts for w in _WORD.findall(text) if w.lower() not in _KEPT}):
            self.of_a_shape.setdefault(_shape(word), []).append(word)
        self.same = _others(words / "verbs.txt", words / "nouns.txt", words / "adjectives.txt")
        self.related = _others(words / "families.txt")
        self.openings = _others(words / "questions.txt", separator="|")
        self._opening = _any_of(self.openings, at="^")
        self._known = _any_of({word for word in (*self.same, *self.related) if len(word) > 2})

    def reworded(self, asked: Asked) -> Asked:
        """The question in other words, shortened, with exchanged words, as people type it; or some of that, or as it was."""
        rng = self.rng
        if "[MASK]" not in asked.question and rng.random() < 0.6:
            asked = replace(asked, question=self.in_other_words(asked.question))
        if rng.random() < 0.7:
            asked = self.with_exchanged_words(asked)
        if rng.random() < 0.5:
            kept = " ".join(word for word in asked.question.split() if rng.random() > 0.1)
            asked = replace(asked, question=kept or asked.question)
        if rng.random() < 0.1:
            asked = replace(asked, question=asked.question.lower().rstrip("?"))
        return asked

    def in_other_words(self, question: str) -> str:
        """Another beginning, other words of the same meaning, now and then one of the same family."""

        def other(match: re.Match) -> str:
            word = match[0]
            for choices, share in ((self.same, 0.3), (self.related, 0.1)):
                if word.lower() in choices and self.rng.random() < share:
                    return self.rng.choice(choices[word.lower()])
            return word

        if self.rng.random() < 0.4:
            question = self._opening.sub(lambda match: self.rng.choice(self.openings[match[0].lower()]), question)
        first, _, rest = question.partition(" ")
        return f"{first} {self._known.sub(other, rest)}"

    def with_exchanged_words(self, asked: Asked, share: float = 0.3) -> Asked:
        """Words of question and context exchanged for any others, the same one for the same one.

        What the text then says makes no sense; but where the question's words occur in it still tells where the answer is, and a
        model that has seen this with words of all kinds finds words that it knows nothing about. Words that begin alike
        ("rent", "rented") are exchanged alike.
        """
        exchanged: dict[str, str] = {}
        in_context = sorted(set(_WORD.findall(asked.context)))
        in_question = sorted({w for w in _WORD.findall(asked.question) if w.lower() not in _KEPT})
        for word in in_question:
            if self.rng.random() < share:
                new, stem = self._like(word), word.lower()[: max(4, len(word) - 3)]
                for relative in {word, *(w for w in in_context if w.lower().startswith(stem))}:
                    same = relative.lower() == word.lower()
                    put = new.lower() if same else new.lower()[: max(3, len(new) - 2)] + relative[len(stem) :].lower()
                    exchanged[relative] = put.capitalize() if relative[0].isupper() else put
        for word in in_context:
            if word not in exchanged and word.lower() not in _KEPT and self.rng.random() < share / 3:
                exchanged[word] = self._like(word)
        question = _WORD.sub(lambda match: exchanged.get(match[0], match[0]), asked.question)
        pieces, start, end, last = [], asked.start, asked.end, 0
        for match in _WORD.finditer(asked.context):
            new = exchanged.get(match[0], match[0])
            pieces += [asked.context[last : match.start()], new]
            last, longer = match.end(), len(new) - len(match[0])
            start += longer * (match.end() <= asked.start)
            end += longer * (match.start() < asked.end)
        return Asked(question, "".join(pieces) + asked.context[last:], start, end)

    def cloze(self, asked: Asked) -> Asked | None:
        """The sentence of the answer as a question: some of its words, and the question word for the answer."""
        rng = self.rng
        sentence = next(m for m in _SENTENCE.finditer(asked.context) if m.end() > asked.start)
        before = asked.context[sentence.start() : asked.start].split()[-12:]
        after = asked.context[asked.end : max(sentence.end(), asked.end)].rstrip(".!? \n").split()[:12]
        kept = rng.uniform(0.3, 0.9)
        before, after = ([word for word in words if rng.random() < kept] for words in (before, after))
        asks = match[0] if (match := _ASKS.match(asked.question)) else "what"
        if rng.random() < 0.5:
            words = [asks.capitalize(), *(after + before if rng.random() < 0.5 else before + after)]
        else:
            words = [*before, asks, *after]
        return replace(asked, question=" ".join(words).strip(" ,;:") + "?") if len(words) >= 3 else None

    def _like(self, word: str) -> str:
        return self.rng.choice(self.of_a_shape.get(_shape(word), [word]))


def _shape(word: str) -> tuple[bool, int]:
    return word[0].isupper(), min(len(word), 10)


def _others(*files: Path, separator: str = ",") -> dict[str, list[str]]:
    """A word in lower case → the other words of its groups."""
    found: dict[str, list[str]] = {}
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            group = [word.strip() for word in line.split(separator)]
            for word in group:
                found.setdefault(word.lower(), []).extend(other for other in group if other != word)
    return {word: others for word, others in found.items() if others}


def _any_of(words: Iterable[str], at: str = r"\b") -> re.Pattern:
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return re.compile(rf"{at}({'|'.join(map(re.escape, longest_first))})\b", re.IGNORECASE)
