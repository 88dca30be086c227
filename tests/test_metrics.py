import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torchmetrics.functional.text import squad

from qa_helpers import Prediction, exact_match, f1, normalize_answer, score

PIECE = st.sampled_from(
    ["the", "The", "a", "AN", "an", "theatre", "the.atre", "bell", "Bell", "bell's", "bell’s", "1,250.50", "1250.50",
     "€", "—", "–", "-", "...", "!?", "“the”", "Ünter", "İ", "ß", "\u00a0", "\u2009", "\u200b", " ", "  ", "\n",
     "_", "a_b", "日本"]
)  # fmt: skip
TEXT = st.one_of(
    st.text(max_size=12), st.lists(PIECE, max_size=6).map(" ".join), st.lists(PIECE, max_size=4).map("".join)
)


def row(answers, identifier="x"):
    return {"id": identifier, "answers": {"text": list(answers), "answer_start": [0] * len(answers)}}


def torchmetrics_scores(prediction, answers):
    target = {"id": "x", "answers": {"text": answers, "answer_start": [0] * len(answers)}}
    result = squad([{"prediction_text": prediction, "id": "x"}], [target])
    return result["exact_match"].item(), result["f1"].item()


@given(prediction=TEXT, answers=st.lists(TEXT, min_size=1, max_size=4))
@example(prediction="", answers=["", "bell"])
@example(prediction="the", answers=["a", "!"])
@settings(max_examples=300, deadline=None)
def test_em_and_f1_equal_torchmetrics_squad(prediction, answers):
    expected = torchmetrics_scores(prediction, answers)
    best = 100 * max(exact_match(prediction, a) for a in answers), 100 * max(f1(prediction, a) for a in answers)
    assert best == pytest.approx(expected, abs=1e-4)
    kept = [a for a in answers if normalize_answer(a)]
    if len(kept) == len(answers):  # otherwise score() passes over those that vanish, see below
        scores = score({"x": prediction}, [row(answers)])
        assert (scores.exact_match, scores.f1) == pytest.approx(expected, abs=1e-4)
    elif kept:
        scores = score({"x": prediction}, [row(answers)])
        assert (scores.exact_match, scores.f1) == pytest.approx(torchmetrics_scores(prediction, kept), abs=1e-4)


def test_an_answer_that_vanishes_is_passed_over_as_squad_2_does_and_torchmetrics_does_not():
    # "the" and "?" normalise to nothing; beside a real answer they must not make "" right.
    scores = score({"x": ""}, [row(["the", "?", "bell"])])
    assert (scores.exact_match, scores.f1) == (0, 0)
    assert torchmetrics_scores("", ["the", "?", "bell"]) == (100, 100)
    # Where all of them vanish, or there are none, the answer expected is "".
    for answers in (["the", "?"], []):
        assert score({"x": ""}, [row(answers)]).exact_match == 100
        assert score({"x": "bell"}, [row(answers)]).f1 == 0


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The  Old-Tower, a bell & an (old) clock!", "oldtower bell old clock"),
        ("theatre of another anthem", "theatre of another anthem"),
        ("U.S.A.", "usa"),
        ("the_a", "thea"),  # the underscore is punctuation, and goes first
        ("A", ""),
        ("?!", ""),
        ("", ""),
        ("€1,250.50", "€125050"),
        ("“The” bell’s", "“ ” bell’s"),  # only ASCII punctuation goes
        ("a\u00a0bell\n\ttower", "bell tower"),
        ("ÉTÉ", "été"),
    ],
)
def test_normalisation_is_squads(text, normal):
    assert normalize_answer(text) == normal


def test_f1_counts_repeated_words_as_often_as_both_have_them():
    assert f1("bell bell tower", "bell tower tower") == pytest.approx(2 / 3)
    assert f1("stone tower", "tower of stone and copper") == pytest.approx(2 * 1.0 * 0.4 / 1.4)
    assert f1("bell", "tower") == 0
    assert f1("the", "a") == 1 == exact_match("", "!")
    assert f1("", "bell") == 0 == f1("bell", "")


def test_scores_average_the_best_answer_of_each_example_in_the_order_of_the_examples():
    examples = [row(["bell", "the old bell"], "b"), row(["1902"], "c"), row([], "a"), row(["stone tower"], "d")]
    answers = {"a": "", "b": "old bell", "c": "1903", "d": "tower", "unused": "x"}
    scores = score(answers, examples)
    assert scores.per_example["exact_match"].tolist() == [1, 0, 1, 0]
    np.testing.assert_allclose(scores.per_example["f1"], [1, 0, 1, 2 / 3])
    assert (scores.exact_match, scores.total) == (50, 4)
    assert math.isclose(scores.f1, 100 * (2 + 2 / 3) / 4)
    assert str(scores) == "EM 50.0 / F1 66.7 (4 examples)"
    predictions = [Prediction(k, text, 0, 0, 0.0, 1.0, 0.0) for k, text in sorted(answers.items(), reverse=True)]
    assert score(predictions, examples) == scores


def test_a_missing_prediction_or_no_example_is_refused():
    with pytest.raises(ValueError, match="example 'b' has no prediction; predict all examples, or score only those"):
        score({"a": "x"}, [row(["x"], "a"), row(["y"], "b")])
    with pytest.raises(ValueError, match="there are no examples to score"):
        score({}, [])
