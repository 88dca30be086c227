"""Texts that people and programs write, good and bad: hypothesis strategies for the property tests.

Profiles: ``fast`` (the default) tries the same dozen or two of examples each time, so that a run neither surprises nor takes
long; ``QA_HYPOTHESIS=long`` tries hundreds of new ones of each property.
"""

import os
import unicodedata
from contextlib import contextmanager

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

CHECKS = {"deadline": None, "suppress_health_check": list(HealthCheck)}
PROFILES = {
    "fast": settings(**CHECKS, max_examples=16, derandomize=True, database=None),
    "long": settings(**CHECKS, max_examples=500, print_blob=True),
}
PROFILE = os.environ.get("QA_HYPOTHESIS") or "fast"
if PROFILE not in PROFILES:
    raise ValueError(f"QA_HYPOTHESIS is one of {', '.join(PROFILES)}, got {PROFILE!r}")


def tried(share: float = 1.0, **changes):
    """The settings of a property; ``share`` scales the number of examples where one is dear or one says little."""
    profile = PROFILES[PROFILE]
    return settings(profile, max_examples=max(5, int(profile.max_examples * share)), **changes)


# What tokenizers handle each in its own way. Names are for people; all of them are drawn from.
PIECES = {
    "words": ["the", "bells", "Tower", "keeper's", "O’Neill", "lamp-post", "x" * 40, "aa", "Quellmark", "1902", "I"],
    "numbers": ["1,250.50", "€9", "£1,000", "3½", "1850–60", "٣٤", "२०", "⅞", "Ⅻ", "0.1e-7"],
    "punctuation": ["“Oda”", "–", "…", "''", "``", "?!", "(", ")", "«", "。", "---", "_", "#", "\\", "§"],
    "special tokens": ["[SEP]", "[CLS]", "<s>", "</s>", "[MASK]", "<pad>", "[UNK]", "▁", "Ġ", "##ing", "<unk>"],
    "composed accents": ["café", "Zoë", "Ærø", "Dvořák", "ḁ̈"],
    "combining marks": ["cafe\u0301", "x\u0301\u0302", "n\u0303o", "\u0301", "\u0327c", "a" + "\u0300" * 12, "\u20dd1"],
    "emoji": [
        "😀",
        "👩\u200d🚀",
        "👍🏽",
        "❤\ufe0f",
        "👨\u200d👩\u200d👧\u200d👦",
        "🇩🇰",
        "1\ufe0f\u20e3",
        "\u200d",
        "🏽",
    ],
    "right to left": ["שָׁלוֹם", "عَرَبِيّ", "سلام", "\u202eabc\u202c", "\u2067עב\u2069", "\u200fx"],
    "other scripts": ["東京", "한국어", "각", "हिन्दी", "สวัสดี", "Ελλάδα", "தமிழ்", "ქართული", "ᚠᚢ", "𝔘nicode", "𠀀"],
    "changed by normalisation": [
        "ﬁne",
        "２０",
        "①",
        "Straße",
        "İstanbul",
        "ǅ",
        "Ω",
        "Å",
        "㎏",
        "ﷺ",
        "ſ",
        "ª",
        "㍿",
        "ﾊﾟ",
    ],
    "unseen": ["\u200b", "\u00ad", "\ufeff", "\u200e", "\u2060", "\u034f", "\ufe0f", "\u180e", "\u061c", "\U000e0041"],
    "control": [
        "\x00",
        "\x07",
        "\x1b[31m",
        "\x7f",
        "\x85",
        "\x9f",
        "\ufffd",
        "\ufffe",
        "\uffff",
        "\U0010ffff",
        "\ue000",
    ],
    "spaces": [" ", "  ", "\t", "\n", "\r\n", "\r", "\u00a0", "\u202f", "\u3000", "\u2028", "\x0b", "\x0c", "\x1c"],
}
PIECE = st.one_of(*(st.sampled_from(pieces) for pieces in PIECES.values()))
# Any character but half a surrogate pair, which is none.
CHARACTER = st.characters(exclude_categories=["Cs"])


def texts(min_pieces: int = 1, max_pieces: int = 30):
    """Words, signs and spaces in any order, glued together or not, and any characters of Unicode among them."""
    gaps = st.sampled_from(["", " ", " ", " ", "\n"])
    piece = st.one_of(PIECE, PIECE, PIECE, st.text(CHARACTER, max_size=6))
    parts = st.lists(st.tuples(piece, gaps), min_size=min_pieces, max_size=max_pieces)
    return parts.map(lambda parts: "".join(word + gap for word, gap in parts))


def has_text(text: str) -> bool:
    """Whether a text counts as filled in: it is neither empty nor only white space."""
    return bool(text.strip())


QUESTION = texts(1, 4).filter(has_text)
CONTEXT = texts(1, 40).filter(has_text)
# Half a surrogate pair somewhere: JSON's "\ud83d" alone, or a string cut by a program that counts in UTF-16.
BROKEN = st.tuples(texts(0, 4), st.characters(categories=["Cs"]), texts(0, 4)).map("".join)


def is_mark(character: str) -> bool:
    """Whether it stands on the letter before it: accents, vowel signs, the frame of a keycap."""
    return unicodedata.category(character)[0] == "M"


@contextmanager
def only_exceptions():
    """A ``BaseException`` that ``except Exception`` would let through (tokenizers' PanicException) fails the test."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit, Exception):
        raise
    except BaseException as error:
        name = f"{type(error).__module__}.{type(error).__name__}"
        if name.startswith(("hypothesis", "_pytest", "pytest")):
            raise
        raise AssertionError(f"{name}, which no `except Exception` catches: {error}") from error
