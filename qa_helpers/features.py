"""Features: every example becomes one or more windows of tokens, with offsets and start/end labels.

The long context slides through windows of ``max_length`` tokens; neighbouring windows share ``stride`` context tokens,
so that an answer cut by one window's edge stands whole in the next (Devlin et al. 2019, "document stride"; note that
``stride`` is the overlap here, as in the tokenizers library, not the step).
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from datasets import Dataset, Features, List, Value

from .checkpoints import require_offsets
from .data import example_problems, rows_to_dataset

_BATCH = 512  # examples tokenized at once: enough for the tokenizer's threads, small enough to keep memory flat


def make_features(
    examples: Dataset | Sequence[dict],
    tokenizer,
    max_length: int = 384,
    stride: int = 128,
    labels: bool = True,
    num_proc: int | None = None,
) -> Dataset:
    """Cut examples into windows and label each with the token positions of its answer.

    Args:
        examples: Dataset or list of rows in the course's schema (see :mod:`qa_helpers.data`).
        tokenizer: a fast tokenizer, as :func:`qa_helpers.load_tokenizer` gives.
        max_length: tokens per window, question and special tokens included.
        stride: context tokens that neighbouring windows share.
        labels: add ``start_positions`` and ``end_positions`` (of the first answer, where there are several).
        num_proc: processes for large datasets; None works in this one (the tokenizer has threads of its own).

    Returns:
        Dataset with one row per window, unpadded:

        - ``input_ids``, ``attention_mask`` and, for models with segments, ``token_type_ids``: (tokens,)
        - ``offset_mapping``: (tokens, 2), characters [start, end) of the question or context each token covers
        - ``context_tokens``: (2,), the tokens [first, last + 1) that belong to the context
        - ``cls_index``: where [CLS] stands in the window
        - ``example_id``, ``example_index``: the example it was cut from
        - ``start_positions``, ``end_positions``: token indices of the answer, end inclusive; both ``cls_index`` where
          the window does not hold the whole answer

    Raises:
        ValueError: a malformed example, a question that leaves no room, a stride that does not fit, or a tokenizer
            without offsets; names the example and the remedy.
    """
    require_offsets(tokenizer)
    if not isinstance(examples, Dataset):
        examples = rows_to_dataset(list(examples))
    if len(examples) == 0:
        raise ValueError("there are no examples to make features from")
    if stride < 0 or max_length < 1:
        raise ValueError(f"max_length and stride count tokens: got max_length={max_length}, stride={stride}")
    has_segments = "token_type_ids" in tokenizer.model_input_names
    schema = {"input_ids": List(Value("int32")), "attention_mask": List(Value("int8"))}
    if has_segments:
        schema["token_type_ids"] = List(Value("int8"))
    schema |= {
        "offset_mapping": List(List(Value("int32"), length=2)),
        "context_tokens": List(Value("int32"), length=2),
        "cls_index": Value("int32"),
        "example_id": Value("string"),
        "example_index": Value("int32"),
    }
    if labels:
        schema |= {"start_positions": Value("int32"), "end_positions": Value("int32")}
    return examples.map(
        cut_batch,
        with_indices=True,
        batched=True,
        batch_size=_BATCH,
        remove_columns=examples.column_names,
        features=Features(schema),
        num_proc=num_proc,
        fn_kwargs={"tokenizer": tokenizer, "max_length": max_length, "stride": stride, "labels": labels},
        desc="Making features",
    )


def cut_batch(batch: dict, indices: list[int], tokenizer, max_length: int, stride: int, labels: bool) -> dict:
    """The columns that :func:`make_features` makes of a few examples, as lists; for those who need them at once.

    Args:
        batch: the examples' columns, as ``examples[:]`` gives them; ``indices``: their places in the dataset.
        tokenizer, max_length, stride, labels: see :func:`make_features`.
    """
    rows = [dict(zip(batch, values)) for values in zip(*batch.values())]
    for row in rows:
        for problem in example_problems(row):
            raise ValueError(problem.message)
    # Leading spaces in a question upset truncation="only_second" in several tokenizers; they carry no meaning.
    questions = [row["question"].strip() for row in rows]
    check_room(questions, batch["id"], tokenizer, max_length, stride)
    encoded = tokenizer(
        questions,
        batch["context"],
        truncation="only_second",
        max_length=max_length,
        stride=stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        padding=False,
        split_special_tokens=True,
    )
    sources = encoded.pop("overflow_to_sample_mapping")
    features = dict(encoded)
    features["context_tokens"], features["cls_index"] = [], []
    features["example_id"] = [batch["id"][k] for k in sources]
    features["example_index"] = [indices[k] for k in sources]
    for window, source in zip(encoded.encodings, sources):
        context_tokens, cls_index = window_layout(window, tokenizer.cls_token_id, f"example {batch['id'][source]!r}")
        features["context_tokens"].append(context_tokens)
        features["cls_index"].append(cls_index)
    if labels:
        features["start_positions"], features["end_positions"] = [], []
        windows: list[list] = [[] for _ in rows]
        for window, source in zip(encoded.encodings, sources):
            windows[source].append(window)
        answers = [_covered(_first_answer(row), own) for row, own in zip(rows, windows)]
        for window, source, cls_index, context in zip(
            encoded.encodings, sources, features["cls_index"], features["context_tokens"]
        ):
            span = answer_in_window(window, context, answers[source])
            start, end = span or (cls_index, cls_index)
            features["start_positions"].append(start)
            features["end_positions"].append(end)
    return features


def check_room(questions: Sequence[str], ids: Sequence[str], tokenizer, max_length: int, stride: int) -> None:
    """Raise a ValueError where a question leaves no room for context, or no more than the stride.

    Room is ``max_length`` minus the question's tokens minus the special tokens. With room ≤ stride windows would not
    advance; the tokenizers library panics there (an exception that ``except Exception`` does not catch).
    """
    special = tokenizer.num_special_tokens_to_add(pair=True)
    if max_length - special - 1 <= stride:
        raise ValueError(
            f"stride {stride} does not fit max_length {max_length}: at most {max_length - special} tokens are left for "
            f"a question and context, and the context's share must exceed the stride. Lower stride or raise max_length"
        )
    # Most questions are far too short to matter: in ASCII a token covers at least one character, so only the others are
    # tokenized here a second time.
    longest_safe = max_length - special - stride - 2
    suspects = [k for k, q in enumerate(questions) if len(q) > longest_safe or not q.isascii()]
    if not suspects:
        return
    encoded = tokenizer([questions[k] for k in suspects], add_special_tokens=False, split_special_tokens=True)
    for k, ids_of_question in zip(suspects, encoded["input_ids"]):
        room = max_length - special - len(ids_of_question)
        if room <= stride:
            raise ValueError(
                f"example {ids[k]!r}: the question has {len(ids_of_question)} tokens, which leaves {room} of "
                f"max_length {max_length} for context, and windows need more than the stride ({stride}). Shorten the question, "
                "raise max_length or lower stride"
            )


def answer_in_window(window, context_tokens: tuple[int, int], answer: tuple[int, int] | None) -> tuple[int, int] | None:
    """The tokens of an answer in one window.

    Args:
        window: one ``tokenizers.Encoding`` of a question/context pair.
        context_tokens: its context tokens [first, last + 1).
        answer: characters [start, end) of the context, or None for no answer.

    Returns:
        (start, end) token indices, end inclusive, or None where the window does not hold the whole answer.
    """
    if answer is None:
        return None
    first, beyond = context_tokens
    start, end = answer
    if start < window.offsets[first][0] or end > window.offsets[beyond - 1][1]:
        return None
    # Characters that no token covers (spaces, for most tokenizers) can stand at an answer's edge: step inwards.
    while start < end and window.char_to_token(start, 1) is None:
        start += 1
    while start < end and window.char_to_token(end - 1, 1) is None:
        end -= 1
    if start == end:
        return None
    return window.char_to_token(start, 1), window.char_to_token(end - 1, 1)


def _first_answer(row: dict) -> tuple[int, int] | None:
    """Characters [start, end) of the first answer without surrounding white space; None if there is none."""
    answers = row["answers"]
    if not answers["text"]:
        return None
    text, start = answers["text"][0], answers["answer_start"][0]
    start += len(text) - len(text.lstrip())
    return start, start + len(text.strip())


def _covered(answer: tuple[int, int] | None, windows) -> tuple[int, int] | None:
    """The answer without characters at its edges that no window has a token for (invisible ones, dropped by BERT)."""
    if answer is None:
        return None
    start, end = answer

    def seen(character: int) -> bool:
        return any(window.char_to_token(character, 1) is not None for window in windows)

    while start < end and not seen(start):
        start += 1
    while start < end and not seen(end - 1):
        end -= 1
    return (start, end) if start < end else None


def window_layout(window, cls_token_id: int, name: str) -> tuple[tuple[int, int], int]:
    """Where things stand in one window (``tokenizers.Encoding``): context tokens [first, last + 1), index of [CLS].

    Raises:
        ValueError: the window has no context tokens; ``name`` says whose it is.
    """
    # sequence_ids, not token_type_ids: RoBERTa and DistilBERT have no segments, every fast tokenizer has these.
    sides = window.sequence_ids
    if 1 not in sides:
        raise ValueError(f"{name}: the context holds no token (only invisible characters?); fill it in or drop it")
    first = sides.index(1)
    # The special token, not a "[CLS]" in the text; not always index 0: left padding, or families that put it last.
    cls_index = next(
        k for k, (token, side) in enumerate(zip(window.ids, sides)) if token == cls_token_id and side is None
    )
    return (first, first + sides.count(1)), cls_index


def span_text(context: str, offsets, start: int, end: int) -> tuple[int, int, str]:
    """Token span → (start character, end character, text), read from the context itself, never from decoded ids.

    Args:
        context: the example's context.
        offsets: the window's ``offset_mapping`` (tokens, 2).
        start, end: token indices, end inclusive.

    Returns:
        Characters [start, end) and the text between. Spaces that some tokenizers count to a token are left out;
        combining marks that some drop are put back to the letter before them.
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
    """How the answers of examples fared when cut into windows.

    Attributes:
        examples, features: how many of each.
        with_answer: features that hold their example's whole answer.
        answerable: examples that have an answer.
        lost: ids of answerable examples whose answer stands whole in none of their windows.
        altered: ids of examples where a label reads back as other text than the answer (token borders fall elsewhere).
    """

    examples: int
    features: int
    with_answer: int
    answerable: int
    lost: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)


def label_coverage(examples: Dataset, features: Dataset) -> LabelCoverage:
    """Read every label back as text and compare it with the answer: the round trip that a wrong offset cannot survive.

    Args:
        examples: the rows that ``features`` were made from.
        features: what :func:`make_features` returned with ``labels=True``.
    """
    spans = [_first_answer(row) for row in examples]
    contexts, ids = list(examples["context"]), list(examples["id"])
    starts, ends = np.array(features["start_positions"]), np.array(features["end_positions"])
    labelled = starts != np.array(features["cls_index"])
    sources = np.array(features["example_index"])
    found, altered = set(), []
    for row, offsets in zip(np.flatnonzero(labelled), features.select(np.flatnonzero(labelled))["offset_mapping"]):
        source = int(sources[row])
        found.add(source)
        context, (start, end) = contexts[source], spans[source]
        if span_text(context, offsets, starts[row], ends[row])[2] != context[start:end]:
            altered.append(ids[source])
    lost = [ids[k] for k, span in enumerate(spans) if span is not None and k not in found]
    return LabelCoverage(
        len(examples), len(features), int(labelled.sum()), sum(s is not None for s in spans), lost, altered
    )
