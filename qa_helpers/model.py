"""The question answering head, written out step by step, and running a model over features.

An encoder turns (batch, sequence) token ids into (batch, sequence, hidden) embeddings; one linear layer turns each
token's embedding into two numbers, how well the answer would start and end there (Devlin et al. 2019, section 4.2).
"""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from datasets import Dataset
from torch import nn
from transformers import AutoModelForQuestionAnswering, PreTrainedModel
from transformers.modeling_outputs import QuestionAnsweringModelOutput

from .checkpoints import has_segments, load_model
from .engine.columns import batches_by_length, lengths_of, list_columns, pad
from .engine.out_of_memory import explain_out_of_memory, fewer_at_once
from .engine.precision import autocast, check_fits
from .engine.precision import half_precision as half_precision
from .engine.progress_bars import track
from .engine.unfit_models import require_linear_head

MODEL_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
LABELS = ("start_positions", "end_positions")


class ExtractiveQA(nn.Module):
    """Encoder plus ``Linear(hidden, 2)``: the same numbers as transformers' ``AutoModelForQuestionAnswering``.

    Args:
        encoder: any transformers encoder (``AutoModel``) that returns ``last_hidden_state``.
        dropout: share of hidden values dropped before the head in training; 0 for BERT and most, 0.1 for DistilBERT.
    """

    def __init__(self, encoder: PreTrainedModel, dropout: float = 0.0):
        super().__init__()
        self.config = encoder.config
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.qa_outputs = nn.Linear(encoder.config.hidden_size, 2)

    @classmethod
    def from_library(cls, model: PreTrainedModel) -> "ExtractiveQA":
        """Wrap the encoder and head of an ``AutoModelForQuestionAnswering`` in the lesson's class (shared weights); a
        ValueError if its head is more than one linear layer."""
        require_linear_head(model)
        dropout = model.dropout.p if isinstance(getattr(model, "dropout", None), nn.Dropout) else 0.0
        own = cls(model.base_model, dropout=dropout)
        own.qa_outputs = model.qa_outputs
        return own.train(model.training)

    def to_library(self) -> PreTrainedModel:
        """The same encoder and head (shared weights) as transformers' own class, which knows how to save itself; a
        ValueError if that class has another kind of head."""
        model = AutoModelForQuestionAnswering.from_config(self.config)
        require_linear_head(model)
        setattr(model, model.base_model_prefix, self.encoder)
        model.qa_outputs = self.qa_outputs
        return model.train(self.training)

    @classmethod
    def from_pretrained(cls, checkpoint="mini-bert", **options) -> "ExtractiveQA":
        """Load a checkpoint as :func:`qa_helpers.load_model` does, in the lesson's own class."""
        return cls.from_library(load_model(checkpoint, **options))

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        start_positions: torch.Tensor | None = None,
        end_positions: torch.Tensor | None = None,
    ) -> QuestionAnsweringModelOutput:
        """Start and end logits, and the loss where labels are given.

        Args:
            input_ids, attention_mask, token_type_ids: (batch, sequence); leave out what the encoder does not take.
            start_positions, end_positions: (batch,) or (batch, 1) token indices.

        Returns:
            ``loss`` (scalar) or None, ``start_logits`` and ``end_logits`` (batch, sequence).
        """
        segments = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        hidden = self.encoder(input_ids, attention_mask=attention_mask, **segments).last_hidden_state
        logits = self.qa_outputs(self.dropout(hidden))  # (batch, sequence, 2)
        start, end = (part.squeeze(-1).contiguous() for part in logits.split(1, dim=-1))  # (batch, sequence)
        loss = None
        if start_positions is not None and end_positions is not None:
            loss = (span_loss(start, start_positions) + span_loss(end, end_positions)) / 2
        return QuestionAnsweringModelOutput(loss=loss, start_logits=start, end_logits=end)


