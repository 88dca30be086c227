"""The published recipe for question answering, written out plainly: what qa_helpers is measured against.

As public guides and example scripts describe it: every window padded to the full length, labels found by walking over
the tokens of each window in Python, transformers' ``Trainer`` in float32, and answers searched among the n-best starts
and ends of each window in Python loops.
"""

import collections
import json

import numpy as np
import torch
from datasets import Dataset
from transformers import AutoModelForQuestionAnswering, AutoTokenizer, Trainer, TrainingArguments, set_seed

from qa_helpers.metrics import score  # both are scored by the same code


class Recipe:
    """The stages in order; each leaves what the next one needs."""

    def __init__(self, settings):
        self.settings = settings

    def read(self):
        def rows(path, limit):
            columns = collections.defaultdict(list)
            for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
                for paragraph in article["paragraphs"]:
                    for qa in paragraph["qas"]:
                        if len(columns["id"]) == limit:
                            return Dataset.from_dict(columns)
                        columns["id"].append(qa["id"])
                        columns["context"].append(paragraph["context"])
                        columns["question"].append(qa["question"])
                        answers = qa["answers"]
                        columns["answers"].append(
                            {"text": [a["text"] for a in answers], "answer_start": [a["answer_start"] for a in answers]}
                        )
            return Dataset.from_dict(columns)

        s = self.settings
        self.train_examples = rows(next(s.data.glob("train*.json")), s.train_rows)
        self.examples = rows(next(s.data.glob("dev*.json")), s.dev_rows)

    def load(self):
        set_seed(self.settings.seed)
        self.tokenizer = AutoTokenizer.from_pretrained(self.settings.checkpoint)
        self.model = AutoModelForQuestionAnswering.from_pretrained(self.settings.checkpoint, dtype=torch.float32)

    def _tokenize(self, examples):
        return self.tokenizer(
            [question.lstrip() for question in examples["question"]],
            examples["context"],
            truncation="only_second",
            max_length=self.settings.max_length,
            stride=self.settings.stride,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            padding="max_length",
        )

    def prepare(self):
        def with_labels(examples):
            windows = self._tokenize(examples)
            sources = windows.pop("overflow_to_sample_mapping")
            all_offsets = windows.pop("offset_mapping")
            windows["start_positions"], windows["end_positions"] = [], []
            for number, offsets in enumerate(all_offsets):
                cls_index = windows["input_ids"][number].index(self.tokenizer.cls_token_id)
                sides = windows.sequence_ids(number)
                answers = examples["answers"][sources[number]]
                start = answers["answer_start"][0]
                end = start + len(answers["text"][0])
                first = 0
                while sides[first] != 1:
                    first += 1
                last = len(sides) - 1
                while sides[last] != 1:
                    last -= 1
                if offsets[first][0] > start or offsets[last][1] < end:
                    windows["start_positions"].append(cls_index)
                    windows["end_positions"].append(cls_index)
                    continue
                while first < len(offsets) and offsets[first][0] <= start:
                    first += 1
                while offsets[last][1] >= end:
                    last -= 1
                windows["start_positions"].append(first - 1)
                windows["end_positions"].append(last + 1)
            return windows

        def for_prediction(examples):
            windows = self._tokenize(examples)
            sources = windows.pop("overflow_to_sample_mapping")
            windows["example_id"] = [examples["id"][source] for source in sources]
            for number in range(len(windows["input_ids"])):
                sides = windows.sequence_ids(number)
                windows["offset_mapping"][number] = [
                    offset if sides[token] == 1 else None
                    for token, offset in enumerate(windows["offset_mapping"][number])
                ]
            return windows

        options = {"batched": True, "remove_columns": self.train_examples.column_names}
        self.train_features = self.train_examples.map(with_labels, **options)
        self.features = self.examples.map(for_prediction, **options)

    def train(self):
        s = self.settings
        arguments = TrainingArguments(
            output_dir=str(s.scratch),
            num_train_epochs=s.epochs,
            per_device_train_batch_size=s.batch_size,
            per_device_eval_batch_size=s.batch_size,
            learning_rate=s.learning_rate,
            weight_decay=0.01,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=not torch.cuda.is_available(),
            seed=s.seed,
            log_level="error",
            logging_strategy="no",
        )
        self.trainer = Trainer(self.model, arguments, train_dataset=self.train_features)
        self.trainer.train()

    def predict(self):
        hidden = self.features.remove_columns(["example_id", "offset_mapping"])
        self.logits = self.trainer.predict(hidden).predictions

    def decode(self):
        n_best, longest = 20, 30
        all_starts, all_ends = self.logits
        windows_of = collections.defaultdict(list)
        for number, identifier in enumerate(self.features["example_id"]):
            windows_of[identifier].append(number)
        self.answers = {}
        for example in self.examples:
            found = []
            for number in windows_of[example["id"]]:
                starts, ends = all_starts[number], all_ends[number]
                offsets = self.features[number]["offset_mapping"]
                for start in np.argsort(starts)[: -n_best - 1 : -1].tolist():
                    for end in np.argsort(ends)[: -n_best - 1 : -1].tolist():
                        if start >= len(offsets) or end >= len(offsets) or not offsets[start] or not offsets[end]:
                            continue
                        if end < start or end - start + 1 > longest:
                            continue
                        found.append((starts[start] + ends[end], offsets[start][0], offsets[end][1]))
            found = sorted(found, key=lambda span: span[0], reverse=True)[:n_best]
            texts = [example["context"][start:end] for _, start, end in found]
            scores = np.exp([span[0] - found[0][0] for span in found]) if found else []
            self.probabilities = scores / np.sum(scores) if found else []
            self.answers[example["id"]] = texts[0] if texts else ""

    def score(self):
        self.scores = score(self.answers, self.examples)

    @property
    def windows(self) -> tuple[int, int]:
        return len(self.train_features), len(self.features)
