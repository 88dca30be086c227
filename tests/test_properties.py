"""What holds for any text whatever, in all six families: windows, labels, decoded spans, answers and scores.

A label reads back as its answer, or as the least that tokens allow. Exactly: white space is taken from the answer's
edges, then the characters there that no token covers (BERT drops control and zero-width characters). What is left runs
from the first token that covers its first character to the first token that covers its last one, and reads from where
the former begins to where the latter ends, again without white space at the edges, and with the combining marks that
follow and that the next token does not cover.
"""

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from unicode_strategies import BROKEN, CONTEXT, QUESTION, has_text, is_mark, only_exceptions, texts, tried

import qa_helpers as qa
from qa_helpers.checkpoints import MINI_CHECKPOINTS
from qa_helpers.data import rows_to_dataset

FINITE = st.floats(-60, 60, width=32)


@pytest.fixture(scope="module", params=MINI_CHECKPOINTS)
def checkpoint(request):
    return request.param


@pytest.fixture(scope="module")
def tokenizer(checkpoint):
    return qa.load_tokenizer(checkpoint)


@pytest.fixture(scope="module")
def answerer(checkpoint, tokenizer):
    return qa.QuestionAnswerer(qa.load_model(checkpoint), tokenizer)


def make_row(question, context, *spans) -> dict:
    answers = {"text": [context[a:b] for a, b in spans], "answer_start": [a for a, _ in spans]}
    return {"id": "drawn", "title": "", "context": context, "question": question, "answers": answers}


def whole(tokenizer, text):
    """Ids and offsets of a text by itself, in one piece."""
    encoded = tokenizer(
        text, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=True, verbose=False
    )
    return encoded["input_ids"], encoded["offset_mapping"]


def lengths_for(tokenizer, question, room: int) -> int:
    """max_length that leaves ``room`` tokens for the context."""
    return tokenizer.num_special_tokens_to_add(pair=True) + len(whole(tokenizer, question.strip())[0]) + room


@st.composite
def answered(draw):
    """A row with an answer: any run of characters that is not all white space."""
    context = draw(CONTEXT)
    start = draw(st.integers(0, len(context) - 1))
    end = draw(st.integers(start + 1, min(len(context), start + 40)))
    assume(has_text(context[start:end]))
    return make_row(draw(QUESTION), context, (start, end))


def trimmed(context: str, start: int, end: int, covered: set[int]) -> tuple[int, int] | None:
    """Without white space, then without characters that no token covers, at the edges; None if nothing is left."""
    while context[start].isspace():
        start += 1
    while context[end - 1].isspace():
        end -= 1
    kept = [k for k in range(start, end) if k in covered]
    return (kept[0], kept[-1] + 1) if kept else None


def first_covering(offsets, character: int) -> int:
    return next(k for k, (a, b) in enumerate(offsets) if a <= character < b)


# Windows and labels ---------------------------------------------------------------------------------------------------


@given(row=answered(), room=st.integers(2, 40), stride=st.integers(0, 20))
@tried(1.6)
def test_windows_cover_every_token_and_labels_are_the_least_that_tokens_allow(tokenizer, row, room, stride):
    context, question = row["context"], row["question"]
    ids, offsets = whole(tokenizer, context)
    assume(ids)
    stride = min(stride, room - 1)
    max_length = lengths_for(tokenizer, question, room)
    assume(stride < max_length - tokenizer.num_special_tokens_to_add(pair=True) - 1)
    with only_exceptions():
        features = qa.make_features([row], tokenizer, max_length, stride)
    assert all(0 <= a <= b <= len(context) for a, b in offsets)
    assert offsets == sorted(offsets) and [b for _, b in offsets] == sorted(b for _, b in offsets)

    start = row["answers"]["answer_start"][0]
    end = start + len(row["answers"]["text"][0])
    expected = trimmed(context, start, end, {k for a, b in offsets for k in range(a, b)})
    place, beyond_last, labelled, altered = 0, 0, 0, False
    for number, window in enumerate(features):
        first, beyond = window["context_tokens"]
        size = beyond - first
        assert len(window["input_ids"]) <= max_length
        place = beyond_last - stride if number else 0
        assert window["input_ids"][first:beyond] == ids[place : place + size], "neighbours share exactly the stride"
        own = [tuple(pair) for pair in window["offset_mapping"][first:beyond]]
        assert own == offsets[place : place + size]
        beyond_last = place + size
        label = window["start_positions"], window["end_positions"]
        if expected is None or expected[0] < own[0][0] or expected[1] > own[-1][1]:
            assert label == (window["cls_index"],) * 2, "a window that does not hold the whole answer has no label"
            continue
        labelled += 1
        tokens = first_covering(own, expected[0]), first_covering(own, expected[1] - 1)
        assert label == (first + tokens[0], first + tokens[1])
        a, b, text = qa.span_text(context, window["offset_mapping"], *label)
        assert text == context[a:b] == text.strip()
        assert_least(context, own, tokens, expected, (a, b))
        altered |= text != context[start:end].strip()
    assert beyond_last == len(ids), "the last window ends with the context"

    coverage = qa.label_coverage(rows_to_dataset([row]), features)
    assert (coverage.examples, coverage.features, coverage.answerable) == (1, len(features), 1)
    assert coverage.with_answer == labelled
    assert coverage.lost == ([] if labelled else ["drawn"])
    assert bool(coverage.altered) == altered


