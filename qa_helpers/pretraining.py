"""Making the small encoders that ship with the course: tokenizer, then masked language modelling on corpus passages.

A reader never needs to run this; ``qa-helpers pretrain`` does, and its result is what ``assets/`` holds. Questions play
no part in it: like ``bert-base-cased``, the encoder has only read text when fine-tuning starts. It reads in two stages:

1. short stretches of passages, with tokens masked at random (Devlin et al. 2019);
2. pairs, as BERT did: a sentence and a passage about the same thing. In the sentence a whole name, date or quantity is
   masked (Guu et al. 2020); the encoder is asked which it was, and where the passage says it, in other words
   ("recurring span selection", Ram et al. 2021).
"""

import math
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
    BertConfig,
    BertModel,
    BertTokenizer,
    Trainer,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_callback import PrinterCallback

from .checkpoints import FAMILIES
from .corpus import build_corpus, passages, retellings
from .data import unknown_name
from .features import make_features
from .files import whole_folder
from .model import span_loss

PASSAGES, RETELLINGS = 6000, 40000
SPAN = ("start_positions", "end_positions")
MAX_LENGTH = 256  # tokens a window may have; the encoders have no positions beyond, since they would never be trained
CORPUS_SEED = 7  # another seed than the course's examples: other entries, of the same world


@dataclass(frozen=True)
class Stage:
    """One stretch of pretraining: ``steps`` optimizer steps of ``batch_size`` sequences of up to ``length`` tokens.

    ``pairs``: sentence and passage instead of stretches of text. ``masked``: share of tokens to predict.
    ``learning_rate``: peak of a cosine schedule.
    """

    pairs: bool
    length: int
    steps: int
    batch_size: int
    masked: float
    learning_rate: float


@dataclass(frozen=True)
class PretrainConfig:
    """Settings of a pretraining run.

    Attributes:
        stages: see :class:`Stage`. More is masked than BERT's 15 %: so small a model learns faster from more questions.
        vocab_size: tokens.
        seed: of weights, masks and order.
        progress: None shows a bar on a terminal only.
    """

    stages: tuple[Stage, ...] = (
        Stage(pairs=False, length=64, steps=4800, batch_size=16, masked=0.4, learning_rate=2e-3),
        Stage(pairs=True, length=MAX_LENGTH, steps=6000, batch_size=8, masked=0.15, learning_rate=1e-3),
    )
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
        The log: dicts with ``step`` and ``loss`` (mean cross-entropy of the masked tokens, in nats; with
        pairs, that of the span to point at is added).

    Raises:
        ValueError: unknown family.
    """
    if family not in BUILDERS:
        raise ValueError(unknown_name("family", family, BUILDERS, "see qa_helpers/checkpoints.py"))
    config = config or PretrainConfig()
    texts = passages(PASSAGES, seed=CORPUS_SEED)
    tokenizer = train_tokenizer(family, config.vocab_size, texts)
    set_seed(config.seed)
    encoder = BUILDERS[family][1](tokenizer)
    _start_positions_as_waves(encoder)
    model, history = MaskedLM(encoder), []
    for stage in config.stages:
        done = history[-1]["step"] if history else 0
        rows = _pairs(tokenizer, stage) if stage.pairs else _stretches(tokenizer, texts, stage, config.seed)
        history += [{**row, "step": done + row["step"]} for row in _train(model, tokenizer, rows, stage, config)]
    with whole_folder(output_dir) as partial:
        encoder.half().save_pretrained(partial)  # half the size; load_model reads it as float32
        tokenizer.save_pretrained(partial)
    return history


def train_tokenizer(family: str, vocab_size: int, texts: Sequence[str]):
    """The tokenizer of a family's small encoder, made from passages; the same vocabulary on every run."""
    # Question words must be in the vocabulary, so the tokenizer (not the encoder) sees the questions as well.
    questions = [row["question"] for row in build_corpus()["train"]]
    return BUILDERS[family][0]([*texts, *questions], vocab_size)


