"""Windows of question and context: every text is tokenized once, and its windows are slices of the result.

The tokenizers library cuts windows itself (``truncation="only_second"`` with ``return_overflowing_tokens``, as lesson 03
shows). What it gives for a pair is the tokens of each text with special tokens around them, so the same windows can be
put together from texts tokenized alone, which pays where many questions share a context, as in SQuAD. A test holds
both ways equal for every family.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

_PARTS = ("before", "question", "between", "context", "after")


@dataclass(frozen=True)
class Tokens:
    """A text's tokens, without special tokens: ``ids`` (tokens,) and ``offsets`` (tokens, 2), characters [start, end)."""

    ids: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, start: int, end: int) -> "Tokens":
        """Tokens [start, end)."""
        return Tokens(self.ids[start:end], self.offsets[start:end])


def tokenize(texts: Sequence[str], tokenizer) -> list[Tokens]:
    """Tokenize texts by themselves: no special tokens, nothing cut off."""
    encoded = tokenizer(
        list(texts),
        add_special_tokens=False,
        split_special_tokens=True,
        truncation=False,
        padding=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,  # long texts are meant to be long here: they are cut into windows
    )
    return [
        Tokens(np.array(e.ids, dtype=np.int32), np.array(e.offsets, dtype=np.int32).reshape(-1, 2))
        for e in encoded.encodings
    ]


@dataclass(frozen=True)
class PairLayout:
    """What a tokenizer puts around a question and a context.

    Attributes:
        before, between, after: the special tokens in front of the question, between it and the context, and behind.
        segments: (5,) token type of each part: before, question, between, context, after.
        cls: where [CLS] stands: the name of the part and the index in it.
    """

    before: Tokens
    between: Tokens
    after: Tokens
    segments: np.ndarray
    cls: tuple[str, int]

    @classmethod
    def of(cls, tokenizer) -> "PairLayout":
        """Read the layout off an encoded pair.

        Raises:
            ValueError: the tokenizer puts the context first, or no [CLS] around a pair.
        """
        pair = tokenizer("a", "a", split_special_tokens=True).encodings[0]
        sides = pair.sequence_ids  # not token_type_ids: RoBERTa and DistilBERT have no segments
        question, context = sides.index(0), sides.index(1)
        if question > context:
            raise ValueError(f"{type(tokenizer).__name__} puts the second text first; the question has to come first")
        edges = [0, question, question + sides.count(0), context, context + sides.count(1), len(sides)]
        bounds = dict(zip(_PARTS, zip(edges, edges[1:])))
        specials = {}
        cls_at = None
        for part in ("before", "between", "after"):
            start, end = bounds[part]
            ids = np.array(pair.ids[start:end], dtype=np.int32)
            specials[part] = Tokens(ids, np.zeros((len(ids), 2), dtype=np.int32))
            # The special token, not a "[CLS]" in the text; not always index 0: some families put it last.
            if cls_at is None and tokenizer.cls_token_id in ids:
                cls_at = part, int(np.flatnonzero(ids == tokenizer.cls_token_id)[0])
        if cls_at is None:
            raise ValueError(
                f"{type(tokenizer).__name__} puts no [CLS] around a pair to label unanswerable windows with"
            )
        kinds = [pair.type_ids[start] if end > start else 0 for start, end in bounds.values()]
        return cls(**specials, segments=np.array(kinds, dtype=np.int8), cls=cls_at)

    @property
    def special_tokens(self) -> int:
        """How many special tokens every window has."""
        return len(self.before) + len(self.between) + len(self.after)

    def cls_index(self, question_tokens: int, context_tokens: int) -> int:
        """Where [CLS] stands in a window with so many tokens of question and context."""
        part, index = self.cls
        ahead = {
            "before": 0,
            "between": len(self.before) + question_tokens,
            "after": len(self.before) + question_tokens + len(self.between) + context_tokens,
        }
        return ahead[part] + index


def window_edges(tokens: int, room: int, stride: int) -> Iterator[tuple[int, int]]:
    """Context tokens [start, end) of every window: each moves on by ``room - stride``, the last ends with the context."""
    start = 0
    while True:
        yield start, min(start + room, tokens)
        if start + room >= tokens:
            return
        start += room - stride


class WindowColumns:
    """Collects windows and hands them on as columns, without a Python object per token.

    Args:
        layout: the tokenizer's.
        schema: of the table: ``input_ids``, ``attention_mask``, ``offset_mapping``, ``context_tokens``, ``cls_index``
            and, optionally, ``token_type_ids``; further columns are given to :meth:`table`.
    """

    def __init__(self, layout: PairLayout, schema: pa.Schema):
        self.layout, self.schema = layout, schema
        self.parts: list[Tokens] = []
        self.sizes: list[int] = []  # of the parts, five for each window
        self.context_tokens: list[tuple[int, int]] = []
        self.cls: list[int] = []

    def add(self, question: Tokens, context: Tokens) -> tuple[int, int]:
        """Add the window of a question and (a part of) a context; returns (first context token, index of [CLS])."""
        parts = (self.layout.before, question, self.layout.between, context, self.layout.after)
        self.parts += parts
        self.sizes += map(len, parts)
        first = sum(self.sizes[-5:-2])
        cls_index = self.layout.cls_index(len(question), len(context))
        self.context_tokens.append((first, first + len(context)))
        self.cls.append(cls_index)
        return first, cls_index

    def table(self, **others: Sequence) -> pa.Table:
        """All windows as a table of ``schema``; ``others`` are its further columns, a value per window."""
        sizes = np.array(self.sizes, dtype=np.int64).reshape(-1, 5)
        lengths = sizes.sum(axis=1)
        borders = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
        flat = {
            "input_ids": np.concatenate([part.ids for part in self.parts]),
            "attention_mask": np.ones(lengths.sum(), dtype=np.int8),
            "token_type_ids": np.repeat(np.tile(self.layout.segments, len(sizes)), sizes.ravel()),
            "offset_mapping": np.concatenate([part.offsets for part in self.parts]),
        }
        columns = {"context_tokens": self.context_tokens, "cls_index": self.cls, **others}
        arrays = []
        for field in self.schema:
            if field.name in flat:
                values = pa.array(flat[field.name].ravel())
                if field.name == "offset_mapping":
                    values = pa.FixedSizeListArray.from_arrays(values, type=field.type.value_type)
                arrays.append(pa.ListArray.from_arrays(borders, values, type=field.type))
            else:
                arrays.append(pa.array(columns[field.name], type=field.type))
        return pa.Table.from_arrays(arrays, schema=self.schema)
