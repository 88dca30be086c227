"""Decoding: start and end logits → the best spans → answers, by an exact search over all windows of an example."""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from datasets import Dataset

from .engine.columns import list_column
from .features import span_text


class Candidate(NamedTuple):
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
        text: the answer, "" for "no answer".
        start, end: its characters [start, end) in the context; 0, 0 if there is no answer.
        score, probability: start logit + end logit of the best span, and its share among the n-best.
        null_score: score of "no answer": start logit + end logit at [CLS], the *minimum* over the example's windows. A
            window without the answer is right to say "not here"; there is no answer only if every window says so.
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


def best_spans(starts, ends, context: tuple[int, int], n_best: int = 20, longest: int = 30):
    """The ``n_best`` best valid spans of a window, found by a search over all valid spans.

    A span is valid if it lies in the context, ends no earlier than it starts and has at most ``longest`` tokens. In
    the matrix of all starts and ends, the valid spans form a band along the diagonal; here the band is stored as a
    rectangle, with a row for each start and a column for each length.

    Args:
        starts, ends: logits (tokens,).
        context: the context's tokens [first, last + 1).

    Returns:
        (scores, starts, ends), best first; ends inclusive; ties go to the earlier start, then to the shorter span.

    Raises:
        ValueError: a logit is not a finite number.
    """
    if not (np.isfinite(starts).all() and np.isfinite(ends).all()):
        raise ValueError("logits are not finite; did training diverge?")
    first, beyond = context
    places, lengths = np.arange(beyond - first), np.arange(longest)
    starts = starts[first:beyond].astype(float)
    ends = np.append(ends[first:beyond].astype(float), np.full(longest - 1, -np.inf))
    band = starts[:, None] + ends[places[:, None] + lengths]
    rows = places_of_highest(band.max(axis=1), n_best)  # no other row can hold one of the best
    scores = band[rows].ravel()
    best = places_of_highest(scores, n_best)
    best = best[np.argsort(-scores[best], kind="stable")][:n_best]
    best = best[np.isfinite(scores[best])]
    row, length = np.divmod(best, longest)
    return scores[best], first + rows[row], first + rows[row] + length


def places_of_highest(values: np.ndarray, count: int) -> np.ndarray:
    """Indices of the ``count`` highest values, in ascending order, and of all that tie with the lowest of them."""
    if count >= len(values):
        return np.arange(len(values))
    return np.flatnonzero(values >= np.partition(values, -count)[-count])


def spans_of_window(
    context: str, offsets, starts, ends, context_tokens: tuple[int, int], n_best: int, longest: int, align: bool
) -> list[tuple[float, int, int, str]]:
    """The ``n_best`` best spans of one window as (score, start, end, text), best first: those of :func:`best_spans`, in
    characters [start, end) of the context. Spans of white space only are skipped.

    Args:
        offsets: the window's ``offset_mapping`` (tokens, 2).
        align: widen to whole words (see :func:`whole_words`).
    """
    offsets, wanted = np.asarray(offsets).tolist(), n_best
    while True:
        best = best_spans(starts, ends, context_tokens, wanted, longest)
        spans = []
        for score, first, last in zip(*(column.tolist() for column in best)):
            start, end, text = span_text(context, offsets, first, last)
            if align and text:
                start, end = whole_words(context, start, end)
                text = context[start:end]
            if text:
                spans.append((score, start, end, text))
        if len(spans) >= n_best or len(best[0]) < wanted:
            return spans[:n_best]
        wanted *= 2  # blank spans took places among the best: take more


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
    """Turn logits into one answer per example, in order: the best valid span of all its windows.

    Args:
        examples: the rows that ``features`` were made from, in the same order.
        features: what :func:`qa_helpers.make_features` returned (labels are not used).
        start_logits, end_logits: per feature (tokens,); rows padded on the right (features, sequence) will do, too.
        n_best, max_answer_length: candidates kept for each example, and the longest one in tokens.
        null_threshold: None always answers; with a number, the answer is "no answer" if ``null_score - score`` exceeds
            it (SQuAD 2.0; 0 is neutral, the best value is tuned on validation data).
        align_to_words: widen answers to whole words (see :func:`whole_words`), as transformers' pipeline did by default.

    Raises:
        ValueError: numbers of features and logits differ, logits are not finite, or an example has no feature.
    """
    if n_best < 1 or max_answer_length < 1:
        raise ValueError(f"n_best and max_answer_length must be at least 1, got {n_best} and {max_answer_length}")
    if not len(features) == len(start_logits) == len(end_logits):
        raise ValueError(
            f"{len(features)} features, but {len(start_logits)} start and {len(end_logits)} end logits: "
            "were they predicted from these features?"
        )
    rows = examples if isinstance(examples, Dataset) else {n: [row[n] for row in examples] for n in ("id", "context")}
    ids, contexts = rows["id"][:], rows["context"][:]
    columns = features.select_columns(["context_tokens", "cls_index", "example_index", "example_id"])[:]
    offsets = list_column(features, "offset_mapping")
    windows_of: list[list[int]] = [[] for _ in ids]
    for window, example in enumerate(columns["example_index"]):
        _check_window(window, columns, ids, start_logits[window], end_logits[window])
        windows_of[example].append(window)
    predictions = []
    for example_id, context, windows in zip(ids, contexts, windows_of):
        if not windows:
            raise ValueError(f"example {example_id!r} has no features: decode all features of the examples together")
        spans, null_scores = [], []
        for window in windows:
            starts, ends, cls_index = start_logits[window], end_logits[window], columns["cls_index"][window]
            limits = columns["context_tokens"][window], n_best, max_answer_length, align_to_words
            try:
                spans += spans_of_window(context, offsets[window], starts, ends, *limits)
            except ValueError as error:  # logits that are not finite
                raise ValueError(f"feature {window} (example {example_id!r}): {error}") from None
            null_scores.append(float(starts[cls_index]) + float(ends[cls_index]))
        predictions.append(_predict(example_id, spans, n_best, min(null_scores), null_threshold))
    return predictions


