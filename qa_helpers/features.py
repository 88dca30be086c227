"""Features: every example becomes one or more windows of tokens, with offsets and start/end labels.

The long context slides through windows of ``max_length`` tokens; neighbouring windows share ``stride`` context tokens,
so that an answer cut by one window's edge stands whole in the next (Devlin et al. 2019, "document stride"; note that
``stride`` is the overlap here, as in the tokenizers library, not the step).
"""

import hashlib
import io
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import tokenizers
from datasets import Dataset, Features, List, Value

from .checkpoints import require_offsets
from .data import FEATURES, example_problems, rows_to_dataset
from .engine import windows
from .engine.columns import list_column
from .engine.garbage import without_collection
from .engine.progress_bars import bars_shown, counting, library_bars, track
from .engine.whole_files import explain_full_disk
from .engine.windows import PairLayout, WindowColumns, tokenize, window_edges

FIRST_COMBINING = "\u0300"  # no character before this one combines with the letter before it
_NO_TOKEN = "the context holds no token (only invisible characters?); fill it in or drop it"
_BATCH = 512  # examples tokenized at once: enough for the tokenizer's threads, small enough to keep memory flat


@without_collection()
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
        examples: Dataset or list of rows in the course's schema (see :mod:`qa_helpers.data`).
        tokenizer: a fast tokenizer, as :func:`qa_helpers.load_tokenizer` gives.
        max_length: tokens per window, question and special tokens included.
        stride: context tokens that neighbouring windows share.
        labels: add ``start_positions`` and ``end_positions`` (of the first answer, where there are several).
        num_proc: processes for large datasets; None works in this one (the tokenizer has threads of its own).
        progress: whether long work shows a progress bar; None does in a notebook and on a terminal (see ``bars.py``).

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
    options = {"tokenizer": tokenizer, "max_length": max_length, "stride": stride, "labels": labels}
    fingerprint = features_fingerprint(examples, **options)
    cache = _cache_file(examples, fingerprint)
    several = num_proc is not None  # processes, whose work only the library's own bar can count
    quiet = library_bars(downloads=False, data=several and bars_shown(progress))
    counted = counting("Making features", len(examples), "examples", progress)
    with explain_full_disk(Path(cache or "features")), quiet, counted as done:

        def cut_and_count(batch: dict, indices: list[int], **options) -> pa.Table:
            table = cut_batch(batch, indices, **options)
            done(len(indices))
            return table

        return examples.map(
            cut_batch if several else cut_and_count,
            with_indices=True,
            batched=True,
            batch_size=_BATCH,
            remove_columns=examples.column_names,
            features=_schema(tokenizer, labels),
            num_proc=num_proc,
            fn_kwargs=options,
            new_fingerprint=fingerprint,
            cache_file_name=cache,
            desc="Making features",
        )


def _schema(tokenizer, labels: bool) -> Features:
    schema = {"input_ids": List(Value("int32")), "attention_mask": List(Value("int8"))}
    if "token_type_ids" in tokenizer.model_input_names:
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
    return Features(schema)


def cut_batch(batch: dict, indices: list[int], tokenizer, max_length: int, stride: int, labels: bool) -> pa.Table:
    """The columns that :func:`make_features` makes of a few examples; for those who need them at once.

    Args:
        batch: the examples' columns, as ``examples[:]`` gives them; ``indices``: their places in the dataset.
        tokenizer, max_length, stride, labels: see :func:`make_features`.
    """
    rows = [dict(zip(batch, values)) for values in zip(*batch.values())]
    for row in rows:
        for problem in example_problems(row):
            raise ValueError(problem.message)
    layout = PairLayout.of(tokenizer)
    _check_stride(max_length, stride, layout.special_tokens)
    # Spaces around a question carry no meaning, and leading ones upset the library's own windows in several tokenizers.
    questions = tokenize([row["question"].strip() for row in rows], tokenizer)
    places = {context: k for k, context in enumerate(dict.fromkeys(batch["context"]))}  # many questions share one
    contexts = tokenize(list(places), tokenizer)
    columns = WindowColumns(layout, _schema(tokenizer, labels).arrow_schema)
    sources, starts, ends = [], [], []
    for source, (row, question) in enumerate(zip(rows, questions)):
        context = contexts[places[row["context"]]]
        if not len(context):
            raise ValueError(f"example {row['id']!r}: {_NO_TOKEN}")
        room = max_length - layout.special_tokens - len(question)
        _check_room(f"example {row['id']!r}", len(question), room, max_length, stride)
        answer = _covered(_first_answer(row), context.offsets) if labels else None
        for start, end in window_edges(len(context), room, stride):
            first, cls_index = columns.add(question, context.part(start, end))
            sources.append(source)
            tokens = answer_in_window(context.offsets, (start, end), answer)
            starts.append(tokens[0] - start + first if tokens else cls_index)
            ends.append(tokens[1] - start + first if tokens else cls_index)
    others = {"start_positions": starts, "end_positions": ends} if labels else {}
    return columns.table(
        example_id=[rows[k]["id"] for k in sources], example_index=[indices[k] for k in sources], **others
    )


