"""How well does a small encoder answer about kinds of text that it was not trained on? Kinds are left out in turn.

    python tools/benchmarks/generalisation.py [--encoder mini-bert] [--steps 900] [--folds 5] [--output build/left_out.json]
    python tools/benchmarks/generalisation.py --encoder answering --steps 6000    # mini-bert-qa's own recipe, from scratch

The kinds of the notes are dealt into folds. For each fold the encoder is fine-tuned on the embedded corpus and the other
kinds, and asked about the kinds of the fold: texts as they are written, every phrasing of every question. A fold that is in
the output file already is not repeated.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import qa_helpers as qa
from qa_helpers.data import rows_to_dataset
from qa_helpers.engine.whole_files import write_whole
from qa_helpers.mini.answering_model import AnsweringConfig, make_answering_model
from qa_helpers.mini.corpus import build_corpus
from qa_helpers.mini.notes import build_notes, read_notes


def run_fold(encoder: str, left_out: list[str], steps: int, notes_only: bool) -> dict[str, list[float]]:
    """kind → [EM, F1, questions] of an encoder trained without the kinds ``left_out``."""
    notes = build_notes(left_out=left_out)
    if encoder == "answering":
        with tempfile.TemporaryDirectory() as folder:
            make_answering_model(folder, AnsweringConfig(left_out=left_out, steps=steps), print)
            return scores_of(qa.load_model(folder), qa.load_tokenizer(folder), left_out, notes["validation"])
    gazetteer = [] if notes_only else build_corpus(6000, 0)["train"]
    train = rows_to_dataset(gazetteer + notes["train"]).shuffle(seed=0)
    tokenizer, model = qa.load_tokenizer(encoder), qa.load_model(encoder)
    config = qa.FineTuneConfig(
        max_steps=steps, learning_rate=1e-3, max_length=256, stride=64, align_to_words=True, progress=False
    )
    qa.fine_tune(model, tokenizer, train, config=config)
    return scores_of(model, tokenizer, left_out, notes["validation"])


def scores_of(model, tokenizer, left_out: list[str], rows: list[dict]) -> dict[str, list[float]]:
    """kind → [EM, F1, questions]."""
    kinds = {note.text: note.kind for note in read_notes()}
    found = {}
    for kind in left_out:
        own = [row for row in rows if kinds[row["context"]] == kind]
        scores, _ = qa.Evaluation(own, tokenizer, 256, 64, align_to_words=True, progress=False).run(model)
        found[kind] = [round(scores.exact_match, 1), round(scores.f1, 1), len(own)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="mini-bert")
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--notes-only", action="store_true", help="leave the gazetteer out of the training")
    parser.add_argument("--output", type=Path, default=Path("build/left_out.json"))
    options = parser.parse_args()
    done: dict[str, dict] = json.loads(options.output.read_text()) if options.output.is_file() else {}
    kinds = sorted({note.kind for note in read_notes()})
    for fold in range(options.folds):
        name = f"{name_of(options)} {fold}/{options.folds}"
        if name not in done:
            begun = time.perf_counter()
            done[name] = run_fold(options.encoder, kinds[fold :: options.folds], options.steps, options.notes_only)
            options.output.parent.mkdir(parents=True, exist_ok=True)
            write_whole(options.output, json.dumps(done, indent=1))
            print(f"{name}: {time.perf_counter() - begun:.0f} s")
        for kind, (em, f1, count) in done[name].items():
            print(f"  {kind:15} EM {em:5.1f}  F1 {f1:5.1f}  ({count})")
    own = [row for name, fold in done.items() if name.rpartition(" ")[0] == name_of(options) for row in fold.values()]
    total = sum(count for *_, count in own)
    em, f1 = (sum(row[k] * row[2] for row in own) / total for k in (0, 1))
    print(f"left out, over all {total} questions: EM {em:.1f} / F1 {f1:.1f}")


def name_of(options: argparse.Namespace) -> str:
    return f"{options.encoder} {options.steps} {'notes' if options.notes_only else 'all'}"


if __name__ == "__main__":
    main()
