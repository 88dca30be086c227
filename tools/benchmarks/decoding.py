"""Decoding beside the published recipe: the same logits, in turn, best of several.

    python tools/benchmarks/decoding.py --data folder [--checkpoint mini-bert] [--rows 120 632]

The logits are random numbers. The recipe looks at pairs of the twenty best starts and the twenty best ends of a window;
``decode_answers`` at all spans, which is exact: in the last column, how often the recipe missed the best one.
"""

import argparse
import time
from pathlib import Path

import datasets
import numpy as np
from compare import Settings
from recipe import Recipe

import qa_helpers as qa


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, default=Path("mini-bert"))
    parser.add_argument("--rows", type=int, nargs="+", default=[120, 632])
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    datasets.disable_progress_bars()
    tokenizer = qa.load_tokenizer(options.checkpoint)
    print("| rows | windows | recipe | qa_helpers | ratio | missed |\n|---|---|---|---|---|---|")
    for rows in options.rows:
        recipe = Recipe(Settings(options.data, options.checkpoint, train_rows=1, dev_rows=rows))
        recipe.tokenizer = tokenizer
        recipe.read()
        recipe.prepare()
        features = qa.make_features(recipe.examples, tokenizer, labels=False)
        generator = np.random.default_rng(0)
        recipe.logits = [generator.normal(size=(len(features), 384)).astype(np.float32) for _ in ("start", "end")]
        lengths = [len(ids) for ids in features["input_ids"]]
        logits = [[row[:length] for row, length in zip(values, lengths)] for values in recipe.logits]
        best = {"recipe": float("inf"), "ours": float("inf")}
        for _ in range(options.rounds):
            begun = time.perf_counter()
            recipe.decode()
            best["recipe"] = min(best["recipe"], time.perf_counter() - begun)
            begun = time.perf_counter()
            predictions = qa.decode_answers(recipe.examples, features, *logits)
            best["ours"] = min(best["ours"], time.perf_counter() - begun)
        missed = sum(recipe.answers[p.example_id] != p.text for p in predictions)
        each = {way: 1000 * seconds / len(features) for way, seconds in best.items()}
        print(
            f"| {rows} | {len(features)} | {each['recipe']:.3f} ms/window | {each['ours']:.3f} ms/window "
            f"| {best['recipe'] / best['ours']:.1f} | {missed} |"
        )


if __name__ == "__main__":
    main()