def features_fingerprint(examples: Dataset, tokenizer, max_length: int, stride: int, labels: bool) -> str:
    """What features depend on, as a short text: the examples' content, the tokenizer, the settings, this code.

    Not the dataset's own fingerprint, which is random for data that was never on disk, and not the tokenizer object's,
    which changes with use.
    """
    digest = hashlib.blake2b(digest_size=16)
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    backend["truncation"] = backend["padding"] = None  # left over from the call before
    settings = [max_length, stride, labels, tokenizer.model_input_names, tokenizer.cls_token_id, tokenizers.__version__]
    digest.update(json.dumps([settings, backend], sort_keys=True).encode())
    for module in (__file__, windows.__file__):
        digest.update(Path(module).read_bytes())
    content = examples.select_columns([name for name in FEATURES if name != "title"]).with_format("arrow")
    with pa.ipc.new_stream(_Digesting(digest), content[:1].schema.remove_metadata()) as stream:
        for table in content.iter(1000):  # always cut alike, so that equal content gives equal bytes
            stream.write_table(table.combine_chunks().replace_schema_metadata())
    return digest.hexdigest()


class _Digesting(io.RawIOBase):
    """A file that only feeds a hash."""

    def __init__(self, digest):
        self.digest = digest

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        self.digest.update(data)
        return len(data)


def _cache_file(examples: Dataset, fingerprint: str) -> str | None:
    """Where features of examples that are on disk are kept; None for examples in memory, whose features stay there, too.

    A file that cannot be read to its end (a disk that was full, a broken copy) is removed, so that it is made anew.
    """
    if not examples.cache_files:
        return None
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "qa_helpers" / "features"
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob(f"{fingerprint}*.arrow"):
        try:
            Dataset.from_file(str(path))
        except (pa.ArrowInvalid, OSError):
            path.unlink(missing_ok=True)
    return str(folder / f"{fingerprint}.arrow")


def check_room(questions: Sequence[str], ids: Sequence[str], tokenizer, max_length: int, stride: int) -> None:
    """Raise a ValueError where a question leaves no room for context, or no more than the stride.

    Room is ``max_length`` minus the question's tokens minus the special tokens. With room ≤ stride windows would not
    advance; the tokenizers library panics there (an exception that ``except Exception`` does not catch).
    """
    special = tokenizer.num_special_tokens_to_add(pair=True)
    _check_stride(max_length, stride, special)
    for name, tokens in zip(ids, tokenize(questions, tokenizer)):
        _check_room(f"example {name!r}", len(tokens), max_length - special - len(tokens), max_length, stride)


def _check_stride(max_length: int, stride: int, special: int) -> None:
    if max_length - special - 1 <= stride:
        raise ValueError(
            f"stride {stride} does not fit max_length {max_length}: at most {max_length - special} tokens are left for "
            f"a question and context, and the context's share must exceed the stride. Lower stride or raise max_length"
        )


def _check_room(name: str, tokens: int, room: int, max_length: int, stride: int) -> None:
    if room <= stride:
        raise ValueError(
            f"{name}: the question has {tokens} tokens, which leaves {room} of "
            f"max_length {max_length} for context, and windows need more than the stride ({stride}). Shorten the question, "
            "raise max_length or lower stride"
        )


