"""qa_helpers against the published recipe, stage by stage, on the same rows, checkpoint, seed and hyper-parameters.

    make bench CHECKPOINT=folder DATA=folder            (or: python tools/benchmarks/compare.py --checkpoint … --data …)

Both run in turn, each time in a fresh process, so that a machine's changing speed touches both alike. The ratios are the
result; times of one machine say little about another. Written to build/bench.json, too.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

STAGES = ("read", "load", "prepare", "train", "predict", "decode", "score")
COUNTED = ("read", "prepare", "train", "predict", "decode", "score")  # loading the checkpoint is the same for both


@dataclass
class Settings:
    data: Path
    checkpoint: Path
    train_rows: int = 240
    dev_rows: int = 120
    max_length: int = 384
    stride: int = 128
    batch_size: int = 12
    epochs: float = 1.0
    learning_rate: float = 1e-4
    seed: int = 42
    precision: str = "auto"  # of qa_helpers; the recipe computes in float32
    scratch: Path = Path("build")


class Ours:
    """The same stages with qa_helpers."""

    def __init__(self, settings):
        self.settings = settings

    def read(self):
        import qa_helpers as qa

        s, data = self.settings, qa.load_squad(self.settings.data)
        self.train_examples = data["train"].select(range(min(s.train_rows, len(data["train"]))))
        self.examples = data["validation"].select(range(min(s.dev_rows, len(data["validation"]))))

    def load(self):
        import qa_helpers as qa
        from qa_helpers.engine.processes import state

        self.tokenizer = qa.load_tokenizer(self.settings.checkpoint)
        self.model = qa.load_model(self.settings.checkpoint, seed=self.settings.seed).to(state().device)

    def prepare(self):
        import qa_helpers as qa

        cut = {"max_length": self.settings.max_length, "stride": self.settings.stride}
        self.train_features = qa.make_features(self.train_examples, self.tokenizer, **cut)
        self.features = qa.make_features(self.examples, self.tokenizer, **cut, labels=False)

    def train(self):
        import qa_helpers as qa

        s = self.settings
        config = qa.FineTuneConfig(
            epochs=s.epochs, batch_size=s.batch_size, learning_rate=s.learning_rate, warmup=0.0, seed=s.seed,
            max_length=s.max_length, stride=s.stride, precision=s.precision, progress=False,
        )  # fmt: skip
        result = qa.fine_tune(self.model, self.tokenizer, self.train_examples, None, config)  # makes features again
        self.training_seconds = result.seconds

    def predict(self):
        import qa_helpers as qa

        self.logits = qa.predict_logits(self.model, self.features, self.settings.batch_size)

    def decode(self):
        import qa_helpers as qa

        self.answers = qa.decode_answers(self.examples, self.features, *self.logits)

    def score(self):
        import qa_helpers as qa

        self.scores = qa.score(self.answers, self.examples)

    @property
    def windows(self) -> tuple[int, int]:
        return len(self.train_features), len(self.features)


def measure(name: str, settings: Settings) -> dict:
    """Run all stages of one way in this process: seconds of each, windows, scores, peak memory in MiB."""
    from ceilings import matrix_peak, training_flops

    if name == "recipe":
        from recipe import Recipe as Way
    else:
        Way = Ours
    import datasets
    import torch
    import transformers  # noqa: F401  (so that no stage pays for an import)

    import qa_helpers.training  # noqa: F401
    from qa_helpers.engine.columns import lengths_of, list_column

    datasets.disable_progress_bars()
    run, seconds = Way(settings), {}
    for stage in STAGES:
        begun = time.perf_counter()
        getattr(run, stage)()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds[stage] = time.perf_counter() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    train_windows, windows = run.windows
    found = {
        "seconds": seconds,
        "train_windows": train_windows,
        "windows": windows,
        "exact_match": run.scores.exact_match,
        "f1": run.scores.f1,
        "peak_memory_mib": memory,
    }
    if torch.cuda.is_available():
        found["peak_gpu_memory_mib"] = torch.cuda.max_memory_allocated() / 2**20
    if name == "ours":
        flops = training_flops(run.model, lengths_of(list_column(run.train_features, "input_ids"))) * settings.epochs
        peak = matrix_peak()
        found["matrix_peak_gflops"] = peak / 1e9
        found["share_of_matrix_peak"] = flops / run.training_seconds / peak
    return found


def compare(settings: Settings, rounds: int) -> dict:
    """Both ways in turn, ``rounds`` times, each in a fresh process; medians of the stages."""
    runs: dict[str, list[dict]] = {"recipe": [], "ours": []}
    for _ in range(rounds):
        for name, done in runs.items():
            with tempfile.TemporaryDirectory() as scratch:
                given = {**asdict(settings), "scratch": scratch}
                command = [sys.executable, __file__, "--one", name, "--settings", json.dumps(given, default=str)]
                # An empty cache each time: what was prepared in the round before does not count.
                environment = os.environ | {"HF_DATASETS_CACHE": scratch, "HF_HUB_OFFLINE": "1"}
                printed = subprocess.run(command, capture_output=True, text=True, env=environment)
            if printed.returncode:
                raise SystemExit(printed.stderr)
            done.append(json.loads(printed.stdout.splitlines()[-1]))
            print(f"{name}: {sum(done[-1]['seconds'][s] for s in COUNTED):.1f} s", file=sys.stderr)
    return {"settings": json.loads(json.dumps(asdict(settings), default=lambda p: Path(p).name)), "runs": runs}


def table(found: dict) -> str:
    """The comparison as a Markdown table."""
    runs = found["runs"]

    def median(name, value):
        return statistics.median(value(run) for run in runs[name])

    lines = ["| stage | recipe | qa_helpers | ratio |", "|---|---|---|---|"]
    counts = {"prepare": lambda r: r["train_windows"] + r["windows"], "train": lambda r: r["train_windows"],
              "predict": lambda r: r["windows"], "decode": lambda r: r["windows"]}  # fmt: skip
    rows = [(stage, lambda run, stage=stage: run["seconds"][stage]) for stage in COUNTED]
    rows.append(("**all**", lambda run: sum(run["seconds"][stage] for stage in COUNTED)))
    for stage, value in rows:
        ratio = statistics.median(value(a) / value(b) for a, b in zip(runs["recipe"], runs["ours"]))
        cells = []
        for name in ("recipe", "ours"):
            seconds = median(name, value)
            each = f", {1000 * seconds / counts[stage](runs[name][0]):.2f} ms/window" if stage in counts else ""
            cells.append(f"{seconds:.2f} s{each}")
        lines.append(f"| {stage} | {cells[0]} | {cells[1]} | {ratio:.1f} |")
    memory = [median(name, lambda run: run["peak_memory_mib"]) for name in ("recipe", "ours")]
    lines.append(f"| peak memory | {memory[0]:.0f} MiB | {memory[1]:.0f} MiB | {memory[0] / memory[1]:.1f} |")
    scores = [f"{median(n, lambda r: r['exact_match']):.1f} / {median(n, lambda r: r['f1']):.1f}" for n in runs]
    lines.append(f"| EM / F1 | {scores[0]} | {scores[1]} | |")
    share = median("ours", lambda run: run["share_of_matrix_peak"])
    peak = median("ours", lambda run: run["matrix_peak_gflops"])
    lines.append(
        f"\nTraining runs at {share:.0%} of the matrix peak ({peak:,.0f} GFLOP/s), padding not counted as work."
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with train*.json and dev*.json")
    parser.add_argument("--checkpoint", type=Path, help="folder of an encoder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"))
    for name in ("train_rows", "dev_rows", "max_length", "stride", "batch_size"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=getattr(Settings, name))
    parser.add_argument("--precision", default=Settings.precision, help="qa_helpers trains in it; see FineTuneConfig")
    parser.add_argument("--one", choices=["recipe", "ours"], help=argparse.SUPPRESS)
    parser.add_argument("--settings", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        values = json.loads(options.settings)
        for name in ("data", "checkpoint", "scratch"):
            values[name] = Path(values[name])
        print(json.dumps(measure(options.one, Settings(**values))))
        return
    if not (options.data and options.checkpoint):
        parser.error("name a checkpoint and a folder of SQuAD files: make bench CHECKPOINT=folder DATA=folder")
    names = ("train_rows", "dev_rows", "max_length", "stride", "batch_size", "precision")
    settings = Settings(
        options.data.resolve(), options.checkpoint.resolve(), **{name: getattr(options, name) for name in names}
    )
    found = compare(settings, options.rounds)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
