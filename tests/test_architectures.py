"""Every architecture that transformers has a question answering model for, built small and taken through the course.

Each is saved as a bare encoder, loaded with a new head, asked about windows as long as it takes, trained for two steps,
saved and loaded again. It works, or it is refused in a sentence that says why. ``ARCHITECTURES`` says which; the table in
``tests/README.md`` is made of it (``python tests/test_architectures.py`` prints it).
"""

import functools
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    CONFIG_MAPPING,
    AutoModel,
    AutoTokenizer,
    CanineTokenizer,
    FunnelTokenizer,
    GPT2Tokenizer,
    LukeTokenizer,
    MBartTokenizer,
    SplinterTokenizer,
    XLNetTokenizer,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES, tokenizer_class_from_name

import qa_helpers as qa
from qa_helpers.checkpoints import POSITIONS_AFTER_PADDING, locate, longest_input

README = Path(__file__).parent / "README.md"


@dataclass(frozen=True)
class Outcome:
    """What becomes of an architecture.

    Attributes:
        told: how ``tests/README.md`` tells it.
        message: pattern of the ValueError's message; None where it works.
        own_class: whether ``ExtractiveQA`` can take its head over.
    """

    told: str
    message: str | None = None
    own_class: bool = True


@dataclass(frozen=True)
class Architecture:
    """How one architecture is tried.

    Attributes:
        tokenizer: which of ``TOKENIZERS`` it is tried with, one of the kind that its own checkpoints have.
        outcome: what becomes of it.
        settings: of its configuration, beside ``SMALL``.
        built: whether its model can be built here; otherwise only its configuration is saved.
    """

    tokenizer: str = "bert"
    outcome: Outcome = field(default_factory=lambda: WORKS)
    settings: dict = field(default_factory=dict)
    built: bool = True


INSTEAD = ".*choose an encoder like BERT"
WORKS = Outcome("works")
WORKS_WITH_LANGUAGE = Outcome("works where its configuration names a `default_language`")
OTHER_HEAD = Outcome("works; `ExtractiveQA` refuses it, because its head is more than one linear layer", own_class=False)
NO_CLS = Outcome(
    "refused: its tokenizer has no [CLS] token to label unanswerable windows with", r"has no \[CLS\] token" + INSTEAD
)
CLS_UNUSED = Outcome(
    "refused: its tokenizer puts no [CLS] token into a window", r"puts no \[CLS\] token into its windows" + INSTEAD
)
SLOW = Outcome("refused: its tokenizer gives no offsets (there is no fast one)", "gives no offsets .*choose a checkpoint")
NOT_PLAIN = Outcome(
    "refused: its tokenizer takes entities beside the text, and no typed special tokens as plain text",
    "does not take a question and a context as plain texts" + INSTEAD,
)
PAGES = Outcome(
    "refused: it reads pages, with boxes, a picture or markup beside the text", "reads pages, not plain text" + INSTEAD
)
NO_ENCODER = Outcome(
    "refused: its encoder and decoder are no part apart from the head", "has no encoder apart from its head" + INSTEAD
)