def answer_in_window(
    offsets: np.ndarray, context_tokens: tuple[int, int], answer: tuple[int, int] | None
) -> tuple[int, int] | None:
    """The tokens of an answer in one window.

    Args:
        offsets: the window's ``offset_mapping`` (tokens, 2).
        context_tokens: its context tokens [first, last + 1).
        answer: characters [start, end) of the context, or None for no answer.

    Returns:
        (start, end) token indices, end inclusive, or None where the window does not hold the whole answer. Where a
        character is several tokens (an accent, an emoji), its first one stands for it, as in tokenizers' own
        ``char_to_token``.
    """
    if answer is None:
        return None
    first, beyond = context_tokens
    own = np.asarray(offsets)[first:beyond]
    start, end = answer
    if start < own[0, 0] or end > own[-1, 1]:
        return None
    tokens = _tokens_between(own, start, end)
    if tokens is None:
        return None
    last_character = min(own[tokens[1], 1], end) - 1
    last = np.searchsorted(own[:, 1], last_character, side="right")
    return first + tokens[0], first + int(last)


def _tokens_between(offsets: np.ndarray, start: int, end: int) -> tuple[int, int] | None:
    """First and last token that share a character with [start, end); None if there is none (spaces, for most)."""
    first = int(np.searchsorted(offsets[:, 1], start, side="right"))
    last = int(np.searchsorted(offsets[:, 0], end, side="left")) - 1
    while first <= last and offsets[first, 0] == offsets[first, 1]:  # a token without characters
        first += 1
    while first <= last and offsets[last, 0] == offsets[last, 1]:
        last -= 1
    return (first, last) if first <= last else None


def _covered(answer: tuple[int, int] | None, offsets: np.ndarray) -> tuple[int, int] | None:
    """The answer without characters at its edges that no token covers (invisible ones, dropped by BERT)."""
    tokens = answer and _tokens_between(offsets, *answer)
    if not tokens:
        return None
    return max(answer[0], int(offsets[tokens[0], 0])), min(answer[1], int(offsets[tokens[1], 1]))


def _first_answer(row: dict) -> tuple[int, int] | None:
    """Characters [start, end) of the first answer without surrounding white space; None if there is none."""
    answers = row["answers"]
    if not answers["text"]:
        return None
    text, start = answers["text"][0], answers["answer_start"][0]
    start += len(text) - len(text.lstrip())
    return start, start + len(text.strip())


def window_layout(window, cls_token_id: int, name: str) -> tuple[tuple[int, int], int]:
    """Where things stand in one window (``tokenizers.Encoding``): context tokens [first, last + 1), index of [CLS].

    Raises:
        ValueError: the window has no context tokens; ``name`` says whose it is.
    """
    # sequence_ids, not token_type_ids: RoBERTa and DistilBERT have no segments, every fast tokenizer has these.
    sides = window.sequence_ids
    if 1 not in sides:
        raise ValueError(f"{name}: {_NO_TOKEN}")
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
    spans = [_first_answer({"answers": answers}) for answers in examples["answers"][:]]
    contexts, ids = examples["context"][:], examples["id"][:]
    starts, ends = np.array(features["start_positions"][:]), np.array(features["end_positions"][:])
    labelled = starts != np.array(features["cls_index"][:])
    sources = np.array(features["example_index"][:])
    found, altered = set(), []
    rows, offsets = np.flatnonzero(labelled).tolist(), list_column(features, "offset_mapping")
    with track(rows, "Reading labels back", unit="windows") as counted:
        for row in counted:
            source = int(sources[row])
            found.add(source)
            context, (start, end) = contexts[source], spans[source]
            if span_text(context, offsets[row], starts[row], ends[row])[2] != context[start:end]:
                altered.append(ids[source])
    lost = [ids[k] for k, span in enumerate(spans) if span is not None and k not in found]
    return LabelCoverage(
        len(examples), len(features), int(labelled.sum()), sum(s is not None for s in spans), lost, altered
    )
