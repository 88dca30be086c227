"""Making the small encoders that ship with the course: tokenizer, then masked language modelling on texts of the course.

A reader never needs to run this; ``qa-helpers pretrain`` does, and its result is what ``assets/`` holds. Questions play
no part in it: like ``bert-base-cased``, the encoder has only read text when fine-tuning starts. It reads in two stages:

1. short stretches of passages and of the training notes, with tokens masked at random (Devlin et al. 2019);
2. pairs, as BERT did: a sentence and a passage about the same thing. In the sentence a whole name, date or quantity is
   masked (Guu et al. 2020); the encoder is asked which it was, and where the passage says it, in other words
   ("recurring span selection", Ram et al. 2021).
"""

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from datasets import Dataset
from torch import nn
from transformers import Trainer, TrainingArguments, set_seed
from transformers.trainer_callback import PrinterCallback

from ..checkpoints import load_model, load_tokenizer, settle_tokenizer
from ..data import unknown_name
from ..engine.training_bar import Plan, TrainingBar
from ..engine.whole_files import whole_folder
from ..features import make_features
from ..model import span_loss
from ..training import save_model
from .corpus import build_corpus, passages, retellings
from .notes import read_notes
from .small_encoders import MAX_LENGTH, PRINTABLE, SMALL_ENCODERS, start_positions_as_waves, take_over_bert

PASSAGES, RETELLINGS = 6000, 40000
NOTES_READ = 3  # times that each training note is read: beside 6,000 passages, their everyday words would stay rare
SPAN = ("start_positions", "end_positions")
CORPUS_SEED = 7  # another seed than the course's examples: other entries, of the same world


@dataclass(frozen=True)
class Stage:
    """One stretch of pretraining: ``steps`` optimizer steps of ``batch_size`` sequences of up to ``length`` tokens.

    ``pairs``: sentence and passage instead of stretches of text. ``masked``: share of tokens to predict.
    ``learning_rate``: peak of the schedule, which after a short rise either falls to 0 like a cosine or stays
    ("constant_with_warmup", for a stage that another one continues).
    """

    pairs: bool
    length: int
    steps: int
    batch_size: int
    masked: float
    learning_rate: float
    schedule: str = "cosine"


STAGES = (
    Stage(pairs=False, length=64, steps=4000, batch_size=16, masked=0.4, learning_rate=2e-3),
    Stage(True, 96, 5000, 16, masked=0.0, learning_rate=1e-3, schedule="constant_with_warmup"),
    Stage(True, MAX_LENGTH, 8000, 8, masked=0.0, learning_rate=1e-3),
)
STAGES_OF = {
    # Its one layer is applied three times, so a step changes more: at the others' rate it did not learn to use neighbours.
    "albert": (
        Stage(pairs=False, length=64, steps=6000, batch_size=16, masked=0.4, learning_rate=8e-4),
        Stage(True, 96, 5000, 16, masked=0.0, learning_rate=7e-4, schedule="constant_with_warmup"),
        Stage(True, MAX_LENGTH, 8000, 8, masked=0.0, learning_rate=7e-4),
    ),
    # Starts from mini-bert's layers, which have learnt most of it.
    "distilbert": (Stage(True, MAX_LENGTH, 3000, 8, masked=0.0, learning_rate=5e-4),),
}


@dataclass(frozen=True)
class PretrainConfig:
    """Settings of a pretraining run.

    Attributes:
        stages: see :class:`Stage`; None takes the family's. First more is masked than BERT's 15 %: so small a model
            learns faster from more questions. Pairs come short first, which is where matching is learned, and then as
            long as windows are.
        share: do only this share of each stage's steps.
        start_from: a folder with an encoder of the family, made by an earlier run: go on with its last stage, at the full
            learning rate again, instead of starting from nothing.
        vocab_size: tokens.
        seed: of weights, masks and order.
        progress: whether to show a bar; None does in a notebook and on a terminal (see ``engine/progress_bars.py``).
    """

    stages: tuple[Stage, ...] | None = None
    share: float = 1.0
    start_from: str | Path | None = None
    vocab_size: int = 4000
    seed: int = 0
    progress: bool | None = None

    def stages_of(self, family: str) -> list[Stage]:
        """The stages of a family's run, ``share`` applied."""
        stages = self.stages or STAGES_OF.get(family, STAGES)
        stages = stages[-1:] if self.start_from else stages
        return [replace(stage, steps=max(1, round(self.share * stage.steps))) for stage in stages]


