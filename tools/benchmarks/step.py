"""One training step without padding: seconds, and the share of the machine's matrix peak that it reaches.

    python tools/benchmarks/step.py --checkpoint folder [--lengths 180 384] [--numbers float32 bfloat16]

PyTorch's dropout and the course's (qa_helpers/engine/quick_dropout.py) in turn, in the number format that is trained in.
"""

import argparse
import statistics
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from ceilings import matrix_peak, training_flops
from torch import nn

import qa_helpers as qa
from qa_helpers.engine.quick_dropout import quick_dropout


def measure(
    model: nn.Module, batch_size: int, length: int, numbers: list[str], repeats: int
) -> list[tuple[str, str, float]]:
    """(dropout, number format, seconds of a step) for each combination; medians, taken in turn."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    torch.manual_seed(0)
    batch = {
        "input_ids": torch.randint(5, model.config.vocab_size, (batch_size, length), device=device),
        "start_positions": torch.randint(length, (batch_size,), device=device),
        "end_positions": torch.randint(length, (batch_size,), device=device),
    }

    def step(half: bool) -> None:
        with torch.autocast(device, dtype=torch.bfloat16, enabled=half):
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()  # waits for a GPU

    ways = [(dropout, number) for number in numbers for dropout in ("PyTorch's", "qa_helpers'")]
    seconds: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
    for turn in range(repeats + 1):
        for dropout, number in ways:
            with quick_dropout(model) if dropout == "qa_helpers'" else nullcontext():
                begun = time.perf_counter()
                step(number == "bfloat16")
            if turn:  # the first sets things up
                seconds[dropout, number].append(time.perf_counter() - begun)
    return [(*way, statistics.median(values)) for way, values in seconds.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder of an encoder")
    parser.add_argument("--batch-size", type=int, default=12)
    parser.add_argument("--lengths", type=int, nargs="+", default=[180, 384])
    parser.add_argument("--numbers", nargs="+", default=["float32", "bfloat16"], choices=["float32", "bfloat16"])
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    model = qa.load_model(options.checkpoint, seed=0)
    print("| batch | dropout | numbers | step | of the float32 peak |\n|---|---|---|---|---|")
    peak = matrix_peak()
    for length in options.lengths:
        flops = training_flops(model, [length] * options.batch_size)
        settings = options.batch_size, length, options.numbers, options.repeats
        for dropout, number, seconds in measure(model, *settings):
            share = flops / seconds / peak
            print(f"| {options.batch_size} x {length} | {dropout} | {number} | {seconds:.3f} s | {share:.0%} |")
    print(f"\nMatrix peak: {peak / 1e9:,.0f} GFLOP/s.")


if __name__ == "__main__":
    main()
