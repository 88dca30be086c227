"""Checkpoints: a name → tokenizer and model, for every family the course teaches.

Everything that differs between the families (segments, separators, dtypes, attention) is handled here and nowhere else;
the other modules treat all families alike.
"""

import copy
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import torch
from tokenizers import Regex, pre_tokenizers
from transformers import AutoConfig, AutoModelForQuestionAnswering, AutoTokenizer, PreTrainedModel
from transformers.utils import logging as transformers_logging

from .data import looks_like_path, unknown_name
from .engine.progress_bars import bars_shown, library_bars
from .engine.unfit_models import require_offsets, require_text_model, require_whole_encoder

ASSETS = Path(str(files("qa_helpers"))) / "mini" / "assets"


@dataclass(frozen=True)
class Family:
    """One family of encoders.

    Attributes:
        model_type: ``config.model_type`` of its checkpoints.
        mini: the small encoder shipped with the course.
        hub: the checkpoint to use with a network and a GPU.
    """

    name: str
    model_type: str
    mini: str
    hub: str


FAMILIES = {
    family.model_type: family
    for family in (
        Family("BERT", "bert", "mini-bert", "bert-base-cased"),
        Family("DistilBERT", "distilbert", "mini-distilbert", "distilbert-base-cased"),
        Family("RoBERTa", "roberta", "mini-roberta", "roberta-base"),
        Family("ALBERT", "albert", "mini-albert", "albert-base-v2"),
        Family("DeBERTa", "deberta-v2", "mini-deberta", "microsoft/deberta-v3-base"),  # versions 2 and 3 are one type
        Family("ModernBERT", "modernbert", "mini-modernbert", "answerdotai/ModernBERT-base"),
    )
}
# Model types whose position numbers begin after the padding id; tests/test_architectures.py checks the models.
POSITIONS_AFTER_PADDING = (
    *("camembert", "data2vec-text", "ibert", "longformer", "luke", "mpnet"),
    *("roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod"),
)
MINI_CHECKPOINTS = tuple(family.mini for family in FAMILIES.values())
HUB_CHECKPOINTS = (*(family.hub for family in FAMILIES.values()), "microsoft/deberta-base")


def locate(checkpoint: str | Path) -> str:
    """A checkpoint's name → the folder or hub id that holds it.

    Raises:
        ValueError: unknown name (with the nearest known ones), or a folder that does not exist or contains no
            checkpoint.
    """
    name = str(checkpoint)
    if (ASSETS / name / "config.json").is_file():
        return str(ASSETS / name)
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ValueError(
                f"checkpoint folder {path.name!r} holds no config.json; was it saved with save_pretrained?"
            )
        return str(path)
    if looks_like_path(name):
        raise ValueError(f"checkpoint {name!r}: there is no such folder (looked in {Path.cwd().name}/)")
    if name in HUB_CHECKPOINTS or re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        return name
    known = [*shipped_checkpoints(), *HUB_CHECKPOINTS]
    raise ValueError(unknown_name("checkpoint", name, known, "a hub id like 'owner/name' or a folder"))


def shipped_checkpoints() -> list[str]:
    """Names of the checkpoints that come with the package."""
    return sorted(config.parent.name for config in ASSETS.glob("*/config.json"))


def family_of(checkpoint: str | Path = "mini-bert") -> Family | None:
    """The family that a checkpoint's configuration names; None if it is none of the course's."""
    return FAMILIES.get(load_config(checkpoint).model_type)


def load_tokenizer(checkpoint: str | Path = "mini-bert"):
    """Load the fast tokenizer of a checkpoint, ready for question/context pairs (see :func:`settle_tokenizer`).

    Raises:
        ValueError: unknown checkpoint, no network, or a tokenizer that cannot give offsets.
    """
    tokenizer = _from_hub_or_disk(AutoTokenizer.from_pretrained, checkpoint, locate(checkpoint))
    try:
        return settle_tokenizer(tokenizer, load_config(checkpoint))
    except ValueError as error:
        raise ValueError(f"checkpoint {str(checkpoint)!r}: {error}") from None


def settle_tokenizer(tokenizer, config):
    """Adapt a tokenizer to the model of ``config``: returns one of :func:`load_tokenizer` as it is, copies another.

    The result returns ``token_type_ids`` exactly when the model has segment embeddings, and reads special tokens typed
    in a text (``"[SEP]"``) as plain characters.

    Raises:
        ValueError: it gives no offsets, or knows far fewer tokens than the model (transformers 5 invents an empty
            vocabulary if a folder has none).
    """
    require_offsets(tokenizer)
    if len(tokenizer) < getattr(config, "vocab_size", 0) / 2:
        raise ValueError(
            f"the tokenizer knows {len(tokenizer):,} tokens and the model {config.vocab_size:,}: its files are missing, "
            "or it is another model's. Save the model's own tokenizer in the folder with tokenizer.save_pretrained(folder)"
        )
    # ALBERT's tokenizer omits the segments although the model has them; DeBERTa's returns them although it has none.
    names = [name for name in tokenizer.model_input_names if name != "token_type_ids"]
    segments = ["token_type_ids"] if has_segments(config) else []
    inputs = [names[0], *segments, *names[1:]]
    if tokenizer.model_input_names == inputs and tokenizer.split_special_tokens and not _typed(tokenizer):
        return tokenizer
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.model_input_names = inputs
    # Without this, a "[SEP]" typed by a user ends the segment; with it, it is five characters like any others.
    tokenizer.split_special_tokens = True
    if _typed(tokenizer):
        _split_typed_special_tokens(tokenizer)
    return tokenizer


