"""EM and F1 as SQuAD defines them (Rajpurkar et al. 2016, 2018), best over all acceptable answers."""

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from datasets import Dataset

from .decoding import Prediction, apply_threshold
from .engine.answer_texts import acceptable_texts, predicted_texts


def normalize_answer(text: str) -> str:
    """Lower case, without ASCII punctuation, articles (a, an, the) and extra white space: SQuAD's normalisation."""
    text = text.lower()
    text = "".join(character for character in text if character not in string.punctuation)
    text = re.sub(r"\b(a|an|the)\b", " ", text)
    return " ".join(text.split())


def exact_match(prediction: str, answer: str) -> float:
    """1.0 if both texts are the same after normalisation, else 0.0."""
    return float(normalize_answer(prediction) == normalize_answer(answer))


def f1(prediction: str, answer: str) -> float:
    """Harmonic mean of precision and recall over the words of two normalised texts, in 0..1.

    If either text has no words (no answer), it is 1.0 when both have none and 0.0 otherwise, as in SQuAD 2.0.
    """
    predicted, expected = normalize_answer(prediction).split(), normalize_answer(answer).split()
    common = sum((Counter(predicted) & Counter(expected)).values())
    if not predicted or not expected:
        return float(predicted == expected)
    return 2 * common / (len(predicted) + len(expected))


def best_over(measure: Callable[[str, str], float], prediction: str, acceptable: Sequence[str]) -> float:
    """``exact_match`` or ``f1`` of a prediction, compared with the acceptable answer that gives the highest value."""
    return max(measure(prediction, answer) for answer in acceptable)


@dataclass(frozen=True)
class Scores:
    """Mean scores of a set of examples.

    Attributes:
        exact_match, f1: in 0..100.
        total: number of examples.
        per_example: arrays (examples,) of ``exact_match`` and ``f1`` in 0..1, in the order of the examples.
        has_answer, no_answer: the scores of the examples with acceptable answers and of those without, SQuAD 2.0's
            "HasAns" and "NoAns"; None if all examples are of the other kind. For an example without answers, EM and
            F1 are 1 if the prediction is "", else 0.
    """

    exact_match: float
    f1: float
    total: int
    per_example: dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)
    has_answer: "Scores | None" = None
    no_answer: "Scores | None" = None

    def __str__(self) -> str:
        return f"EM {self.exact_match:.1f} / F1 {self.f1:.1f} ({self.total} examples)"


def score(
    predictions: Sequence[Prediction] | Mapping[str, str | None] | Sequence[Mapping], examples: Dataset | Sequence[dict]
) -> Scores:
    """EM and F1 of predictions, each against the best of the example's acceptable answers.

    Args:
        predictions: one per example (any order), a mapping id → answer text, or dicts with ``id`` and
            ``prediction_text``, as the ``evaluate`` library takes them. A text of None means "no answer", just like "".
        examples: rows with ``id`` and ``answers``. Answers that vanish in normalisation ("the", "?") are ignored, as in
            SQuAD 2.0's official script; for an example with no answers, "" is expected.

    Raises:
        ValueError: an example has no prediction, something is neither a prediction nor an answer, or there are no examples.
    """
    texts = predicted_texts(predictions)
    ems, f1s, answerable = [], [], []
    for example in examples:
        identifier = str(example["id"])
        if identifier not in texts:
            raise ValueError(f"example {identifier!r} has no prediction; predict all examples, or score only those")
        acceptable = acceptable_texts(example)
        answers = [text for text in acceptable if normalize_answer(text)] or [""]
        ems.append(best_over(exact_match, texts[identifier], answers))
        f1s.append(best_over(f1, texts[identifier], answers))
        answerable.append(len(acceptable) > 0)
    if not ems:
        raise ValueError("there are no examples to score")
    ems, f1s, answerable = np.array(ems), np.array(f1s), np.array(answerable)
    split = (_mean(ems[kind], f1s[kind]) if kind.any() else None for kind in (answerable, ~answerable))
    return _mean(ems, f1s, *split)


def _mean(ems: np.ndarray, f1s: np.ndarray, has_answer=None, no_answer=None) -> Scores:
    per_example = {"exact_match": ems, "f1": f1s}
    return Scores(100 * float(ems.mean()), 100 * float(f1s.mean()), len(ems), per_example, has_answer, no_answer)


def find_best_threshold(
    predictions: Sequence[Prediction], examples: Dataset | Sequence[dict], by: str = "f1"
) -> tuple[float, Scores]:
    """The null threshold with the best score over all examples: SQuAD 2.0's "best F1" and "best exact" thresholds.

    Every threshold that makes a difference is tried, with a single sort: an example whose ``score_difference``
    is at most the threshold is answered, the others get "no answer".

    Args:
        predictions: what :func:`qa_helpers.decode_answers` returned for the examples, at any threshold.
        by: "f1" or "exact_match".

    Returns:
        (threshold, the scores at it). Of several that are equally good, it is the lowest; it is minus infinity if it is
        best never to answer. Scores on the examples that the threshold was chosen on are a little too good, so choose
        it on examples other than those you report.

    Raises:
        ValueError: an unknown ``by``, or an example has no prediction.
    """
    if by not in ("f1", "exact_match"):
        raise ValueError(f"by is 'f1' or 'exact_match', got {by!r}")
    answered = score(apply_threshold(predictions, None), examples).per_example[by]
    refused = score({p.example_id: "" for p in predictions}, examples).per_example[by]
    by_id = {p.example_id: p.score_difference for p in predictions}
    differences = np.array([by_id[example["id"]] for example in examples])
    order = np.argsort(differences, kind="stable")
    # gains[k]: the total gain from answering the k examples with the smallest differences.
    gains = np.concatenate([[0.0], np.cumsum((answered - refused)[order])])
    thresholds = np.concatenate([[-np.inf], differences[order]])
    usable = np.append(thresholds[1:] > thresholds[:-1], True)  # examples with equal differences go together
    best = np.flatnonzero(usable & (gains >= gains[usable].max() - 1e-9))[0]
    threshold = float(thresholds[best])
    return threshold, score(apply_threshold(predictions, threshold), examples)
