"""The language of the mini corpus: asset lines become templates, and an entry tells its facts through them.

The assets (``assets/corpus/*.yaml``) are plain text that anybody can extend. This module knows what a ``{slot}`` and a
``[bracket]`` mean and writes one entry; ``fact_values.py`` invents names and numbers, ``corpus.py`` turns entries into
examples.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random

import yaml

from .fact_values import DATED, PERSON_PARTS, TYPES, Pools, Value

ASSETS = Path(__file__).parent / "assets" / "corpus"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser, if it is available, is ten times faster

# ---------------------------------------------------------------------------------------------------------------------
# Templates: one asset line, read once
# ---------------------------------------------------------------------------------------------------------------------

OPEN, CLOSE = object(), object()
_TOKEN = re.compile(r"(\{[^{}]*\}|\[|\])")
_OTHER = re.compile(r"other ([a-z ]+?)(?: (before|after) ([a-z_]+))?(?: ([A-Z]))?")


@dataclass(frozen=True)
class Slot:
    """The content of a pair of braces: ``{founder.surname}`` is ``Slot("fact", "founder", "surname")``."""

    role: str  # name | it | its | fact | other | value
    key: str = ""  # the fact or the value type
    part: str = ""  # surname, he, his, him, year
    when: str = ""  # before | after
    anchor: str = ""  # the fact that `when` refers to
    label: str = ""


@dataclass(frozen=True)
class Template:
    """A line of text cut into literals, slots and brackets, with what it states and what it takes for granted."""

    text: str
    pieces: tuple
    states: frozenset  # facts given in full
    needs: frozenset  # facts only alluded to ({founder.surname}): an earlier sentence must have stated them
    named: bool  # holds {name}
    start: str  # the first word, to keep neighbouring sentences from starting alike


def parse(text: str, facts: dict, lists: dict = (), where: str = "") -> Template:
    """Cut ``text`` at its slots and brackets; a ``ValueError`` names ``where`` for a slot that cannot be filled."""
    text = re.sub(r"(?<=[\w}])'(?=\w)|(?<=s)'(?= )", "’", str(text))
    pieces, depth = [], 0
    for token in _TOKEN.split(text):
        if token in ("[", "]"):
            depth += 1 if token == "[" else -1
            if depth not in (0, 1):
                raise ValueError(f"{where}: unbalanced brackets in {text!r}")
            pieces.append(OPEN if token == "[" else CLOSE)
        elif token.startswith("{") and token.endswith("}"):
            pieces.append(_slot(token[1:-1], facts, lists, f"{where}: unknown slot {token} in {text!r}"))
        elif "{" in token or "}" in token:
            raise ValueError(f"{where}: unbalanced braces in {text!r}")
        elif token:
            pieces.append(token)
    if depth:
        raise ValueError(f"{where}: unbalanced brackets in {text!r}")
    slots = [piece for piece in pieces if isinstance(piece, Slot) and piece.role == "fact"]
    states = frozenset(slot.key for slot in slots if not slot.part)
    first = pieces[0] if pieces else ""
    start = first.split(" ")[0].lower() if isinstance(first, str) else getattr(first, "role", "[")
    named = any(isinstance(piece, Slot) and piece.role == "name" for piece in pieces)
    return Template(text, tuple(pieces), states, frozenset(slot.key for slot in slots) - states, named, start)


def _slot(content: str, facts: dict, lists: dict, complaint: str) -> Slot:
    key, _, part = content.partition(".")
    if content in ("name", "it", "its"):
        return Slot(content)
    if key in facts:
        kind = facts[key]["value"]
        if not part or (kind == "person" and part in PERSON_PARTS) or (kind in DATED and part == "year"):
            return Slot("fact", key, part)
    match = _OTHER.fullmatch(key)
    if match:
        kind, when, anchor, label = match.groups(default="")
        known = kind in TYPES or kind in lists
        fits = not part or (kind == "person" and part in PERSON_PARTS) or (kind == "date" and part == "year")
        dated = not when or (kind in DATED and anchor in facts and facts[anchor]["value"] in DATED)
        if known and fits and dated:
            return Slot("other", kind, part, when, anchor, label)
    if key in TYPES or key in lists:
        return Slot("value", key, part)
    raise ValueError(complaint)


# ---------------------------------------------------------------------------------------------------------------------
# Kinds: one asset file each
# ---------------------------------------------------------------------------------------------------------------------


@dataclass
class Kind:
    """One kind of entry, parsed: what its file says, as templates."""

    file: str
    noun: str
    also: list
    names: list
    facts: dict  # fact -> its specification, as in the file
    options: dict  # fact -> templates of a choice
    phrasings: dict
    questions: dict
    joint: list
    openings: list
    asides: list
    shared: list  # asides of values.yaml about a fact stated earlier, a list for each fact
    early: list  # the same about a fact that may be stated later in the entry
    lists: dict  # word lists of its own

    @classmethod
    def read(cls, file: str, raw: dict, shared: dict) -> "Kind":
        for key in ("noun", "names", "facts", "joint", "openings", "asides"):
            if not raw.get(key):
                raise ValueError(f"{file}: the file lacks `{key}:`")
        facts, lists = raw["facts"], raw.get("lists", {})
        for fact, spec in facts.items():
            if spec.get("value") not in TYPES | {"choice"}:
                raise ValueError(f"{file}: {fact}: unknown value type {spec.get('value')!r}")

        def lines(texts, where, known=facts):
            return [parse(text, known, lists, f"{file}: {where}") for text in texts or ()]

        after, early = [], []
        for kind, texts in shared.items():
            for fact, spec in facts.items():
                if spec["value"] == kind.removesuffix(" early") or (spec["value"], kind[:4]) == ("date", "year"):
                    key = f"{fact}.year" if spec["value"] == "date" else fact
                    lines_of_fact = [re.sub(r"\{fact(?=[.}])", "{" + key, text) for text in texts]
                    group = [parse(text, facts, lists, f"values.yaml: asides.{kind}") for text in lines_of_fact]
                    (early if kind.endswith(" early") else after).append(group)
        return cls(
            file=file,
            noun=raw["noun"],
            also=raw.get("also", []),
            names=lines(raw["names"], "names", {}),
            facts=facts,
            options={fact: lines(spec.get("options"), f"{fact}.options", {}) for fact, spec in facts.items()},
            phrasings={fact: lines(spec.get("phrasings"), fact) for fact, spec in facts.items()},
            questions={fact: lines(spec.get("questions"), f"{fact}.questions") for fact, spec in facts.items()},
            joint=lines(raw["joint"], "joint"),
            openings=lines(raw["openings"], "openings"),
            asides=lines(raw["asides"], "asides"),
            shared=after,
            early=early,
            lists=lists,
        )


@lru_cache(maxsize=4)
def load(folder: Path) -> tuple[dict, list[Kind]]:
    """Read every asset of ``folder``: (lists of values.yaml, kinds in order of file name)."""
    files = sorted(folder.glob("*.yaml"))
    if folder / "values.yaml" not in files:
        raise ValueError(f"{folder} holds no values.yaml: is it a folder of corpus assets?")
    raw = {}
    for file in files:
        try:
            raw[file.name] = yaml.load(file.read_text(encoding="utf-8"), Loader=LOADER)
        except yaml.YAMLError as error:
            raise ValueError(f"{file.name} is not valid YAML: {error}") from error
    lists = raw.pop("values.yaml")
    return lists, [Kind.read(name, content, lists["asides"]) for name, content in raw.items()]


# ---------------------------------------------------------------------------------------------------------------------
# Telling an entry
# ---------------------------------------------------------------------------------------------------------------------

_AGREES = re.compile(r"(?:^|(?<=[\s“(—–-]))(an?|in|on|the) $", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?][”’)]?\s“?$")
_VOWEL_SOUND = re.compile(
    r"(?!one\b|eu|uni[^nm]|us[eu]|ut[ei])[aeiouàáâäåæéèêëíìîïóòôöøœúùûü8]|1[18](?!\d)|1[18],\d{3}|hour|heir|honest",
    re.IGNORECASE,
)
_FAMILY = re.compile(r"[^\W\d_]{4,}")  # family names in "Marl & Sons" or "Okafor-Reyes"
_FIRM = {"Sons", "Daughters", "Brothers", "Company", "Works", "Ironworks", "Foundry", "Widow", "Nephew", "house"}
_NO_PRONOUN_AFTER = re.compile(r"\b(up|out|off|down|away|of|for|to|near|at) $")  # "put up it", "the building of it"
_TITLE_BEFORE = re.compile(r"[A-Z][\w.]* $")  # "Captain {leader}": no second title
_ARTICLE_BEFORE_RIVER = re.compile(r"\b(the|river) $", re.IGNORECASE)


class Entry:
    """One entry while it is being told: its name, its facts, and what the text has said so far.

    ``text`` is the prose; ``stated`` maps a fact to the (start, end) spans in ``text`` that answer a question about it,
    the usual one first.
    """

    def __init__(self, kind: Kind, name: str, pools: Pools, rng: Random, taken: set, used: set):
        self.kind, self.name, self.pools, self.rng = kind, name, pools, rng
        self.taken, self.used = taken, used  # values and lines already used anywhere in the context
        taken |= set(_FAMILY.findall(name))  # no person in the entry has the same name as the entry
        self.values: dict[str, Value] = {}
        for fact in kind.facts:
            self._draw_fact(fact)
        self.text, self.stated, self.repeated, self.shared_asides = "", {}, set(), 0
        self.focus, self.run, self.last_start, self.last_form = 0.0, 0, "", ""
        self.by_name = False

    # -- values --------------------------------------------------------------------------------------------------

    def _draw_fact(self, fact: str) -> Value:
        if fact not in self.values:
            spec = self.kind.facts[fact]
            if spec["value"] == "choice":
                self.values[fact] = self._choice(self.rng.choice(self.kind.options[fact]))
            else:
                if "after" in spec:
                    start = int(self._draw_fact(spec["after"]).number)
                    spec = {**spec, "range": [start + years for years in spec["range"]]}
                self.values[fact] = self._fresh(spec["value"], spec)
        return self.values[fact]

    def _choice(self, template: Template) -> Value:
        """An option: its text with the slots filled; bracketed text may or may not belong to the answer."""
        text, kept = "", []
        for piece in template.pieces:
            if piece is OPEN or piece is CLOSE:
                kept.append(len(text))
            else:
                text += piece if isinstance(piece, str) else self._fresh(piece.key, {}).text
        if not kept:
            return Value(text, "choice")
        whole = (0, len(text))
        core = (kept[1], len(text)) if kept[0] == 0 else (0, len(text[: kept[0]].rstrip()))
        return Value(text, "choice", [core, whole])

    def _fresh(self, kind: str, spec: dict) -> Value:
        """A value that neither the facts nor the text so far have used."""
        value = None
        for _ in range(20):
            if kind in self.kind.lists:
                value = Value(self.rng.choice(self.kind.lists[kind]), kind)
            else:
                value = self.pools.draw(kind, self.rng, spec)
            if kind in ("person", "company", "surname"):
                keys = set(_FAMILY.findall(value.part("surname") if kind == "person" else value.text)) - _FIRM
            else:
                keys = {("year" if kind in DATED else kind, value.number or value.text)}
            if keys.isdisjoint(self.taken):
                break
        self.taken |= keys
        return value

    def _other(self, slot: Slot, template: Template) -> Value:
        """A distractor in the range of a fact that it could be mistaken for, preferably one in the same sentence."""
        facts = sorted(self.kind.facts, key=lambda fact: fact not in template.states)
        specs = (self.kind.facts[fact] for fact in facts)
        spec = next((spec for spec in specs if spec["value"] == slot.key and "after" not in spec), {})
        if slot.when:
            year = int(self.values[slot.anchor].number)
            spec = {"range": (year - 40, year - 2) if slot.when == "before" else (year + 2, year + 50)}
        return self._fresh(slot.key, {key: spec[key] for key in ("range", "unit") if key in spec})

    # -- sentences -----------------------------------------------------------------------------------------------

    def _refer(self, before: str) -> str:
        """How this sentence names the entry: by pronoun only while the reader still has the entry in mind."""
        if self.by_name:
            return self.name
        if self.run < 2 and self.rng.random() < self.focus and not _NO_PRONOUN_AFTER.search(before[-7:]):
            self.run += 1
            return "it"
        self.run = 0
        forms = [f"the {self.kind.noun}", self.name, *(f"the {noun}" for noun in self.kind.also)]
        weights = [5, 2, *[1.2 for _ in self.kind.also]]
        if self.last_form in forms:
            weights[forms.index(self.last_form)] *= 0 if self.last_form == self.name else 0.3
        self.last_form = self.rng.choices(forms, weights)[0]
        return self.last_form

    def render(self, template: Template, question: bool = False) -> tuple[str, dict]:
        """Fill a template: (text, fact -> [(start, end), …] of its possible answers in that text)."""
        out, position, capital = [], 0, not question
        spans, brackets, opened, others = {}, [], 0, {}
        referred = question or template.named  # from then on the sentence says "it"
        for piece in template.pieces:
            if piece is OPEN:
                opened = position
                continue
            if piece is CLOSE:
                brackets.append((opened, position))
                continue
            before, value = out[-1] if out else "", None
            if isinstance(piece, str):
                text = piece
            else:
                if piece.role in ("it", "its"):
                    text = self._refer(before) if not referred else "it"
                    if piece.role == "its":
                        text = "its" if text == "it" else f"{text}’s"
                    referred = True
                elif piece.role == "name":
                    text = self.name
                else:
                    value = self._value(piece, template, others)
                    if value.plain and (_TITLE_BEFORE.search(before) or (brackets and brackets[-1][1] == position)):
                        value = value.plain
                    text = value.part(piece.part) if piece.part else value.text
                if out:
                    out[-1] = self._agree(before, text, value)
                    shift = len(out[-1]) - len(before)
                    opened += shift if opened == position else 0
                    position += shift
                if value and value.kind == "river" and not _ARTICLE_BEFORE_RIVER.search(before):
                    out.append("The " if capital else "the ")
                    position, capital = position + 4, False
            if capital and text:
                text = text[0].upper() + text[1:]
            if value and piece.role == "fact" and not piece.part and piece.key not in spans:
                spans[piece.key] = [(position + start, position + end) for start, end in value.spans]
            out.append(text)
            position += len(text)
            capital = bool(_SENTENCE_END.search(text[-5:])) or (capital and text == "“")
        for found in spans.values():  # a bracket that touches the value may belong to the answer
            start, end = found[0]
            found += [(min(left, start), max(right, end)) for left, right in brackets if right == start or left == end]
        return "".join(out), spans

    def _value(self, slot: Slot, template: Template, others: dict) -> Value:
        """The value of a slot: a fact's own, or a fresh one that the sentence may name again by its label."""
        if slot.role == "fact":
            return self.values[slot.key]
        key = (slot.key, slot.label)
        if key not in others:
            others[key] = self._other(slot, template)
        return others[key]

    @staticmethod
    def _agree(before: str, text: str, value: Value | None) -> str:
        """Make the word before a slot fit the value: a/an, in/on, and no second "the"."""
        match = _AGREES.search(before[-5:])
        if not match or not text:
            return before
        word, stem = match[1], before[: len(before) - len(match[1]) - 1]
        if word.lower() in ("a", "an"):
            if value is not None and re.match(r"an? |the ", text):
                return stem
            return f"{stem}{word[0]}{'n' if _VOWEL_SOUND.match(text) else ''} "
        if word.lower() == "the":
            return stem if text.startswith("the ") else before
        if value is not None and value.kind == "date":
            fitting = "on " if text[0].isdigit() else "in "
            return stem + (fitting.capitalize() if word[0].isupper() else fitting)
        return before

    def say(self, template: Template, aside: bool = False):
        """Add one sentence to the text and remember which facts it stated, and where."""
        sentence, spans = self.render(template)
        offset = len(self.text) + 1 if self.text else 0
        self.text += (" " if self.text else "") + sentence
        if aside:
            self.repeated |= template.states
        else:
            for fact, found in spans.items():
                self.stated.setdefault(fact, [(offset + start, offset + end) for start, end in found])
        self.used.add(template.text)
        self.last_start = template.start
        if template.named:
            self.last_form = self.name
        roles = [piece.role for piece in template.pieces if isinstance(piece, Slot)]
        if template.start in ("it", "its", "name"):
            self.focus = 0.62
        elif "it" in roles or "its" in roles or "name" in roles:
            self.focus = 0.3  # the sentence was about the entry, but began with something else
        else:
            self.focus, self.run = 0.0, 0

    def retell(self, fact: str) -> tuple[str, tuple[int, int]] | None:
        """State a fact again, in other words and with the entry's full name: (sentence, the value's start and end)."""
        lines = [line for line in self.kind.phrasings[fact] if line.states == {fact} and not line.needs]
        lines = [line for line in lines if line.text not in self.used]
        if not lines:
            return None
        self.by_name = True
        sentence, spans = self.render(self.rng.choice(lines))
        self.by_name = False
        return sentence, spans[fact][0]

    def pick(self, templates: list[Template]) -> Template:
        """One of ``templates``, preferably one that is new here and does not start like the last sentence."""
        for _ in range(4):
            template = self.rng.choice(templates)
            if template.text not in self.used and template.start != self.last_start:
                break
        return template

    def tell(self, count: int, asides: int):
        """Write the entry: an opening, about ``count`` facts roughly in the file's order, ``asides`` between them."""
        rng, kind = self.rng, self.kind
        order = {fact: index + rng.gauss(0, 1.3) for index, fact in enumerate(kind.facts)}
        todo = sorted(rng.sample(list(kind.facts), min(count, len(kind.facts))), key=order.get)
        wanted = set(todo)
        self.say(self.pick([line for line in kind.openings if len(line.states) <= count]))
        todo = [fact for fact in todo if fact not in self.stated]
        slots = sorted(rng.choices(range(1, len(todo) + 1), k=asides)) if todo else []
        step = 0
        while todo:
            if slots and slots[0] <= step:
                slots.pop(0)
                self._say_aside(wanted)
            self.say(self._next_line(todo))
            step += 1
            todo = [fact for fact in todo if fact not in self.stated]
        if slots:
            self._say_aside(wanted)

    def _next_line(self, todo: list) -> Template:
        fact, told = todo[0], self.stated.keys()
        fits = [line for line in self.kind.phrasings[fact] if line.needs <= told and not (line.states & told)]
        neat = [line for line in fits if len(line.states) == 1] or fits
        open_facts = set(todo)
        joint = [line for line in self.kind.joint if fact in line.states <= open_facts and line.needs <= told]
        if joint and self.rng.random() < 0.55:
            return self.pick(joint)
        return self.pick(neat or self.kind.phrasings[fact])

    def _say_aside(self, wanted: set):
        told, rng = self.stated.keys(), self.rng
        draw = rng.random()
        if draw < 0.45 and not self.shared_asides:
            self.shared_asides = 1
            groups = [group for group in self.kind.shared if group[0].states | group[0].needs <= told]
            groups += [group for group in self.kind.early if group[0].states | group[0].needs <= wanted]
            lines = rng.choice(groups) if groups else []
        else:
            lines = [line for line in self.kind.asides if line.states | line.needs <= told]
            if draw < 0.75:
                lines = [line for line in lines if line.states] or lines
        lines = [line for line in lines if line.text not in self.used]
        if lines:
            self.say(self.pick(lines), aside=True)