def pretrain(
    family: str,
    output_dir: str | Path,
    config: PretrainConfig | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> list[dict]:
    """Train a small encoder of a family from scratch and save it.

    A run that is cut off leaves nothing at ``output_dir`` (or what was there before), and starts over when it is
    repeated; ``start_from`` saves doing finished work twice.

    Args:
        family: ``"bert"``, ``"distilbert"``, ``"roberta"``, ``"albert"``, ``"deberta"`` or ``"modernbert"``.
        output_dir: where config.json, model.safetensors (half precision) and the tokenizer go.
        config: see :class:`PretrainConfig`.
        report: called with a line about each stage when it is done.

    Returns:
        The log: dicts with ``step`` and ``loss`` (mean cross-entropy of the masked tokens, in nats; with
        pairs, that of the span to point at is added).

    Raises:
        ValueError: unknown family, an encoder to start from that has other tokens or another architecture, or a vocabulary
            that DistilBERT would not share with mini-bert.
    """
    config = config or PretrainConfig()
    texts = texts_to_read()
    tokenizer, build_encoder = small_encoder(family, config.vocab_size, texts)
    set_seed(config.seed)
    encoder = build_encoder()
    if config.start_from:
        take_over(encoder, tokenizer, config.start_from)
        set_seed(config.seed)  # the heads' first weights do not depend on how the encoder came here
    elif family == "distilbert":
        take_over_bert(encoder, _mini_bert(tokenizer))
    else:
        start_positions_as_waves(encoder)
    stages = config.stages_of(family)
    model, history = MaskedLM(encoder), []
    for number, stage in enumerate(stages, start=1):
        done, begun = history[-1]["step"] if history else 0, time.perf_counter()
        rows = _pairs(tokenizer, stage) if stage.pairs else _stretches(tokenizer, texts, stage, config.seed)
        log = _train(model, tokenizer, rows, stage, config)
        history += [{**row, "step": done + row["step"]} for row in log]
        report(
            f"{family}, stage {number} of {len(stages)}: {stage.steps} steps of {stage.batch_size} sequences of "
            f"up to {stage.length} tokens, loss {log[0]['loss']:.2f} -> {log[-1]['loss']:.2f}, "
            f"{time.perf_counter() - begun:.0f} s"
        )
    with whole_folder(output_dir) as partial:
        save_model(encoder.half(), tokenizer, partial)  # half the size; load_model reads it as float32
    return history


def texts_to_read() -> list[str]:
    """Passages of the gazetteer, and the training notes several times."""
    notes = [note.text for note in read_notes() if note.split == "train"]
    return [*passages(PASSAGES, seed=CORPUS_SEED), *(NOTES_READ * notes)]


def small_encoder(family: str, vocab_size: int, texts: Sequence[str]):
    """A family's tokenizer, made from texts (the same on every run), and a function that builds its encoder.

    Raises:
        ValueError: unknown family.
    """
    if family not in SMALL_ENCODERS:
        raise ValueError(unknown_name("family", family, SMALL_ENCODERS, "see qa_helpers/mini/small_encoders.py"))
    # Question words must be in the vocabulary, so the tokenizer (not the encoder) sees the questions as well.
    questions = [row["question"] for row in build_corpus()["train"]]
    notes = [note for note in read_notes() if note.split == "train"]
    questions += [text for note in notes for question in note.questions for text in question["ask"]]
    tokenizer, build = SMALL_ENCODERS[family]([*texts, *questions, PRINTABLE], vocab_size)
    encoder_config = build().config
    return settle_tokenizer(tokenizer, encoder_config), build


def take_over(encoder: nn.Module, tokenizer, folder: str | Path) -> None:
    """Start from the weights of an encoder made earlier.

    Raises:
        ValueError: it has other tokens or another architecture.
    """
    earlier = load_model(folder).base_model.state_dict()
    shapes = {name: tensor.shape for name, tensor in encoder.state_dict().items()}
    if load_tokenizer(folder).get_vocab() != tokenizer.get_vocab():
        raise ValueError(f"{Path(folder).name} has another vocabulary; start from one that this command made")
    if {name: tensor.shape for name, tensor in earlier.items()} != shapes:
        raise ValueError(f"{Path(folder).name} is of another architecture than the encoder that would go on from it")
    encoder.load_state_dict(earlier)


def _mini_bert(tokenizer) -> nn.Module:
    """The shipped BERT, without head."""
    if load_tokenizer("mini-bert").get_vocab() != tokenizer.get_vocab():
        raise ValueError("mini-bert has another vocabulary than DistilBERT would get; run pretrain --family bert first")
    return load_model("mini-bert").base_model


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


def _train(model: MaskedLM, tokenizer, rows: Dataset, stage: Stage, config: PretrainConfig) -> list[dict]:
    return train_from_nothing(
        model,
        rows,
        _Masker(tokenizer, stage.masked, config.seed),
        f"{stage.steps:,} steps of {stage.batch_size} sequences of up to {stage.length} tokens",
        config.progress,
        max_steps=stage.steps,
        per_device_train_batch_size=stage.batch_size,
        learning_rate=stage.learning_rate,
        lr_scheduler_type=stage.schedule,
        warmup_steps=0.05 if stage.pairs else 0.1,
        length_column_name="length",
        seed=config.seed,
        data_seed=config.seed,
    )


def train_from_nothing(
    model: nn.Module, rows, collate: Callable, line: str, progress: bool | None, **arguments
) -> list[dict]:
    """Train a model of which only the weights are kept.

    Args:
        model: gives its loss; rows, collate: to train on, and what makes a batch of some of them.
        line: what is said beforehand; progress: whether to show a bar (None does in a notebook and on a terminal).
        arguments: of the library's ``TrainingArguments``, ``max_steps`` among them.

    Returns:
        The log: dicts with ``step`` and ``loss``.
    """
    with tempfile.TemporaryDirectory() as scratch:
        settings = TrainingArguments(
            output_dir=scratch,
            weight_decay=0.01,
            remove_unused_columns=False,
            logging_steps=min(100, arguments["max_steps"]),
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,  # the bar is ours
            use_cpu=not torch.cuda.is_available(),
            log_level="error",
            **arguments,
        )
        with TrainingBar(progress, lambda steps: Plan(line, [1] * steps)) as bar:
            trainer = Trainer(model=model, args=settings, train_dataset=rows, data_collator=collate, callbacks=[bar])
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