def has_segments(config) -> bool:
    """Whether a model uses ``token_type_ids`` to tell the question from the context."""
    return getattr(config, "type_vocab_size", 0) > 1


def _typed(tokenizer) -> set[int]:
    """Ids of the special tokens that the tokenizer produces when their names are typed in a text."""
    names = sorted(set(tokenizer.all_special_tokens))
    ids = tokenizer(names, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return (set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}) & set().union(*ids)


def _split_typed_special_tokens(tokenizer) -> None:
    """Make the tokenizer split special tokens that are typed in a text after their first character.

    A unigram vocabulary (ALBERT, DeBERTa 2 and 3) contains its special tokens as ordinary pieces with the highest
    score, so ``split_special_tokens`` alone is not enough.
    """
    names = sorted(set(tokenizer.all_special_tokens))
    pattern = "|".join(f"{re.escape(name[0])}(?={re.escape(name[1:])})" for name in names)
    backend = tokenizer.backend_tokenizer
    cut = pre_tokenizers.Split(Regex(pattern), "isolated")
    backend.pre_tokenizer = pre_tokenizers.Sequence([backend.pre_tokenizer, cut])


def load_config(checkpoint: str | Path):
    """A checkpoint's configuration; a ValueError if the checkpoint is unknown or there is no network."""
    return _from_hub_or_disk(AutoConfig.from_pretrained, checkpoint, locate(checkpoint))


def is_local(checkpoint: str | Path) -> bool:
    """Whether a checkpoint is shipped or in a folder, so that no network is needed."""
    return Path(locate(checkpoint)).is_dir()


def layer_weights(config) -> int:
    """Roughly how many weights the encoder's layers apply to a token (ALBERT's shared layer counts each time it is
    applied): 12 × hidden size² per layer. This size determines how long training takes."""
    return 12 * config.num_hidden_layers * config.hidden_size**2


def longest_input(config) -> int | None:
    """The most tokens that a model of ``config`` has positions for; None if its configuration does not say."""
    # LED has two numbers. Its decoder reads the whole window too, and has fewer positions than its encoder.
    names = ("max_position_embeddings", "max_decoder_position_embeddings")
    positions = next((getattr(config, name) for name in names if getattr(config, name, None)), None)
    if positions and config.model_type in POSITIONS_AFTER_PADDING:
        positions -= getattr(config, "pad_token_id", 1) + 1
    return positions if positions and positions > 0 else None  # XLNet, which has relative positions, says -1


def load_model(
    checkpoint: str | Path = "mini-bert", seed: int = 0, needs_head: bool = False, attention: str | None = None
) -> PreTrainedModel:
    """Load an encoder with a question answering head, in float32, in evaluation mode.

    Args:
        checkpoint: a shipped name (``"mini-bert"``), a hub id, or a folder.
        seed: seed of the new head's weights, if the checkpoint has none (an encoder such as ``bert-base-cased``).
        needs_head: refuse a checkpoint without a trained head, since its answers would be random.
        attention: ``"eager"`` to get attention maps; the library's default gives none.

    Returns:
        transformers' ``AutoModelForQuestionAnswering``; ``model.has_trained_head`` tells whether the head came with it.

    Raises:
        ValueError: unknown checkpoint, no network, a model that is not an encoder of plain text, weights that do not
            fit the configuration, a file that cannot be read, or no trained head although ``needs_head``.
    """
    config = load_config(checkpoint)
    require_text_model(checkpoint, config)
    # A checkpoint stored in half precision (deberta-v3, our own) would otherwise stay in it: dtype="auto" is the
    # default of transformers 5. Training needs float32 weights; autocast lowers the precision of individual operations.
    options = {"config": config, "dtype": torch.float32, "use_safetensors": True, "output_loading_info": True}
    options["ignore_mismatched_sizes"] = True  # so that mismatches are reported, and refused below by name
    if attention:
        options["attn_implementation"] = attention
    said = transformers_logging.get_verbosity()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        transformers_logging.set_verbosity_error()  # a new head is no reason for a warning
        try:
            load = AutoModelForQuestionAnswering.from_pretrained
            model, report = _from_hub_or_disk(load, checkpoint, locate(checkpoint), **options)
        finally:
            transformers_logging.set_verbosity(said)
    missing = report["missing_keys"]
    require_whole_encoder(checkpoint, model, missing, [key for key, *_ in report.get("mismatched_keys", ())])
    if missing and needs_head:
        raise ValueError(
            f"checkpoint {str(checkpoint)!r} is an encoder without a trained question answering head; its answers "
            "would be random. Fine-tune it first: qa-helpers train --checkpoint … --output-dir …"
        )
    model.has_trained_head = not missing
    return model.eval()


def _from_hub_or_disk(load, checkpoint, place: str, **options):
    """``load(place)``; a failure becomes a ValueError that says what to do."""
    try:
        with library_bars(downloads=bars_shown(), data=False):
            return load(place, trust_remote_code=False, **options)
    except Exception as error:  # OSError, ValueError, safetensors' and the hub's own kinds
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        if Path(place).is_dir():
            remedy = (
                "the folder should hold config.json, model.safetensors and tokenizer.json, as save_pretrained writes"
            )
        else:
            remedy = (
                "it is read from the Hugging Face hub, which needs a network once; without one, give the folder of a "
                f"local copy, or a shipped checkpoint ({', '.join(shipped_checkpoints())})"
            )
        raise ValueError(f"checkpoint {str(checkpoint)!r} could not be loaded ({first_line}): {remedy}") from error
