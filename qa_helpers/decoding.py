"""Decoding: start and end logits → the best spans → answers, exactly, over all windows of an example."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

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
    align_to_words: bool = False,
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
        align_to_words: widen answers to whole words (see :func:`whole_words`), as transformers' pipeline did by default.

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
    offsets = offset_arrays(features)
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
        _predict(ids[k], contexts[k], spans[k], offsets, float(null_scores[k]), n_best, null_threshold, align_to_words)
        for k in range(len(ids))
    ]


def offset_arrays(features: Dataset) -> list[np.ndarray]:
    """The ``offset_mapping`` of every feature as an array (tokens, 2).

    Straight from the table's memory: the library's own conversion makes an object for every token, which took longer
    than all of decoding.
    """
    arrays: list[np.ndarray] = []
    for chunk in features.select_columns(["offset_mapping"]).with_format("arrow")[:]["offset_mapping"].chunks:
        pairs = chunk.flatten().flatten().to_numpy(zero_copy_only=False).reshape(-1, 2)
        arrays += np.split(pairs, np.cumsum(chunk.value_lengths().to_numpy(zero_copy_only=False))[:-1])
    return arrays


def whole_words(context: str, start: int, end: int) -> tuple[int, int]:
    """Characters [start, end) widened so that neither edge lies between two letters or digits.

    A rare name is many tokens, and a span of tokens may end inside it. For languages that put no space between words
    this widens too far.
    """
    while start > 0 and context[start - 1].isalnum() and context[start].isalnum():
        start -= 1
    while end < len(context) and context[end - 1].isalnum() and context[end].isalnum():
        end += 1
    return start, end


def _predict(example_id, context, spans, offsets, null_score, n_best, null_threshold, align_to_words) -> Prediction:
    if not spans:
        raise ValueError(f"example {example_id!r} has no features: decode all features of the examples together")
    spans.sort(key=lambda span: (-span[0], span[1:]))
    found: dict[tuple[int, int], tuple[float, str]] = {}
    for score, feature, start, end in spans:
        a, b, text = span_text(context, offsets[feature], start, end)
        if text and align_to_words:
            a, b = whole_words(context, a, b)
            text = context[a:b]
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
    answered = Prediction(
        example_id, best.text, best.start, best.end, best.score, best.probability, null_score, candidates
    )
    return _decide(answered, null_threshold)


def apply_threshold(predictions: Sequence[Prediction], null_threshold: float | None) -> list[Prediction]:
    """Decide anew between the best span and "no answer", without decoding again.

    Args:
        predictions: what :func:`decode_answers` returned, at any threshold.
        null_threshold: as there: None always answers; a number says "no answer" where ``null_score - score`` exceeds it
            (infinity always answers, minus infinity never).

    Returns:
        What ``decode_answers`` would return at that threshold.

    Raises:
        ValueError: a prediction has no n-best to take the span from.
    """
    return [_decide(prediction, null_threshold) for prediction in predictions]


def _decide(prediction: Prediction, null_threshold: float | None) -> Prediction:
    if not prediction.n_best:
        raise ValueError(
            f"the prediction of example {prediction.example_id!r} has no n-best; decode it with decode_answers"
        )
    if null_threshold is not None and prediction.score_difference > null_threshold:
        return replace(prediction, text="", start=0, end=0)
    best = prediction.n_best[0]
    return replace(prediction, text=best.text, start=best.start, end=best.end)
