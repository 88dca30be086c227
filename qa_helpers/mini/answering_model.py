"""Making ``mini-bert-qa``, the small model that answers questions about a text of one's own.

It learns to answer from nothing but answering, in two stretches:

1. clozes of random tokens: a few tokens with a gap, and a longer row of tokens that has them too; point at what is missing;
2. questions about the gazetteer and the notes. What is said stays, but how it is asked, the names and numbers, and the words
   themselves change with every copy (``rewording.py``), so that nothing can be memorised.

``python -m qa_helpers.mini.answering_model --output-dir build/mini-bert-qa`` makes it.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from torch.utils.data import IterableDataset
from transformers import BertConfig, BertForQuestionAnswering, set_seed

from ..engine.whole_files import whole_folder
from ..features import count_tokens, features_of
from ..model import ExtractiveQA, make_batch
from ..training import save_model
from .corpus import build_corpus, passages, retellings
from .notes import Note, read_notes, training_values, varied
from .pretraining import CORPUS_SEED, PASSAGES, train_from_nothing
from .rewording import WORDS, Asked, Rewording
from .small_encoders import PRINTABLE, start_heads_that_match, wordpiece_tokenizer

TAKEN_TOGETHER = 8  # batches whose windows are sorted by length, so that little is padding
# Shares: of questions about notes, of clozes of notes (the rest is about the gazetteer), and of retold sentences in that rest;
# of questions asked as they are written; of notes whose values are exchanged; of batches with windows at full length; of windows
# without answer that are left out.
NOTES_SHARE, CLOZE_SHARE, RETOLD_SHARE = 0.42, 0.15, 0.3
AS_WRITTEN, NOTE_VARIED, LONG_SHARE, EMPTY_LEFT = 0.3, 0.8, 0.25, 0.6


@dataclass(frozen=True)
class AnsweringConfig:
    """Settings of the model and its training.

    Attributes:
        width, layers, heads, vocab_size: of the model; three heads get a job from the start.
        positions: the longest window in tokens.
        random_steps, steps: optimizer steps on random clozes, and on questions after them.
        batch_size: windows a step (twice as many of the short random ones).
        length, stride: tokens of most windows trained on; about every fourth has up to ``positions``, so that these are learnt too.
        learning_rate: its peak, after ``warmup_steps``; it falls to 0 like a cosine.
        left_out: kinds of notes to leave out of the training; None leaves out those of the validation split.
        precision: "bf16" where the processor multiplies in it, else "float32"; None takes what is there.
        progress: whether to show a bar; None does in a notebook and on a terminal.
    """

    width: int = 192
    layers: int = 4
    heads: int = 3
    vocab_size: int = 6000
    positions: int = 256
    random_steps: int = 300
    steps: int = 9000
    batch_size: int = 32
    length: int = 160
    stride: int = 53
    learning_rate: float = 5e-4
    warmup_steps: int = 200
    left_out: Sequence[str] | None = None
    seed: int = 0
    precision: str | None = None
    progress: bool | None = None


def make_answering_model(
    output_dir: str | Path, config: AnsweringConfig | None = None, report: Callable[[str], None] = lambda line: None
) -> list[dict]:
    """Train the model from scratch and save it, in half precision, with its tokenizer.

    A run that is cut off leaves nothing at ``output_dir``, or what was there before.

    Args:
        output_dir: where config.json, model.safetensors and the tokenizer go.
        config: see :class:`AnsweringConfig`.
        report: called with a line about what was made.

    Returns:
        The log: dicts with ``step`` and ``loss`` (mean cross-entropy of start and end, in nats).
    """
    config, begun = config or AnsweringConfig(), time.perf_counter()
    notes = [note for note in read_notes() if not _left_out(note, config)]
    tokenizer = answering_tokenizer(notes, config.vocab_size, config.positions)
    set_seed(config.seed)
    model = ExtractiveQA.from_library(_new_model(tokenizer, config))
    batches = Batches(tokenizer, notes, config)
    log = _train(model, batches, config)
    with whole_folder(output_dir) as partial:
        save_model(model.half(), tokenizer, partial)
    size = sum(weights.numel() for weights in model.parameters())
    report(
        f"{size / 1e6:.2f} million parameters, {len(notes)} notes, {config.random_steps + config.steps:,} steps, loss "
        f"{log[0]['loss']:.2f} -> {log[-1]['loss']:.2f}, {time.perf_counter() - begun:.0f} s"
    )
    return log


def answering_tokenizer(notes: Sequence[Note], vocab_size: int, positions: int):
    """WordPiece of passages, notes, their questions and the word lists, with all of ASCII and of the usual typography."""
    asked = [row["question"] for row in build_corpus(6000, 0)["train"]]
    asked += 3 * [text for note in notes for question in note.questions for text in question["ask"]]
    # The gazetteer's names are endless, the notes' words are everyday ones: they count several times.
    texts = [*passages(PASSAGES, seed=CORPUS_SEED), *(6 * [note.text for note in notes])]
    lists = [path.read_text(encoding="utf-8") for path in sorted(WORDS.glob("*.txt"))]
    return wordpiece_tokenizer([*texts, *asked, *(2 * lists), PRINTABLE], vocab_size, positions)


def _left_out(note: Note, config: AnsweringConfig) -> bool:
    return note.split == "validation" if config.left_out is None else note.kind in config.left_out


def _new_model(tokenizer, config: AnsweringConfig) -> BertForQuestionAnswering:
    model = BertForQuestionAnswering(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.width,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            intermediate_size=4 * config.width,
            max_position_embeddings=config.positions,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            initializer_range=0.05,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    start_heads_that_match(model.bert)
    # At these sizes a step with PyTorch's own attention is an eighth longer.
    model.set_attn_implementation("eager")
    return model


class Questions:
    """An endless supply of questions, each new in one way or another.

    Args:
        notes: to ask about, beside the gazetteer.
        rng: decides.
    """

    def __init__(self, notes: Sequence[Note], rng: Random):
        self.notes, self.rng = notes, rng
        self.pools = training_values()
        self.gazetteer = build_corpus(30000, 0, seed=CORPUS_SEED)["train"]
        self.retold = retellings(20000, seed=CORPUS_SEED)
        texts = [*passages(PASSAGES, seed=CORPUS_SEED), *(note.text for note in notes)]
        self.rewording = Rewording(texts, rng)

    def __next__(self) -> Asked:
        chance = self.rng.random()
        if chance < NOTES_SHARE:
            asked = self._about_a_note()
        elif chance < NOTES_SHARE + CLOZE_SHARE:
            asked = self._about_a_note()
            asked = self.rewording.cloze(asked) or asked
        elif self.rng.random() < RETOLD_SHARE:
            row = self.rng.choice(self.retold)
            question = row["sentence"][: row["sentence_start"]] + "[MASK]" + row["sentence"][row["sentence_end"] :]
            asked = Asked(question, row["context"], row["start"], row["end"])
        else:
            row = self.rng.choice(self.gazetteer)
            start = row["answers"]["answer_start"][0]
            asked = Asked(row["question"], row["context"], start, start + len(row["answers"]["text"][0]))
        return asked if self.rng.random() < AS_WRITTEN else self.rewording.reworded(asked)

    def _about_a_note(self) -> Asked:
        note = self.rng.choice(self.notes)
        if self.rng.random() < NOTE_VARIED:
            note = varied(note, self.pools, self.rng)
        question = self.rng.choice([question for question in note.questions if question["answers"]])
        return Asked(self.rng.choice(question["ask"]), note.text, *question["answers"][0])


class Batches(IterableDataset):
    """Whole batches, as the model takes them: random clozes first, questions after them."""

    def __init__(self, tokenizer, notes: Sequence[Note], config: AnsweringConfig):
        self.tokenizer, self.config, self.rng = tokenizer, config, Random(config.seed)
        self.questions = Questions(notes, self.rng)

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        for _ in range(self.config.random_steps):
            yield self._batch([random_cloze(self.tokenizer, self.rng) for _ in range(2 * self.config.batch_size)])
        while True:
            yield from self._sorted_batches()

    def _sorted_batches(self) -> Iterator[dict[str, torch.Tensor]]:
        size, windows = self.config.batch_size, []
        length = self.config.positions if self.rng.random() < LONG_SHARE else self.config.length
        while len(windows) < TAKEN_TOGETHER * size:
            windows += self._windows([next(self.questions) for _ in range(2 * size)], length)
        windows = sorted(windows[: TAKEN_TOGETHER * size], key=lambda window: len(window["input_ids"]))
        for first in self.rng.sample(range(0, len(windows), size), TAKEN_TOGETHER):
            yield self._batch(windows[first : first + size])

    def _windows(self, asked: list[Asked], length: int) -> list[dict]:
        lengths = count_tokens([one.question for one in asked], self.tokenizer)
        # The rest of a window is for the context, and must be more than two neighbours share.
        asked = [one for one, tokens in zip(asked, lengths, strict=True) if tokens < length // 2]
        columns = {
            "id": [str(number) for number in range(len(asked))],
            "question": [one.question for one in asked],
            "context": [one.context for one in asked],
            "answers": [{"text": [one.context[one.start : one.end]], "answer_start": [one.start]} for one in asked],
        }
        stride = self.config.stride
        rows = features_of(columns, list(range(len(asked))), self.tokenizer, length, stride, labels=True).to_pylist()
        return [row for row in rows if row["start_positions"] != row["cls_index"] or self.rng.random() > EMPTY_LEFT]

    def _batch(self, windows: list[dict]) -> dict[str, torch.Tensor]:
        names = (*self.tokenizer.model_input_names, "start_positions", "end_positions")
        return make_batch({name: [window[name] for window in windows] for name in names}, self.tokenizer)


def random_cloze(tokenizer, rng: Random) -> dict:
    """A window whose question is a stretch of its context with a gap, some tokens left out; both are random tokens."""
    ordinary = range(len(tokenizer.all_special_ids), len(tokenizer))
    context = rng.choices(ordinary, k=rng.randint(16, 44))
    missing = rng.randint(1, 4)
    gap = rng.randint(0, len(context) - missing)
    before = [token for token in context[max(0, gap - 6) : gap] if rng.random() < 0.6]
    after = [token for token in context[gap + missing : gap + missing + 6] if rng.random() < 0.6]
    question = [*before, tokenizer.mask_token_id, *after]
    ids = [tokenizer.cls_token_id, *question, tokenizer.sep_token_id, *context, tokenizer.sep_token_id]
    first = len(question) + 2
    return {
        "input_ids": ids,
        "attention_mask": [1] * len(ids),
        "token_type_ids": [0] * first + [1] * (len(ids) - first),
        "start_positions": first + gap,
        "end_positions": first + gap + missing - 1,
    }


def _train(model: ExtractiveQA, batches: Batches, config: AnsweringConfig) -> list[dict]:
    steps = config.random_steps + config.steps
    multiplies = (
        torch.cuda.is_available() or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    )
    precision = config.precision or ("bf16" if multiplies else "float32")
    return train_from_nothing(
        model,
        batches,
        lambda batch: batch[0],  # whole already
        f"{steps:,} steps of {config.batch_size} windows of up to {config.length} tokens",
        config.progress,
        max_steps=steps,
        per_device_train_batch_size=1,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=config.warmup_steps,
        adam_beta2=0.98,
        bf16=precision == "bf16",
        seed=config.seed,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output-dir", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=AnsweringConfig.steps)
    options = parser.parse_args()
    make_answering_model(options.output_dir, AnsweringConfig(steps=options.steps), report=print)


if __name__ == "__main__":
    main()
