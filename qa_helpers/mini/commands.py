"""The commands that make what the course ships: ``qa-helpers compare | corpus | pretrain``.

Heavy imports are inside the commands, so that ``--help`` answers at once.
"""

import time
from pathlib import Path
from typing import Annotated

import typer

from ..engine.processes import speaker


def compare(
    output_file: Annotated[
        Path, typer.Option(help="JSON with a row per run. Runs that are already in it are not repeated.")
    ] = Path("runs/family_scores.json"),
    families: Annotated[
        str, typer.Option(help="all, or some of bert,distilbert,roberta,albert,deberta,modernbert.")
    ] = "all",
    seeds: Annotated[int, typer.Option(help="Runs per family.")] = 5,
    steps: Annotated[int, typer.Option(help="Optimizer steps of 16 windows in each run.")] = 500,
    limit: Annotated[int | None, typer.Option(help="Use only the first N examples of each split.")] = None,
):
    """Fine-tune the small encoders of all families, several times each, and record EM, F1 and time (lesson 09)."""
    from .comparison import CompareSettings, compare_families

    names = None if families == "all" else [name.strip() for name in families.split(",")]
    settings = CompareSettings(steps=steps, limit=limit)
    runs = compare_families(output_file, names, seeds, settings, lambda line: speaker().print(line, soft_wrap=True))
    speaker().print(f"{len(runs)} runs in {output_file}")


def corpus(
    output_dir: Annotated[Path, typer.Option(help="Folder for train-v….json and dev-v….json.")],
    version: Annotated[str, typer.Option(help="1.1, or 2.0 with unanswerable questions.")] = "1.1",
    examples: Annotated[int, typer.Option(help="Training examples.")] = 6000,
    validation_examples: Annotated[int, typer.Option(help="Validation examples.")] = 1000,
    seed: Annotated[int, typer.Option(help="Another seed gives another gazetteer.")] = 2026,
):
    """Write the embedded corpus as SQuAD 1.1 or 2.0 JSON."""
    from .corpus import write_corpus

    for path in write_corpus(output_dir, version, examples, validation_examples, seed):
        speaker().print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


def pretrain(
    output_dir: Annotated[Path, typer.Option(help="Folder for the encoder and its tokenizer.")],
    family: Annotated[str, typer.Option(help="bert, distilbert, roberta, albert, deberta or modernbert.")] = "bert",
    share: Annotated[float, typer.Option(help="Run only this share of the steps (1 for what is shipped).")] = 1.0,
    start_from: Annotated[
        Path | None, typer.Option(help="An encoder made before: start from its weights and run only the last stage.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed for weights, masks and order.")] = 0,
):
    """Pretrain a small encoder by masked language modelling on corpus passages (minutes on two cores).

    An interrupted run leaves nothing in output-dir, and starts over when it is repeated.
    """
    from .pretraining import PretrainConfig
    from .pretraining import pretrain as run

    config = PretrainConfig(seed=seed, share=share, start_from=start_from)
    start = time.perf_counter()
    run(family, output_dir, config, report=lambda line: speaker().print(line, soft_wrap=True))
    speaker().print(f"{time.perf_counter() - start:.0f} s, saved in {output_dir}")


COMMANDS = {  # command → the example that its help ends with
    compare: "compare --families bert,albert --seeds 2 --output-file runs/scores.json",
    corpus: "corpus --output-dir data/mini --version 2.0",
    pretrain: "pretrain --family bert --output-dir runs/mini-bert",
}
