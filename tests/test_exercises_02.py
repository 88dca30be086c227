"""Answers to the exercises of lesson 02, right and wrong (``test_exercises.py`` tries them)."""

from exercise_checks import Answers, answers

from qa_helpers.classroom.exercises import lesson02


def text_of_tokens(text, offsets, first, last):
    return text[offsets[first][0] : offsets[last][1]]


def text_of_tokens_otherwise(text, offsets, first, last):
    covered = [offset for k, offset in enumerate(offsets) if first <= k <= last]
    return "".join(text[k] for k in range(min(a for a, _ in covered), max(b for _, b in covered)))


def context_tokens(sequence_ids):
    first = sequence_ids.index(1)
    return first, first + sequence_ids.count(1)


def context_tokens_otherwise(sequence_ids):
    inside = [k for k, side in enumerate(sequence_ids) if side == 1]
    return [inside[0], inside[-1] + 1]


def token_at(offsets, sequence_ids, character):
    for token, (start, end) in enumerate(offsets):
        if sequence_ids[token] == 1 and start <= character < end:
            return token
    return None


def token_at_otherwise(offsets, sequence_ids, character):
    table = {c: k for k, (a, b) in enumerate(offsets) if sequence_ids[k] == 1 for c in range(a, b)}
    return table.get(character)


def joined(text, offsets, first, last):
    return " ".join(text[a:b] for a, b in offsets[first : last + 1])


def glued(text, offsets, first, last):
    return "".join(text[a:b] for a, b in offsets[first : last + 1])


def last_left_out(text, offsets, first, last):
    return text[offsets[first][0] : offsets[last - 1][1]]


def up_to_its_start(text, offsets, first, last):
    return text[offsets[first][0] : offsets[last][0]]


def tokens_as_characters(text, offsets, first, last):
    return text[first : last + 1]


def one_too_many(text, offsets, first, last):
    return text[offsets[first][0] : offsets[last][1] + 1]


def tidied(text, offsets, first, last):
    return " ".join(text_of_tokens(text, offsets, first, last).split())


def inclusive(sequence_ids):
    first, beyond = context_tokens(sequence_ids)
    return first, beyond - 1


def the_question(sequence_ids):
    first = sequence_ids.index(0)
    return first, first + sequence_ids.count(0)


def with_separator(sequence_ids):  # what token_type_ids would give
    first, beyond = context_tokens(sequence_ids)
    return first, beyond + 1


def up_to_the_end(sequence_ids):
    return sequence_ids.index(1), len(sequence_ids) - 1


def one_separator(sequence_ids):
    beyond = context_tokens(sequence_ids)[1]
    question = [k for k, side in enumerate(sequence_ids) if side == 0]
    return question[-1] + 2, beyond


def a_number(sequence_ids):
    return sequence_ids.index(1)


def no_sides(offsets, sequence_ids, character):
    return next((k for k, (a, b) in enumerate(offsets) if a <= character < b), None)


def special_too(offsets, sequence_ids, character):
    inside = (k for k, (a, b) in enumerate(offsets) if sequence_ids[k] != 0 and (a <= character < b or a == character))
    return next(inside, None)


def end_included(offsets, sequence_ids, character):
    inside = (k for k, (a, b) in enumerate(offsets) if sequence_ids[k] == 1 and a <= character <= b)
    return next(inside, None)


def minus_one(offsets, sequence_ids, character):
    token = token_at(offsets, sequence_ids, character)
    return -1 if token is None else token


def from_the_context(offsets, sequence_ids, character):
    token = token_at(offsets, sequence_ids, character)
    return None if token is None else token - sequence_ids.index(1)


def starts_only(offsets, sequence_ids, character):
    starts = {a: k for k, (a, _) in enumerate(offsets) if sequence_ids[k] == 1}
    return starts.get(character)


def forgot_to_return(offsets, sequence_ids, character):
    token_at(offsets, sequence_ids, character)


def next_token(offsets, sequence_ids, character):
    return next((k for k, (_, b) in enumerate(offsets) if sequence_ids[k] == 1 and character < b), None)


@answers("2.1")
def text_of_tokens_answers():
    return Answers(
        right=[text_of_tokens, text_of_tokens_otherwise],
        wrong={
            "adds spaces": joined,
            "loses the spaces": glued,
            "includes the token last": last_left_out,
            "cut where it ends": up_to_its_start,
            "numbers of tokens": tokens_as_characters,
            "one character too many": one_too_many,
            "double space": tidied,
        },
    )


@answers("2.2")
def context_tokens_answers():
    return Answers(
        right=[context_tokens, context_tokens_otherwise],
        wrong={
            "like the end of a slice": inclusive,
            "That is the question": the_question,
            "[SEP] at the end": with_separator,
            "included padding": up_to_the_end,
            "there may be two": one_separator,
            "two numbers": a_number,
        },
    )


@answers("2.3")
def token_at_answers():
    return Answers(
        right=[token_at, token_at_otherwise],
        wrong={
            "belongs to the question": no_sides,
            "special token": special_too,
            "ends before it": end_included,
            "return None, not -1": minus_one,
            "whole sequence": from_the_context,
            "only by its first character": starts_only,
            "None for every character": forgot_to_return,
            "between tokens": next_token,
        },
    )


def test_partial_credit():
    assert 0 < lesson02.check_context_tokens(up_to_the_end).share < 1
    assert 0.5 < lesson02.check_token_at(minus_one).share < 1
