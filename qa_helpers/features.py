"""Features: every example becomes one or more windows of tokens, with offsets and start/end labels.

The long context slides through windows of ``max_length`` tokens; neighbouring windows share ``stride`` context tokens,
so that an answer cut by the edge of one window is whole in the next (Devlin et al. 2019, "document stride"; note that
``stride`` is the overlap here, as in the tokenizers library, not the step). Lessons 03 and 04 write these functions out.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from datasets import Dataset

from .data import rows_to_dataset
from .engine.columns import as_table, list_column
from .engine.preparation import in_batches
from .engine.progress_bars import track
from .engine.windows import check_window_settings, feature_columns
from .examples import example_problems

_BATCH = 1000  # examples tokenized at once: enough for the tokenizer's threads, small enough to keep memory flat


def make_features(
    examples: Dataset | Sequence[dict],
    tokenizer,
    max_length: int = 384,
    stride: int = 128,
    labels: bool = True,
    num_proc: int | None = None,
    progress: bool | None = None,
) -> Dataset:
    """Cut examples into windows and label each with the token positions of its answer.

    Args:
        examples: rows in the course's schema (see :mod:`qa_helpers.data`).
        tokenizer: a fast tokenizer, as :func:`qa_helpers.load_tokenizer` gives.
        max_length: tokens per window, question and special tokens included.
        stride: context tokens that neighbouring windows share.
        labels: add ``start_positions`` and ``end_positions`` (of the first answer, where there are several).
        num_proc: processes for large datasets; None uses this process only (the tokenizer has its own threads).
        progress: whether to show a progress bar for long work; None shows one in a notebook and on a terminal.

    Returns:
        Dataset with one row per window, unpadded:

        - ``input_ids``, ``attention_mask`` and, for models with segments, ``token_type_ids``: (tokens,)
        - ``offset_mapping``: (tokens, 2), characters [start, end) of the question or context each token covers
        - ``context_tokens``: (2,), the tokens [first, last + 1) that belong to the context
        - ``cls_index``: the position of [CLS] in the window
        - ``example_id``, ``example_index``: the example it was cut from
        - ``start_positions``, ``end_positions``: token indices of the answer, end inclusive; both ``cls_index`` where
          the window does not contain the whole answer

        Features of examples that are on disk are cached there and reused; others stay in memory.

    Raises:
        ValueError: a malformed example, a question that leaves no room, a stride that does not fit, or a tokenizer
            without offsets; the message names the example and the remedy.
    """
    if not isinstance(examples, Dataset):
        examples = rows_to_dataset(list(examples))
    if len(examples) == 0:
        raise ValueError("there are no examples to make features from")
    check_window_settings(tokenizer, max_length, stride)
    options = {"tokenizer": tokenizer, "max_length": max_length, "stride": stride, "labels": labels}
    return in_batches(features_of, examples, options, feature_columns(tokenizer, labels), _BATCH, num_proc, progress)


def features_of(batch: dict, indices: list[int], tokenizer, max_length: int, stride: int, labels: bool) -> pa.Table:
    """The columns that :func:`make_features` computes for a few examples, without a dataset's bookkeeping.

    Args:
        batch: the examples' columns, as ``examples[:]`` gives them; ``indices``: their row numbers in the dataset.
        tokenizer, max_length, stride, labels: see :func:`make_features`.
    """
    rows = [dict(zip(batch, values)) for values in zip(*batch.values())]
    for row in rows:
        if problems := example_problems(row):
            raise ValueError(problems[0].message)
    _check_questions(rows, tokenizer, max_length, stride)
    windows = cut_windows(batch, tokenizer, max_length, stride)
    columns = dict(windows)
    owners = columns.pop("overflow_to_sample_mapping")
    all_sides = [windows.sequence_ids(k) for k in range(len(owners))]
    for owner, sides in zip(owners, all_sides):
        if 1 not in sides:
            raise ValueError(
                f"example {rows[owner]['id']!r}: the context holds no token (only invisible characters?); "
                "fill it in or drop it"
            )
    columns["attention_mask"] = [np.ones(len(ids), "int8") for ids in windows["input_ids"]]
    columns["context_tokens"] = [(sides.index(1), sides.index(1) + sides.count(1)) for sides in all_sides]
    columns["cls_index"] = [cls_index_of(ids, tokenizer) for ids in windows["input_ids"]]
    columns["example_id"] = [rows[owner]["id"] for owner in owners]
    columns["example_index"] = [indices[owner] for owner in owners]
    if labels:
        answers = _answers_in_tokens(rows, windows)
        parts = zip(windows["offset_mapping"], all_sides, columns["cls_index"], owners)
        found = [
            label_window(offsets, sides, cls_index, *answers[owner]) if answers[owner] else (cls_index, cls_index)
            for offsets, sides, cls_index, owner in parts
        ]
        columns["start_positions"], columns["end_positions"] = zip(*found)
    return as_table(columns, feature_columns(tokenizer, labels).arrow_schema)


def _check_questions(rows: Sequence[dict], tokenizer, max_length: int, stride: int) -> None:
    """Apply :func:`check_room` to every question, and name the example of one that is too long."""
    specials = tokenizer.num_special_tokens_to_add(pair=True)
    # A character of ASCII is at most one token, and some tokenizers add a space in front: short questions surely fit.
    surely = max_length - specials - stride - 1
    questions = [(row["id"], row["question"].strip()) for row in rows]
    unsure = [(name, text) for name, text in questions if len(text) >= surely or not text.isascii()]
    for (name, _), used in zip(unsure, count_tokens([text for _, text in unsure], tokenizer)):
        try:
            check_room(used, specials, max_length, stride)
        except ValueError as error:
            remedy = "Shorten the question, raise max_length or lower stride"
            raise ValueError(f"example {name!r}: {error}. {remedy}") from None


def count_tokens(texts: Sequence[str], tokenizer) -> np.ndarray:
    """(texts,) the number of tokens in each text, without special tokens."""
    counts = []
    for begin in range(0, len(texts), 500):
        encoded = tokenizer(texts[begin : begin + 500], add_special_tokens=False, verbose=False)
        counts += map(len, encoded["input_ids"])
    return np.array(counts)


def check_room(used: int, specials: int, max_length: int, stride: int) -> None:
    """Raise a ValueError if a question of ``used`` tokens leaves no more room for the context than the stride.

    Windows could not advance then, and the tokenizers library would panic (an exception that ``except Exception`` does
    not catch).
    """
    room = max_length - specials - used
    if room <= stride:
        raise ValueError(f"{used} tokens of question leave {room} for context; more than {stride} are needed")


def cut_windows(rows, tokenizer, max_length: int, stride: int):
    """Let the tokenizer cut the columns ``question`` and ``context`` into windows, each with the whole question.

    Returns:
        ``BatchEncoding`` whose entries have one list per window; ``overflow_to_sample_mapping`` is the row of each.
    """
    questions = [question.strip() for question in rows["question"]]  # RoBERTa's and ModernBERT's make tokens of them
    return tokenizer(
        questions,
        list(rows["context"]),
        truncation="only_second",
        max_length=max_length,
        stride=stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_attention_mask=False,  # all ones, until a batch is padded
        split_special_tokens=True,  # a "[SEP]" typed in a text is text
    )


def cls_index_of(input_ids: Sequence[int], tokenizer) -> int:
    """The position of [CLS]: not always 0, since some models put it last and others are padded on the left."""
    return input_ids.index(tokenizer.cls_token_id)


def label_by_loop(offsets, sides: Sequence[int | None], start: int, end: int) -> tuple[int, int]:
    """The first and the last token of the answer with characters [start, end).

    If a character is several tokens (an accent, an emoji), its first one is taken, as in ``char_to_token``.
    """
    first = sides.index(1)
    while offsets[first][1] <= start:
        first += 1
    last = first
    while offsets[last][1] < end:
        last += 1
    return first, last


def label_window(offsets, sides: Sequence[int | None], cls_index: int, start: int, end: int) -> tuple[int, int]:
    """First and last token of the answer, or [CLS] twice if the window does not contain all of it.

    Args:
        offsets: the window's ``offset_mapping``, a pair (start, end) per token.
        sides: its ``sequence_ids``: 0 for the question, 1 for the context, None for special tokens.
        start, end: the answer's characters [start, end) in the context; tokens must cover the first and the last one.
    """
    first = sides.index(1)
    last = first + sides.count(1) - 1
    if start < offsets[first][0] or end > offsets[last][1]:
        return cls_index, cls_index
    return label_by_loop(offsets, sides, start, end)


def answer_in_window(
    offsets, context_tokens: tuple[int, int], answer: tuple[int, int] | None
) -> tuple[int, int] | None:
    """Apply :func:`label_window` to the columns of :func:`make_features`; None if the window does not contain the whole
    answer, or if there is none.

    Args:
        offsets, context_tokens: the window's ``offset_mapping`` (tokens, 2) and context tokens [first, last + 1).
        answer: characters [start, end) of the context.
    """
    if answer is None:
        return None
    first, beyond = context_tokens
    label = label_window(offsets, [None] * first + [1] * (beyond - first), -1, *answer)
    return None if label == (-1, -1) else label


def answer_of(example: dict) -> tuple[int, int]:
    """Characters [start, end) of the example's first answer."""
    start = example["answers"]["answer_start"][0]
    return start, start + len(example["answers"]["text"][0])


