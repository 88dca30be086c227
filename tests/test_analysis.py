"""Reading a score: intervals, groups, error classes, calibration; each against a hand-computed or independent result."""

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import make_example
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import binary_calibration_error

from qa_helpers import Prediction, bootstrap_interval, calibration, classify_errors, question_word, score, score_by
from qa_helpers.analysis import ERROR_CLASSES, answer_kind, bootstrap_means


def test_bootstrap_means_spread_as_the_standard_error_of_the_mean_does():
    values = np.random.default_rng(1).random(400)
    means = bootstrap_means(values, samples=4000)
    assert means.shape == (4000,)
    error = values.std() / np.sqrt(len(values))
    assert abs(means.mean() - values.mean()) < 0.1 * error
    assert means.std() == pytest.approx(error, rel=0.05)
    low, high = bootstrap_interval(values)
    assert (low, high) == pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.15 * error)
    narrow = bootstrap_interval(values, confidence=0.5)
    assert low < narrow[0] < narrow[1] < high


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95])
def test_the_interval_holds_the_middle_share_of_the_means(confidence):
    values = np.random.default_rng(1).random(400)
    means = bootstrap_means(values)
    low, high = bootstrap_interval(values, confidence)
    assert ((low <= means) & (means <= high)).mean() == pytest.approx(confidence, abs=0.002)
    assert (means < low).mean() == pytest.approx((means > high).mean(), abs=0.002)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(7)
    held = 0
    for trial in range(200):
        low, high = bootstrap_interval(rng.random(100) < 0.7, samples=300, seed=trial)
        held += low <= 0.7 <= high
    assert 0.89 <= held / 200 <= 0.98


def test_drawing_groups_draws_whole_groups():
    values = [1.0, 1.0, 1.0, 0.0, 0.0]
    means = bootstrap_means(values, samples=4000, groups=["x", "x", "x", "y", "y"])
    assert sorted(set(means.round(6))) == [0, 0.6, 1], "two groups are drawn: x twice, y twice, or one of each"
    assert (means == 0.6).mean() == pytest.approx(0.5, abs=0.04)
    alone = bootstrap_means(values, samples=50, seed=3)
    assert np.array_equal(alone, bootstrap_means(values, samples=50, seed=3, groups=range(5)))


def test_the_same_seed_gives_the_same_interval_and_equal_values_no_spread():
    values = [0.0, 0.5, 1.0, 1.0]
    assert bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1)
    assert not np.array_equal(bootstrap_means(values, seed=1), bootstrap_means(values, seed=2))
    assert bootstrap_interval([0.25] * 9) == (0.25, 0.25)


def test_bootstrap_refuses_what_it_cannot_draw_from():
    with pytest.raises(ValueError, match="there are no values to draw from"):
        bootstrap_means([])
    with pytest.raises(ValueError, match="2 groups for 3 values; each value needs the label of its group"):
        bootstrap_means([1, 2, 3], groups=["a", "b"])
    for confidence in (95, 1, 0):
        with pytest.raises(ValueError, match=f"confidence must be between 0 and 1, got {confidence}"):
            bootstrap_interval([1, 2], confidence=confidence)


def scored(*pairs):
    """Scores of predictions that are right (True) or wrong."""
    rows = [{"id": str(k), "answers": {"text": ["bell tower"]}} for k in range(len(pairs))]
    return score({str(k): "bell tower" if right else "bell" for k, right in enumerate(pairs)}, rows)


def test_scores_by_group_have_counts_means_and_intervals():
    table = score_by(scored(True, True, False, False), ["who", "when", "when", "when"])
    assert list(table.index) == ["when", "who"] and list(table["examples"]) == [3, 1]
    assert table.loc["when", "EM"] == pytest.approx(100 / 3)
    assert table.loc["when", "F1"] == pytest.approx(100 * (1 + 2 * 2 / 3) / 3)
    assert table.loc["when", "F1 low"] <= table.loc["when", "F1"] <= table.loc["when", "F1 high"]
    assert tuple(table.loc["who", ["F1 low", "F1 high"]]) == (100, 100)


@pytest.mark.parametrize("wrap", [lambda groups: groups, pd.Series])
def test_groups_in_an_order_of_their_own_keep_it_and_empty_ones_are_left_out(wrap):
    groups = pd.cut([1, 5, 5, 5], [0, 2, 4, 9], labels=["short", "middle", "long"])
    table = score_by(scored(True, True, False, False), wrap(groups))
    assert list(table.index) == ["short", "long"] and list(table["examples"]) == [1, 3]


def test_groups_must_be_as_many_as_examples():
    with pytest.raises(ValueError, match="3 groups for 2 examples"):
        score_by(scored(True, False), ["a", "b", "c"])


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("In which year did it open?", "which"),
        ("WHO built what?", "who"),
        ("It was built by whom?", "whom"),
        ("Whatever was it?", "none"),
        ("Name the tower.", "none"),
        ("", "none"),
    ],
)
def test_question_words_are_found_anywhere_and_only_whole(question, word):
    assert question_word(question) == word


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("4 May 1893", "date"),
        ("1893", "date"),
        ("the 1890s", "date"),
        ("between 1914 and 1918", "date"),
        ("1893 metres", "number"),
        ("£4,200", "number"),
        ("12", "number"),
        ("Thirty-four members", "number"),
        ("Ilse Varn", "name"),
        ("the Tarn Bridge", "name"),
        ("Ö", "name"),
        ("Widow Lidforss & Son", "name"),
        ("and the Mill", "name"),  # of the longer words alone, most have a capital
        ("Ilse went", "words"),  # half is not most
        ("Up by", "name"),  # without a longer word, the first one decides
        ("a live tortoise called Bishop", "words"),
        ("it may be", "words"),
        ("the dining hall of the orphanage", "words"),
        ("?", "words"),
        ("", "words"),
    ],
)
def test_kinds_of_answers(text, kind):
    assert answer_kind(text) == kind


