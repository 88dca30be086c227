"""Cost per example from 1,000 examples to 100,000: reading, features, decoding, scoring, and the memory they take.

    python tools/benchmarks/scale.py --output build/scale.json --figure tools/benchmarks/scale.svg

The embedded corpus is made at each size (its examples come in the same proportions); logits are random, so no model is
run: its cost per window is the same by construction. Each size runs in a process of its own.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
STAGES = ("read", "prepare", "decode", "score")


def measure(folder: Path) -> dict:
    """Seconds of each stage and memory (MiB) for the examples in a folder."""
    import datasets
    import numpy as np
    import pyarrow as pa
    import torch

    import qa_helpers as qa
    from qa_helpers.engine.columns import lengths_of, list_column

    datasets.disable_progress_bars()
    torch.set_num_threads(1)
    tokenizer = qa.load_tokenizer("mini-bert")
    seconds, memory = {}, {}

    def stage(name, work):
        begun = time.perf_counter()
        result = work()
        seconds[name] = time.perf_counter() - begun
        memory[name] = pa.total_allocated_bytes() / 2**20
        return result

    examples = stage("read", lambda: qa.load_squad(folder)["train"])
    features = stage("prepare", lambda: qa.make_features(examples, tokenizer, 256, 64))
    lengths, generator = lengths_of(list_column(features, "input_ids")), np.random.default_rng(0)
    logits = [[generator.standard_normal(n, dtype=np.float32) for n in lengths] for _ in range(2)]
    answers = stage("decode", lambda: qa.decode_answers(examples, features, *logits))
    stage("score", lambda: qa.score(answers, examples))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "examples": len(examples),
        "windows": len(features),
        "seconds": seconds,
        "arrow_mib": memory,
        "peak_mib": peak,
    }


def draw(runs: list[dict], path: Path) -> None:
    """Milliseconds per example against the number of examples, a line for each stage."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from qa_helpers.figures.plots import PALETTE

    plt.rcParams["svg.hashsalt"] = "scale"
    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    sizes = [run["examples"] for run in runs]
    for stage, colour, marker in zip(STAGES, PALETTE, "osD^"):
        each = [1000 * run["seconds"][stage] / run["examples"] for run in runs]
        axes.plot(sizes, each, color=colour, marker=marker)
        axes.annotate(stage, (sizes[-1], each[-1]), (8, 0), textcoords="offset points", va="center", color=colour)
    axes.set(xscale="log", yscale="log", xlabel="examples", ylabel="milliseconds per example", ylim=(0.005, 0.5))
    axes.set_xlim(right=sizes[-1] * 2)  # room for the names
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.set_yticks([0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5], ["0.005", "0.01", "0.02", "0.05", "0.1", "0.2", "0.5"])
    axes.minorticks_off()
    axes.set_title("The cost of an example does not depend on how many there are", loc="left", fontsize=11)
    axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("build/scale.json"))
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one)))
        return
    runs = []
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as scratch:
            folder, here = Path(scratch) / "corpus", Path(__file__)
            make = ["corpus", "--output-dir", folder, "--examples", size, "--validation-examples", 10]
            subprocess.run([sys.executable, "-m", "qa_helpers", *map(str, make)], check=True, capture_output=True)
            environment = os.environ | {"HF_DATASETS_CACHE": str(Path(scratch) / "cache"), "HF_HUB_OFFLINE": "1"}
            command = [sys.executable, str(here), "--one", str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, env=environment)
            if done.returncode:
                raise SystemExit(done.stderr)
            runs.append(json.loads(done.stdout.splitlines()[-1]))
        run = runs[-1]
        each = ", ".join(f"{stage} {1000 * run['seconds'][stage] / run['examples']:.3f}" for stage in STAGES)
        print(f"{run['examples']:>7,} examples, ms each: {each}; peak {run['peak_mib']:.0f} MiB", flush=True)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(runs, indent=1), encoding="utf-8")
    if options.figure:
        draw(runs, options.figure)


if __name__ == "__main__":
    main()
