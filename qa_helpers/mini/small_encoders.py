"""The course's small encoders before training: for each family a tokenizer of its kind and a model of its architecture.

All are 128 wide and attend with two heads. What distinguishes the families is kept: WordPiece, byte-level BPE or
unigram pieces; segments or none; absolute, relative or rotary positions; shared layers and factorised embeddings; layers
that see everything or only what is near.
"""

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AlbertConfig,
    AlbertModel,
    AlbertTokenizer,
    BertConfig,
    BertModel,
    BertTokenizer,
    DebertaV2Config,
    DebertaV2Model,
    DebertaV2Tokenizer,
    DistilBertConfig,
    DistilBertModel,
    ModernBertConfig,
    ModernBertModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    RobertaTokenizer,
)

MAX_LENGTH = 256  # tokens a window may have; the encoders have no further positions, since they would never be trained
WIDTH, HEADS, INNER = 128, 2, 512
PRINTABLE = " ".join([*(chr(code) for code in range(33, 127)), *"‘’“”–—…•·£€¥§©°±½¼¾×÷²³™"])
METASPACE = "▁"  # stands for the space before a word in unigram pieces

# BERT's 0.02 suits 768 dimensions; at 128 it leaves attention flat for too long. Small and trained briefly, such a
# model underfits, so dropout would only slow it.
_COMMON = {
    "initializer_range": 0.07,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "hidden_size": WIDTH,
    "num_attention_heads": HEADS,
    "intermediate_size": INNER,
}


def bert(texts: Sequence[str], vocab_size: int):
    """WordPiece, two segments, two layers."""
    tokenizer = wordpiece_tokenizer(texts, vocab_size)
    config = BertConfig(
        **_COMMON, num_hidden_layers=2, max_position_embeddings=MAX_LENGTH, **_special(tokenizer, "pad_token_id")
    )
    return tokenizer, lambda: BertModel(config, add_pooling_layer=False)


def distilbert(texts: Sequence[str], vocab_size: int):
    """BERT's tokens without its segments and pooler; it starts from mini-bert's weights (see :func:`take_over_bert`).

    The real one has half of BERT's layers, six of twelve. Half of two would be one, which cannot do the task (a token
    must first know its neighbours, then compare itself with the question), so the small one keeps both.
    """
    tokenizer = wordpiece_tokenizer(texts, vocab_size)
    config = DistilBertConfig(
        dim=WIDTH,
        n_layers=2,
        n_heads=HEADS,
        hidden_dim=INNER,
        dropout=0.0,
        attention_dropout=0.0,
        qa_dropout=0.0,
        initializer_range=_COMMON["initializer_range"],
        max_position_embeddings=MAX_LENGTH,
        **_special(tokenizer, "pad_token_id"),
    )
    return tokenizer, lambda: DistilBertModel(config)


def roberta(texts: Sequence[str], vocab_size: int):
    """Byte-level BPE, no segments; position numbers begin after the padding id."""
    vocabulary, merges = _byte_pairs(texts, vocab_size, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    tokenizer = RobertaTokenizer(vocab=vocabulary, merges=merges, model_max_length=MAX_LENGTH)
    config = RobertaConfig(
        **_COMMON,
        num_hidden_layers=2,
        type_vocab_size=1,
        max_position_embeddings=MAX_LENGTH + tokenizer.pad_token_id + 1,
        **_special(tokenizer, "pad_token_id", "bos_token_id", "eos_token_id"),
    )
    return tokenizer, lambda: RobertaModel(config, add_pooling_layer=False)


def albert(texts: Sequence[str], vocab_size: int):
    """Unigram pieces of lower-cased text, factorised embeddings (64 wide), and one layer that is applied three times."""
    special = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    lowered = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()])
    words = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    pieces = _unigram_pieces(texts, vocab_size, special, lowered, words)
    tokenizer = AlbertTokenizer(vocab=pieces, model_max_length=MAX_LENGTH)
    config = AlbertConfig(
        **_COMMON,
        embedding_size=64,
        num_hidden_layers=3,
        max_position_embeddings=MAX_LENGTH,
        **_special(tokenizer, "pad_token_id", "bos_token_id", "eos_token_id"),
    )
    return tokenizer, lambda: AlbertModel(config, add_pooling_layer=False)


def deberta(texts: Sequence[str], vocab_size: int):
    """Version 3's kind: unigram pieces that keep case, no absolute positions, distances between tokens instead."""
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
    pieces = _unigram_pieces(texts, vocab_size, special, normalizers.NFC(), pre_tokenizers.Metaspace())
    tokenizer = DebertaV2Tokenizer(vocab=pieces, model_max_length=MAX_LENGTH)
    config = DebertaV2Config(
        **_COMMON,
        num_hidden_layers=2,
        max_position_embeddings=MAX_LENGTH,
        type_vocab_size=0,
        relative_attention=True,
        position_buckets=32,  # distances up to 16 each have a bucket of their own, longer ones share logarithmically
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
        **_special(tokenizer, "pad_token_id"),
    )
    return tokenizer, lambda: DebertaV2Model(config)


