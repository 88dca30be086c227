"""Measure on a GPU what lesson 07 says about GPUs: ``make gpu``. Planned for less than ten minutes on one H100, without a
network.

    python tools/gpu_run.py [--data FOLDER] [--tokenizer FOLDER] [--only STEP ...] [--again]
    python tools/gpu_run.py --size tiny --device cpu        a dry run, on any machine

Models have the right size and random weights, since weights of the hub cannot be had without a network; speed and memory
do not depend on their values. The text is SQuAD's files where there are some, else the embedded corpus. A step at a time:
each step that is done is remembered in ``build/gpu_run.json``, and a run that was cut off goes on with the first step that
is missing. When all are done, the record is written to where lesson 07 reads it, and that of a dry run to ``build``.
"""

import argparse
import gc
import json
import os
import platform
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
import transformers
from torch.utils.data import DataLoader, default_convert
from transformers import (
    AlbertConfig,
    AutoModelForQuestionAnswering,
    BertConfig,
    BertModel,
    DebertaV2Config,
    DistilBertConfig,
    ModernBertConfig,
    PretrainedConfig,
    RobertaConfig,
)

import qa_helpers as qa
from qa_helpers.checkpoints import ASSETS
from qa_helpers.classroom import gpu, machine
from qa_helpers.engine.columns import lengths_of, list_column
from qa_helpers.engine.sampler import TrainingOrder
from qa_helpers.engine.trainer import WindowBatches
from qa_helpers.mini.corpus import write_corpus

ROOT = Path(__file__).resolve().parent.parent
UNFINISHED = ROOT / "build" / "gpu_run.json"
sys.path.append(str(ROOT / "tools" / "benchmarks"))  # ceilings.py and compare.py are used as they are
NUMBERS = ("float32", "TF32", "bfloat16", "float16")
GIB = 2**30


@dataclass(frozen=True)
class Plan:
    """How large everything is.

    Attributes:
        batch, tokens, stride: windows of a batch, tokens of a window.
        matrix: rows and columns of the matrices whose products show the peak.
        repeats: how often what is timed is done in a row; three times that, and the median counts.
        batches: the batch sizes whose memory is measured; ``most``: the largest that is tried.
        limits: name → bytes that a process may use; None for all there are.
        pieces: batches of real windows that are trained on for each way of padding and of loading.
        rows: training examples and others; None for all.
        changes: settings of the base-size models to use instead.
    """

    batch: int = 16
    tokens: int = 384
    stride: int = 128
    matrix: int = 8192
    repeats: int = 5
    batches: tuple[int, ...] = (8, 16, 32, 64)
    most: int = 4096
    limits: Mapping[str, float | None] = field(default_factory=lambda: {"16 GB": 16e9, "the whole GPU": None})
    pieces: int = 40
    rows: tuple[int | None, int | None] = (None, None)
    changes: Mapping[str, int] = field(default_factory=dict)


_TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
PLANS = {
    "full": Plan(),
    "tiny": Plan(2, 96, 24, 64, 1, (1, 2), 4, {"17 MB": 17e6}, pieces=3, rows=(16, 6), changes=_TINY),
}
# The base-size model of each family: its configuration, where it differs from what the class has by itself.
_BASE = {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}
_DISENTANGLED = {"relative_attention": True, "position_biased_input": False, "pos_att_type": ["p2c", "c2p"]}
_DISENTANGLED |= {"position_buckets": 256, "norm_rel_ebd": "layer_norm", "share_att_key": True, "type_vocab_size": 0}
FAMILIES: dict[str, tuple[type[PretrainedConfig], dict]] = {
    "BERT": (BertConfig, {"vocab_size": 28_996}),
    "DistilBERT": (DistilBertConfig, {"vocab_size": 28_996}),
    "RoBERTa": (RobertaConfig, {"vocab_size": 50_265, "max_position_embeddings": 514, "type_vocab_size": 1}),
    "ALBERT": (AlbertConfig, _BASE),
    "DeBERTa": (DebertaV2Config, {**_BASE, **_DISENTANGLED, "vocab_size": 128_100, "num_hidden_layers": 12}),
    "ModernBERT": (ModernBertConfig, {}),
}
# Name → (numbers, attention, whether activations are computed again instead of kept).
WAYS = {
    "float32, eager": ("float32", "eager", False),
    "autocast, fused": ("bfloat16", "sdpa", False),
    "autocast, fused, recomputed": ("bfloat16", "sdpa", True),
}


