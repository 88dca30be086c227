"""Every architecture that transformers has a question answering model for, built small and taken through the course.

Each is saved as a bare encoder, loaded with a new head, asked about windows as long as it takes, trained for two steps,
saved and loaded again. It works, or it is refused in a sentence that says why. ``ARCHITECTURES`` says which; the table in
``tests/README.md`` is made of it (``python tests/test_architectures.py`` prints it).
"""

import functools
import json
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import datasets
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
    PythonBackend,
    RoCBertTokenizer,
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
        sees_padding: whether the logits of a window depend on the padding behind it.
    """

    told: str
    message: str | None = None
    own_class: bool = True
    sees_padding: bool = False


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
SEES_PADDING = Outcome(
    "works; a window's logits depend on the padding behind it, so they differ a little with the batch",
    sees_padding=True,
)
WORKS_WITH_LANGUAGE = Outcome(
    "works where its configuration names a `default_language`; without one the library's error says how to set it"
)
WORKS_WITH_OTHER_TOKENIZER = Outcome(
    "works with BERT's tokenizer; its own, for Chinese, needs the package `rjieba` and was not tried"
)
OTHER_HEAD = Outcome(
    "works; `ExtractiveQA` refuses it, because its head is more than one linear layer", own_class=False
)
NO_CLS = Outcome(
    "refused: its tokenizer has no [CLS] token to label unanswerable windows with", r"has no \[CLS\] token" + INSTEAD
)
CLS_UNUSED = Outcome(
    "refused: its tokenizer puts no [CLS] token into a window", r"puts no \[CLS\] token into its windows" + INSTEAD
)
SLOW = Outcome(
    "refused: its tokenizer gives no offsets (there is no fast one)", "gives no offsets .*choose a checkpoint"
)
NOT_PLAIN = Outcome(
    "refused: its tokenizer takes entities beside the text, and no typed special tokens as plain text",
    "does not take a question and a context as plain texts" + INSTEAD,
)
PAGES = Outcome(
    "refused: it reads pages, with boxes, a picture or markup beside the text", "reads pages, not plain text" + INSTEAD
)
NO_ENCODER = Outcome(
    "refused: its class does not keep the encoder apart from the head, so a new head looks like missing weights",
    "does not separate its encoder from its head" + INSTEAD,
)

DECODERS = (
    "arcee bloom diffllama exaone4 falcon gpt2 gpt_neo gpt_neox gptj llama minimax ministral ministral3 mistral mixtral mpt "
    "nemotron opt qwen2 qwen2_moe qwen3 qwen3_moe qwen3_next reformer seed_oss smollm3"
)
LIKE_BERT = "albert bert deberta-v2 electra ernie megatron-bert mobilebert rembert squeezebert ultrabert"
LIKE_ROBERTA = (
    "bart camembert data2vec-text deberta ibert jina_embeddings_v3 mpnet mra mvp roberta roberta-prelayernorm "
    "xlm-roberta xlm-roberta-xl"
)
ARCHITECTURES = {
    **{name: Architecture("gpt2", NO_CLS) for name in DECODERS.split()},
    **{name: Architecture("bert") for name in LIKE_BERT.split()},
    **{name: Architecture("roberta") for name in LIKE_ROBERTA.split()},
    "big_bird": Architecture("bert", OTHER_HEAD),
    "bigbird_pegasus": Architecture("gpt2", NO_CLS),
    "canine": Architecture("canine", SLOW, {"num_hash_buckets": 64}),
    "convbert": Architecture("bert", SEES_PADDING),
    "distilbert": Architecture("bert", WORKS, {"hidden_dim": 64}),
    "flaubert": Architecture("roc_bert", SLOW),
    "fnet": Architecture("bert", SEES_PADDING),
    "funnel": Architecture("funnel", SEES_PADDING, {"block_sizes": [1, 1], "architectures": ["FunnelModel"]}),
    "gpt_neo": Architecture("gpt2", NO_CLS, {"attention_types": [[["global", "local"], 1]]}),
    "gptj": Architecture("gpt2", NO_CLS, {"rotary_dim": 8}),
    "layoutlmv2": Architecture(
        "bert", PAGES, built=False
    ),  # its picture encoder needs detectron2, which no one installs
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
    "nystromformer": Architecture("roberta", SEES_PADDING),
    "qwen3_next": Architecture("gpt2", NO_CLS, {"layer_types": ["linear_attention", "full_attention"]}),
    "reformer": Architecture(
        "gpt2", NO_CLS, {"axial_pos_embds": False, "attn_layers": ["local", "local"], "attention_head_size": 16}
    ),
    "roc_bert": Architecture("roc_bert", SLOW, {"pronunciation_vocab_size": 8, "shape_vocab_size": 8}),
    "roformer": Architecture("bert", WORKS_WITH_OTHER_TOKENIZER),
    "splinter": Architecture("splinter", OTHER_HEAD),
    "t5": Architecture("gpt2", NO_ENCODER),
    "umt5": Architecture("gpt2", NO_ENCODER),
    "xlm": Architecture("roc_bert", SLOW),
    "xlnet": Architecture("xlnet"),
    "xmod": Architecture("roberta", WORKS_WITH_LANGUAGE, {"default_language": "en_XX"}),
    "yoso": Architecture("bert", SEES_PADDING),
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
EXAMPLES.append(EXAMPLES[1] | {"id": "short", "context": "The mill was sold."})  # one window, shorter than the others


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


def slow_tokenizer() -> RoCBertTokenizer:
    """RoCBERT's, which reads words, their shapes and their sounds from files."""
    known = vocabulary("mini-bert")["vocab"]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("words.txt", "shapes.json", "sounds.json")]
        files[0].write_text("\n".join(known), encoding="utf-8")
        for file in files[1:]:
            file.write_text(json.dumps(dict.fromkeys(known, 0)))
        return RoCBertTokenizer(*map(str, files))