def modernbert(texts: Sequence[str], vocab_size: int):
    """Byte-level BPE between BERT's special tokens, no segments; rotary positions, GeGLU.

    The first and the last layer attend to the whole window, the one between them only to tokens at most 16 away.
    """
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary, merges = _byte_pairs(texts, vocab_size, special)
    pieces = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="[UNK]"))
    pieces.normalizer = normalizers.NFC()
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    pieces.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        model_max_length=MAX_LENGTH,
        model_input_names=["input_ids", "attention_mask"],
        **dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True)),
    )
    config = ModernBertConfig(
        hidden_size=WIDTH,
        num_attention_heads=HEADS,
        intermediate_size=160,
        num_hidden_layers=3,
        layer_types=["full_attention", "sliding_attention", "full_attention"],
        local_attention=32,
        initializer_range=_COMMON["initializer_range"],
        max_position_embeddings=MAX_LENGTH,
        bos_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
        **_special(tokenizer, "pad_token_id", "cls_token_id", "sep_token_id"),
    )
    return tokenizer, lambda: ModernBertModel(config)


SMALL_ENCODERS = {
    "bert": bert,
    "distilbert": distilbert,
    "roberta": roberta,
    "albert": albert,
    "deberta": deberta,
    "modernbert": modernbert,
}


def start_positions_as_waves(encoder: torch.nn.Module) -> None:
    """Start the position embeddings as sines and cosines (Vaswani et al. 2017); they are trained like all else.

    From random ones a small model needs thousands of steps to find out which positions are neighbours. An encoder with rotary
    positions has none to start.
    """
    if isinstance(encoder, ModernBertModel):
        return
    absolute = getattr(encoder.embeddings, "position_embeddings", None)
    table = encoder.encoder.rel_embeddings if absolute is None else absolute
    positions, width = table.weight.shape
    with torch.no_grad():
        table.weight[:] = _waves(positions, 10000.0 ** (-torch.arange(0, width, 2) / width))
        if table.padding_idx is not None:
            table.weight[table.padding_idx] = 0.0


