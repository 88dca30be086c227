"""Which tokenizers and models cannot be used, and the sentence that says why and what to choose instead."""

import inspect

from torch import nn
from transformers import MODEL_FOR_QUESTION_ANSWERING_MAPPING

# Inputs of models that read pages: a picture, boxes or markup in addition to the text.
PAGE_INPUTS = ("bbox", "image", "pixel_values", "visual_feats", "xpath_tags_seq")


def require_offsets(tokenizer) -> None:
    """Raise a ValueError unless the tokenizer gives offsets (a "fast" one) and windows with a [CLS] for "no answer"."""
    name = type(tokenizer).__name__
    if not getattr(tokenizer, "is_fast", False):
        raise ValueError(
            f"{name} gives no offsets (it is not a fast tokenizer), so answers cannot be mapped to tokens; "
            "load it with qa.load_tokenizer or use_fast=True, or choose a checkpoint that has a tokenizer.json"
        )
    if tokenizer.cls_token_id is None:
        raise ValueError(f"{name} has no [CLS] token to label unanswerable windows with; choose an encoder like BERT")
    try:
        window = tokenizer(["?"], ["?"], split_special_tokens=True)["input_ids"][0]
    except (TypeError, ValueError) as error:  # those of LUKE and of page readers want entities or boxes
        raise ValueError(
            f"{name} does not take a question and a context as plain texts; choose an encoder like BERT"
        ) from error
    if tokenizer.cls_token_id not in window:
        raise ValueError(
            f"{name} puts no [CLS] token into its windows, so unanswerable ones cannot be labelled; "
            "choose an encoder like BERT"
        )


def require_text_model(checkpoint, config) -> None:
    """Raise a ValueError unless transformers has a question answering model for ``config`` that reads plain text."""
    kind = MODEL_FOR_QUESTION_ANSWERING_MAPPING.get(type(config), None)
    if kind is None:
        raise ValueError(
            f"checkpoint {str(checkpoint)!r}: transformers has no extractive question answering model of the type "
            f"{config.model_type!r}; choose an encoder like BERT"
        )
    wanted = [name for name in PAGE_INPUTS if name in inspect.signature(kind.forward).parameters]
    if wanted:
        raise ValueError(
            f"checkpoint {str(checkpoint)!r}: {kind.__name__} reads pages, not plain text (it needs {wanted[0]!r} in "
            "addition to the tokens); choose an encoder like BERT"
        )


def require_whole_encoder(checkpoint, model, missing: list[str], misfits: list[str]) -> None:
    """Raise a ValueError unless all weights of a loaded model's encoder were in its checkpoint; those of its head may
    be missing.

    Args:
        missing, misfits: names of weights that the checkpoint lacks, or has in another shape.
    """
    if model.base_model is model:
        raise ValueError(
            f"checkpoint {str(checkpoint)!r}: {type(model).__name__} does not separate its encoder from its "
            "head, so a new head looks like missing weights; choose an encoder like BERT"
        )
    absent = sorted(misfits) or sorted(key for key in missing if key.startswith(f"{model.base_model_prefix}."))
    if absent:
        raise ValueError(
            f"checkpoint {str(checkpoint)!r} does not hold the weights its configuration describes (e.g. {absent[0]}); "
            "is it complete, and of the family its config.json says?"
        )


def require_linear_head(model) -> None:
    """Raise a ValueError unless a model of transformers is built like :class:`qa_helpers.ExtractiveQA`: an encoder and one
    linear layer ``qa_outputs``."""
    one_layer = isinstance(getattr(model, "qa_outputs", None), nn.Linear) and model.base_model is not model
    if not one_layer or model.config.model_type == "longformer":  # Longformer gives question tokens global attention
        raise ValueError(
            f"{type(model).__name__} does more than apply one linear layer 'qa_outputs' to its encoder's output, so "
            "ExtractiveQA would compute something else; use the model that qa.load_model gives as it is"
        )
