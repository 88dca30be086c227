"""EM and F1 as SQuAD defines them (Rajpurkar et al. 2016, 2018), best over all acceptable answers."""

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from datasets import Dataset

from .decoding import Prediction

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize_answer(text: str) -> str:
    """Lower case, without ASCII punctuation, articles (a, an, the) and extra white space: SQuAD's normalisation."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(prediction: str, answer: str) -> float:
    """1.0 if both texts are the same after normalisation, else 0.0."""
    return float(normalize_answer(prediction) == normalize_answer(answer))


def f1(prediction: str, answer: str) -> float:
    """Harmonic mean of precision and recall over the words of two normalised texts, in 0..1.

    If either text has no words (no answer), it is 1.0 when both have none and 0.0 otherwise, as in SQuAD 2.0.
    """
    predicted, expected = normalize_answer(prediction).split(), normalize_answer(answer).split()
    if not predicted or not expected:
        return float(predicted == expected)
    common = sum((Counter(predicted) & Counter(expected)).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(predicted), common / len(expected)
    return 2 * precision * recall / (precision + recall)


@dataclass(frozen=True)
class Scores:
    """Mean scores of a set of examples.

    Attributes:
        exact_match, f1: in 0..100; NaN where there is no example of the kind.
        total: number of examples.
        per_example: arrays (examples,) of ``exact_match`` and ``f1`` in 0..1, in the order of the examples.
    """

    exact_match: float
    f1: float
    total: int
    per_example: dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    def __str__(self) -> str:
        return f"EM {self.exact_match:.1f} / F1 {self.f1:.1f} ({self.total} examples)"


def score(predictions: Sequence[Prediction] | Mapping[str, str], examples: Dataset | Sequence[dict]) -> Scores:
    """EM and F1 of predictions, each against the best of the example's acceptable answers.

    Args:
        predictions: one per example (any order), or a mapping id → answer text.
        examples: rows with ``id`` and ``answers``. Answers that vanish in normalisation ("the", "?") are passed over as
            SQuAD 2.0's official script does; an example with no answers expects "".

    Returns:
        :class:`Scores` in 0..100.

    Raises:
        ValueError: an example has no prediction, or there are no examples.
    """
    if isinstance(predictions, Mapping):
        texts = dict(predictions)
    else:
        texts = {prediction.example_id: prediction.text for prediction in predictions}
    ems, f1s = [], []
    for example in examples:
        identifier = example["id"]
        if identifier not in texts:
            raise ValueError(f"example {identifier!r} has no prediction; predict all examples, or score only those")
        answers = [text for text in example["answers"]["text"] if normalize_answer(text)] or [""]
        ems.append(max(exact_match(texts[identifier], answer) for answer in answers))
        f1s.append(max(f1(texts[identifier], answer) for answer in answers))
    if not ems:
        raise ValueError("there are no examples to score")
    per_example = {"exact_match": np.array(ems), "f1": np.array(f1s)}
    return Scores(100 * float(np.mean(ems)), 100 * float(np.mean(f1s)), len(ems), per_example)
