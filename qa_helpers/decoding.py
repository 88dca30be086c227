"""Decoding: start and end logits → the best spans → answers, exactly, over all windows of an example."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from datasets import Dataset

from .features import span_text


@dataclass(frozen=True)
class Candidate:
    """One possible answer: characters [start, end) of the context, ``score`` = start logit + end logit.

    ``probability`` is the softmax of the scores over the candidates kept (n-best), as in the SQuAD baselines.
    """

    text: str
    start: int
    end: int
    score: float
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The answer to one example.

    Attributes:
        example_id: the example's id.
        text: the answer, "" where it is "no answer".
        start, end: its characters [start, end) in the context; 0, 0 where there is none.
        score: start logit + end logit of the best span.
        probability: the best span's share among the n-best.
        null_score: logits of "no answer": start + end at [CLS], the *minimum* over the example's windows. A window that
            does not hold the answer rightly says "not here"; only when every window says so is there no answer.
        n_best: the best spans, best first.
    """

    example_id: str
    text: str
    start: int
    end: int
    score: float
    probability: float
    null_score: float
    n_best: list[Candidate] = field(default_factory=list, repr=False)

    @property
    def score_difference(self) -> float:
        """``null_score - score``: how much better "no answer" is than the best span."""
        return self.null_score - self.score


def best_spans(
    start_logits: np.ndarray,
    end_logits: np.ndarray,
    context_tokens: tuple[int, int],
    n_best: int,
    max_answer_length: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The ``n_best`` highest start + end logits over all valid spans of one window: exact, not a search over few.

    Valid is: inside the context, start ≤ end, at most ``max_answer_length`` tokens. All of them form a band along the
    diagonal of the (start, end) square, here an array of (tokens, max_answer_length).

    Args:
        start_logits, end_logits: (tokens,).
        context_tokens: [first, last + 1).

    Returns:
        (starts, ends, scores), best first; ends inclusive; ties by earlier start, then shorter span.
    """
    first, beyond = context_tokens
    starts = start_logits[first:beyond].astype(np.float64)
    ends = end_logits[first:beyond].astype(np.float64)
    width = min(max_answer_length, len(starts))
    padded = np.concatenate([ends, np.full(width - 1, -np.inf)])
    band = starts[:, None] + np.lib.stride_tricks.sliding_window_view(padded, width)
    flat = band.ravel()
    count = min(n_best, int(np.isfinite(flat).sum()))
    if count < len(flat):
        # Everything at least as good as the count-th score, so that ties are settled by position, not by chance.
        cut = np.partition(flat, len(flat) - count)[len(flat) - count]
        kept = np.flatnonzero(flat >= cut)
    else:
        kept = np.arange(len(flat))
    kept = kept[np.argsort(-flat[kept], kind="stable")][:count]
    rows, lengths = np.divmod(kept, width)
    return rows + first, rows + lengths + first, flat[kept]


def decode_answers(
    examples: Dataset | Sequence[dict],
    features: Dataset,
    start_logits: Sequence[np.ndarray],
    end_logits: Sequence[np.ndarray],
    n_best: int = 20,
    max_answer_length: int = 30,
    null_threshold: float | None = None,
) -> list[Prediction]:
    """Turn logits into one answer per example: the best valid span of all its windows.

    Args:
        examples: the rows that ``features`` were made from, in the same order.
        features: what :func:`qa_helpers.make_features` returned (labels are not used).
        start_logits, end_logits: per feature (tokens,); padded rows (features, sequence) are cut to the window.
        n_best: candidates kept for each example.
        max_answer_length: the longest answer, in tokens.
        null_threshold: None always answers; a number says "no answer" where ``null_score - score`` exceeds it
            (SQuAD 2.0; 0 is neutral, the best value is tuned on validation data).

    Returns:
        One :class:`Prediction` per example, in order.

    Raises:
        ValueError: numbers of features and logits differ, logits are not finite, or an example has no feature.
    """
    if n_best < 1 or max_answer_length < 1:
        raise ValueError(f"n_best and max_answer_length start at 1, got {n_best} and {max_answer_length}")
    if not len(features) == len(start_logits) == len(end_logits):
        raise ValueError(
            f"{len(features)} features, but {len(start_logits)} start and {len(end_logits)} end logits: "
            "were they predicted from these features?"
        )
    contexts = list(examples["context"]) if isinstance(examples, Dataset) else [e["context"] for e in examples]
    ids = list(examples["id"]) if isinstance(examples, Dataset) else [e["id"] for e in examples]
    spans: list[list] = [[] for _ in ids]  # (score, feature, start token, end token)
    null_scores = np.full(len(ids), np.inf)
    columns = features.select_columns(["context_tokens", "cls_index", "example_index", "example_id"])[:]
    offsets = features.with_format("numpy")["offset_mapping"][:]
    rows = zip(columns["context_tokens"], columns["cls_index"], columns["example_index"], columns["example_id"])
    for feature, (context_tokens, cls_index, example, example_id) in enumerate(rows):
        if example >= len(ids) or ids[example] != example_id:
            raise ValueError(
                f"feature {feature} was made from example {example_id!r}, which is not example {example} of those given: "
                "decode with the examples that the features were made from, in the same order"
            )
        starts, ends = np.asarray(start_logits[feature]), np.asarray(end_logits[feature])
        if len(starts) < context_tokens[1] or len(ends) < context_tokens[1]:
            raise ValueError(f"feature {feature}: {len(starts)} logits for a window of {context_tokens[1] + 1} tokens")
        if not (np.isfinite(starts).all() and np.isfinite(ends).all()):
            raise ValueError(
                f"feature {feature} (example {example_id!r}): logits are not finite; did training diverge?"
            )
        null_scores[example] = min(null_scores[example], float(starts[cls_index]) + float(ends[cls_index]))
        for start, end, score in zip(*best_spans(starts, ends, context_tokens, n_best, max_answer_length)):
            spans[example].append((float(score), feature, int(start), int(end)))
    return [
        _predict(ids[k], contexts[k], spans[k], offsets, float(null_scores[k]), n_best, null_threshold)
        for k in range(len(ids))
    ]


def _predict(example_id, context, spans, offsets, null_score, n_best, null_threshold) -> Prediction:
    if not spans:
        raise ValueError(f"example {example_id!r} has no features: decode all features of the examples together")
    spans.sort(key=lambda span: (-span[0], span[1:]))
    found: dict[tuple[int, int], tuple[float, str]] = {}
    for score, feature, start, end in spans:
        a, b, text = span_text(context, offsets[feature], start, end)
        if text:  # neighbouring windows share tokens: the same characters count once, with their best score
            found.setdefault((a, b), (score, text))
        if len(found) == n_best:
            break
    if not found:
        raise ValueError(f"example {example_id!r}: no span holds any text; is its context empty?")
    scores = np.array([score for score, _ in found.values()])
    weights = np.exp(scores - scores.max())
    candidates = [
        Candidate(text, a, b, score, float(weight))
        for ((a, b), (score, text)), weight in zip(found.items(), weights / weights.sum())
    ]
    best = candidates[0]
    if null_threshold is not None and null_score - best.score > null_threshold:
        return Prediction(example_id, "", 0, 0, best.score, best.probability, null_score, candidates)
    return Prediction(example_id, best.text, best.start, best.end, best.score, best.probability, null_score, candidates)