def answer_span(answers: dict) -> tuple[int, int] | None:
    """Characters [start, end) of the first answer without the white space around it; None if there is no answer."""
    if not answers["text"]:
        return None
    text, start = answers["text"][0], answers["answer_start"][0]
    start += len(text) - len(text.lstrip())
    return start, start + len(text.strip())


def _answers_in_tokens(rows: Sequence[dict], windows) -> list[tuple[int, int] | None]:
    """The rows' answers, without leading and trailing characters that no token covers (BERT drops invisible ones)."""
    windows_of = [[] for _ in rows]
    for k, owner in enumerate(windows["overflow_to_sample_mapping"]):
        windows_of[owner].append(k)
    answers = []
    for row, own in zip(rows, windows_of):

        def is_covered(character: int, own=own) -> bool:
            return any(windows.char_to_token(k, character, 1) is not None for k in own)

        start, end = answer_span(row["answers"]) or (0, 0)
        while start < end and not is_covered(start):
            start += 1
        while start < end and not is_covered(end - 1):
            end -= 1
        answers.append((start, end) if start < end else None)
    return answers


def span_text(context: str, offsets, start: int, end: int) -> tuple[int, int, str]:
    """Tokens ``start`` to ``end`` (inclusive) → characters [start, end) and the text between, read from the context
    itself, never from decoded ids.

    Spaces that some tokenizers include in a token are stripped; combining marks that some tokenizers drop are added
    back to the letter before them.
    """
    a, b = int(offsets[start][0]), int(offsets[end][1])
    beyond = offsets[end + 1] if end + 1 < len(offsets) else (0, 0)
    while b < len(context) and unicodedata.category(context[b])[0] == "M" and not beyond[0] <= b < beyond[1]:
        b += 1
    text = context[a:b]
    a += len(text) - len(text.lstrip())
    text = text.strip()
    return a, a + len(text), text


