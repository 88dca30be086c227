"""The command line: ``qa-helpers train | evaluate | score | ask | compare | corpus | pretrain`` (also ``python -m qa_helpers``).

Heavy imports are inside the commands, so that ``--help`` answers at once.
"""

import json
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from .course import FineTuneConfig
from .engine.console import (
    Checkpoint,
    Limit,
    Source,
    TrainedCheckpoint,
    console,
    limited,
    print_scores,
    read_text,
    save_halved,
    show_answers,
    suited,
    with_settings,
)
from .engine.processes import is_main
from .mini.commands import COMMANDS

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Extractive question answering: fine-tune, evaluate and ask. The embedded source 'mini' and the checkpoints "
    "'mini-bert' and 'mini-bert-qa' need neither network nor GPU.",
)


@app.command(epilog="Example: qa-helpers train --source mini --checkpoint mini-bert --output-dir runs/first --epochs 1")
@with_settings(
    *(field.name for field in fields(FineTuneConfig) if field.name not in ("evaluate_every", "output_dir", "progress"))
)
def train(
    source: Source = "mini",
    checkpoint: Checkpoint = "mini-bert",
    output_dir: Annotated[str, typer.Option(help="Folder for the fine-tuned model.")] = "runs/model",
    half_precision: Annotated[bool, typer.Option(help="Save in half precision: half the size.")] = False,
    history: Annotated[
        Path | None, typer.Option(help="Write the history (loss, learning rate, scores, by step) as JSON.")
    ] = None,
    limit: Limit = None,
    **settings,
):
    """Fine-tune a checkpoint on a source's train split and score it on the validation split."""
    from .checkpoints import load_model, load_tokenizer
    from .data import load_squad
    from .engine.whole_files import write_whole
    from .training import fine_tune

    data = limited(load_squad(source), limit)
    if "train" not in data:
        raise ValueError(f"source {source!r} has no train split; it holds {', '.join(data)}")
    tokenizer, model = load_tokenizer(checkpoint), load_model(checkpoint, seed=settings["seed"])
    config = FineTuneConfig(**suited(source, checkpoint, settings), output_dir=output_dir)
    console.print(f"Training {checkpoint} on {len(data['train']):,} examples of {source}")
    result = fine_tune(model, tokenizer, data["train"], data.get("validation"), config)
    losses = [row["loss"] for row in result.history if "loss" in row]
    fell = f", loss {losses[0]:.2f} -> {losses[-1]:.2f}" if losses else ""
    console.print(f"{result.steps} steps over {result.features:,} windows in {result.seconds:.0f} s{fell}")
    if result.scores:
        console.print(f"validation: {result.scores}")
    if history and is_main():
        write_whole(history, json.dumps(result.history, indent=1))
        console.print(f"history written to {history}")
    if half_precision:
        save_halved(result.model, tokenizer, output_dir)
    console.print(f"model saved in {output_dir}" + (" in half precision" if half_precision else ""))


@app.command(epilog="Example: qa-helpers evaluate --source mini --checkpoint runs/first")
@with_settings("max_length", "stride", "max_answer_length", "null_threshold", "align_to_words")
def evaluate(
    source: Source = "mini",
    checkpoint: TrainedCheckpoint = "mini-bert-qa",
    split: Annotated[str, typer.Option(help="Which split to score.")] = "validation",
    batch_size: Annotated[int, typer.Option(help="Windows per batch.")] = 32,
    predictions: Annotated[
        Path | None, typer.Option(help="Write id -> answer as JSON, the format of SQuAD's own scripts.")
    ] = None,
    limit: Limit = None,
    **settings,
):
    """Score a fine-tuned model: EM and F1, best over all acceptable answers."""
    from .checkpoints import load_model, load_tokenizer
    from .data import load_squad
    from .engine.processes import state
    from .engine.whole_files import write_whole
    from .evaluation import Evaluation

    data = load_squad(source)
    examples = limited({split: data[split]}, limit)[split]
    tokenizer, model = load_tokenizer(checkpoint), load_model(checkpoint, needs_head=True)
    start = time.perf_counter()
    evaluation = Evaluation(examples, tokenizer, batch_size=batch_size, **suited(source, checkpoint, settings))
    scores, answers = evaluation.run(model.to(state().device))
    seconds = time.perf_counter() - start
    print_scores(split, scores, f", {evaluation.windows:,} windows in {seconds:.0f} s")
    if predictions and is_main():
        write_whole(predictions, json.dumps({a.example_id: a.text for a in answers}, ensure_ascii=False))
        console.print(f"answers written to {predictions}")


@app.command(epilog="Example: qa-helpers score answers.json --source mini")
def score(
    predictions: Annotated[Path, typer.Argument(help="JSON: id -> answer, the format of SQuAD's own scripts.")],
    source: Source = "mini",
    split: Annotated[str, typer.Option(help="Which split they answer.")] = "validation",
):
    """Score the answers in a file, from any model: EM and F1, best over all acceptable answers."""
    from .data import load_squad
    from .engine.files import parse_json
    from .engine.tables import text_of
    from .metrics import score as score_all

    answers = parse_json(text_of(predictions), predictions.name)
    try:
        print_scores(split, score_all(answers, load_squad(source)[split]))
    except ValueError as error:
        raise ValueError(f"{predictions.name} and {source}: {error}") from error


@app.command(
    epilog="Example: qa-helpers ask 'Who founded the observatory?' --document notes.txt --checkpoint runs/first"
)
def ask(
    question: Annotated[str, typer.Argument(help="The question.")],
    document: Annotated[
        Path | None, typer.Option(help="A text file (UTF-8); with '-' or without this option, standard input is read.")
    ] = None,
    context: Annotated[str | None, typer.Option(help="The text itself, instead of a file.")] = None,
    checkpoint: TrainedCheckpoint = "mini-bert-qa",
    top_k: Annotated[int, typer.Option(help="Number of answers.")] = 1,
    no_answer: Annotated[bool, typer.Option(help="Let 'no answer' compete with the spans.")] = False,
    align_to_words: Annotated[
        bool, typer.Option(help="Widen answers to whole words (turn off for languages without spaces).")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
):
    """Answer a question from a text of any length."""
    from .answering import QuestionAnswerer

    if context is not None and document is not None:
        raise ValueError("give either --document or --context, not both")
    text = context if context is not None else read_text(document)
    answers = QuestionAnswerer(checkpoint)(
        question=question,
        context=text,
        top_k=top_k,
        handle_impossible_answer=no_answer,
        align_to_words=align_to_words,
    )
    show_answers(answers if isinstance(answers, list) else [answers], text, as_json)


for command, example in COMMANDS.items():
    app.command(epilog=f"Example: qa-helpers {example}")(command)


def main() -> None:
    """Entry point: a ValueError is printed as one line, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a console that lacks a character still shows the answer
    try:
        app()
    except ValueError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"qa-helpers: {error}", markup=False)
        sys.exit(2)
