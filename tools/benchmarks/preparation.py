"""Preparation of features beside the bare tokenizer: the same rows, the same windows, in turn, best of several.

Measured is processor time, all threads together, so that the machine's other work and its number of cores matter little.

    python tools/benchmarks/preparation.py --data folder [--checkpoint mini-bert]

"Bare" is one call of the tokenizer for each thousand rows that cuts the windows and gives offsets, and throws the result
away: no labels, no table, nothing kept.
"""

import argparse
import time

import datasets

import qa_helpers as qa


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--checkpoint", default="mini-bert")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    datasets.disable_progress_bars()
    examples, tokenizer = qa.load_squad(options.data)["train"], qa.load_tokenizer(options.checkpoint)

    def bare() -> int:
        windows = 0
        for first in range(0, len(examples), 1000):
            rows = examples[first : first + 1000]
            windows += len(
                tokenizer(
                    rows["question"], rows["context"], truncation="only_second", max_length=384, stride=128,
                    return_overflowing_tokens=True, return_offsets_mapping=True, split_special_tokens=True,
                )["input_ids"]
            )  # fmt: skip
        return windows

    def ours() -> int:
        return len(qa.make_features(examples, tokenizer, 384, 128))

    best = dict.fromkeys((bare, ours), float("inf"))
    for _ in range(options.rounds):
        for way in best:
            begun = time.process_time()
            windows = way()
            best[way] = min(best[way], time.process_time() - begun)
    for way, name in ((bare, "the bare tokenizer"), (ours, "make_features")):
        print(f"{name}: {windows / best[way]:,.0f} windows per second of processor time")
    print(f"make_features has {best[bare] / best[ours]:.0%} of the bare tokenizer's speed")


if __name__ == "__main__":
    main()
