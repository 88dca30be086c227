import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from support import build, three_windows

from qa_helpers import Prediction, apply_threshold, decode_answers
from qa_helpers.decoding import best_spans, whole_words

FEW_VALUES = st.integers(-3, 3).map(float)  # many ties
MANY_VALUES = st.floats(-20, 20, width=32)


def every_span(starts, ends, context_tokens, longest):
    """All valid spans of a window, best first; ties by start, then by length: the plain way."""
    first, beyond = context_tokens
    spans = [
        (float(np.float64(starts[s]) + np.float64(ends[e])), s, e)
        for s in range(first, beyond)
        for e in range(s, min(s + longest, beyond))
    ]
    return sorted(spans, key=lambda x: (-x[0], x[1], x[2]))


@given(data=st.data(), tokens=st.integers(1, 14), n_best=st.integers(1, 30), longest=st.integers(1, 20))
@settings(max_examples=300, deadline=None)
def test_best_spans_equal_a_search_over_all_spans(data, tokens, n_best, longest):
    values = data.draw(st.sampled_from([FEW_VALUES, MANY_VALUES]))
    starts, ends = (
        np.array(data.draw(st.lists(values, min_size=tokens, max_size=tokens)), dtype=np.float32) for _ in range(2)
    )
    first = data.draw(st.integers(0, tokens - 1))
    beyond = data.draw(st.integers(first + 1, tokens))
    found = best_spans(starts, ends, (first, beyond), n_best, longest)
    expected = every_span(starts, ends, (first, beyond), longest)[:n_best]
    assert [(float(c), int(a), int(b)) for c, a, b in zip(*found, strict=True)] == expected


def test_best_spans_ignore_high_logits_outside_the_context_backwards_and_too_long():
    starts = np.array([99, 0, 0, 5, 0, 99], dtype=np.float32)
    ends = np.array([99, 7, 0, 0, 3, 99], dtype=np.float32)
    (score, *_), (start, *_), (end, *_) = best_spans(starts, ends, (1, 5), 1, 2)
    assert (start, end, score) == (3, 4, 8)
    (score, *_), (start, *_), (end, *_) = best_spans(starts, ends, (1, 5), 1, 1)
    assert (start, end, score) == (1, 1, 7)


@given(data=st.data(), total=st.integers(1, 12), n_best=st.integers(1, 25), longest=st.integers(1, 14))
@settings(max_examples=120, deadline=None)
def test_answers_equal_a_search_over_all_spans_of_all_windows(data, total, n_best, longest):
    def windows():
        width = data.draw(st.integers(1, total))
        step = data.draw(st.integers(1, width))
        starts = range(0, max(1, total - width + step), step)
        return [(a, min(a + width, total)) for a in starts if a < total]

    plan = [windows() for _ in range(data.draw(st.integers(1, 3)))]
    examples, features = build(plan, total)
    values = data.draw(st.sampled_from([FEW_VALUES, MANY_VALUES]))
    logits = []
    for _ in range(2):
        logits.append(
            [
                np.array(data.draw(st.lists(values, min_size=n, max_size=n)), dtype=np.float32)
                for n in [len(row) for row in features["offset_mapping"]]
            ]
        )
    threshold = data.draw(st.sampled_from([None, -2.0, 0.0, 1.5]))
    predictions = decode_answers(examples, features, *logits, n_best, longest, threshold)
    assert [p.example_id for p in predictions] == [e["id"] for e in examples]
    elsewhere = decode_answers(examples, features, *logits, n_best, longest, 0.5)
    assert apply_threshold(elsewhere, threshold) == predictions, "a threshold can be changed without decoding again"
    for k, prediction in enumerate(predictions):
        context = examples[k]["context"]
        everything, nulls = [], []
        for number, feature in enumerate(features):
            if feature["example_index"] == k:
                starts, ends = logits[0][number], logits[1][number]
                nulls.append(float(starts[0]) + float(ends[0]))
                for score, s, e in every_span(starts, ends, feature["context_tokens"], longest):
                    characters = feature["offset_mapping"][s][0], feature["offset_mapping"][e][1]
                    everything.append((-score, number, s, e, characters))
        expected = {}
        for minus_score, *_, characters in sorted(everything):
            expected.setdefault(characters, -minus_score)
        expected = list(expected.items())[:n_best]
        assert [((c.start, c.end), c.score) for c in prediction.n_best] == expected
        assert [c.text for c in prediction.n_best] == [context[a:b] for (a, b), _ in expected]
        weights = np.exp(np.array([score for _, score in expected]) - expected[0][1])
        np.testing.assert_allclose([c.probability for c in prediction.n_best], weights / weights.sum(), rtol=1e-12)
        assert prediction.null_score == min(nulls)
        assert prediction.score == expected[0][1]
        assert prediction.score_difference == min(nulls) - expected[0][1]
        if threshold is not None and min(nulls) - expected[0][1] > threshold:
            assert (prediction.text, prediction.start, prediction.end) == ("", 0, 0)
        else:
            (a, b), _ = expected[0]
            assert (prediction.text, prediction.start, prediction.end) == (context[a:b], a, b)