TOKENIZERS = {
    "bert": lambda: AutoTokenizer.from_pretrained(locate("mini-bert")),
    "roberta": lambda: AutoTokenizer.from_pretrained(locate("mini-roberta")),
    "gpt2": lambda: GPT2Tokenizer(**pairs()),
    "canine": CanineTokenizer,
    "funnel": lambda: FunnelTokenizer(words("<unk>", "<sep>", "<pad>", "<cls>", "<mask>", "<s>", "</s>")),
    "luke": lambda: LukeTokenizer(**pairs(), entity_vocab={"[UNK]": 0, "[PAD]": 1, "[MASK]": 2, "[MASK2]": 3}),
    "mbart": lambda: MBartTokenizer(pieces("<s>", "<pad>", "</s>", "<unk>"), src_lang="en_XX"),
    "roc_bert": slow_tokenizer,
    "splinter": lambda: SplinterTokenizer(words("[QUESTION]"), do_lower_case=False),
    "xlnet": lambda: XLNetTokenizer(pieces("<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>")),
}


@functools.lru_cache(
    maxsize=4
)  # not for good: CANINE's has a million entries, which slow down every garbage collection
def tokenizer_of(kind: str):
    return TOKENIZERS[kind]()


def save_encoder(name: str, folder: Path, tokenizer: str | None = None, **settings) -> Path:
    """A bare encoder of an architecture, with random weights, and its tokenizer or one of another kind."""
    tried = ARCHITECTURES[name]
    tokenizer = tokenizer_of(tokenizer or tried.tokenizer)
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


