"""Interpreting a score: how certain it is, what and where the errors are, and whether the model's probabilities can be
trusted."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from datasets import Dataset

from .decoding import Prediction
from .engine.columns import list_column
from .metrics import Scores, normalize_answer, score

QUESTION_WORDS = ("who", "whose", "whom", "what", "which", "when", "where", "why", "how")
_MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
# A year is a number of four digits without a unit after it.
_DATE = re.compile(rf"\b({_MONTH})\b|\b(1\d|20)\d\d(s\b|\b(?! ?[a-z%]))")
_COUNTED = re.compile(
    r"(about |some |nearly )?(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(thir|four|fif|six|seven|eigh|"
    r"nine)teen|(twen|thir|for|fif|six|seven|eigh|nine)ty|hundred|thousand|million|a dozen|half)\b",
    re.IGNORECASE,
)

ERROR_CLASSES = {
    "right": "equal to an acceptable answer",
    "lost": "no window holds an acceptable answer whole",
    "boundary": "overlaps the answer, on whose text the annotators agree",
    "disagreement": "overlaps an answer, but the annotators chose different texts",
    "same kind": "somewhere else, and of the same kind as the answer",
    "other kind": "somewhere else, and of another kind",
    "missed": "'no answer' to a question that has one",
    "invented": "an answer to a question that has none",
}


def bootstrap_means(
    values: Sequence[float], samples: int = 2000, seed: int = 0, groups: Sequence | None = None
) -> np.ndarray:
    """Means of samples drawn with replacement from the values: how the mean would vary with others (Efron 1979).

    Args:
        values: (examples,), e.g. ``scores.per_example["f1"]``; for two systems, the difference example by example.
        samples: how many samples to draw, each as large as the whole.
        groups: (examples,) labels; whole groups are drawn instead of examples. Questions about one context tend to
            be right or wrong together, so drawing contexts gives a more honest (wider) spread.

    Returns:
        (samples,) means.

    Raises:
        ValueError: no values, or groups of another length.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) == 0:
        raise ValueError("there are no values to draw from")
    if groups is None:
        sums, counts = values, np.ones(len(values))
    else:
        if len(groups) != len(values):
            raise ValueError(f"{len(groups)} groups for {len(values)} values; each value needs the label of its group")
        _, member = np.unique(np.asarray(groups), return_inverse=True)
        sums, counts = np.bincount(member, weights=values), np.bincount(member)
    rng = np.random.default_rng(seed)
    means = np.empty(samples)
    for k in range(samples):
        drawn = rng.integers(len(sums), size=len(sums))
        means[k] = sums[drawn].sum() / counts[drawn].sum()
    return means