def test_the_null_score_is_the_minimum_over_windows_not_the_maximum():
    examples, features, starts, ends = three_windows()
    for window, null in enumerate((6.0, 1.0, 9.0)):
        starts[window][0] = null
    starts[1][3], ends[1][3] = 2.0, 2.0  # the window that does not say "not here" holds the answer w3
    (prediction,) = decode_answers(examples, features, starts, ends, null_threshold=0.0)
    assert prediction.null_score == 1.0
    assert prediction.text == "w3"


def test_the_same_characters_in_two_windows_are_one_candidate_with_the_better_score():
    examples, features, starts, ends = three_windows()
    starts[0][4], ends[0][4] = 3.0, 3.0  # w2 in the first window
    starts[1][2], ends[1][2] = 4.0, 4.0  # w2 again in the second
    (prediction,) = decode_answers(examples, features, starts, ends, n_best=50, max_answer_length=1)
    assert [c.text for c in prediction.n_best].count("w2") == 1
    assert prediction.n_best[0].text == "w2" and prediction.score == 8.0
    assert len(prediction.n_best) == 8


def test_a_tie_with_the_threshold_still_answers():
    examples, features, starts, ends = three_windows()
    (prediction,) = decode_answers(examples, features, starts, ends, null_threshold=0.0)
    assert prediction.score_difference == 0 and prediction.text == "w0"


def test_padded_rows_of_logits_are_cut_to_their_window(features, examples, model):
    from qa_helpers import predict_logits

    logits = predict_logits(model, features)
    longest = max(len(row) for row in logits[0])
    padded = [np.stack([np.pad(r, (0, longest - len(r)), constant_values=99) for r in rows]) for rows in logits]
    assert decode_answers(examples, features, *padded) == decode_answers(examples, features, *logits)


def test_a_span_of_only_white_space_is_never_an_answer():
    features = Dataset.from_dict(
        {
            "offset_mapping": [[[0, 0], [0, 1], [1, 2], [2, 4]]],
            "context_tokens": [[1, 4]],
            "cls_index": [0],
            "example_id": ["x"],
            "example_index": [0],
        }
    )
    logits = [np.array([0, 0, 9, 0], dtype=np.float32)]
    (prediction,) = decode_answers([{"id": "x", "context": "a bc"}], features, logits, logits, max_answer_length=1)
    assert [c.text for c in prediction.n_best] == ["a", "bc"]