CONTEXT = "The Tarn Bridge was designed by Odile Brask in 1893. An earlier plan of 1871 was by Henrik Sorley of Ellim."


def predicted(text, occurrence_of=None):
    start = CONTEXT.index(occurrence_of or text) if text else 0
    return Prediction("x", text, start, start + len(text), 0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("answers", "prediction", "expected"),
    [
        (["Odile Brask"], "Odile Brask", "right"),
        (["Odile Brask"], "by Odile Brask in 1893", "boundary"),
        (["Odile Brask"], "Brask", "boundary"),
        (["Odile Brask", "Odile Brask"], "Odile", "boundary"),
        (["Odile Brask", "Brask"], "Odile", "disagreement"),
        (["The Tarn Bridge", "Tarn Bridge"], "Bridge", "boundary"),  # they differ by an article only
        (["Odile Brask"], "Henrik Sorley", "same kind"),
        (["1893"], "1871", "same kind"),
        (["Odile Brask"], "1871", "other kind"),
        (["Odile Brask", "1893"], "1871", "same kind"),  # of the kind of any acceptable answer
        (["Odile Brask"], "", "missed"),
        ([], "1893", "invented"),
        ([], "", "right"),
        (["Odile Brask"], " was designed by ", "other kind"),  # touches the answer, shares no character
    ],
)
def test_every_class_of_error(answers, prediction, expected):
    row = make_example("x", CONTEXT, "?", *answers)
    assert classify_errors([predicted(prediction)], [row]) == [expected]
    assert expected in ERROR_CLASSES


def test_an_answer_that_no_window_holds_is_lost_whatever_was_predicted(tokenizer):
    from qa_helpers import make_features

    row = make_example("x", CONTEXT, "Who?", "by Odile Brask in 1893")
    tokens = len(tokenizer(CONTEXT)["input_ids"])
    whole = make_features([row], tokenizer, tokens + 10, 0)
    cut = make_features([row], tokenizer, 12, 0)
    assert len(whole) == 1 < len(cut)
    assert set(cut["start_positions"]) == {0}, "the test needs windows that all cut the answer"
    for text, without in (("Odile Brask", "boundary"), ("", "missed"), ("1871", "same kind")):
        assert classify_errors([predicted(text)], [row], whole) == [without]
        assert classify_errors([predicted(text)], [row], cut) == ["lost"]
    two = make_example("x", CONTEXT, "Who?", "by Odile Brask in 1893", "The")
    assert classify_errors([predicted("Odile")], [two], cut) == ["disagreement"], "one of its answers can be given"


def test_predictions_in_another_order_are_refused():
    rows = [make_example(name, CONTEXT, "?", "1893") for name in "xy"]
    with pytest.raises(ValueError, match="differ in number or order; give one prediction per example"):
        classify_errors([predicted("1893")], rows)
    with pytest.raises(ValueError, match="differ in number or order"):
        classify_errors([predicted("1893")], rows[1:])


@given(data=st.data(), n=st.integers(1, 60), bins=st.integers(1, 15))
@settings(max_examples=150, deadline=None)
def test_the_calibration_error_equals_torchmetrics(data, n, bins):
    inside = st.floats(0.001, 0.999).filter(lambda p: abs(p * bins - round(p * bins)) > 1e-4)  # off the bins' edges
    probabilities = data.draw(st.lists(inside, min_size=n, max_size=n))
    right = data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    found = calibration(probabilities, right, bins)
    expected = binary_calibration_error(torch.tensor(probabilities, dtype=torch.float64), torch.tensor(right), bins)
    assert found.error == pytest.approx(expected.item(), abs=1e-6)
    assert found.counts.sum() == n


def test_calibration_by_hand():
    found = calibration([0.1, 0.3, 0.6, 0.9, 1.0], [0, 1, 1, 1, 0], bins=2)
    assert found.counts.tolist() == [2, 3]
    np.testing.assert_allclose(found.probability, [0.2, 2.5 / 3])
    np.testing.assert_allclose(found.right, [0.5, 2 / 3])
    assert found.error == pytest.approx((2 * 0.3 + 3 * (2.5 / 3 - 2 / 3)) / 5)
    empty = calibration([0.05], [1], bins=4)
    assert empty.counts.tolist() == [1, 0, 0, 0] and np.isnan(empty.right[1:]).all() and empty.error == 0.95


def test_calibration_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match="outside 0..1; logits must go through a softmax first"):
        calibration([0.5, 7.0], [1, 0])
    with pytest.raises(ValueError, match="1 probabilities for 2 predictions"):
        calibration([0.5], [1, 0])
    with pytest.raises(ValueError, match="0 probabilities for 0 predictions"):
        calibration([], [])
