"""Making the small encoders that ship with the course: tokenizer, then masked language modelling on corpus passages.

A reader never needs to run this; ``qa-helpers pretrain`` does, and its result is what ``assets/`` holds. Questions and
answers play no part in it: like ``bert-base-cased``, the encoder has only read text when fine-tuning starts.
"""

import random
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import nn
from transformers import (
    AutoModel,
    BertConfig,
    BertTokenizer,
    DataCollatorForLanguageModeling,
    PreTrainedConfig,
    Trainer,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_callback import PrinterCallback

from .checkpoints import FAMILIES
from .corpus import build_corpus, passages
from .data import unknown_name
from .files import whole_folder

PASSAGES = 6000
MAX_LENGTH = 256  # tokens of a training sequence; positions beyond are never seen, so the encoders have no more of them
CORPUS_SEED = 7  # another seed than the course's examples: other entries, of the same world


@dataclass(frozen=True)
class PretrainConfig:
    """Settings of a pretraining run: ``steps`` optimizer steps of ``batch_size`` sequences, ``masked`` the share of
    tokens to predict, ``learning_rate`` the peak of a cosine schedule, ``vocab_size`` tokens."""

    steps: int = 1500
    batch_size: int = 32
    masked: float = 0.2
    learning_rate: float = 1e-3
    vocab_size: int = 4000
    seed: int = 0
    progress: bool | None = None


def pretrain(family: str, output_dir: str | Path, config: PretrainConfig | None = None) -> list[dict]:
    """Train a small encoder of a family from scratch and save it.

    Args:
        family: ``"bert"`` (see ``checkpoints.FAMILIES``).
        output_dir: where config.json, model.safetensors (half precision) and the tokenizer go.
        config: see :class:`PretrainConfig`.

    Returns:
        The log: dicts with ``step`` and ``loss`` (mean cross-entropy of the masked tokens, in nats).

    Raises:
        ValueError: unknown family.
    """
    if family not in BUILDERS:
        raise ValueError(unknown_name("family", family, BUILDERS, "see qa_helpers/checkpoints.py"))
    config = config or PretrainConfig()
    texts = passages(PASSAGES, seed=CORPUS_SEED)
    questions = [row["question"] for row in build_corpus()["train"]]
    build_tokenizer, build_config = BUILDERS[family]
    # Question words must be in the vocabulary, so the tokenizer (not the encoder) sees the questions as well.
    tokenizer = build_tokenizer([*texts, *questions], config.vocab_size)
    set_seed(config.seed)
    encoder = AutoModel.from_config(
        build_config(tokenizer), **({"add_pooling_layer": False} if family == "bert" else {})
    )
    history = _train(MaskedLM(encoder), tokenizer, texts, config)
    with whole_folder(output_dir) as partial:
        encoder.half().save_pretrained(partial)  # half the size; load_model reads it as float32
        tokenizer.save_pretrained(partial)
    return history


class MaskedLM(nn.Module):
    """An encoder and a head that predicts masked tokens: hidden → transform → scores by the token embeddings.

    The head is thrown away afterwards, so one plain head serves all families. It looks at masked positions only (one in
    five), which costs a fifth of scoring every token against the vocabulary, as the library's classes do.
    """

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder
        vocabulary, width = encoder.get_input_embeddings().weight.shape
        self.transform = nn.Sequential(nn.Linear(encoder.config.hidden_size, width), nn.GELU(), nn.LayerNorm(width))
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor) -> dict:
        """``labels`` (batch, sequence): the token's id where it was masked, -100 elsewhere."""
        hidden = self.encoder(input_ids, attention_mask=attention_mask).last_hidden_state
        masked = labels != -100
        scores = self.transform(hidden[masked]) @ self.encoder.get_input_embeddings().weight.T + self.bias
        return {"loss": nn.functional.cross_entropy(scores, labels[masked])}


def _train(model: MaskedLM, tokenizer, texts: Sequence[str], config: PretrainConfig) -> list[dict]:
    sequences = _sequences(tokenizer, texts, config.seed)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            max_steps=config.steps,
            per_device_train_batch_size=config.batch_size,
            learning_rate=config.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=0.1,
            weight_decay=0.01,
            train_sampling_strategy="group_by_length",
            length_column_name="length",
            logging_steps=50,
            save_strategy="no",
            report_to="none",
            disable_tqdm=not (sys.stderr.isatty() if config.progress is None else config.progress),
            use_cpu=not torch.cuda.is_available(),
            seed=config.seed,
            data_seed=config.seed,
            log_level="error",
        )
        collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=config.masked, seed=config.seed)
        trainer = Trainer(model=model, args=arguments, train_dataset=sequences, data_collator=collator)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return [{"step": row["step"], "loss": row["loss"]} for row in trainer.state.log_history if "loss" in row]


def _sequences(tokenizer, texts: Sequence[str], seed: int) -> Dataset:
    """Each passage as one sequence; of a long one, a stretch from a random place, so that every position has text."""
    chance = random.Random(seed)
    room = MAX_LENGTH - 2  # [CLS] and [SEP]
    rows = []
    for ids in tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]:
        start = chance.randint(0, max(0, len(ids) - room))
        rows.append([tokenizer.cls_token_id, *ids[start : start + room], tokenizer.sep_token_id])
    return Dataset.from_dict({"input_ids": rows, "length": [len(row) for row in rows]})


def _bert_tokenizer(texts: Sequence[str], vocab_size: int) -> BertTokenizer:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = special + _wordpieces(texts, vocab_size - len(special))
    return BertTokenizer(
        vocab={token: k for k, token in enumerate(vocabulary)},
        do_lower_case=False,
        strip_accents=False,
        model_max_length=MAX_LENGTH,
    )


def _wordpieces(texts: Sequence[str], size: int) -> list[str]:
    """A WordPiece vocabulary that is the same on every run.

    The library's WordPiece trainer settles ties by the order of a hash table, which differs from run to run; its BPE
    trainer does not. So: BPE, then count which pieces stand at the start of a word and which ("##…") inside one.
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
    alphabet = letters + ["##" + letter for letter in letters if letter.isalnum()]
    known = set(alphabet)
    frequent = [p for p, _ in sorted(pieces.items(), key=lambda item: (-item[1], item[0])) if p not in known]
    return alphabet + frequent[: size - len(alphabet)]


def _bert_config(tokenizer) -> PreTrainedConfig:
    return BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=512,
        max_position_embeddings=MAX_LENGTH,
        hidden_dropout_prob=0.0,  # small and trained briefly: it underfits, so dropout only slows it
        attention_probs_dropout_prob=0.0,
        pad_token_id=tokenizer.pad_token_id,
    )


BUILDERS = {FAMILIES["bert"].model_type: (_bert_tokenizer, _bert_config)}
