"""Evaluation: a model and examples → scores and answers, divided among the processes if there are several."""

from collections.abc import Sequence

from datasets import Dataset
from torch import nn

from .data import rows_to_dataset
from .decoding import Prediction, decode_answers
from .engine.processes import all_shares, state
from .features import make_features
from .metrics import Scores, score
from .model import predict_logits


class Evaluation:
    """Examples that are prepared once, to score a model on any number of times.

    Each process (see ``accelerate launch``) prepares, predicts and decodes its own part of the examples; in the end
    every process has all answers and the same scores.

    Args:
        examples, tokenizer, max_length, stride, progress: as for :func:`qa_helpers.make_features`.
        batch_size: as for :func:`qa_helpers.predict_logits`.
        decoding: as for :func:`qa_helpers.decode_answers`: ``n_best``, ``max_answer_length`` and so on.
    """

    def __init__(
        self,
        examples: Dataset | Sequence[dict],
        tokenizer,
        max_length: int = 384,
        stride: int = 128,
        batch_size: int = 32,
        progress: bool | None = None,
        **decoding,
    ):
        self.examples = examples if isinstance(examples, Dataset) else rows_to_dataset(list(examples))
        self.batch_size, self.progress, self.decoding = batch_size, progress, decoding
        with state().split_between_processes(self.examples) as own:
            self.own = own
        cut = {"tokenizer": tokenizer, "max_length": max_length, "stride": stride}
        self.features = make_features(self.own, labels=False, progress=progress, **cut) if len(self.own) else None
        self.windows = len(self.features or ())

    def run(self, model: nn.Module, progress: bool | None = None) -> tuple[Scores, list[Prediction]]:
        """Score a model: (EM and F1 over all examples, an answer to each in order). ``progress``: None uses the setting
        of the evaluation."""
        answers = []
        if self.features is not None:
            shown = self.progress if progress is None else progress
            logits = predict_logits(model, self.features, self.batch_size, shown)
            answers = decode_answers(self.own, self.features, *logits, **self.decoding)
        answers = all_shares(answers)
        return score(answers, self.examples), answers