def span_loss(logits: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Cross-entropy over the positions of a sequence.

    Args:
        logits: (batch, sequence).
        positions: (batch,) or (batch, 1) token indices. They are clamped to [0, sequence]; the value ``sequence``, one
            past the last token, is ignored by the loss: a label outside the (truncated) input teaches nothing.

    Returns:
        Scalar mean over the rows whose label is not ignored. (As in transformers' ``ForQuestionAnsweringLoss``.)
    """
    sequence = logits.size(1)
    if positions.dim() > 1:  # data-parallel training can leave a last axis of size 1
        positions = positions.squeeze(-1)
    return F.cross_entropy(logits, positions.clamp(0, sequence), ignore_index=sequence)


def make_batch(
    features: Dataset | Mapping, tokenizer, device: str | torch.device = "cpu", multiple: int = 1, at_least: int = 0
) -> dict[str, torch.Tensor]:
    """Pad features to the longest among them and stack them into tensors.

    Args:
        features: rows of :func:`qa_helpers.make_features` (a Dataset, or a slice of one).
        tokenizer: supplies the padding token and the side to pad on.
        multiple, at_least: pad to a multiple of this many tokens (8 suits a GPU's matrix units), and to at least this
            many.

    Returns:
        ``input_ids``, ``attention_mask`` and, where present, ``token_type_ids``: (batch, sequence) int64;
        ``start_positions``, ``end_positions``: (batch,), shifted where padding is on the left.
    """
    columns = list_columns(features, MODEL_INPUTS)
    fill = {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id}
    left = tokenizer.padding_side == "left"
    result = {
        name: torch.from_numpy(pad(list(rows), fill.get(name, 0), left, multiple, at_least))
        for name, rows in columns.items()
    }
    if LABELS[0] in (features.column_names if isinstance(features, Dataset) else features):
        shift = torch.zeros(len(result["input_ids"]), dtype=torch.long)
        if left:
            shift = result["input_ids"].size(1) - torch.from_numpy(lengths_of(columns["input_ids"]))
        for name in LABELS:
            result[name] = torch.as_tensor(np.array(features[name])) + shift
    return {name: values.to(device) for name, values in result.items()}


def predict_logits(
    model: nn.Module, features: Dataset | Mapping, batch_size: int = 32, progress: bool | None = None
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Run a model over all features.

    Args:
        model: :class:`ExtractiveQA` or transformers' question answering model.
        features: what :func:`qa_helpers.make_features` returned, or a mapping with the model's inputs as lists of rows.
        batch_size: windows per batch at the greatest length; batches of shorter windows are larger, up to the same
            number of tokens. Windows are sorted by length first, so that there is little padding.
        progress: whether to show a progress bar for long work; None shows one in a notebook and on a terminal.

    Returns:
        (start_logits, end_logits): for each feature, in order, a float32 array (tokens of that window,).

    Raises:
        ValueError: a window is longer than the model has positions for, a token id is outside its vocabulary, the
            features lack the segments that the model needs, or a batch does not fit in memory.
    """
    columns = list_columns(features, MODEL_INPUTS)
    lengths = lengths_of(columns["input_ids"])
    check_fits(model, columns["input_ids"])
    if not has_segments(model.config):
        columns.pop("token_type_ids", None)
    elif "token_type_ids" not in columns:
        raise ValueError(
            "the features have no token_type_ids, which this model needs to tell the question from the context: make "
            "them with the tokenizer of qa.load_tokenizer"
        )
    device = next(model.parameters()).device
    on_gpu = device.type == "cuda"
    start_logits: list = [None] * len(lengths)
    end_logits: list = [None] * len(lengths)
    was_training = model.training
    model.eval()
    try:
        with track(batches_by_length(lengths, batch_size), "Predicting", unit="batches", shown=progress) as batches:
            for rows in batches:
                padded = {
                    name: pad([values[row] for row in rows], multiple=8 if on_gpu else 1)
                    for name, values in columns.items()
                }
                batch = {name: torch.from_numpy(values).to(device) for name, values in padded.items()}
                fits = explain_out_of_memory("predicting", *batch["input_ids"].shape, fewer_at_once(batch_size))
                with fits, torch.inference_mode(), autocast(device):
                    output = model(**batch)
                starts, ends = (logits.float().cpu().numpy() for logits in (output.start_logits, output.end_logits))
                for k, row in enumerate(rows):
                    start_logits[row] = starts[k, : lengths[row]].copy()
                    end_logits[row] = ends[k, : lengths[row]].copy()
    finally:
        model.train(was_training)
    return start_logits, end_logits
