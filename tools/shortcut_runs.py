"""Measure what lesson 11 says about several seeds: ``make shortcuts`` (a quarter of an hour on one core).

    python tools/shortcut_runs.py [--output-file FILE] [--seeds N] [--tiny]

Every run fine-tunes a small encoder on one kind of training texts and evaluates it; see ``qa_helpers/mini/shortcuts.py``.
The file is rewritten after every run, and runs that are already in it are not repeated. ``--tiny`` only tries it out.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from datasets import Dataset

import qa_helpers as qa
from qa_helpers.engine.fingerprint import fingerprint
from qa_helpers.engine.whole_files import write_whole
from qa_helpers.mini.comparison import recorded_config
from qa_helpers.mini.probes import probes
from qa_helpers.mini.shortcuts import (
    LAYOUTS,
    SHIPPED_RUNS,
    TRAININGS,
    ShortcutSettings,
    laid_out,
    settings_of_record,
    training_rows,
)


def marks(values) -> str:
    """A string of 1 and 0, a character for each question."""
    return "".join(str(int(value)) for value in values)


def answer(model, tokenizer, rows: list[dict], settings: ShortcutSettings) -> tuple[list, list]:
    """(predictions, whether each is an exact match)."""
    examples = Dataset.from_list(rows)
    features = qa.make_features(examples, tokenizer, settings.max_length, settings.stride, labels=False, progress=False)
    logits = qa.predict_logits(model, features, progress=False)
    predictions = qa.decode_answers(examples, features, *logits, align_to_words=True)
    return predictions, qa.score(predictions, examples).per_example["exact_match"]


def run(training: str, seed: int, settings: ShortcutSettings, train, held_out, probed) -> dict:
    """Fine-tune on one kind of training texts, and evaluate."""
    begun = time.process_time()
    tokenizer = qa.load_tokenizer(settings.checkpoint)
    model = qa.load_model(settings.checkpoint, seed=seed)
    config = recorded_config(settings, seed, progress=False)
    qa.fine_tune(model, tokenizer, Dataset.from_list(training_rows(train, training)), config=config)
    right, elsewhere = {}, {}
    for layout in ("as it was",) if training == "no question" else LAYOUTS:
        rows = [laid_out(row, layout) for row in held_out]
        if training == "no question":
            rows = training_rows(rows, training)
        right[layout] = marks(answer(model, tokenizer, rows, settings)[1])
    if training == "as it was":
        for name, rows in probed.items():
            predictions, hits = answer(model, tokenizer, rows, settings)
            right[f"probe: {name}"] = marks(hits)
            ends = [len(row["context"]) for row in probed["as it was"]]
            elsewhere[f"probe: {name}"] = marks(p.start >= end for p, end in zip(predictions, ends))
    seconds = round(time.process_time() - begun, 1)
    return {"training": training, "seed": seed, "seconds": seconds, "right": right, "elsewhere": elsewhere}


def measure(output_file: Path, seeds: int, settings: ShortcutSettings) -> None:
    """All runs that are not yet in the file, seed by seed."""
    data = qa.load_squad("mini")
    held_out = list(data["validation"])[: settings.questions]
    probed = probes(settings.probes)
    train = list(data["train"])
    texts = [fingerprint(*(row["context"] for row in rows)) for rows in (held_out, probed["denied"])]
    record = settings_of_record(settings, *texts)
    if output_file.is_file():
        kept = json.loads(output_file.read_text(encoding="utf-8"))
        differ = [name for name, value in record.items() if kept[name] != value]
        if differ:
            raise SystemExit(f"{output_file.name} holds runs with other {', '.join(differ)}: remove it to start over")
        record = kept
    runs = record.setdefault("runs", [])
    done = {(one["training"], one["seed"]) for one in runs}
    for seed in range(seeds):
        for training in TRAININGS:
            if (training, seed) not in done:
                runs.append(run(training, seed, settings, train, held_out, probed))
                write_whole(output_file, json.dumps(record, indent=1) + "\n")
                shares = {name: round(100 * hits.count("1") / len(hits), 1) for name, hits in runs[-1]["right"].items()}
                print(f"{training}, seed {seed}: EM {shares}, {runs[-1]['seconds']:.0f} s", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output-file", type=Path, default=SHIPPED_RUNS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="a few steps and questions, into build/")
    options = parser.parse_args()
    torch.set_num_threads(1)  # the last digits of the weights depend on it
    settings, output_file = ShortcutSettings(), options.output_file
    if options.tiny:
        settings = ShortcutSettings(steps=3, questions=12, probes=6)
        output_file = Path(__file__).resolve().parent.parent / "build" / "shortcut_runs.json"
        output_file.parent.mkdir(exist_ok=True)
    measure(output_file, options.seeds, settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
