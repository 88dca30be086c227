import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torchmetrics.functional.text import squad

from qa_helpers import (
    Candidate,
    Prediction,
    apply_threshold,
    exact_match,
    f1,
    find_best_threshold,
    normalize_answer,
    score,
)

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


# ---------------------------------------------------------------------------------------------------------------------
# SQuAD 2.0: answerable and unanswerable questions, the null threshold
# ---------------------------------------------------------------------------------------------------------------------

WORD = st.sampled_from(["bell", "tower", "stone", "the", "old", "1902", "!"])
WORDS = st.lists(WORD, min_size=1, max_size=4).map(" ".join).filter(normalize_answer)


def made(identifier, text, difference):
    """A prediction whose best span is ``text`` and whose null score is better by ``difference``."""
    best = Candidate(text, 0, len(text), 1.0, 1.0)
    return Prediction(identifier, text, 0, len(text), 1.0, 1.0, 1.0 + difference, [best])


@st.composite
def question_sets(draw, distinct=False):
    """Examples, with answers or without, and a prediction for each."""
    n = draw(st.integers(1, 12))
    rows = [row(draw(st.lists(WORDS, max_size=3)), f"q{k}") for k in range(n)]
    differences = draw(st.lists(st.integers(-4, 4).map(float), min_size=n, max_size=n, unique=distinct and n < 10))
    if distinct and n >= 10:
        differences = draw(st.permutations([float(k) for k in range(-6, n - 6)]))
    return rows, [made(r["id"], draw(WORDS), d) for r, d in zip(rows, differences, strict=True)]


def official(rows, predictions, threshold):
    """SQuAD 2.0's definition, question by question: [(answerable, exact, f1)].

    Above the threshold the answer is "no answer", which is worth 1 where the question has no answer and 0 where it has;
    below it, any text is worth 0 where there is no answer, and where there is, what torchmetrics says.
    """
    result = []
    for r, prediction in zip(rows, predictions, strict=True):
        answers = r["answers"]["text"]
        if prediction.null_score - prediction.score > threshold or not answers:
            won = float(not answers and prediction.null_score - prediction.score > threshold)
            result.append((bool(answers), won, won))
        else:
            exact, overlap = torchmetrics_scores(prediction.n_best[0].text, answers)
            result.append((True, exact / 100, overlap / 100))
    return result


@given(question_sets(), st.sampled_from([-np.inf, -2.0, -0.5, 0.0, 1.0, np.inf]))
@settings(max_examples=200, deadline=None)
def test_scores_and_their_split_equal_the_definitions_of_squad_2(questions, threshold):
    rows, predictions = questions
    expected = official(rows, predictions, threshold)
    scores = score(apply_threshold(predictions, threshold), rows)

    def means(kind):
        chosen = [pair for answerable, *pair in expected if kind(answerable)]
        return None if not chosen else (*(100 * np.mean(chosen, axis=0)), len(chosen))

    parts = [(scores, lambda _: True), (scores.has_answer, bool), (scores.no_answer, lambda has: not has)]
    for part, kind in parts:
        wanted = means(kind)
        if wanted is None:
            assert part is None
        else:
            assert (part.exact_match, part.f1, part.total) == pytest.approx(wanted, abs=1e-4)


@given(question_sets(), st.sampled_from(["f1", "exact_match"]))
@settings(max_examples=200, deadline=None)
def test_the_best_threshold_is_the_best_of_all_that_make_a_difference(questions, by):
    rows, predictions = questions
    threshold, scores = find_best_threshold(predictions, rows, by)
    tried = {t: getattr(score(apply_threshold(predictions, t), rows), by) for t in [-np.inf, *np.arange(-4.5, 5, 0.5)]}
    assert getattr(scores, by) == pytest.approx(max(tried.values()), abs=1e-9)
    assert scores == score(apply_threshold(predictions, threshold), rows)
    assert all(value < getattr(scores, by) + 1e-9 for value in tried.values())
    lower = [t for t, value in tried.items() if t < threshold and value > getattr(scores, by) - 1e-9]
    assert not lower, "of equally good thresholds the lowest"


@given(question_sets(distinct=True))
@settings(max_examples=150, deadline=None)
def test_the_best_threshold_equals_the_official_sweep_where_no_two_differences_are_alike(questions):
    rows, predictions = questions
    if len({p.score_difference for p in predictions}) < len(predictions):
        return
    # The sweep: begin with "no answer" everywhere, answer one question after the other, keep what is strictly better.
    current = best = float(sum(not r["answers"]["text"] for r in rows))
    threshold = -np.inf
    for k in sorted(range(len(rows)), key=lambda k: predictions[k].score_difference):
        answers = rows[k]["answers"]["text"]
        current += torchmetrics_scores(predictions[k].text, answers)[1] / 100 if answers else -1
        if current > best + 1e-6:
            best, threshold = current, predictions[k].score_difference
    found, scores = find_best_threshold(predictions, rows)
    assert (found, scores.f1) == (threshold, pytest.approx(100 * best / len(rows), abs=1e-4))


