"""Examples that illustrate lessons 02 to 04, found in whatever source the course runs on.

The embedded corpus and SQuAD contain every case that these lessons discuss, in windows of the sizes they use. A source
with short texts may show some cases only in smaller windows, and in others an answer may begin with a character that no
token covers. The functions below find suitable examples and sizes, so that the lessons' cells are the same for all
sources.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from datasets import Dataset

from ..features import answer_span, count_tokens

SMALL_WINDOWS = [(length, length // part) for length in range(100, 11, -4) for part in (2, 4)]  # max_length, stride
_BATCH, _LOOKED_AT, _CUT = 500, 1000, 300


def plain_examples(examples: Dataset, tokenizer, most: int = 10_000) -> Dataset:
    """The examples that have an answer whose first and last characters belong to tokens.

    This leaves out unanswerable questions and the few answers that begin or end with a space or an invisible character:
    ``make_features`` can handle both, but a lesson is easier to follow without them.

    Args:
        examples: rows in the course's schema.
        most: only the first ``most`` rows are searched, which saves memory.

    Raises:
        ValueError: there is no such example.
    """
    examples = examples.select(range(min(most, len(examples))))
    contexts = _offsets_of(examples["context"], tokenizer)
    plain = (_is_plain(answers, offsets) for answers, offsets in zip(examples["answers"], contexts))
    kept = [k for k, good in enumerate(plain) if good]
    if not kept:
        raise ValueError(
            f"none of the first {len(examples):,} examples has an answer that tokens cover; choose another source"
        )
    return examples if len(kept) == len(examples) else examples.select(kept)


def clear_example(examples: Dataset, tokenizer) -> dict:
    """The first example whose answer begins and ends where tokens do, spaces aside; without one, the first example.

    The token after the answer has text of its own: it is neither a space nor a piece of the answer's last character.

    Args:
        examples: what :func:`plain_examples` returned; the first 1,000 are searched.
    """
    looked_at = examples.select(range(min(_LOOKED_AT, len(examples))))
    for row, offsets in zip(looked_at, _offsets_of(looked_at["context"], tokenizer)):
        start, end = answer_span(row["answers"])
        first, last = _edge_tokens(offsets, start, end)
        found, longer = (
            row["context"][offsets[first, 0] : offsets[token, 1]].strip()
            for token in (last, min(last + 1, len(offsets) - 1))
        )
        if found == row["context"][start:end] != longer:
            return row
    return examples[0]


def limit_that_loses_answers(examples: Dataset, tokenizer, max_length: int, at_least: int = 3) -> int:
    """``max_length``, if truncating question and context to it loses a few answers; otherwise the largest limit that does.

    Args:
        examples: what :func:`plain_examples` returned.
        at_least: the least number of answers to lose.
    """
    special = tokenizer.num_special_tokens_to_add(pair=True)
    questions = count_tokens([question.strip() for question in examples["question"]], tokenizer)
    contexts = _offsets_of(examples["context"], tokenizer)
    needed = sorted(  # numbers of tokens up to the end of the answer
        special + question + _edge_tokens(offsets, *answer_span(answers))[1] + 1
        for question, offsets, answers in zip(questions.tolist(), contexts, examples["answers"])
    )
    return min(max_length, needed[-min(at_least, len(needed))] - 1)


def small_windows(examples: Dataset, tokenizer, at_least: int = 6) -> tuple[Dataset, int, int]:
    """(rows, max_length, stride): windows of 100 tokens that share 50, and the examples that have several of them.

    If the texts are too short for such windows to show everything that can happen to an answer (whole in two windows,
    cut by one, absent from others), the windows are smaller.

    Args:
        examples: what :func:`plain_examples` returned; the first 1,000 are searched.
        at_least: the least number of examples with several windows.

    Raises:
        ValueError: the contexts are too short to be cut into windows.
    """
    looked_at = examples.select(range(min(_LOOKED_AT, len(examples))))
    special = tokenizer.num_special_tokens_to_add(pair=True)
    questions = count_tokens([question.strip() for question in looked_at["question"]], tokenizer)
    contexts = count_tokens(looked_at["context"][:], tokenizer)
    for shows_enough in (_shows_everything, _shows_every_state):
        for max_length, stride in SMALL_WINDOWS:
            room = max_length - special - questions
            rows = looked_at.select(np.flatnonzero((room > stride) & (contexts > room)))
            if len(rows) >= at_least and shows_enough(_states(rows, tokenizer, max_length, stride)):
                return rows, max_length, stride
    raise ValueError(
        "the contexts are too short to be cut into windows, which is what this lesson is about: choose a source whose "
        "contexts have fifty tokens or more"
    )


def example_in_overlap(rows: Dataset, tokenizer, max_length: int, stride: int) -> dict:
    """The first example with three windows or more whose answer is whole in several of them but not in all; without one,
    the first example.

    Args:
        rows, max_length, stride: what :func:`small_windows` returned.
    """
    found = (
        k
        for k, states in enumerate(_states(rows, tokenizer, max_length, stride))
        if len(states) >= 3 and 2 <= states.count("whole") < len(states)
    )
    return rows[next(found, 0)]


def example_with_every_state(rows: Dataset, tokenizer, max_length: int, stride: int) -> dict:
    """The first example with at least five windows, among them some that hold the whole answer, cut it, and lack it.

    If no example has as many windows, the first one that shows all three cases.

    Args:
        rows, max_length, stride: what :func:`small_windows` returned.
    """
    fewer = None
    for k, states in enumerate(_states(rows, tokenizer, max_length, stride)):
        if len(set(states)) == 3:
            if len(states) >= 5:
                return rows[k]
            fewer = k if fewer is None else fewer
    return rows[fewer or 0]


def _states(rows: Dataset, tokenizer, max_length: int, stride: int) -> Iterator[list[str]]:
    """For each example, what each of its windows does to the answer: "whole", "cut" or "absent"."""
    from .widgets.window_explorer import windows_of

    for k in range(min(_CUT, len(rows))):
        yield [window.state for window in windows_of(rows[k], tokenizer, max_length, stride)]


def _shows_everything(all_states: Iterator[list[str]]) -> bool:
    """Whether some answer is whole in several windows but not in all, and some example has all states in five windows."""
    repeated = every_state = False
    for states in all_states:
        repeated |= 2 <= states.count("whole") < len(states)
        every_state |= len(states) >= 5 and len(set(states)) == 3
        if repeated and every_state:
            return True
    return False


def _shows_every_state(all_states: Iterator[list[str]]) -> bool:
    return any(len(set(states)) == 3 for states in all_states)


def _offsets_of(texts: Sequence[str], tokenizer) -> Iterator[np.ndarray]:
    """(tokens, 2): the token offsets of every text; within a batch, a repeated text is tokenized only once."""
    texts = list(texts)
    for begin in range(0, len(texts), _BATCH):
        batch = texts[begin : begin + _BATCH]
        different = list(dict.fromkeys(batch))
        encoded = tokenizer(different, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        offsets = [np.array(pairs).reshape(-1, 2) for pairs in encoded["offset_mapping"]]
        places = {text: k for k, text in enumerate(different)}
        yield from (offsets[places[text]] for text in batch)


def _is_plain(answers: dict, offsets: np.ndarray) -> bool:
    text = answers["text"][0] if answers["text"] else " "
    return text == text.strip() and _edge_tokens(offsets, *answer_span(answers)) is not None


def _edge_tokens(offsets: np.ndarray, start: int, end: int) -> tuple[int, int] | None:
    """The first tokens to cover characters ``start`` and ``end - 1``; None if one of the characters has no token."""
    first = int(np.searchsorted(offsets[:, 1], start, side="right"))
    last = int(np.searchsorted(offsets[:, 1], end, side="left"))
    if last >= len(offsets) or offsets[first, 0] > start or offsets[last, 0] > end - 1:
        return None
    return first, last