def test_logits_that_are_not_finite_or_not_of_these_features_are_refused():
    examples, features, starts, ends = three_windows()
    with pytest.raises(ValueError, match="3 features, but 2 start and 3 end logits: were they predicted from these"):
        decode_answers(examples, features, starts[:2], ends)
    with pytest.raises(ValueError, match="feature 1: 4 logits for a window of"):
        decode_answers(examples, features, [starts[0], starts[1][:4], starts[2]], ends)
    for bad in (np.nan, np.inf, -np.inf):
        broken = [x.copy() for x in ends]
        broken[2][3] = bad
        with pytest.raises(
            ValueError, match=r"feature 2 \(example 'e0'\): logits are not finite; did training diverge"
        ):
            decode_answers(examples, features, starts, broken)


def test_examples_in_another_order_or_without_features_are_refused():
    examples, features = build([[(0, 4)], [(0, 4)]], 4)
    logits = [np.zeros(7, dtype=np.float32)] * 2
    with pytest.raises(ValueError, match="feature 0 was made from example 'e0', which is not example 0 of those given"):
        decode_answers(examples[::-1], features, logits, logits)
    with pytest.raises(ValueError, match="feature 1 was made from example 'e1'"):
        decode_answers(examples[:1], features, logits, logits)
    with pytest.raises(ValueError, match="example 'e1' has no features: decode all features of the examples together"):
        decode_answers(examples, features.select([0]), logits[:1], logits[:1])


@pytest.mark.parametrize("limits", [{"n_best": 0}, {"max_answer_length": 0}])
def test_limits_start_at_one(limits):
    examples, features, starts, ends = three_windows()
    with pytest.raises(ValueError, match="n_best and max_answer_length must be at least 1"):
        decode_answers(examples, features, starts, ends, **limits)


def test_perfect_logits_decode_to_every_answer(features, examples, rows):
    """The label's own logits: what a model that learned everything would give."""
    starts, ends = [], []
    for feature in features:
        for label, found in ((feature["start_positions"], starts), (feature["end_positions"], ends)):
            logits = np.zeros(len(feature["input_ids"]), dtype=np.float32)
            logits[label] = 10
            found.append(logits)
    for prediction, row in zip(decode_answers(examples, features, starts, ends, null_threshold=0.0), rows, strict=True):
        assert prediction.text == (row["answers"]["text"] or [""])[0]
        if prediction.text:
            assert prediction.start == row["answers"]["answer_start"][0]


def test_a_threshold_cannot_be_applied_without_the_spans_it_decides_about():
    with pytest.raises(ValueError, match="the prediction of example 'e7' has no n-best; decode it with decode_answers"):
        apply_threshold([Prediction("e7", "x", 0, 1, 0.0, 1.0, 0.0)], 0.0)


def test_infinite_thresholds_always_and_never_answer():
    examples, features, starts, ends = three_windows()
    predictions = decode_answers(examples, features, starts, ends)
    assert apply_threshold(predictions, np.inf) == apply_threshold(predictions, None) == predictions
    assert [p.text for p in apply_threshold(predictions, -np.inf)] == [""]


@pytest.mark.parametrize(
    ("part", "whole"),
    [("Fal", "Falkenrath"), ("ath", "Falkenrath"), ("Imelda Falk", "Imelda Falkenrath"), ("5", "1952"), ("£1", "£1952"),
     ("Zoë", "Zoë"), (", a", ", a"), ("rath, a", "Falkenrath, a"), ("’", "’")],
)  # fmt: skip
def test_spans_that_end_inside_a_word_are_widened_to_it(part, whole):
    context = "Imelda Falkenrath, a friend of Zoë’s, paid £1952."
    start, end = whole_words(context, context.index(part), context.index(part) + len(part))
    assert context[start:end] == whole