class Trainee:
    """A model in training on one device: :meth:`step` is forward, backward, clipping and the optimizer's step.

    Args:
        numbers: one of :data:`NUMBERS`; with float16 the loss is scaled.
        attention: "eager", "sdpa" (fused kernels), or None for the model's default.
        recompute: keep the layers' inputs only, and compute the rest again in the backward pass.
    """

    def __init__(self, config: PretrainedConfig, device: str, numbers="bfloat16", attention=None, recompute=False):
        torch.manual_seed(0)
        chosen = {"attn_implementation": attention} if attention else {}
        with torch.device(device):
            self.model = AutoModelForQuestionAnswering.from_config(config, **chosen).train()
        if recompute:
            self.model.config.use_cache = False  # of no use here, and warned about
            newer = getattr(self.model, "activation_checkpointing_enable", None)
            (newer or self.model.gradient_checkpointing_enable)()
        self.device, self.numbers = device, numbers
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-5, fused=device == "cuda")
        self.scaler = torch.amp.GradScaler(device, enabled=numbers == "float16")

    def step(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        with matrix_products(self.numbers):
            with autocast(self.numbers, self.device):
                loss = self.model(**batch).loss
            self.scaler.scale(loss).backward()
            self.scaler.unscale_(self.optimizer)  # before clipping, which has to see the true size
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad()
        return loss.detach()

    def fixed_bytes(self) -> int:
        """Weights, a gradient for each, and AdamW's two averages."""
        return 4 * sum(weights.nbytes for weights in self.model.parameters())


@contextmanager
def matrix_products(numbers: str) -> Iterator[None]:
    """Within the block, products of float32 matrices are exact for "float32", and TF32 otherwise, where a GPU has it.

    It sets what transformers sets, too (through ``torch.backends``), since PyTorch refuses to mix that with its older names.
    """
    settings = torch.backends.cuda.matmul
    name, values = (
        ("fp32_precision", ("ieee", "tf32")) if hasattr(settings, "fp32_precision") else ("allow_tf32", (False, True))
    )
    before = getattr(settings, name)
    setattr(settings, name, values[numbers != "float32"])
    try:
        yield
    finally:
        setattr(settings, name, before)


def autocast(numbers: str, device: str):
    half = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(numbers)
    return torch.autocast(device, dtype=half) if half else nullcontext()


def wait(device: str) -> None:
    """Until the device has done all that it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def forget(device: str) -> None:
    """Give back the memory of what nobody holds any more, and begin to count the peak anew."""
    if device == "cuda":
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def seconds_of(work: Callable[[], object], device: str, repeats: int, warm_up: int = 2) -> float:
    """Seconds that the work takes on the device: done some times in a row, three times; the median counts."""
    for _ in range(warm_up):
        work()
    rounds = []
    for _ in range(3):
        wait(device)
        begun = time.perf_counter()
        for _ in range(repeats):
            work()
        wait(device)
        rounds.append((time.perf_counter() - begun) / repeats)
    return statistics.median(rounds)


def few_digits(value):
    """Three digits of a number: more would be noise. Anything else as it is."""
    return float(f"{value:.3g}") if isinstance(value, float) else value


class Bench:
    """One run: its plan, its device, its texts, and what its steps have found so far."""

    def __init__(self, plan: Plan, device: str, data: Path, tokenizer: Path):
        self.plan, self.device, self.data, self.tokenizer_folder = plan, device, data, tokenizer
        self.found: Mapping[str, list[dict]] = {}

    @cached_property
    def tokenizer(self):
        return qa.load_tokenizer(self.tokenizer_folder)

    @cached_property
    def examples(self):
        train = qa.load_squad(self.data)["train"]
        return train.select(range(min(self.plan.rows[0] or len(train), len(train))))

    @cached_property
    def features(self):
        return qa.make_features(self.examples, self.tokenizer, self.plan.tokens, self.plan.stride, progress=False)

    def base(self, family: str = "BERT") -> PretrainedConfig:
        kind, values = FAMILIES[family]
        return kind(**{**values, **self.plan.changes})

    def small(self) -> PretrainedConfig:
        """MiniLM's size: six layers, 384 wide."""
        size = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
        return BertConfig(**{**size, **self.plan.changes, "vocab_size": len(self.tokenizer)})

    def batch(self, windows: int | None = None, vocabulary: int = 1000) -> dict[str, torch.Tensor]:
        """Random windows of full length, without padding."""
        shape, generator = (windows or self.plan.batch, self.plan.tokens), torch.Generator().manual_seed(0)
        labels = torch.randint(self.plan.tokens, shape[:1], generator=generator)
        ids = torch.randint(5, vocabulary, shape, generator=generator)
        whole = {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "start_positions": labels,
            "end_positions": labels,
        }
        return {name: tensor.to(self.device) for name, tensor in whole.items()}

    def gpu_peak(self) -> float | None:
        """GiB of the peak since :func:`forget`; None on a CPU, where PyTorch does not count."""
        return torch.cuda.max_memory_allocated() / GIB if self.device == "cuda" else None

    def seconds_of(self, work: Callable[[], object]) -> float:
        return seconds_of(work, self.device, self.plan.repeats)


def peaks(bench: Bench) -> list[dict]:
    """The speed of large matrix products in each number format."""
    rows, size = [], bench.plan.matrix
    for numbers in NUMBERS:
        half = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(numbers, torch.float32)
        a, b = (torch.randn(size, size, device=bench.device).to(half) for _ in range(2))
        with matrix_products(numbers):
            seconds = bench.seconds_of(lambda a=a, b=b: a @ b)
        rows.append({"numbers": numbers, "TFLOP/s": 2 * size**3 / seconds / 1e12})
    return rows


def timing(bench: Bench) -> list[dict]:
    """What the clock says about the same products if one waits for them and if one does not, and about the first ones."""
    a, b = (torch.randn(bench.plan.matrix, bench.plan.matrix, device=bench.device) for _ in range(2))
    times = {}
    for name in ("first products", "later products"):
        wait(bench.device)
        begun = time.perf_counter()
        for _ in range(10):
            a @ b
        times[f"{name}, without waiting"] = time.perf_counter() - begun
        wait(bench.device)
        times[f"{name}, waited for"] = time.perf_counter() - begun
    return [{"ten products": name, "ms": 1000 * seconds} for name, seconds in times.items()]


def step(bench: Bench) -> list[dict]:
    """One training step of bert-base size in each number format."""
    from ceilings import training_flops

    top = {row["numbers"]: row["TFLOP/s"] for row in bench.found.get("peaks", [])}
    rows, batch = [], bench.batch()
    for numbers in NUMBERS:
        forget(bench.device)
        trainee = Trainee(bench.base(), bench.device, numbers, "sdpa")
        seconds = bench.seconds_of(lambda trainee=trainee: trainee.step(batch))
        speed = training_flops(trainee.model, [bench.plan.tokens] * bench.plan.batch) / seconds / 1e12
        share = speed / top[numbers] if numbers in top else None
        rows.append(
            {"numbers": numbers, "ms a step": 1000 * seconds, "TFLOP/s": speed, "share of its peak": share}
            | {"peak GiB": bench.gpu_peak()}
        )
        del trainee
    return rows


def scaling(bench: Bench) -> list[dict]:
    """The scale of the loss, step by step, from one that is far too large."""
    trainee = Trainee(bench.base(), bench.device, "float16", "sdpa")
    trainee.scaler = torch.amp.GradScaler(bench.device, init_scale=2.0**24, growth_interval=4)
    rows, batch = [], bench.batch()
    for number in range(1, 17):
        before = trainee.scaler.get_scale()
        loss = trainee.step(batch).item()
        skipped = trainee.scaler.get_scale() < before
        rows.append({"step": number, "scale": int(before), "loss": loss, "skipped": skipped})
    return rows


@contextmanager
def limited(device: str, limit: float | None, fixed: int = 0) -> Iterator[gpu.Budget | None]:
    """Within the block, the process may use this many bytes of the GPU; on a CPU, a budget stands in for it.

    Args:
        limit: None for all there are.
        fixed: bytes that are in use already, and that a budget does not see.
    """
    if device == "cpu":
        with gpu.Budget(float("inf") if limit is None else limit - fixed) as budget:
            yield budget
        return
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(1.0 if limit is None else min(1.0, limit / whole))
    try:
        yield None
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def peak_of(trainee: Trainee, batch: Mapping[str, torch.Tensor], limit: float | None = None) -> float | None:
    """Bytes at the peak of a step (on a CPU those that have to be kept, counted); None if they do not fit."""
    forget(trainee.device)
    try:
        with limited(trainee.device, limit, trainee.fixed_bytes()) as counted:
            trainee.step(batch)
            wait(trainee.device)
        return trainee.fixed_bytes() + counted.most if counted else torch.cuda.max_memory_allocated()
    except torch.OutOfMemoryError:
        return None
    finally:
        trainee.optimizer.zero_grad()


def trainee_of(bench: Bench, way: str) -> Trainee:
    """A model of bert-base size that trains in one of the :data:`WAYS`, and whose optimizer is set up."""
    forget(bench.device)
    trainee = Trainee(bench.base(), bench.device, *WAYS[way])
    trainee.step(bench.batch(1))
    return trainee


def memory(bench: Bench) -> list[dict]:
    """GiB at the peak of a step, by batch size and way to train."""
    rows = [{"batch": size} for size in bench.plan.batches]
    for way in WAYS:
        trainee = trainee_of(bench, way)
        for row in rows:
            peak = peak_of(trainee, bench.batch(row["batch"]))
            row[way] = peak and peak / GIB
        del trainee
    return rows


def largest_batch(bench: Bench) -> list[dict]:
    """The largest batch that fits, by memory and way to train, to within a sixteenth."""
    rows = [{"memory": name} for name in bench.plan.limits]
    for way in WAYS:
        trainee = trainee_of(bench, way)
        for row, limit in zip(rows, bench.plan.limits.values()):

            def fits(size: int, trainee=trainee, limit=limit) -> bool:
                return size <= bench.plan.most and peak_of(trainee, bench.batch(size), limit) is not None

            good, bad = 0, 1
            while fits(bad):
                good, bad = bad, 2 * bad
            while bad - good > max(1, good // 16):
                middle = (good + bad) // 2
                good, bad = (middle, bad) if fits(middle) else (good, middle)
            row[way] = good
        del trainee
    return rows


def drill(bench: Bench) -> list[dict]:
    """Running out of memory in ``fine_tune``, and following the advice of its message."""
    plan, device = bench.plan, bench.device

    def run(batch_size: int, accumulation: int) -> None:
        config = qa.FineTuneConfig(
            batch_size=batch_size, gradient_accumulation=accumulation, max_steps=2, max_length=plan.tokens, stride=plan.stride,
            progress=False,
        )  # fmt: skip
        torch.manual_seed(0)
        model = AutoModelForQuestionAnswering.from_config(bench.small())
        qa.fine_tune(model, bench.tokenizer, bench.examples, config=config)

    def most(batch_size: int, accumulation: int) -> float:
        forget(device)
        with gpu.Budget() if device == "cpu" else nullcontext() as counted:
            run(batch_size, accumulation)
        return torch.cuda.max_memory_reserved() if counted is None else counted.most

    sizes = [(plan.batch, 1), (plan.batch // 2, 2)]
    limit = statistics.mean(most(*size) for size in sizes)  # too little for the first, enough for the second
    rows = []
    for batch_size, accumulation in sizes:
        forget(device)
        tried = {"tried": f"batch_size={batch_size}, gradient_accumulation={accumulation}"}
        try:
            with limited(device, limit):
                run(batch_size, accumulation)
            rows.append(tried | {"outcome": "trained", "PyTorch said": "", "the course said": ""})
        except ValueError as error:
            said = {"PyTorch said": str(error.__cause__), "the course said": str(error)}
            rows.append(
                tried | {"outcome": "out of memory"} | {who: without_numbers_of_processes(t) for who, t in said.items()}
            )
    return rows


def without_numbers_of_processes(message: str) -> str:
    """The beginning of a message on one line."""
    return re.sub(r"[Pp]rocess \d+", "Process …", " ".join(message.split()))[:400]


def padding(bench: Bench) -> list[dict]:
    """Training on windows of the real lengths: padded to the full length, to each batch's longest, and grouped."""
    lengths = lengths_of(list_column(bench.features, "input_ids"))
    windows = WindowBatches(bench.features, bench.tokenizer, multiple=8 if bench.device == "cuda" else 1)
    config = bench.base()
    config.vocab_size = max(config.vocab_size, len(bench.tokenizer))
    trainee = Trainee(config, bench.device, "bfloat16", "sdpa")
    rows = []
    for way in ("to the full length", "to each batch's longest", "grouped by length"):
        order = list(TrainingOrder(lengths, bench.plan.batch, group=way == "grouped by length"))
        chosen = order[:: max(1, len(order) // bench.plan.pieces)][: bench.plan.pieces]  # spread over the epoch
        if way == "to the full length":
            chosen = [piece._replace(length=bench.plan.tokens) for piece in chosen]
        batches = [on(windows.__getitems__(piece), bench.device) for piece in chosen]
        for batch in batches[:2]:
            trainee.step(batch)
        wait(bench.device)
        begun = time.perf_counter()
        for batch in batches:
            trainee.step(batch)
        wait(bench.device)
        seconds = time.perf_counter() - begun
        computed = sum(batch["input_ids"].numel() for batch in batches)
        text = sum(int(batch["attention_mask"].sum()) for batch in batches)
        count = sum(len(batch["input_ids"]) for batch in batches)
        rows.append(
            {"padded": way, "share of padding": 1 - text / computed, "windows/s": count / seconds}
            | {"tokens/s": computed / seconds}
        )
    return rows


def on(batch: dict[str, torch.Tensor], device: str, **options) -> dict[str, torch.Tensor]:
    """The model's inputs of a batch, on the device."""
    return {name: values.to(device, **options) for name, values in batch.items() if name != "weight"}


def feeding(bench: Bench) -> list[dict]:
    """How fast batches can be made and brought to the device, and what that does to the training of a small model."""
    lengths = lengths_of(list_column(bench.features, "input_ids"))
    windows = WindowBatches(bench.features, bench.tokenizer, multiple=8 if bench.device == "cuda" else 1)
    trainee = Trainee(bench.small(), bench.device, "bfloat16", "sdpa")
    rows = []
    for workers in (0, 2):
        for pinned in (False, True) if bench.device == "cuda" else (False,):
            order = TrainingOrder(lengths, bench.plan.batch)
            loader = DataLoader(
                windows, batch_sampler=order, collate_fn=default_convert, num_workers=workers, pin_memory=pinned,
                persistent_workers=workers > 0,
            )  # fmt: skip

            def windows_per_second(use: Callable, loader=loader, pinned=pinned) -> float:
                count, begun = 0, 0.0
                for number, batch in enumerate(loader):
                    if number == 1:  # the first one starts the workers
                        wait(bench.device)
                        begun = time.perf_counter()
                    use(on(batch, bench.device, non_blocking=pinned))
                    count += len(batch["input_ids"]) if number else 0
                    if number == bench.plan.pieces:
                        break
                wait(bench.device)
                return count / (time.perf_counter() - begun)

            name = f"{workers} workers, {'pinned' if pinned else 'pageable'} memory"
            alone = windows_per_second(lambda batch: None)
            rows.append(
                {"loader": name, "windows/s, alone": alone, "windows/s, training": windows_per_second(trainee.step)}
            )
    return rows


def families(bench: Bench) -> list[dict]:
    """One training step of each family's base size."""
    rows = []
    for family in FAMILIES:
        forget(bench.device)
        trainee = Trainee(bench.base(family), bench.device)
        batch = bench.batch()
        seconds = bench.seconds_of(lambda trainee=trainee, batch=batch: trainee.step(batch))
        weights = sum(p.numel() for p in trainee.model.parameters())
        rows.append(
            {
                "family": family,
                "million weights": weights / 1e6,
                "ms a step": 1000 * seconds,
                "peak GiB": bench.gpu_peak(),
            }
        )
        del trainee
    return rows


def end_to_end(bench: Bench) -> list[dict]:
    """From SQuAD's JSON to scores, with a model of MiniLM's size and random weights: the plain recipe and qa_helpers."""
    from compare import COUNTED, Settings, compare

    train, dev = (count or 10**9 for count in bench.plan.rows)
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = Path(scratch) / "encoder"
        BertModel(bench.small()).save_pretrained(checkpoint)
        bench.tokenizer.save_pretrained(checkpoint)
        sizes = {"max_length": bench.plan.tokens, "stride": bench.plan.stride, "batch_size": bench.plan.batch}
        settings = Settings(bench.data, checkpoint, train_rows=train, dev_rows=dev, epochs=2.0, **sizes)
        runs = compare(settings, rounds=1)["runs"]
    rows = []
    for name, (run,) in runs.items():
        seconds, peak = run["seconds"], run.get("peak_gpu_memory_mib")
        rows.append(
            {"program": {"ours": "qa_helpers", "recipe": "plain recipe"}[name]}
            | {"seconds": sum(seconds[stage] for stage in COUNTED), "of these, training": seconds["train"]}
            | {"windows/s, training": 2 * run["train_windows"] / seconds["train"]}
            | {"peak GPU GiB": peak and peak / 1024, "EM": run["exact_match"], "F1": run["f1"]}
        )
    return rows


STEPS: dict[str, Callable[[Bench], list[dict]]] = dict(
    zip(gpu.STEPS, (timing, peaks, step, scaling, memory, largest_batch, drill, padding, feeding, families, end_to_end))
)


def run(bench: Bench, about: dict, names: list[str], unfinished: Path = UNFINISHED) -> dict:
    """Take the steps that are missing, and return what is remembered of all.

    Args:
        about: what the run is for (size, device, versions); what another run has left is not used.
        names: steps to take.
    """
    state = _remembered(unfinished)
    if state.get("about") != about:
        state = {"about": about, "seconds": {}, "steps": {}}
    for name in names:
        if name not in state["steps"]:
            bench.found = state["steps"]
            forget(bench.device)
            begun = time.perf_counter()
            rows = STEPS[name](bench)
            state["seconds"][name] = round(time.perf_counter() - begun, 1)
            state["steps"][name] = [{key: few_digits(value) for key, value in row.items()} for row in rows]
            unfinished.parent.mkdir(exist_ok=True)
            unfinished.write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {state['seconds'][name]:.1f} s", flush=True)
    return state


def _remembered(unfinished: Path) -> dict:
    try:
        return json.loads(unfinished.read_text(encoding="utf-8")) if unfinished.is_file() else {}
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SystemExit(
            f"{unfinished.name}, where finished steps are kept, is damaged ({error}): add --again"
        ) from None


def about(size: str, device: str, data: str) -> dict:
    """What a run is for: it goes on only with the same size, machine, texts and versions."""
    facts = machine.describe_machine()["value"] if device == "cuda" else {}
    name = torch.cuda.get_device_properties(0).name if device == "cuda" else "cpu"
    memory = round(torch.cuda.get_device_properties(0).total_memory / GIB, 1) if device == "cuda" else None
    found = {"device": name, "memory in GiB": memory}
    found |= {key: facts.get(key) for key in ("compute capability", "driver", "CUDA")}
    found |= {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}
    return {"dry_run": size != "full" or device != "cuda", "size": size, "texts": data} | {
        "machine": found | {"python": platform.python_version()}
    }


def write_record(state: dict, path: Path) -> None:
    """Write the record that the lesson reads; a dry run does not take the place of a real one.

    Raises:
        SystemExit: there is a real record, and this is a dry run.
    """
    if state["about"]["dry_run"] and path.is_file() and gpu.recorded_run(path).measured:
        raise SystemExit(f"{path.name} was measured on a GPU, and this is a dry run: name another file with --output")
    ordered = {name: state["steps"][name] for name in STEPS}
    seconds = {name: state["seconds"][name] for name in STEPS}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({**state["about"], "seconds": seconds, "steps": ordered}, indent=1) + "\n", encoding="utf-8"
    )


def texts(data: Path | None, scratch: Path) -> tuple[Path, str]:
    """The folder with SQuAD's files, and what they are: the one that is named, one that is at hand, or made-up ones."""
    nearby = Path(os.environ.get("QA_REAL_DATA") or ROOT / "../shared") / "squad"
    folder = data or (nearby if any(nearby.glob("train*.json")) else None)
    if folder is None:
        write_corpus(scratch)
        return scratch, "the embedded corpus"
    counts = [len(rows) for rows in qa.load_squad(folder).values()]
    return folder.resolve(), f"files of SQuAD's form, {' and '.join(f'{count:,}' for count in counts)} questions"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with train*.json and dev*.json (default: in QA_REAL_DATA)")
    parser.add_argument(
        "--tokenizer", type=Path, help="folder of a tokenizer (default: bert-base-cased in QA_REAL_DATA)"
    )
    parser.add_argument("--size", choices=PLANS, default="full", help="tiny: to see that everything runs")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--only", nargs="+", choices=STEPS, default=list(STEPS), metavar="STEP", help=", ".join(STEPS))
    parser.add_argument("--again", action="store_true", help="forget the steps that are done")
    parser.add_argument("--output", type=Path, help="the record (default: where the lesson reads it)")
    options = parser.parse_args(arguments)
    if options.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # also for the programs that the last step starts
    elif not torch.cuda.is_available():
        parser.error("there is no GPU here. To see that everything runs: --size tiny --device cpu")
    os.environ |= {"HF_HUB_OFFLINE": "1", "QA_BARS": "off"}
    if options.again:
        UNFINISHED.unlink(missing_ok=True)
    nearby = Path(os.environ.get("QA_REAL_DATA") or ROOT / "../shared") / "bert-base-cased"
    tokenizer = options.tokenizer or (nearby if nearby.is_dir() else ASSETS / "mini-bert")
    with tempfile.TemporaryDirectory() as scratch:
        data, what = texts(options.data, Path(scratch))
        bench = Bench(PLANS[options.size], options.device, data, tokenizer.resolve())
        state = run(bench, about(options.size, options.device, what), options.only)
    if set(state["steps"]) == set(STEPS):
        output = options.output or (UNFINISHED.with_name("dry_run.json") if state["about"]["dry_run"] else gpu.RECORD)
        write_record(state, output)
        print("the record is", output.relative_to(ROOT) if output.is_relative_to(ROOT) else output)
    else:
        print("still missing:", ", ".join(name for name in STEPS if name not in state["steps"]))


if __name__ == "__main__":
    main()
