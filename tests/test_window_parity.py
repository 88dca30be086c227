"""``make_features`` cuts the windows that the tokenizers library itself cuts, whatever the texts and the family.

The reference is the library's own truncation (``truncation="only_second"`` with ``return_overflowing_tokens``), called
here without any of the course's code: same ids, segments, masks, offsets, sides, in the same order.
"""

import pytest
from conftest import BELLS, BRIDGE, LAMP, make_example
from hypothesis import example, given
from hypothesis import strategies as st
from unicode_strategies import CONTEXT, QUESTION, has_text, only_exceptions, texts, tried

import qa_helpers as qa
from qa_helpers.checkpoints import MINI_CHECKPOINTS

WHOLE = 1_000_000  # more tokens than any context here: one window


@pytest.fixture(scope="module", params=MINI_CHECKPOINTS)
def tokenizer(request):
    return qa.load_tokenizer(request.param)


def unanswered(identifier: str, question: str, context: str) -> dict:
    empty = {"text": [], "answer_start": []}
    return {"id": identifier, "title": "", "context": context, "question": question, "answers": empty}


def library_windows(rows, tokenizer, max_length: int, stride: int) -> list[dict]:
    """What the tokenizers library cuts of the rows, in ``make_features``' columns."""
    found = []
    for index, row in enumerate(rows):
        encoded = tokenizer(
            row["question"].strip(),
            row["context"],
            truncation="only_second",
            max_length=max_length,
            stride=stride,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            split_special_tokens=True,
            verbose=False,
        )
        for k, ids in enumerate(encoded["input_ids"]):
            sides = encoded.sequence_ids(k)
            first = sides.index(1)
            window = {
                "input_ids": ids,
                "attention_mask": encoded["attention_mask"][k],
                "offset_mapping": [list(pair) for pair in encoded["offset_mapping"][k]],
                "context_tokens": [first, first + sides.count(1)],
                "cls_index": next(
                    place
                    for place, (token, side) in enumerate(zip(ids, sides))
                    if side is None and token == tokenizer.cls_token_id
                ),
                "example_id": row["id"],
                "example_index": index,
            }
            if "token_type_ids" in encoded:
                window["token_type_ids"] = encoded["token_type_ids"][k]
            found.append(window)
    return found


def question_tokens(row, tokenizer) -> int:
    return len(tokenizer(row["question"].strip(), add_special_tokens=False, split_special_tokens=True)["input_ids"])


def context_tokens(row, tokenizer) -> int:
    pair = tokenizer(row["question"].strip(), row["context"], split_special_tokens=True, verbose=False)
    return pair.sequence_ids().count(1)


def assert_equal_windows(found, expected) -> None:
    found = list(found)
    assert len(found) == len(expected), "another number of windows"
    for number, (one, other) in enumerate(zip(found, expected)):
        assert set(one) == set(other), f"window {number}: other columns"
        for name in other:
            assert one[name] == other[name], f"window {number}: {name}"


def refusal(row, tokenizer, max_length: int, stride: int) -> str | None:
    """What the refusal of a row says, where the library would panic or leave a window without context; else None."""
    special = tokenizer.num_special_tokens_to_add(pair=True)
    if max_length - special - 1 <= stride:
        return f"stride {stride} does not fit max_length {max_length}"
    if max_length - special - question_tokens(row, tokenizer) <= stride or not context_tokens(row, tokenizer):
        return f"example {row['id']!r}: "
    return None


def assert_same_as_library(rows, tokenizer, max_length: int, stride: int) -> None:
    """Same windows; or a refusal where one is due, which names an example that it is due to, or the stride."""
    reasons = {refusal(row, tokenizer, max_length, stride) for row in rows} - {None}
    with only_exceptions():
        if reasons:
            with pytest.raises(ValueError) as caught:
                qa.make_features(rows, tokenizer, max_length, stride, labels=False)
            assert str(caught.value).startswith(tuple(reasons))
            return
        found = qa.make_features(rows, tokenizer, max_length, stride, labels=False)
    assert_equal_windows(found, library_windows(rows, tokenizer, max_length, stride))


@given(
    pairs=st.lists(st.tuples(QUESTION, CONTEXT), min_size=1, max_size=4),
    room=st.integers(2, 60),
    stride=st.integers(0, 20),
)
@tried()
def test_windows_are_those_of_the_tokenizers_library(tokenizer, pairs, room, stride):
    rows = [unanswered(f"n{k}", question, context) for k, (question, context) in enumerate(pairs)]
    longest = max(question_tokens(row, tokenizer) for row in rows)
    assert_same_as_library(rows, tokenizer, tokenizer.num_special_tokens_to_add(pair=True) + longest + room, stride)


@given(context=CONTEXT, question=QUESTION, stride=st.integers(0, 3), extra=st.integers(-1, 2))
@tried()
def test_windows_are_the_librarys_or_refused_where_the_room_is_least(tokenizer, context, question, stride, extra):
    row = unanswered("edge", question, context)
    special = tokenizer.num_special_tokens_to_add(pair=True)
    assert_same_as_library([row], tokenizer, special + question_tokens(row, tokenizer) + stride + extra + 1, stride)


@given(context=CONTEXT, question=QUESTION, stride=st.integers(0, 12), over=st.integers(-2, 2))
@tried()
def test_windows_are_the_librarys_where_the_context_just_fits_or_just_does_not(
    tokenizer, context, question, stride, over
):
    row = unanswered("border", question, context)
    special, length = tokenizer.num_special_tokens_to_add(pair=True), context_tokens(row, tokenizer)
    assert_same_as_library([row], tokenizer, special + question_tokens(row, tokenizer) + length - over, stride)


@given(context=texts(1, 15), question=QUESTION)
@example(context="   ", question="?")
@example(context=" \u200b ", question="?")
@tried()
def test_a_context_that_fits_is_one_window_and_an_empty_one_is_refused(tokenizer, context, question):
    row = unanswered("whole", question, context)
    if has_text(context):
        assert_same_as_library([row], tokenizer, WHOLE, 0)
        return
    with pytest.raises(ValueError, match="example 'whole': the context is empty"):
        qa.make_features([row], tokenizer, 64, 8)


@pytest.mark.parametrize("word", ["a", "日", "x\u0301", "\u200b"], ids=ascii)
def test_windows_are_the_librarys_for_a_word_of_100_000_characters(tokenizer, word):
    long = word * (100_000 // len(word))
    assert_same_as_library([unanswered("long", "How long is it?", f"It is {long} long.")], tokenizer, 384, 128)
    assert_same_as_library([unanswered("asked", f"What is {long}?", "It is long.")], tokenizer, 384, 128)


def test_windows_are_the_librarys_for_many_examples_at_once_with_and_without_labels(tokenizer):
    rows = [
        make_example(f"n{k}", context, f"What is told of {k}?", answer)
        for k, (context, answer) in enumerate([(BELLS, "Oda Brennick"), (BRIDGE, "1874"), (LAMP, "lamp")] * 200)
    ]
    expected = library_windows(rows, tokenizer, 64, 24)
    found = qa.make_features(rows, tokenizer, 64, 24)
    assert_equal_windows(found.remove_columns(["start_positions", "end_positions"]), expected)
    assert_equal_windows(qa.make_features(rows, tokenizer, 64, 24, labels=False), expected)
