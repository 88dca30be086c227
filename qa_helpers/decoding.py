"""Decoding: start and end logits → the best spans → answers, exactly, over all windows of an example."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, repeat
from typing import NamedTuple

import numpy as np
from datasets import Dataset

from .engine.columns import list_column
from .engine.garbage import without_collection
from .features import FIRST_COMBINING, span_text


class Candidate(NamedTuple):  # twenty are made for every example: a dataclass takes four times as long
    """One possible answer: characters [start, end) of the context, ``score`` = start logit + end logit.

    ``probability`` is the softmax of the scores over the candidates kept (n-best), as in the SQuAD baselines.
    """

    text: str
    start: int
    end: int
    score: float
    probability: float


_candidate = partial(tuple.__new__, Candidate)  # Candidate._make, which is half as quick


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
    diagonal of the (start, end) square.

    Args:
        start_logits, end_logits: (tokens,).
        context_tokens: [first, last + 1).

    Returns:
        (starts, ends, scores), best first; ends inclusive; ties by earlier start, then shorter span.
    """
    starts, ends, scores = best_spans_of_windows(
        [start_logits], [end_logits], [context_tokens], n_best, max_answer_length
    )
    valid = np.isfinite(scores[0])
    return starts[0][valid], ends[0][valid], scores[0][valid]