def bootstrap_interval(
    values: Sequence[float],
    confidence: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
    groups: Sequence | None = None,
) -> tuple[float, float]:
    """The interval (low, high) that holds the middle ``confidence`` (between 0 and 1) of :func:`bootstrap_means`, in
    the unit of the values: the "percentile" interval."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    tail = (1 - confidence) / 2
    low, high = np.quantile(bootstrap_means(values, samples, seed, groups), [tail, 1 - tail])
    return float(low), float(high)


def score_by(scores: Scores, groups: Sequence):
    """Scores of groups of examples, each with its number of examples and its uncertainty.

    Args:
        groups: (examples,) a label for each, in the order of the examples. Labels of a pandas Categorical keep its
            order; others are sorted by size, largest first.

    Returns:
        pandas.DataFrame indexed by group: ``examples``, ``EM`` and ``F1`` in 0..100, and ``F1 low``, ``F1 high``, the
        95 % bootstrap interval of F1.

    Raises:
        ValueError: numbers of groups and examples differ.
    """
    import pandas as pd

    if len(groups) != scores.total:
        raise ValueError(f"{len(groups)} groups for {scores.total} examples; each example needs the label of its group")
    labels = pd.Series(groups).reset_index(drop=True)
    table = pd.DataFrame({"em": scores.per_example["exact_match"], "f1": scores.per_example["f1"]})
    rows = {}
    for group, part in table.groupby(labels, observed=True):
        low, high = bootstrap_interval(part["f1"])
        rows[group] = (len(part), 100 * part["em"].mean(), 100 * part["f1"].mean(), 100 * low, 100 * high)
    result = pd.DataFrame.from_dict(rows, orient="index", columns=["examples", "EM", "F1", "F1 low", "F1 high"])
    if isinstance(labels.dtype, pd.CategoricalDtype):
        return result
    return result.sort_values("examples", ascending=False, kind="stable")


def question_word(question: str) -> str:
    """The first question word, wherever it occurs in the question ("In which year …?"); "none" if there is none."""
    words = re.findall(r"\w+", question.lower())
    return next((word for word in words if word in QUESTION_WORDS), "none")


def answer_kind(text: str) -> str:
    """Roughly what kind of thing an answer names, judged by its form alone: "date", "number", "name" or "words".

    A date contains a month or a year; a number contains a digit or begins with a number word; in a name, most of the
    longer words begin with a capital.
    """
    if _DATE.search(text):
        return "date"
    if re.search(r"\d", text) or _COUNTED.match(text):
        return "number"
    words = [word for word in re.findall(r"[^\W\d_]+", text) if len(word) > 3] or text.split()[:1]
    return "name" if sum(word[0].isupper() for word in words) > len(words) / 2 else "words"


def classify_errors(
    predictions: Sequence[Prediction], examples: Dataset | Sequence[dict], features: Dataset | None = None
) -> list[str]:
    """(examples,) the class of each prediction: "right", or the first of :data:`ERROR_CLASSES` that fits.

    Args:
        features: the windows of the examples; without them "lost" is never reported.

    Raises:
        ValueError: there is not one prediction for each example, in order.
    """
    rows = list(examples)
    if [p.example_id for p in predictions] != [row["id"] for row in rows]:
        raise ValueError(
            "predictions and examples differ in number or order; give one prediction per example, in order"
        )
    right = score(predictions, rows).per_example["exact_match"]
    windows = [None] * len(rows) if features is None else _windows(features, len(rows))
    return [
        "right" if right[k] else _class_of(prediction, row, windows[k])
        for k, (prediction, row) in enumerate(zip(predictions, rows))
    ]


def overlaps(prediction: Prediction, example: dict) -> bool:
    """Whether the predicted characters overlap those of an acceptable answer."""
    answers = zip(example["answers"]["answer_start"], example["answers"]["text"])
    return any(prediction.start < start + len(text) and start < prediction.end for start, text in answers)


def _class_of(prediction: Prediction, example: dict, windows: list[tuple[int, int]] | None) -> str:
    texts, starts = example["answers"]["text"], example["answers"]["answer_start"]
    if not texts:
        return "invented"
    spans = [(start, start + len(text)) for text, start in zip(texts, starts)]
    if windows is not None and not any(a <= start and end <= b for start, end in spans for a, b in windows):
        return "lost"
    if not prediction.text:
        return "missed"
    if overlaps(prediction, example):
        agreed = len({normalize_answer(text) for text in texts}) == 1
        return "boundary" if agreed else "disagreement"
    same = answer_kind(prediction.text) in {answer_kind(text) for text in texts}
    return "same kind" if same else "other kind"


def _windows(features: Dataset, examples: int) -> list[list[tuple[int, int]]]:
    """For each example, the characters [start, end) of its context that each of its windows covers."""
    covered: list[list[tuple[int, int]]] = [[] for _ in range(examples)]
    columns = features.select_columns(["context_tokens", "example_index"])[:]
    for offsets, (first, beyond), example in zip(list_column(features, "offset_mapping"), *columns.values()):
        covered[example].append((int(offsets[first][0]), int(offsets[beyond - 1][1])))
    return covered


@dataclass(frozen=True)
class Calibration:
    """How often predictions of a given probability are right.

    Attributes:
        counts: (bins,) predictions whose probability falls into each bin of equal width.
        probability, right: (bins,) their mean probability and the share that is right; NaN where there are none.
        error: expected calibration error: the mean of ``|right - probability|``, weighted by ``counts``, in 0..1.
    """

    counts: np.ndarray
    probability: np.ndarray
    right: np.ndarray
    error: float


def calibration(probabilities: Sequence[float], right: Sequence[float], bins: int = 10) -> Calibration:
    """Compare probabilities with the share that is right (Guo et al. 2017).

    Args:
        probabilities: (examples,) in 0..1.
        right: (examples,) 1 where the prediction is right, else 0.
        bins: number of bins of equal width; each includes its lower edge, the last one both edges.

    Raises:
        ValueError: numbers differ, there are none, or a probability is outside 0..1.
    """
    probabilities, right = np.asarray(probabilities, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if len(probabilities) != len(right) or len(right) == 0:
        raise ValueError(
            f"{len(probabilities)} probabilities for {len(right)} predictions; give one for each, and at least one"
        )
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("a probability is outside 0..1; logits must go through a softmax first")
    which = np.minimum((probabilities * bins).astype(int), bins - 1)
    counts = np.bincount(which, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean_probability = np.bincount(which, weights=probabilities, minlength=bins) / counts
        share_right = np.bincount(which, weights=right, minlength=bins) / counts
    filled = counts > 0
    error = float((counts[filled] * np.abs(share_right - mean_probability)[filled]).sum() / len(right))
    return Calibration(counts, mean_probability, share_right, error)
