"""The mini corpus's inventions: names, dates and quantities, drawn from the lists of ``values.yaml``.

A value knows which parts of its text a fair annotator might mark as the answer: "12 March 1874", "March 1874", "1874".
"""

import zlib
from dataclasses import dataclass, field
from random import Random

PERSON_PARTS = {"surname", "he", "his", "him"}
DATED = {"year", "date"}
NUMERIC = {"length", "weight", "money", "count", "duration", "share", "temperature"}
NAMED = {"surname", "town", "region", "river", "mountain", "island", "street", "country", "company", "person"}
TYPES = DATED | NUMERIC | NAMED | {"weekday", "month"}
MONTHS = ["January", "February", "March", "April", "May", "June"]
MONTHS += ["July", "August", "September", "October", "November", "December"]
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_ONES += ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_FRACTIONS = ["two thirds", "three quarters", "a fifth", "one third", "half", "a quarter"]


def in_words(number: int) -> str:
    """``41`` → ``"forty-one"``, for 0 to 99."""
    if number < 20:
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens - 2] + (f"-{_ONES[ones]}" if ones else "")


def side_of(name: str) -> str:
    """The split a proper name belongs to. A digest of the name alone decides, at any corpus size and seed."""
    return "validation" if zlib.crc32(name.encode()) % 4 == 0 else "train"


@dataclass
class Value:
    """A drawn value; ``spans`` are the (start, end) in ``text`` that annotators might mark, the usual answer first."""

    text: str
    kind: str
    spans: list = field(default_factory=list)
    number: float = 0  # the year of a date or the value of a quantity, so that two facts do not share it
    pronouns: tuple = ()  # he, his, him
    plain: "Value | None" = None  # a person without the title

    def __post_init__(self):
        if not self.spans:
            self.spans = [(0, len(self.text))]
            first, space, _ = self.text.partition(" ")
            article = first in ("the", "a", "an") and self.text.count(" ") < 4  # a clause keeps its article
            if space and (article or first == "because"):
                self.spans.append((len(first) + 1, len(self.text)))

    def part(self, name: str) -> str:
        """``surname``, ``he``, ``his`` or ``him`` of a person, ``year`` of a date."""
        if name == "surname":
            plain = self.plain or self
            return plain.text[plain.spans[-1][0] :]
        if name == "year":
            return str(self.number)
        return self.pronouns[("he", "his", "him").index(name)]


