"""The search of lesson 10: BM25 as the notebook writes it out, against the formula computed in another way and against bm25s.

The other way is numpy's: a matrix of counts with a row per passage and a column per word of the vocabulary.
"""

import math
import re
from collections import Counter

import bm25s
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import names_of_lesson

from qa_helpers.checkpoints import ASSETS
from qa_helpers.classroom.annotations import read_documents

texts = st.lists(st.sampled_from(["a", "b", "c", "dough", "Rye", "é"]), min_size=1, max_size=12).map(" ".join)
LESSON = names_of_lesson(
    "10_your_own_documents", "words", "idf", "bm25", "reworded", "rests", "true_days", Counter=Counter, math=math, re=re
)


def scores_by_matrix(question: str, passages: list[str], k1: float, b: float) -> np.ndarray:
    passages = [re.findall(r"\w+", text.lower()) for text in passages]
    vocabulary = sorted({word for passage in passages for word in passage})
    counts = np.array([[passage.count(word) for word in vocabulary] for passage in passages], dtype=float)
    lengths = counts.sum(axis=1)
    containing = (counts > 0).sum(axis=0)
    idf = np.log1p((len(passages) - containing + 0.5) / (containing + 0.5))
    saturated = counts / (counts + k1 * (1 - b + b * lengths / lengths.mean())[:, None])
    asked = re.findall(r"\w+", question.lower())
    return saturated @ (idf * [asked.count(word) for word in vocabulary])


@given(texts, st.lists(texts, min_size=1, max_size=6), st.floats(0.1, 3), st.floats(0, 1))
def test_bm25_gives_the_scores_of_the_formula(question, passages, k1, b):
    bags = [Counter(LESSON["words"](text)) for text in passages]
    assert LESSON["bm25"](question, bags, k1, b) == pytest.approx(scores_by_matrix(question, passages, k1, b))


def the_bakerys_search() -> tuple[list[str], list[str]]:
    """Passages with their titles, and the questions in both styles."""
    documents = read_documents(ASSETS / "bakery")
    passages = [f"{title} {part}" for title, text in documents.items() for part in text.split("\n\n")]
    asked = [f"How long does the dough of the {title} rest?" for title in documents] + list(LESSON["reworded"].values())
    return passages, asked


def test_bm25_ranks_the_bakerys_passages_as_the_formula_does():
    passages, asked = the_bakerys_search()
    bags = [Counter(LESSON["words"](text)) for text in passages]
    for question in asked:
        ours, right = LESSON["bm25"](question, bags), scores_by_matrix(question, passages, 1.2, 0.75)
        assert sorted(range(len(bags)), key=lambda k: -ours[k]) == list(np.argsort(-right, kind="stable"))


def test_bm25_ranks_the_bakerys_passages_as_bm25s_does():
    passages, asked = the_bakerys_search()
    words = LESSON["words"]
    bags = [Counter(words(text)) for text in passages]
    library = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    library.index([words(text) for text in passages], show_progress=False)
    for question in asked:
        ours, theirs = np.array(LESSON["bm25"](question, bags)), library.get_scores(words(question))
        assert ours == pytest.approx(theirs, abs=1e-5)  # bm25s computes in float32
        orders = [np.argsort(-scores.round(4), kind="stable").tolist() for scores in (ours, theirs)]
        assert orders[0] == orders[1], question


def test_a_rare_word_counts_more_a_repeated_one_less_each_time_and_length_only_with_b():
    rare, common = (LESSON["idf"](word, [Counter("ab"), Counter("a"), Counter("a")]) for word in "ba")
    assert rare > common > 0
    once, twice, thrice, _ = LESSON["bm25"]("a", [Counter(a=n, x=9 - n) for n in (1, 2, 3)] + [Counter("y" * 9)])
    assert twice - once > thrice - twice > 0
    bags = [Counter(a=1), Counter(a=1, x=9)]
    short, long = LESSON["bm25"]("a", bags)
    assert short > long and len(set(LESSON["bm25"]("a", bags, b=0))) == 1


def test_the_lists_of_right_answers_are_about_the_cards():
    cards = read_documents(ASSETS / "bakery")
    cards.pop("chronicle")
    assert set(LESSON["rests"]) == set(LESSON["true_days"]) == set(LESSON["reworded"]) == set(cards)
    assert all(answer in cards[title] for title, answer in LESSON["rests"].items())
    absent = [title for title, answer in LESSON["true_days"].items() if answer not in cards[title]]
    assert absent == ["market braid"], "the one day that has to be concluded"
    assert not any(re.search(rf"\b{title}\b", question) for title, question in LESSON["reworded"].items())