def assert_least(context, own, tokens, expected, found) -> None:
    """The module's rule: from the first token's beginning to the last one's end, and the marks that follow."""
    a, b = own[tokens[0]][0], own[tokens[1]][1]
    following = own[tokens[1] + 1] if tokens[1] + 1 < len(own) else (0, 0)
    marks = b
    while marks < len(context) and is_mark(context[marks]) and not following[0] <= marks < following[1]:
        marks += 1
    assert found[0] <= expected[0] and found[1] >= expected[1], "the answer itself stands in what was read back"
    text = context[a:marks]
    assert found == (a + len(text) - len(text.lstrip()), a + len(text.rstrip()))


@pytest.mark.parametrize("word", ["a", "é", "😀"], ids=ascii)
def test_an_answer_behind_a_word_of_100_000_characters_is_found(tokenizer, word):
    context = f"It says {word * (100_000 // len(word))} and then 1902."
    row = make_row("When?", context, (context.index("1902"), context.index("1902") + 4))
    with only_exceptions():
        features = qa.make_features([row], tokenizer, 384, 128)
    coverage = qa.label_coverage(rows_to_dataset([row]), features)
    assert coverage.with_answer >= 1 and not coverage.lost and not coverage.altered


@given(text=BROKEN, sound=CONTEXT)
@tried()
def test_half_a_surrogate_pair_is_refused_with_the_examples_name(tokenizer, answerer, text, sound):
    for question, context in ((text, sound), (sound, text)):
        with only_exceptions(), pytest.raises(ValueError, match="surrogate"):
            answerer(question=question, context=context)
        with only_exceptions(), pytest.raises(ValueError) as caught:
            qa.make_features([make_row(question, context)], tokenizer, 64, 8)
        assert "example 'drawn': the " in str(caught.value) and "surrogate" in str(caught.value)


# Decoding and answering -----------------------------------------------------------------------------------------------


@given(
    pairs=st.lists(st.tuples(QUESTION, CONTEXT), min_size=1, max_size=3),
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([0.0, 1.0, 8.0, 1e4, 1e30]),
    n_best=st.integers(1, 8),
    max_answer_length=st.integers(1, 30),
    null_threshold=st.none() | FINITE,
    align_to_words=st.booleans(),
)
@tried()
def test_decoded_answers_are_characters_of_the_context_whatever_the_logits(
    tokenizer, pairs, seed, scale, n_best, max_answer_length, null_threshold, align_to_words
):
    rows = [make_row(question, context) | {"id": f"n{k}"} for k, (question, context) in enumerate(pairs)]
    assume(all(whole(tokenizer, context)[0] for _, context in pairs))
    max_length = max(lengths_for(tokenizer, question, 24) for question, _ in pairs)
    features = qa.make_features(rows, tokenizer, max_length, 6)
    rng = np.random.default_rng(seed)
    logits = [
        [(rng.normal(size=len(ids)) * scale).astype(np.float32) for ids in features["input_ids"]] for _ in range(2)
    ]
    with only_exceptions():
        predictions = qa.decode_answers(
            rows, features, *logits, n_best, max_answer_length, null_threshold, align_to_words
        )
    assert [prediction.example_id for prediction in predictions] == [row["id"] for row in rows]
    for prediction, row in zip(predictions, rows):
        context = row["context"]
        assert 1 <= len(prediction.n_best) <= n_best
        for candidate in prediction.n_best:
            assert 0 <= candidate.start < candidate.end <= len(context)
            assert context[candidate.start : candidate.end] == candidate.text == candidate.text.strip() != ""
            assert 0 <= candidate.probability <= 1
        assert sum(candidate.probability for candidate in prediction.n_best) == pytest.approx(1)
        scores = [candidate.score for candidate in prediction.n_best]
        assert scores == sorted(scores, reverse=True) and prediction.score == scores[0]
        assert len({(c.start, c.end) for c in prediction.n_best}) == len(scores), "the same characters count once"
        assert prediction.null_score == min(
            float(logits[0][k][cls]) + float(logits[1][k][cls])
            for k, (cls, name) in enumerate(zip(features["cls_index"], features["example_id"]))
            if name == row["id"]
        )
        if null_threshold is not None and prediction.score_difference > null_threshold:
            assert (prediction.text, prediction.start, prediction.end) == ("", 0, 0)
        else:
            best = prediction.n_best[0]
            assert (prediction.text, prediction.start, prediction.end) == (best.text, best.start, best.end)
    scores = qa.score(predictions, rows)
    assert 0 <= scores.exact_match <= scores.f1 <= 100