def test_decoding_widens_only_where_asked_and_counts_alike_spans_once():
    examples = [{"id": "e0", "context": "by Falkenrath", "question": "?", "answers": {"text": [], "answer_start": []}}]
    features = Dataset.from_dict(
        {
            "offset_mapping": [[[0, 1], [0, 0], [0, 2], [3, 6], [6, 9], [9, 13], [0, 0]]],
            "context_tokens": [[2, 6]],
            "cls_index": [1],
            "example_id": ["e0"],
            "example_index": [0],
        }
    )
    starts = np.array([[0, 0, 0, 9, 0, 0, 0]], dtype=np.float32)
    ends = np.array([[0, 0, 0, 3, 5, 4, 0]], dtype=np.float32)
    (exact,) = decode_answers(examples, features, starts, ends)
    (widened,) = decode_answers(examples, features, starts, ends, align_to_words=True)
    assert (exact.text, widened.text) == ("Falken", "Falkenrath")
    assert (widened.start, widened.end, widened.score) == (3, 13, exact.score)
    texts = [candidate.text for candidate in widened.n_best]
    assert texts.count("Falkenrath") == 1 and len(texts) < len(exact.n_best)


@given(data=st.data(), n_best=st.integers(1, 12))
@settings(max_examples=80, deadline=None)
def test_widened_answers_are_the_plain_ones_widened_the_same_words_once(data, n_best):
    context = "Oda Brennick's bell-tower"
    pieces = ["O", "da", "Bren", "ni", "ck", "'", "s", "be", "ll", "-", "to", "wer"]
    offsets, at = [[0, 0]], 0
    for piece in pieces:
        at = context.index(piece, at)
        offsets.append([at, at + len(piece)])
        at += len(piece)
    columns = {"offset_mapping": [offsets], "context_tokens": [[1, 13]], "cls_index": [0]}
    features = Dataset.from_dict({**columns, "example_id": ["x"], "example_index": [0]})
    draw = st.lists(MANY_VALUES, min_size=13, max_size=13)
    logits = [[np.array(data.draw(draw), dtype=np.float32)] for _ in range(2)]
    examples = [{"id": "x", "context": context}]
    (plain,) = decode_answers(examples, features, *logits, n_best=n_best)
    (wide,) = decode_answers(examples, features, *logits, n_best=n_best, align_to_words=True)
    expected = {}
    for candidate in plain.n_best:
        expected.setdefault(whole_words(context, candidate.start, candidate.end), candidate.score)
    assert [((c.start, c.end), c.score) for c in wide.n_best] == list(expected.items())
    assert all(context[c.start : c.end] == c.text for c in wide.n_best)
    assert (wide.text, wide.score, wide.null_score) == (wide.n_best[0].text, plain.score, plain.null_score)
    assert sum(c.probability for c in wide.n_best) == pytest.approx(1)


@pytest.mark.parametrize(
    ("context", "span", "word"),
    [
        ("in the தமிழ்நாட்டில் of old", "தமி", "தமிழ்நாட்டில்"),
        ("the Cafe\u0301s here", "Cafe", "Cafe\u0301s"),
        ("the Cafe\u0301s here", "Caf", "Cafe\u0301s"),
        ("the Cafe\u0301 here", "\u0301", "Cafe\u0301"),
        ("आज हिन्दी में", "हि", "हिन्दी"),
        ("او می\u200cخواهم گفت", "می", "می\u200cخواهم"),
        ("it's 1,000.5 km", "1", "1"),
        ("Brask's mill", "Brask", "Brask"),
        ("Zoë", "o", "Zoë"),
        ("a b", "a", "a"),
    ],
)
def test_a_word_is_letters_digits_and_the_marks_on_them(context, span, word):
    start = context.index(span)
    a, b = whole_words(context, start, start + len(span))
    assert context[a:b] == word


@pytest.mark.parametrize(("start", "end"), [(0, 0), (7, 7), (3, 3)])
def test_an_empty_span_at_a_border_stays_empty(start, end):
    assert whole_words("one two", start, end) == (start, end)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_are_refused(bad):
    logits = np.zeros(5)
    logits[2] = bad
    for starts, ends in ((logits, np.zeros(5)), (np.zeros(5), logits), (np.full(5, bad), np.full(5, bad))):
        with pytest.raises(ValueError, match="logits are not finite; did training diverge"):
            best_spans(starts, ends, (1, 4))