class Pools:
    """Draws values for one split from the name parts and lists of ``values.yaml``."""

    def __init__(self, lists: dict, split: str):
        self.lists, self.split = lists, split
        self.surnames = [name for name in lists["surnames"] if side_of(name) == split]
        self.first_names = [(name, sex) for sex in ("female", "male") for name in lists["first_names"][sex]]

    def draw(self, kind: str, rng: Random, spec: dict | None = None) -> Value:
        """A value of type ``kind``; ``spec`` may hold the ``range``, ``unit`` and ``gender`` of the asset files."""
        return getattr(self, "_" + kind)(rng, spec or {})

    def _invent(self, rng: Random, flavours: dict, kind: str) -> Value:
        names = list(flavours)
        while True:  # until a name belongs to this split
            flavour = flavours[rng.choice(names)]
            stem, ending = rng.choice(flavour["stems"]), rng.choice(flavour["endings"])
            name = stem + ending[1:] if ending and stem[-1] == ending[0] else stem + ending
            if "before" in flavour and rng.random() < 0.12:
                name = f"{rng.choice(flavour['before'])} {name}"
            if side_of(name) == self.split:
                return Value(name, kind)

    def _town(self, rng, spec):
        return self._invent(rng, self.lists["towns"], "town")

    def _river(self, rng, spec):
        return self._invent(rng, self.lists["rivers"], "river")

    def _mountain(self, rng, spec):
        return self._invent(rng, self.lists["mountains"], "mountain")

    def _island(self, rng, spec):
        return self._invent(rng, self.lists["islands"], "island")

    def _region(self, rng, spec):
        return self._invent(rng, self.lists["regions"], "region")

    def _country(self, rng, spec):
        return self._invent(rng, self.lists["countries"], "country")

    def _street(self, rng, spec):
        while True:
            pattern = rng.choice(self.lists["streets"]["patterns"])
            name = pattern.format(word=rng.choice(self.lists["streets"]["words"]), surname=rng.choice(self.surnames))
            if side_of(name) == self.split:
                return Value(name, "street")

    def _company(self, rng, spec):
        while True:
            pattern = rng.choice(self.lists["companies"])
            second = rng.choice(self.surnames)
            town = self._town(rng, spec).text if "{town}" in pattern else ""
            name = pattern.format(surname=rng.choice(self.surnames), second=second, town=town)
            if side_of(name) == self.split:
                return Value(name, "company")

    def _surname(self, rng, spec):
        first = rng.choice(self.surnames)
        second = rng.choice(self.surnames)
        double = rng.random() < 0.07 and " " not in first + second and first != second
        return Value(f"{first}-{second}" if double else first, "surname")

    def _person(self, rng, spec):
        sex = spec.get("gender")
        first, sex = rng.choice([pair for pair in self.first_names if pair[1] == sex] if sex else self.first_names)
        surname = self._surname(rng, spec).text
        if rng.random() < 0.1:
            first += f" {rng.choice('ABCDEFGHJKLMNPRSTVW')}."
        pronouns = ("he", "his", "him") if sex == "male" else ("she", "her", "her")
        name = f"{first} {surname}"
        whole, family = (0, len(name)), (len(first) + 1, len(name))
        plain = Value(name, "person", [whole, family], pronouns=pronouns)
        if rng.random() >= 0.06:
            return plain
        title = rng.choice(self.lists["titles"][sex]) + " "
        spans = [(0, len(title + name)), (len(title), len(title + name)), (len(title) + family[0], len(title + name))]
        return Value(title + name, "person", spans, pronouns=pronouns, plain=plain)

    def _weekday(self, rng, spec):
        return Value(rng.choice(WEEKDAYS), "weekday")

    def _month(self, rng, spec):
        return Value(rng.choice(MONTHS), "month")

    def _year(self, rng, spec):
        year = rng.randint(*spec.get("range", (1750, 1960)))
        return Value(str(year), "year", number=year)

    def _date(self, rng, spec):
        year, month, shape = rng.randint(*spec.get("range", (1750, 1960))), rng.choice(MONTHS), rng.random()
        if shape < 0.6:
            text = f"{rng.randint(1, 28)} {month} {year}"
        elif shape < 0.75:
            text = f"{month} {year}"
        elif shape < 0.88:
            text = f"the {rng.choice(['spring', 'summer', 'autumn', 'winter'])} of {year}"
        else:
            text = f"{rng.choice(['early', 'late', 'mid-'])} {month} {year}".replace("- ", "-")
        spans = [(0, len(text)), (len(text) - 4, len(text))]
        if shape < 0.6 or shape >= 0.88:
            spans.append((text.index(month), len(text)))
        elif shape >= 0.75:
            spans.append((4, len(text)))
        return Value(text, "date", spans, number=year)

    def _quantity(self, kind: str, number: str, unit: str, value: float, before: str = "") -> Value:
        text = f"{before}{number}{unit}"
        spans = [(0, len(text))]
        if kind != "duration" and (unit.strip() or before):  # "48" for "48 metres", as SQuAD's annotators do
            # "£" and "€" are kept: BERT's tokenizer does not separate them from the number, so no label could leave
            # them out.
            spans.append((0, len(before) + len(number)))
        return Value(text, kind, spans, number=value)

    def _number(self, rng, spec, default) -> float:
        low, high = spec.get("range", default)
        if isinstance(low, float) or isinstance(high, float):
            return round(rng.uniform(low, high), 1)
        return _rounded(rng, low, high)

    def _length(self, rng, spec):
        unit = spec.get("unit", "metres")
        value = self._number(rng, spec, (8, 400))
        if unit == "kilometres" and value < 40 and value == int(value) and rng.random() < 0.6:
            value = round(min(value + rng.randint(1, 9) / 10, max(spec.get("range", (0, 1e9)))), 1)
        short = {"metres": "m", "kilometres": "km", "centimetres": "cm"}.get(unit, unit)
        if value == 1:
            unit = unit.removesuffix("s")
        return self._quantity("length", f"{value:,}", f" {unit if rng.random() < 0.7 else short}", value)

    def _weight(self, rng, spec):
        value = self._number(rng, spec, (20, 4000))
        if value >= 1000 and rng.random() < 0.6:
            number = f"{value / 1000:.1f}".removesuffix(".0")
            return self._quantity("weight", number, " tonne" if number == "1" else " tonnes", value)
        return self._quantity("weight", f"{value:,}", rng.choice([" kg", " kg", " kilograms"]), value)

    def _money(self, rng, spec):
        value = self._number(rng, spec, (300, 90_000))
        number = f"{value:,}"
        if value >= 1_000_000:
            number = f"{value / 1_000_000:.1f}".removesuffix(".0") + " million"
        sign = rng.random()
        if sign < 0.5:
            return self._quantity("money", number, "", value, before="£" if sign < 0.3 else "€")
        return self._quantity("money", number, f" {rng.choice(self.lists['currencies'])}", value)

    def _count(self, rng, spec):
        value = int(self._number(rng, spec, (3, 900)))
        number = in_words(value) if value < 100 and rng.random() < 0.6 else f"{value:,}"
        return self._quantity("count", number, "", value)

    def _duration(self, rng, spec):
        unit = spec.get("unit", "years")
        value = self._number(rng, spec, (2, 40))
        number = in_words(value) if value <= 20 or (value < 100 and rng.random() < 0.5) else f"{value:,}"
        return self._quantity("duration", number, " " + (unit.removesuffix("s") if value == 1 else unit), value)

    def _share(self, rng, spec):
        if "range" not in spec and rng.random() < 0.25:
            return Value(rng.choice(_FRACTIONS), "share")
        value = rng.randint(*spec.get("range", (4, 92)))
        return self._quantity("share", str(value), rng.choice([" %", " %", " per cent"]), value)

    def _temperature(self, rng, spec):
        value = rng.randint(*spec.get("range", (-42, 41)))
        return self._quantity("temperature", f"{value}".replace("-", "−"), " °C", value)


def _rounded(rng: Random, low: int, high: int) -> int:
    """A whole number; small ones are more frequent than in a uniform draw, and large ones are usually round."""
    if high > 20 * max(low, 1):
        low_digits, high_digits = len(str(max(low, 1))), len(str(high))
        digits = rng.randint(low_digits, high_digits)
        low, high = max(low, 10 ** (digits - 1)), min(high, 10**digits)
    value = rng.randint(low, high)
    step = 10 ** max(0, len(str(abs(value))) - 2)
    if step > 1 and rng.random() < 0.6 and low <= value // step * step:
        return value // step * step
    return value