DECODERS = (
    "arcee bloom diffllama exaone4 falcon gpt2 gpt_neo gpt_neox gptj llama minimax ministral ministral3 mistral mixtral mpt "
    "nemotron opt qwen2 qwen2_moe qwen3 qwen3_moe qwen3_next reformer seed_oss smollm3"
)
LIKE_BERT = (
    "albert bert convbert deberta-v2 electra ernie fnet megatron-bert mobilebert rembert roformer squeezebert ultrabert yoso"
)
LIKE_ROBERTA = (
    "bart camembert data2vec-text deberta ibert jina_embeddings_v3 mpnet mra mvp nystromformer roberta roberta-prelayernorm "
    "xlm-roberta xlm-roberta-xl"
)
ARCHITECTURES = {
    **{name: Architecture("gpt2", NO_CLS) for name in DECODERS.split()},
    **{name: Architecture("bert") for name in LIKE_BERT.split()},
    **{name: Architecture("roberta") for name in LIKE_ROBERTA.split()},
    "big_bird": Architecture("bert", OTHER_HEAD),
    "bigbird_pegasus": Architecture("gpt2", NO_CLS),
    "canine": Architecture("canine", SLOW, {"num_hash_buckets": 64}),
    "distilbert": Architecture("bert", WORKS, {"hidden_dim": 64}),
    "flaubert": Architecture("canine", SLOW),
    "funnel": Architecture("funnel", WORKS, {"block_sizes": [1, 1], "architectures": ["FunnelModel"]}),
    "gpt_neo": Architecture("gpt2", NO_CLS, {"attention_types": [[["global", "local"], 1]]}),
    "gptj": Architecture("gpt2", NO_CLS, {"rotary_dim": 8}),
    "layoutlmv2": Architecture("bert", PAGES, built=False),  # its picture encoder needs detectron2, which no one installs
    "layoutlmv3": Architecture("roberta", PAGES),
    "led": Architecture("roberta", WORKS, {"max_decoder_position_embeddings": 64, "attention_window": 16}),
    "lilt": Architecture("roberta", PAGES),
    "longformer": Architecture("roberta", OTHER_HEAD, {"attention_window": 16}),
    "luke": Architecture("luke", NOT_PLAIN, {"entity_vocab_size": 8, "entity_emb_size": 8}),
    "lxmert": Architecture("bert", PAGES),
    "markuplm": Architecture("roberta", PAGES),
    "mbart": Architecture("mbart", CLS_UNUSED),
    "modernbert": Architecture("bert", OTHER_HEAD),
    "mt5": Architecture("gpt2", NO_ENCODER),
    "qwen3_next": Architecture("gpt2", NO_CLS, {"layer_types": ["linear_attention", "full_attention"]}),
    "reformer": Architecture(
        "gpt2", NO_CLS, {"axial_pos_embds": False, "attn_layers": ["local", "local"], "attention_head_size": 16}
    ),
    "roc_bert": Architecture("canine", SLOW, {"pronunciation_vocab_size": 8, "shape_vocab_size": 8}),
    "splinter": Architecture("splinter", OTHER_HEAD),
    "t5": Architecture("gpt2", NO_ENCODER),
    "umt5": Architecture("gpt2", NO_ENCODER),
    "xlm": Architecture("canine", SLOW),
    "xlnet": Architecture("xlnet"),
    "xmod": Architecture("roberta", WORKS_WITH_LANGUAGE, {"default_language": "en_XX"}),
}
POSITIONS = 64
SMALL = {
    **dict.fromkeys(("hidden_size", "d_model", "emb_dim", "embedding_size", "word_embed_proj_dim"), 32),
    **dict.fromkeys(("input_embedding_size", "output_embedding_size"), 32),
    **dict.fromkeys(("intermediate_size", "encoder_ffn_dim", "decoder_ffn_dim", "d_ff", "d_inner", "ffn_dim"), 64),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size"), 32),
    **dict.fromkeys(("num_hidden_layers", "num_layers", "n_layers", "num_decoder_layers"), 2),
    **dict.fromkeys(("encoder_layers", "decoder_layers", "l_layers", "x_layers", "r_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "num_key_value_heads", "num_heads", "n_heads"), 2),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 2),
    **dict.fromkeys(("head_dim", "d_kv", "d_head"), 16),
    **dict.fromkeys(("num_experts", "num_local_experts"), 2),
    **{"num_experts_per_tok": 1, "max_position_embeddings": POSITIONS, "n_positions": POSITIONS},
}
CONTEXT = "The lamp of the old tower was lit by Ilse Varn in 1874, and the bridge was built beside the mill. " * 6
EXAMPLES = [
    {"id": f"e{k}", "title": "", "question": question, "context": CONTEXT, "answers": {"text": [], "answer_start": []}}
    | ({"answers": {"text": [text], "answer_start": [CONTEXT.index(text)]}} if text else {})
    for k, (question, text) in enumerate([("Who lit the lamp?", "Ilse Varn"), ("Who sold the mill?", None)])
]


@functools.cache
def vocabulary(checkpoint: str) -> dict:
    return json.loads((Path(locate(checkpoint)) / "tokenizer.json").read_text())["model"]


def pieces(*special: str) -> list[tuple[str, float]]:
    """A unigram vocabulary: special tokens of another family in front of the pieces of the small ALBERT."""
    known = vocabulary("mini-albert")["vocab"][5:]
    return [(name, 0.0) for name in special] + [(piece, score) for piece, score in known]


def words(*special: str) -> dict[str, int]:
    """The small BERT's word pieces, and special tokens of another family behind them."""
    known = vocabulary("mini-bert")["vocab"]
    return known | {name: len(known) + k for k, name in enumerate(special)}


def pairs() -> dict:
    """The small RoBERTa's vocabulary of byte pairs."""
    model = vocabulary("mini-roberta")
    return {"vocab": model["vocab"], "merges": [tuple(pair) for pair in model["merges"]]}


TOKENIZERS = {
    "bert": lambda: AutoTokenizer.from_pretrained(locate("mini-bert")),
    "roberta": lambda: AutoTokenizer.from_pretrained(locate("mini-roberta")),
    "gpt2": lambda: GPT2Tokenizer(**pairs()),
    "canine": CanineTokenizer,  # the one slow tokenizer that needs no file
    "funnel": lambda: FunnelTokenizer(words("<unk>", "<sep>", "<pad>", "<cls>", "<mask>", "<s>", "</s>")),
    "luke": lambda: LukeTokenizer(**pairs(), entity_vocab={"[UNK]": 0, "[PAD]": 1, "[MASK]": 2, "[MASK2]": 3}),
    "mbart": lambda: MBartTokenizer(pieces("<s>", "<pad>", "</s>", "<unk>"), src_lang="en_XX"),
    "splinter": lambda: SplinterTokenizer(words("[QUESTION]"), do_lower_case=False),
    "xlnet": lambda: XLNetTokenizer(pieces("<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>")),
}


@functools.cache
def tokenizer_of(kind: str):
    return TOKENIZERS[kind]()


def save_encoder(name: str, folder: Path, **settings) -> Path:
    """A bare encoder of an architecture, with random weights, and its tokenizer."""
    tried, tokenizer = ARCHITECTURES[name], tokenizer_of(ARCHITECTURES[name].tokenizer)
    kind = CONFIG_MAPPING[name]
    known = {*kind().to_dict(), *kind.attribute_map}
    ids = ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id", "question_token_id")
    special = {each: getattr(tokenizer, each, None) or 0 for each in ids} | {"decoder_start_token_id": 0}
    chosen = {each: value for each, value in (SMALL | special).items() if each in known}
    config = kind(**chosen | {"vocab_size": min(len(tokenizer), 5000)} | tried.settings | settings)
    tokenizer.save_pretrained(folder)
    if not tried.built:
        config.save_pretrained(folder)
        return folder
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModel.from_config(config).save_pretrained(folder)
    return folder


def features_of(tokenizer, length: int):
    features = qa.make_features(EXAMPLES, tokenizer, length, 8, progress=False)
    assert max(map(len, features["input_ids"])) == length
    return features


def logits(model, features) -> np.ndarray:
    found = np.concatenate([np.concatenate(part) for part in qa.predict_logits(model, features, progress=False)])
    assert np.isfinite(found).all()
    return found


def take_through_the_course(folder: Path):
    """Load, ask, train for two steps, save and load again.

    Returns:
        (trained model, features as long as it takes, tokenizer).
    """
    model = qa.load_model(folder)
    tokenizer = qa.load_tokenizer(folder)
    assert not model.has_trained_head
    longest = longest_input(model.config) or POSITIONS
    features = features_of(tokenizer, longest)
    before = logits(model, features)
    config = qa.FineTuneConfig(
        **{"max_steps": 2, "batch_size": 2, "max_length": longest, "stride": 8, "learning_rate": 1e-3},
        **{"precision": "float32", "output_dir": str(folder / "trained"), "progress": False},
    )
    qa.fine_tune(model, tokenizer, EXAMPLES, None, config)
    after = logits(model, features)
    assert not np.array_equal(before, after)
    again = qa.load_model(folder / "trained", needs_head=True)
    np.testing.assert_array_equal(logits(again, features), after)
    return again, features, tokenizer


@pytest.mark.parametrize("name", MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES)
def test_an_architecture_works_or_says_why_not(name, tmp_path):
    assert name in ARCHITECTURES, f"{name} is new in transformers: add it to the table"
    outcome = ARCHITECTURES[name].outcome
    folder = save_encoder(name, tmp_path)
    if outcome.message:
        with pytest.raises(ValueError, match=outcome.message):
            take_through_the_course(folder)
        return
    model, features, tokenizer = take_through_the_course(folder)

    # The longest window is the longest: with one token more it is refused, or nothing breaks.
    longer = features_of(tokenizer, max(map(len, features["input_ids"])) + 1)
    try:
        logits(model, longer)
    except ValueError as refusal:
        assert re.match(r"a window has \d+ tokens, the model takes \d+", str(refusal))
        batch = {each: torch.tensor(longer[each][:1]) for each in tokenizer.model_input_names}
        with pytest.raises((IndexError, RuntimeError)):
            model(**batch)

    # The lesson's own class gives the same numbers, or refuses.
    if outcome.own_class:
        np.testing.assert_array_equal(logits(qa.ExtractiveQA.from_library(model), features), logits(model, features))
    else:
        with pytest.raises(ValueError, match="does more than apply one linear layer 'qa_outputs'.*as it is"):
            qa.ExtractiveQA.from_library(model)
        with pytest.raises(ValueError, match="does more than apply one linear layer"):
            qa.ExtractiveQA(model.base_model).to_library()

    # An encoder that lacks a weight is damaged, whatever its head is called.
    weights = load_file(folder / "model.safetensors")
    del weights[max(weights, key=len)]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match="does not hold the weights its configuration describes"):
        qa.load_model(folder)