def best_spans_of_windows(
    start_logits: Sequence[np.ndarray],
    end_logits: Sequence[np.ndarray],
    context_tokens: Sequence[tuple[int, int]],
    n_best: int,
    max_answer_length: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """:func:`best_spans` of several windows at once.

    The best span that begins at a token ends at the best of the next ``max_answer_length`` tokens. Any of the ``n_best``
    spans begins at one of the ``n_best`` tokens that are best in this way, so only their rows of the band are searched.

    Returns:
        (starts, ends, scores): each (windows, at most n_best); a window with fewer valid spans has scores of minus
        infinity at the end of its row.
    """
    tokens = max(beyond - first for first, beyond in context_tokens)
    width = min(max_answer_length, tokens)
    # Beyond a window's context, and beyond the longest context, every logit is minus infinity.
    starts = np.full((len(context_tokens), tokens), -np.inf)
    ends = np.full((len(context_tokens), tokens + width - 1), -np.inf)
    for k, (first, beyond) in enumerate(context_tokens):
        starts[k, : beyond - first] = start_logits[k][first:beyond]
        ends[k, : beyond - first] = end_logits[k][first:beyond]
    rows = _highest(starts + _highest_ahead(ends, width)[:, :tokens], n_best)
    each = np.arange(len(context_tokens))[:, None]
    ahead = np.lib.stride_tricks.sliding_window_view(ends, width, axis=1)  # (windows, tokens, width), nothing copied
    band = starts[each, rows][:, :, None] + ahead[each, rows]
    flat = band.reshape(len(context_tokens), -1)
    spans = _highest(flat, n_best)  # by start, then length
    scores = flat[each, spans]
    best_first = np.argsort(-scores, axis=1, kind="stable")
    spans, scores = spans[each, best_first], scores[each, best_first]
    places, lengths = np.divmod(spans, width)
    starts = rows[each, places] + np.array([first for first, _ in context_tokens])[:, None]
    return starts, starts + lengths, scores


def _highest_ahead(values: np.ndarray, width: int) -> np.ndarray:
    """At each place of every row, the highest of the ``width`` values that begin there (fewer at the end of the row)."""
    highest, seen = values.copy(), 1
    while seen < width:
        step = min(seen, width - seen)
        highest[:, :-step] = np.maximum(highest[:, :-step], highest[:, step:])
        seen += step
    return highest


def _highest(values: np.ndarray, count: int) -> np.ndarray:
    """Places of the ``count`` highest values of each row, in order of place; of equal values the first ones."""
    count = min(count, values.shape[1])
    cut = np.partition(values, -count, axis=1)[:, -count, None]
    chosen = values >= cut
    too_many = chosen.sum(axis=1) > count
    if too_many.any():  # several values equal the lowest that is wanted: only the first of them
        above = values > cut
        equal = chosen & ~above
        chosen = above | (equal & (equal.cumsum(axis=1) <= count - above.sum(axis=1, keepdims=True)))
    return np.nonzero(chosen)[1].reshape(len(values), count)


@without_collection()
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
    if isinstance(examples, Dataset):
        given = examples.with_format("arrow", columns=["context", "id"])[:].to_pydict()
    else:
        given = {name: [row[name] for row in examples] for name in ("context", "id")}
    contexts, ids = given["context"], given["id"]
    names = ["context_tokens", "cls_index", "example_index", "example_id"]
    table = features.with_format("arrow", columns=names)[:]
    columns, offsets = table.to_pydict(), list_column(features, "offset_mapping")
    logits = start_logits, end_logits
    spans: list[list] = [[] for _ in ids]
    null_scores = [np.inf] * len(ids)
    for batch in _by_length(columns["context_tokens"]):
        _check_features(batch, columns, ids, logits)
        for feature, own in zip(batch, _spans(batch, columns, logits, offsets, n_best, max_answer_length)):
            example, cls = columns["example_index"][feature], columns["cls_index"][feature]
            null_score = float(start_logits[feature][cls]) + float(end_logits[feature][cls])
            null_scores[example] = min(null_scores[example], null_score)
            spans[example].append(own)
    predictions = []
    for k, example_id in enumerate(ids):
        if not spans[k]:
            raise ValueError(f"example {example_id!r} has no features: decode all features of the examples together")
        texts, scores, blank = _distinct(contexts[k], spans[k], offsets, n_best, align_to_words)
        count = n_best
        while blank and len(texts) < n_best:  # spans of white space took the places of answers: look further down
            count *= 2
            windows = sorted(own.window for own in spans[k])
            more = _spans(windows, columns, logits, offsets, count, max_answer_length)
            if [len(own.starts) for own in more] == [len(own.starts) for own in spans[k]]:
                break
            spans[k] = more
            texts, scores, blank = _distinct(contexts[k], more, offsets, n_best, align_to_words)
        predictions.append(_predict(example_id, texts, scores, null_scores[k], null_threshold))
    return predictions


class _Spans(NamedTuple):
    """The best spans of one window, best first: a list of numbers for each of their properties."""

    window: int
    minus_scores: list[float]
    starts: list[int]
    ends: list[int]  # of tokens, inclusive
    first_characters: list[int]
    beyond_characters: list[int]

    def rows(self):
        return zip(self.minus_scores, repeat(self.window), *self[2:])


def _spans(
    windows: Sequence[int], columns: dict, logits, offsets: Sequence[np.ndarray], count: int, longest: int
) -> list[_Spans]:
    chosen = [[values[window] for window in windows] for values in (*logits, columns["context_tokens"])]
    starts, ends, scores = best_spans_of_windows(*chosen, count, longest)
    all_valid = np.isfinite(scores).all()
    spans = []
    for window, *tokens, minus_scores in zip(windows, starts, ends, (-scores).tolist()):
        if not all_valid:
            minus_scores = [score for score in minus_scores if score < np.inf]  # the others stand at the end
        first, last = (positions[: len(minus_scores)] for positions in tokens)
        own = offsets[window]
        characters = own[first, 0].tolist(), own[last, 1].tolist()
        spans.append(_Spans(window, minus_scores, first.tolist(), last.tolist(), *characters))
    return spans


def _by_length(context_tokens: Sequence[tuple[int, int]], size: int = 64) -> list[list[int]]:
    """Features in batches of similar length, so that little of a batch is padding."""
    order = sorted(range(len(context_tokens)), key=lambda k: context_tokens[k][1] - context_tokens[k][0])
    return [order[k : k + size] for k in range(0, len(order), size)]


def _check_features(batch: Sequence[int], columns: dict, ids: list[str], logits) -> None:
    """Raise a ValueError if a feature is of other examples, or its logits are too few or not finite."""
    finite = all(np.isfinite(np.concatenate([values[feature] for feature in batch])).all() for values in logits)
    for feature in batch:
        example, example_id = columns["example_index"][feature], columns["example_id"][feature]
        if example >= len(ids) or ids[example] != example_id:
            raise ValueError(
                f"feature {feature} was made from example {example_id!r}, which is not example {example} of those given: "
                "decode with the examples that the features were made from, in the same order"
            )
        beyond = columns["context_tokens"][feature][1]
        for values in logits:
            if len(values[feature]) < beyond:
                raise ValueError(
                    f"feature {feature}: {len(values[feature])} logits for a window of {beyond + 1} tokens"
                )
            if not (finite or np.isfinite(values[feature]).all()):
                raise ValueError(
                    f"feature {feature} (example {example_id!r}): logits are not finite; did training diverge?"
                )


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


def _distinct(
    context: str, spans: Sequence[_Spans], offsets: Sequence[np.ndarray], n_best: int, align_to_words: bool
) -> tuple[dict[tuple[int, int], str], list[float], bool]:
    """The ``n_best`` best spans that hold text: characters → text, the scores, and whether some held none."""
    rows = spans[0].rows()
    if len(spans) > 1:  # best first; ties by window, then start, then end
        rows = sorted(chain.from_iterable(own.rows() for own in spans))
    texts: dict[tuple[int, int], str] = {}
    scores = []
    blank = False
    nothing_combines = context.isascii()
    for minus_score, window, start, end, a, b in rows:
        text = context[a:b]  # as span_text has it, for all but a few spans
        if not text or text.strip() != text or not (nothing_combines or context[b : b + 1] < FIRST_COMBINING):
            a, b, text = span_text(context, offsets[window], start, end)
        if align_to_words and text:
            a, b = whole_words(context, a, b)
            text = context[a:b]
        if not text:
            blank = True
        elif (characters := (a, b)) not in texts:  # windows share tokens: the same characters count where they are best
            texts[characters] = text
            scores.append(-minus_score)
            if len(texts) == n_best:
                break
    return texts, scores, blank


def _predict(
    example_id: str, texts: dict, scores: list[float], null_score: float, null_threshold: float | None
) -> Prediction:
    if not texts:
        raise ValueError(f"example {example_id!r}: no span holds any text; is its context empty?")
    weights = [math.exp(score - scores[0]) for score in scores]
    total = sum(weights)
    starts, ends = zip(*texts)
    probabilities = [weight / total for weight in weights]
    n_best = list(map(_candidate, zip(texts.values(), starts, ends, scores, probabilities)))
    answered = Prediction(example_id, *n_best[0], null_score, n_best)
    return answered if null_threshold is None else _decide(answered, null_threshold)


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