def test_the_best_threshold_by_hand():
    rows = [row(["bell"], "a"), row([], "b"), row(["stone tower"], "c"), row([], "d")]
    predictions = [made("a", "bell", -3), made("b", "bell", -1), made("c", "tower", 0.5), made("d", "old", 2)]
    # F1 in total: never 2; from -3: 3; from -1: 2; from 0.5: 2 + 2/3; from 2: 1 + 2/3
    threshold, scores = find_best_threshold(predictions, rows)
    assert (threshold, scores.f1, scores.has_answer.f1, scores.no_answer.f1) == (-3, 75, 50, 100)
    assert find_best_threshold(predictions[::-1], rows)[0] == -3, "predictions may come in any order"
    assert find_best_threshold(apply_threshold(predictions, -9), rows)[0] == -3, "and decided at any threshold"
    only = find_best_threshold(predictions[::2], rows[::2])
    assert (only[0], only[1].f1, only[1].no_answer) == (0.5, pytest.approx(100 * (1 + 2 / 3) / 2), None)
    never = find_best_threshold(predictions[1::2], rows[1::2])
    assert (never[0], never[1].f1, never[1].has_answer) == (-np.inf, 100, None)


def test_em_and_f1_can_ask_for_different_thresholds():
    rows = [row(["bell"], "a"), row([], "b"), row(["old stone tower"], "c"), row(["stone tower"], "d")]
    predictions = [made("a", "bell", 0), made("b", "bell", 1), made("c", "stone tower", 2), made("d", "tower", 2)]
    assert find_best_threshold(predictions, rows, "exact_match")[0] == 0
    assert find_best_threshold(predictions, rows, "f1")[0] == 2


def test_a_question_whose_answers_all_vanish_still_counts_as_answerable():
    scores = score({"x": "", "y": ""}, [row(["the"], "x"), row([], "y")])
    assert (scores.has_answer.total, scores.no_answer.total) == (1, 1)


def test_the_threshold_is_searched_by_em_or_f1_only():
    with pytest.raises(ValueError, match="by is 'f1' or 'exact_match', got 'accuracy'"):
        find_best_threshold([made("a", "x", 0)], [row(["x"], "a")], by="accuracy")
    with pytest.raises(ValueError, match="example 'b' has no prediction"):
        find_best_threshold([made("a", "x", 0)], [row(["x"], "b")])


REFERENCES = [
    {"id": "a", "answers": {"text": ["Ilse Varn"], "answer_start": [3]}},
    {"id": 7, "answers": {"text": [], "answer_start": []}},
]


@pytest.mark.parametrize(
    "predictions",
    [
        {"a": "Ilse Varn", "7": ""},
        {"a": "Ilse Varn", 7: None},
        [{"id": "a", "prediction_text": "Ilse Varn"}, {"id": 7, "prediction_text": None}],
        [{"id": "a", "prediction_text": "Ilse Varn"}, {"id": "7", "prediction_text": "", "no_answer_probability": 1.0}],
        [Prediction("a", "Ilse Varn", 3, 12, 1.0, 1.0, 0.0), Prediction("7", "", 0, 0, 1.0, 1.0, 2.0)],
    ],
)
@pytest.mark.parametrize(
    "answers",
    [
        {"text": ["Ilse Varn"], "answer_start": [3]},
        {"text": "Ilse Varn", "answer_start": 3},
        [{"text": "Ilse Varn", "answer_start": 3}],
        ["someone else", "Ilse Varn"],
        "Ilse Varn",
    ],
)
def test_a_right_answer_is_right_in_whatever_form_it_comes(predictions, answers):
    found = score(predictions, [{"id": "a", "answers": answers}, REFERENCES[1]])
    assert (found.exact_match, found.f1) == (100.0, 100.0)
    assert found.has_answer.total == found.no_answer.total == 1


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ({"a": ["Ilse Varn"], "7": ""}, "prediction of example 'a' is list, not text"),
        ({"a": {"text": "Ilse Varn"}, "7": ""}, "is dict, not text"),
        (["Ilse Varn", ""], "predictions are qa.Prediction objects, a dict id -> text"),
        ([{"answer": "Ilse Varn"}], "predictions are qa.Prediction objects"),
        (3, "predictions are qa.Prediction objects"),
        ([{"id": "a", "prediction_text": t} for t in ("x", "y")], "example 'a' has two predictions"),
        ({"b": "Ilse Varn"}, "example 'a' has no prediction"),
    ],
)
def test_what_is_no_prediction_is_refused(predictions, message):
    with pytest.raises(ValueError, match=message):
        score(predictions, REFERENCES)


@pytest.mark.parametrize("answers", [None, 3, {"text": [None]}, {"texts": ["x"]}, {"text": [["x"]]}])
def test_answers_that_cannot_be_read_are_refused(answers):
    with pytest.raises(ValueError, match="example 'a': answers should be"):
        score({"a": "x"}, [{"id": "a", "answers": answers}])