def _check_window(window: int, columns: dict, ids: list[str], starts: np.ndarray, ends: np.ndarray) -> None:
    """Raise a ValueError if a window comes from other examples, or has too few logits."""
    example, example_id = columns["example_index"][window], columns["example_id"][window]
    if example >= len(ids) or ids[example] != example_id:
        raise ValueError(
            f"feature {window} was made from example {example_id!r}, which is not example {example} of those given: "
            "decode with the examples that the features were made from, in the same order"
        )
    beyond, fewest = columns["context_tokens"][window][1], min(len(starts), len(ends))
    if fewest < beyond:
        raise ValueError(f"feature {window}: {fewest} logits for a window of {beyond + 1} tokens")


def _predict(example_id: str, spans: list, n_best: int, null_score: float, null_threshold: float | None) -> Prediction:
    """The answer to one example from the spans of all its windows, (score, start, end, text)."""
    best: dict[tuple[int, int], tuple] = {}
    for span in sorted(spans, key=itemgetter(0), reverse=True):  # stable: ties keep the order of the windows
        best.setdefault(span[1:3], span)  # windows overlap: a span found twice keeps its best score
        if len(best) == n_best:
            break
    if not best:
        raise ValueError(f"example {example_id!r}: no span holds any text; is its context empty?")
    kept = list(best.values())
    weights = [math.exp(score - kept[0][0]) for score, *_ in kept]
    total = sum(weights)
    n_best = [Candidate(text, a, b, score, weight / total) for (score, a, b, text), weight in zip(kept, weights)]
    answered = Prediction(example_id, *n_best[0], null_score, n_best)
    return answered if null_threshold is None else _decide(answered, null_threshold)


def inside_word(context: str, k: int) -> bool:
    """Whether character ``k`` belongs to the same word as the character before it.

    A word is a run of letters, digits and the marks on them (Unicode's categories L, N and M, and the two joiners that
    Persian and Indic scripts write inside words).
    """
    around = context[k - 1 : k + 1]
    joined = all(unicodedata.category(c)[0] in "LNM" or c in "\u200c\u200d" for c in around)
    return 0 < k < len(context) and joined


def whole_words(context: str, start: int, end: int) -> tuple[int, int]:
    """Characters [start, end) widened so that neither edge is inside a word.

    A rare name consists of many tokens, and a span of tokens may end inside it. In languages without spaces between
    words, this widens too far.
    """
    while inside_word(context, start):
        start -= 1
    while inside_word(context, end):
        end += 1
    return start, end


def apply_threshold(predictions: Sequence[Prediction], null_threshold: float | None) -> list[Prediction]:
    """What :func:`decode_answers` would return at another threshold, without decoding again.

    Args:
        predictions: what it returned, at any threshold.
        null_threshold: as there; infinity always answers, minus infinity never.

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