def test_spaces_with_the_best_logits_do_not_take_the_places_of_answers():
    tokenizer = qa.load_tokenizer("mini-roberta")
    row = make_row("When?", "\u00a0 In 1902.")
    features = qa.make_features([row], tokenizer, 40, 4)
    logits = [np.zeros(len(features["input_ids"][0]), dtype=np.float32) for _ in range(2)]
    first = features["context_tokens"][0][0]
    for values in logits:
        values[first] = 9.0
    (prediction,) = qa.decode_answers([row], features, *([values] for values in logits), n_best=1, max_answer_length=1)
    assert prediction.text


@given(
    question=QUESTION,
    context=CONTEXT,
    top_k=st.integers(1, 5),
    max_answer_len=st.integers(1, 20),
    impossible=st.booleans(),
    align_to_words=st.booleans(),
)
@example(question="?", context="a \x85 b", top_k=5, max_answer_len=1, impossible=False, align_to_words=True)
@tried()
def test_the_answerer_answers_in_the_contexts_own_characters(
    tokenizer, answerer, question, context, top_k, max_answer_len, impossible, align_to_words
):
    options = {
        "max_seq_len": lengths_for(tokenizer, question, 40),
        "doc_stride": 12,
        "top_k": top_k,
        "max_answer_len": max_answer_len,
        "handle_impossible_answer": impossible,
        "align_to_words": align_to_words,
    }
    size = len(whole(tokenizer, context)[0])
    with only_exceptions():
        if not size:
            with pytest.raises(ValueError, match="the context holds no token"):
                answerer(question=question, context=context, **options)
            return
        found = answerer(question=question, context=context, **options)
    windows = 1 + max(0, -(-(size - 40) // (40 - 12)))
    answers = [found] if isinstance(found, dict) else found
    assert 1 <= len(answers) <= top_k
    for answer in answers:
        if answer["answer"] or not impossible:
            assert 0 <= answer["start"] < answer["end"] <= len(context)
            assert context[answer["start"] : answer["end"]] == answer["answer"] == answer["answer"].strip() != ""
        else:
            assert (answer["start"], answer["end"]) == (0, 0)
        # A probability in each window; the same words in several windows add up, as in the pipeline of old.
        assert 0 <= answer["score"] <= windows + 1e-6
    scores = [answer["score"] for answer in answers]
    assert scores == sorted(scores, reverse=True)


# Scores ---------------------------------------------------------------------------------------------------------------

ANY = texts(0, 8) | BROKEN | st.text(max_size=20)


@given(one=ANY, other=ANY)
@tried(4)
def test_em_and_f1_are_symmetric_in_range_and_full_for_the_same_text(one, other):
    em, f1 = qa.exact_match(one, other), qa.f1(one, other)
    assert (em, f1) == (qa.exact_match(other, one), qa.f1(other, one))
    assert em in (0.0, 1.0) and em <= f1 <= 1.0
    assert qa.exact_match(one, one) == qa.f1(one, one) == 1.0
    tidy = qa.normalize_answer(one)
    assert qa.exact_match(one, f"  {one}\n") == 1.0 and tidy == tidy.strip()


@given(predicted=ANY, answers=st.lists(ANY, max_size=4), more=ANY)
@tried(4)
def test_a_score_is_the_best_over_all_answers_in_any_order(predicted, answers, more):
    def scored(*texts):
        row = {"id": "drawn", "answers": {"text": list(texts), "answer_start": [0] * len(texts)}}
        return qa.score({"drawn": predicted}, [row])

    one, other = scored(*answers), scored(*reversed(answers))
    assert (one.exact_match, one.f1) == (other.exact_match, other.f1)
    assert 0 <= one.exact_match <= one.f1 <= 100 and one.exact_match in (0, 100)
    if any(qa.normalize_answer(text) for text in answers):
        assert scored(*answers, more).f1 >= one.f1, "one more acceptable answer never costs"
    assert scored(*answers, predicted).exact_match == 100 or not qa.normalize_answer(predicted)