class MaskedLM(nn.Module):
    """An encoder with two heads for pretraining, both thrown away afterwards, so that plain ones serve all families.

    One predicts masked tokens: hidden → transform → scores by the token embeddings. It looks at masked positions only,
    which costs a fraction of scoring every token against the vocabulary, as the library's classes do. The other points
    at where a passage says what a sentence leaves out.
    """

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder
        vocabulary, width = encoder.get_input_embeddings().weight.shape
        self.transform = nn.Sequential(nn.Linear(encoder.config.hidden_size, width), nn.GELU(), nn.LayerNorm(width))
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self.pointer = nn.Linear(encoder.config.hidden_size, 2)

    def forward(
        self, input_ids, attention_mask, labels, token_type_ids=None, start_positions=None, end_positions=None
    ) -> dict:
        """All (batch, sequence); ``labels``: the token's id where it was masked, -100 elsewhere. Positions: (batch,)."""
        segments = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        hidden = self.encoder(input_ids, attention_mask=attention_mask, **segments).last_hidden_state
        masked = labels != -100
        scores = self.transform(hidden[masked]) @ self.encoder.get_input_embeddings().weight.T + self.bias
        loss = nn.functional.cross_entropy(scores, labels[masked])
        if start_positions is not None:
            starts, ends = self.pointer(hidden).unbind(-1)
            loss = loss + (span_loss(starts, start_positions) + span_loss(ends, end_positions)) / 2
        return {"loss": loss}


def _start_positions_as_waves(encoder: nn.Module) -> None:
    """Start the position embeddings as sines and cosines (Vaswani et al. 2017); they are trained like all else.

    From random ones a small model needs thousands of steps to find out which positions are neighbours.
    """
    table = encoder.embeddings.position_embeddings.weight
    positions, width = table.shape
    angles = torch.arange(positions)[:, None] * torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    with torch.no_grad():
        table[:, 0::2], table[:, 1::2] = 0.1 * angles.sin(), 0.1 * angles.cos()


def _train(model: MaskedLM, tokenizer, rows: Dataset, stage: Stage, config: PretrainConfig) -> list[dict]:
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            max_steps=stage.steps,
            per_device_train_batch_size=stage.batch_size,
            learning_rate=stage.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=0.1,
            weight_decay=0.01,
            train_sampling_strategy="group_by_length" if stage.pairs else "random",
            length_column_name="length",
            remove_unused_columns=False,
            logging_steps=min(100, stage.steps),
            save_strategy="no",
            report_to="none",
            disable_tqdm=not (sys.stderr.isatty() if config.progress is None else config.progress),
            use_cpu=not torch.cuda.is_available(),
            seed=config.seed,
            data_seed=config.seed,
            log_level="error",
        )
        masker = _Masker(tokenizer, stage.masked, config.seed)
        trainer = Trainer(model=model, args=arguments, train_dataset=rows, data_collator=masker)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return [{"step": row["step"], "loss": row["loss"]} for row in trainer.state.log_history if "loss" in row]