@dataclass
class LabelCoverage:
    """What became of the answers when their examples were cut into windows.

    Attributes:
        examples, features, answerable: how many of each; answerable examples have an answer.
        with_answer: features that contain their example's whole answer.
        lost: ids of answerable examples whose answer is whole in none of their windows.
        altered: for each label that reads back as a different text than the answer (the answer begins or ends inside a
            token), or that begins or ends outside the context, the id of its example.
    """

    examples: int
    features: int
    with_answer: int
    answerable: int
    lost: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)


def label_coverage(examples: Dataset, features: Dataset) -> LabelCoverage:
    """Read every label back as text and compare it with the answer: the round trip.

    Comparing texts is not enough: a label in the question may have offsets that fit the answer by chance, since the
    offsets of question and context both count from 0. So both ends must be tokens of the context, too.
    """
    spans = [answer_span(answers) for answers in examples["answers"][:]]
    contexts, ids = examples["context"][:], examples["id"][:]
    starts, ends = np.array(features["start_positions"][:]), np.array(features["end_positions"][:])
    labelled = starts != np.array(features["cls_index"][:])
    sources, context_tokens = np.array(features["example_index"][:]), features["context_tokens"][:]
    found, altered = set(), []
    rows, offsets = np.flatnonzero(labelled).tolist(), list_column(features, "offset_mapping")
    with track(rows, "Reading labels back", unit="windows") as counted:
        for row in counted:
            source = int(sources[row])
            found.add(source)
            context, (start, end), (first, beyond) = contexts[source], spans[source], context_tokens[row]
            in_context = first <= starts[row] <= ends[row] < beyond
            if not in_context or span_text(context, offsets[row], starts[row], ends[row])[2] != context[start:end]:
                altered.append(ids[source])
    lost = [ids[k] for k, span in enumerate(spans) if span is not None and k not in found]
    return LabelCoverage(
        len(examples), len(features), int(labelled.sum()), sum(s is not None for s in spans), lost, altered
    )