def loss_in_training(model, batch) -> float:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        return model.train()(**batch).loss.item()


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

    # The shortest window alone, and behind it the padding that a longer one brings.
    short = features.select([min(range(len(features)), key=lambda k: len(features[k]["input_ids"]))])
    alone, padded = logits(model, short), logits(model, datasets.concatenate_datasets([short, features.select([0])]))
    assert len(features[0]["input_ids"]) > len(short[0]["input_ids"])
    starts = slice(0, len(short[0]["input_ids"]))
    assert np.allclose(alone[starts], padded[starts], atol=1e-5) is not outcome.sees_padding

    # The lesson's own class gives the same numbers, with dropout and without, or refuses.
    if outcome.own_class:
        own = qa.ExtractiveQA.from_library(model)
        np.testing.assert_array_equal(logits(own, features), logits(model, features))
        batch = qa.make_batch(features[:2], tokenizer)
        assert loss_in_training(own, batch) == loss_in_training(model, batch)
    else:
        with pytest.raises(ValueError, match="does more than apply one linear layer 'qa_outputs'.*as it is"):
            qa.ExtractiveQA.from_library(model)
        with pytest.raises(ValueError, match="without a trained question answering head"):
            qa.load_model(folder, needs_head=True)

    # An encoder that lacks a weight is damaged, whatever its head is called.
    weights = load_file(folder / "model.safetensors")
    del weights[max(weights, key=len)]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match="does not hold the weights its configuration describes"):
        qa.load_model(folder)


def test_luke_has_its_positions_behind_the_padding_id_too(tmp_path):
    assert set(POSITIONS_AFTER_PADDING) <= set(ARCHITECTURES)
    model = qa.load_model(save_encoder("luke", tmp_path, tokenizer="roberta"))  # its own is refused above
    assert longest_input(model.config) == POSITIONS - 2
    features = features_of(qa.load_tokenizer(tmp_path), POSITIONS - 2)
    logits(model, features)
    with pytest.raises(IndexError):
        model(torch.full((1, POSITIONS - 1), 9))


def test_xmod_asks_for_its_language_and_works_once_it_has_one(tmp_path):
    model = qa.load_model(save_encoder("xmod", tmp_path, default_language=None))
    features = features_of(qa.load_tokenizer(tmp_path), 30)
    with pytest.raises(ValueError, match="language unknown.*set_default_language"):
        logits(model, features)
    model.set_default_language("en_XX")
    logits(model, features)


def test_a_model_of_a_type_without_question_answering_is_refused(tmp_path):
    CONFIG_MAPPING["vit"]().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="no extractive question answering model of the type 'vit'" + INSTEAD):
        qa.load_model(tmp_path)


def test_a_model_with_another_head_is_refused_before_it_is_trained_in_the_lessons_class(tmp_path):
    model = qa.ExtractiveQA(AutoModel.from_pretrained(save_encoder("big_bird", tmp_path)))
    config = qa.FineTuneConfig(max_steps=2, max_length=30, stride=8, output_dir=str(tmp_path / "out"), progress=False)
    before = model.qa_outputs.weight.clone()
    with pytest.raises(ValueError, match="BigBirdForQuestionAnswering does more than apply one linear layer"):
        qa.fine_tune(model, tokenizer_of("bert"), EXAMPLES, None, config)
    assert torch.equal(model.qa_outputs.weight, before)


def test_each_is_tried_with_a_tokenizer_of_its_own_kind():
    for name, tried in ARCHITECTURES.items():
        own = tokenizer_class_from_name(TOKENIZER_MAPPING_NAMES.get(name) or "TokenizersBackend")
        assert issubclass(own, PythonBackend) is (tried.outcome is SLOW), name
        if own is CanineTokenizer:  # which takes seconds
            continue
        try:
            without_cls = own().cls_token is None
        except Exception:  # it needs files, so it cannot be asked
            continue
        assert without_cls is (tried.tokenizer == "gpt2"), name


def table() -> str:
    """The table of ``tests/README.md``: architectures that fare alike share a row."""
    rows: dict[str, list[str]] = {}
    for name in sorted(ARCHITECTURES):
        rows.setdefault(ARCHITECTURES[name].outcome.told, []).append(f"`{name}`")
    order = sorted(rows, key=lambda told: (not told.startswith("works"), -len(rows[told])))
    lines = [f"| {', '.join(rows[told])} | {told} |" for told in order]
    return "\n".join(["| architecture | works / why not |", "|---|---|", *lines])


def test_the_readme_has_the_same_table():
    assert table() in README.read_text(encoding="utf-8"), "put what `python tests/test_architectures.py` prints there"


if __name__ == "__main__":
    print(table())