def start_heads_that_match(encoder: BertModel) -> None:
    """Start three heads of every layer but the last with a job, as training finds it after many thousand steps.

    The first head of every layer has equal queries and keys, so a token attends to tokens like itself: a word of the question
    finds the same word in the context. The second and third attend to the token before and the token after. For this the
    first numbers of a token's embedding (as many as a head has) are left to its position. All of it is trained like all
    else. On clozes of random tokens the loss was 1.05 after 500 steps, and 2.9 after 1,500 without it
    (``tools/benchmarks/RESULTS.md``).

    Raises:
        ValueError: fewer than three heads.
    """
    width, heads = encoder.config.hidden_size, encoder.config.num_attention_heads
    if heads < 3:
        raise ValueError(f"three heads get a job, the encoder has {heads}")
    size = width // heads
    rates = 30.0 ** (-torch.arange(size // 2) / (size // 2))  # radians a position: from 1 to about 1/30
    words, positions = encoder.embeddings.word_embeddings.weight, encoder.embeddings.position_embeddings.weight
    with torch.no_grad():
        positions.zero_()
        positions[:, :size] = _waves(len(positions), rates)
        words[:, :size] *= 0.2
        for number, layer in enumerate(encoder.encoder.layer):
            attention = layer.attention.self
            query, key = attention.query.weight, attention.key.weight  # (width, width), head by head
            if number == 0:
                query[:size, :size] = 0.0  # equal words wherever they are
                query[:size, size:].normal_(std=0.08)
            key[:size] = query[:size]
            if number < len(encoder.encoder.layer) - 1:
                for head, distance in ((1, -1), (2, 1)):
                    rows = slice(head * size, (head + 1) * size)
                    query[rows], key[rows] = 2.2 * _turned(rates, distance, width), 2.2 * _turned(rates, 0, width)


def _waves(positions: int, rates: torch.Tensor) -> torch.Tensor:
    """(positions, 2 × rates): a small sine and cosine for each rate, in radians a position."""
    angles = torch.arange(positions)[:, None] * rates
    return 0.1 * torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def _turned(rates: torch.Tensor, distance: int, width: int) -> torch.Tensor:
    """(2 × rates, width): maps the waves of a position to those of the position ``distance`` further on."""
    matrix = torch.zeros(2 * len(rates), width)
    for k, angle in enumerate((distance * rates).tolist()):
        sine, cosine = math.sin(angle), math.cos(angle)
        matrix[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = torch.tensor([[cosine, sine], [-sine, cosine]])
    return matrix


def take_over_bert(student: DistilBertModel, teacher: BertModel) -> None:
    """Start DistilBERT from BERT's layers, as Sanh et al. (2019) did; embeddings, attention and feed-forward weights.

    What the segments added to every token, on average, goes into the position embeddings.
    """
    places = {
        "attention.self.query": "attention.q_lin",
        "attention.self.key": "attention.k_lin",
        "attention.self.value": "attention.v_lin",
        "attention.output.dense": "attention.out_lin",
        "attention.output.LayerNorm": "sa_layer_norm",
        "intermediate.dense": "ffn.lin1",
        "output.dense": "ffn.lin2",
        "output.LayerNorm": "output_layer_norm",
    }
    weights = teacher.state_dict()
    segments = weights.pop("embeddings.token_type_embeddings.weight").mean(dim=0)
    weights["embeddings.position_embeddings.weight"] = weights["embeddings.position_embeddings.weight"] + segments
    taken = {}
    for name, tensor in weights.items():
        if match := re.fullmatch(r"encoder\.layer\.(\d+)\.(.+)\.(weight|bias)", name):
            layer, place, kind = match.groups()
            name = f"transformer.layer.{layer}.{places[place]}.{kind}"
        taken[name] = tensor
    student.load_state_dict(taken, strict=True)


def _special(tokenizer, *names: str) -> dict[str, int]:
    return {"vocab_size": len(tokenizer), **{name: getattr(tokenizer, name) for name in names}}


def wordpiece_tokenizer(texts: Sequence[str], vocab_size: int, max_length: int = MAX_LENGTH) -> BertTokenizer:
    """BERT's kind of tokenizer, cased, with ``vocab_size`` tokens found in ``texts``; signs inside a word ("20€") too."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = special + _wordpieces(texts, vocab_size - len(special))
    return BertTokenizer(
        vocab={token: k for k, token in enumerate(vocabulary)},
        do_lower_case=False,
        strip_accents=False,
        model_max_length=max_length,
    )


def _wordpieces(texts: Sequence[str], size: int) -> list[str]:
    """A WordPiece vocabulary that is the same on every run.

    The library's WordPiece trainer settles ties by the order of a hash table, which differs from run to run; its BPE
    trainer does not. So: BPE, then count which pieces occur at the start of a word and which ("##…") inside one.
    """
    words = pre_tokenizers.BertPreTokenizer()
    counts = Counter(word for text in texts for word, _ in words.pre_tokenize_str(text))
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = words
    bpe.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=size, show_progress=False))
    pieces: Counter[str] = Counter()
    for word, count in sorted(counts.items()):
        for k, piece in enumerate(bpe.encode(word).tokens):
            pieces["##" + piece if k else piece] += count
    letters = sorted({letter for word in counts for letter in word})
    # Inside a word there may be whatever the tokenizer does not make a word of its own.
    inside = [letter for letter in letters if len(words.pre_tokenize_str(f"a{letter}")) == 1]
    alphabet = letters + ["##" + letter for letter in inside]
    known = set(alphabet)
    frequent = [p for p, _ in sorted(pieces.items(), key=lambda item: (-item[1], item[0])) if p not in known]
    return alphabet + frequent[: size - len(alphabet)]


def _byte_pairs(
    texts: Sequence[str], vocab_size: int, special: list[str]
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A byte-level BPE vocabulary, special tokens first, and its merges; every byte is in it, so nothing is unknown."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    made = json.loads(bpe.to_str())["model"]
    return made["vocab"], [tuple(pair) for pair in made["merges"]]


def _unigram_pieces(texts: Sequence[str], size: int, special: list[str], normalizer, words) -> list[tuple[str, float]]:
    """A unigram vocabulary (Kudo 2018), special tokens first, that is the same on every run.

    Its words end at white space, so the trainer also finds pieces such as "bath." and "“1956". An answer that ends
    inside a piece cannot be pointed at; so a tenth more pieces are trained, and those that join letters and
    punctuation left out.

    The library's trainer finds the same pieces every time, but sums their probabilities in an order that differs from
    run to run: equal to the fourth decimal; the last decimals differ, and they decide the order. So: round, then sort.
    """
    unigram = Tokenizer(models.Unigram())
    unigram.normalizer, unigram.pre_tokenizer = normalizer, words
    unknown = next(token for token in special if "unk" in token.lower())
    trainer = trainers.UnigramTrainer(
        vocab_size=size + size // 10, special_tokens=special, unk_token=unknown, show_progress=False
    )
    unigram.train_from_iterator(texts, trainer)
    found = json.loads(unigram.to_str())["model"]["vocab"]
    pieces = sorted(((p, round(s, 2)) for p, s in found if p not in special), key=lambda item: (-item[1], item[0]))
    letters = [(p, s) for p, s in pieces if len(p) == 1]  # every one stays, or a rare letter would be unknown
    longer = [(p, s) for p, s in pieces if len(p) > 1 and not _joins_letters_and_punctuation(p)]
    kept = {p for p, _ in [*letters, *longer[: size - len(special) - len(letters)]]}
    return [(token, 0.0) for token in special] + [(p, s) for p, s in pieces if p in kept]


def _joins_letters_and_punctuation(piece: str) -> bool:
    marks = [unicodedata.category(letter)[0] == "P" or letter.isspace() for letter in piece.removeprefix(METASPACE)]
    return any(marks) and not all(marks)