class _Masker:
    """Rows → a padded batch with tokens masked: ``masked`` of all, and every token of a row's ``target`` span.

    Of the tokens chosen by chance, 80 % become [MASK], 10 % another token, 10 % stay (Devlin et al. 2019). The library's
    collator does that, but cannot mask chosen spans.
    """

    def __init__(self, tokenizer, masked: float, seed: int):
        self.tokenizer, self.masked = tokenizer, masked
        self.chance = torch.Generator().manual_seed(seed)

    def __call__(self, rows: list[dict]) -> dict[str, torch.Tensor]:
        names = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in rows[0]]
        batch = self.tokenizer.pad({name: [row[name] for row in rows] for name in names}, return_tensors="pt")
        ids = batch["input_ids"]
        target = torch.zeros_like(ids, dtype=torch.bool)
        for k, row in enumerate(rows):
            target[k, row["target"][0] : row["target"][1]] = True
        special = torch.isin(ids, torch.tensor(self.tokenizer.all_special_ids))
        chosen = target | ((self._uniform(ids) < self.masked) & ~special)
        fate = self._uniform(ids)
        others = torch.randint(len(self.tokenizer), ids.shape, generator=self.chance)
        shown = torch.where(chosen & (target | (fate < 0.8)), self.tokenizer.mask_token_id, ids)
        shown = torch.where(chosen & ~target & (fate > 0.9), others, shown)
        spans = {name: torch.tensor([row[name] for row in rows]) for name in SPAN if name in rows[0]}
        return {**{n: batch[n] for n in names}, **spans, "input_ids": shown, "labels": torch.where(chosen, ids, -100)}

    def _uniform(self, like: torch.Tensor) -> torch.Tensor:
        return torch.rand(like.shape, generator=self.chance)


def _stretches(tokenizer, texts: Sequence[str], stage: Stage, seed: int) -> Dataset:
    """Every passage cut into stretches of the stage's length; the first cut of each falls at a random place."""
    chance = random.Random(seed)
    room = stage.length - 2  # [CLS] and [SEP]
    rows = []
    for ids in tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]:
        first = chance.randint(min(room, len(ids)) // 2, room)
        for start, end in [(0, first), *((k, k + room) for k in range(first, len(ids), room))]:
            rows.append([tokenizer.cls_token_id, *ids[start:end], tokenizer.sep_token_id])
    lengths = [len(row) for row in rows]
    columns = {"input_ids": rows, "attention_mask": [[1] * n for n in lengths], "length": lengths}
    return Dataset.from_dict({**columns, "target": [(0, 0)] * len(rows)})


def _pairs(tokenizer, stage: Stage) -> Dataset:
    """A sentence and the window of a passage that says the same.

    ``target``: the sentence's tokens to mask; start and end positions: where the passage has what they said.
    """
    told = retellings(RETELLINGS, seed=CORPUS_SEED)
    examples = [
        {
            "id": str(k),
            "title": "",
            "context": row["context"],
            "question": row["sentence"],
            "answers": {"text": [row["context"][row["start"] : row["end"]]], "answer_start": [row["start"]]},
        }
        for k, row in enumerate(told)
    ]
    features = make_features(examples, tokenizer, stage.length, stage.length // 4)
    rows: dict[str, list] = {name: [] for name in (*tokenizer.model_input_names, *SPAN, "length", "target")}
    for feature in features:
        row = told[feature["example_index"]]
        inside = [
            k
            for k, (start, end) in enumerate(feature["offset_mapping"][: feature["context_tokens"][0]])
            if start < row["sentence_end"] and end > row["sentence_start"]
        ]
        if feature["start_positions"] == feature["cls_index"] or not inside:
            continue  # this window of a long passage does not say it
        for name in tokenizer.model_input_names:
            rows[name].append(feature[name])
        rows["length"].append(len(feature["input_ids"]))
        rows["target"].append((inside[0], inside[-1] + 1))
        rows["start_positions"].append(feature["start_positions"])
        rows["end_positions"].append(feature["end_positions"])
    return Dataset.from_dict(rows)


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


def _bert_encoder(tokenizer) -> BertModel:
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=512,
        max_position_embeddings=MAX_LENGTH,
        initializer_range=0.07,  # BERT's 0.02 suits 768 dimensions; at 128 it leaves attention flat for too long
        hidden_dropout_prob=0.0,  # small and trained briefly: it underfits, so dropout only slows it
        attention_probs_dropout_prob=0.0,
        pad_token_id=tokenizer.pad_token_id,
    )
    return BertModel(config, add_pooling_layer=False)


BUILDERS = {FAMILIES["bert"].model_type: (_bert_tokenizer, _bert_encoder)}
