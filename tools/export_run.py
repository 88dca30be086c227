"""Measure for lesson 12 what an export to ONNX and its int8 copy keep of each family: ``make exported``.

    python tools/export_run.py [--families bert albert ...] [--again]

Every family's small encoder is fine-tuned as ``qa-helpers compare`` does it (seed 0), exported, quantized and measured, on
one thread. A family that is in the record is not measured again, unless its encoder has changed or ``--again`` is given; its
fine-tuned model waits in ``build/exported``. The record is ``exported.json`` in the package's assets, where lesson 12 reads
it. If a family cannot be exported or quantized, the record has the error instead of its figures.
"""

import argparse
import json
import logging
import os
import shutil
import statistics
import time
import warnings
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from transformers.modeling_outputs import QuestionAnsweringModelOutput

import qa_helpers as qa
from qa_helpers.checkpoints import ASSETS
from qa_helpers.engine.whole_files import write_whole
from qa_helpers.mini.comparison import BY_SHORT_NAME, CompareSettings, encoder_fingerprint, recorded_config

ROOT = Path(__file__).resolve().parent.parent
RECORD, MODELS = ASSETS / "exported.json", ROOT / "build" / "exported"
REPEATS = 3


# The next four are those of lesson 12, word for word; tests/test_export_run.py compares them.
def export_to_onnx(model, batch, path, axes=None):
    program = torch.onnx.export(
        model.eval(),
        kwargs=batch,
        dynamic_shapes=axes and dict.fromkeys(batch, axes),
        input_names=list(batch),
        output_names=["start_logits", "end_logits"],
        dynamo=True,
        verbose=False,
    )
    program.save(path)


def open_session(path, threads=1):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # errors are raised anyway
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def quantize(path, target):
    prepared = target.with_name(f"prepared_{path.name}")
    quant_pre_process(path, prepared, skip_symbolic_shape=True)
    quantize_dynamic(prepared, target)


class OnnxModel(torch.nn.Module):
    def __init__(self, session, config):
        super().__init__()
        self.session, self.config = session, config
        self.place = torch.nn.Parameter(torch.zeros(0))  # the package asks a model's parameters where they are

    def forward(self, **batch):
        starts, ends = self.session.run(None, {name: values.numpy() for name, values in batch.items()})
        return QuestionAnsweringModelOutput(start_logits=torch.from_numpy(starts), end_logits=torch.from_numpy(ends))


def measure(name: str, settings: CompareSettings, folder: Path) -> dict:
    """A family's row of the record.

    Args:
        name: "bert", "albert", …
        folder: keeps the fine-tuned model, and takes the exported files.
    """
    data = qa.load_squad(settings.source)
    if settings.limit:
        data = {split: rows.select(range(min(settings.limit, len(rows)))) for split, rows in data.items()}
    tokenizer, model = fine_tuned(name, settings, data["train"], folder)
    examples = data["validation"]
    features = qa.make_features(examples, tokenizer, settings.max_length, settings.stride, labels=False)
    row = {
        "family": BY_SHORT_NAME[name].name,
        "encoder": encoder_fingerprint(BY_SHORT_NAME[name].mini),
        "questions": len(examples),
        "windows": len(features),
    }
    models, error, files = {"torch": model}, None, {part: folder / f"{part}.onnx" for part in ("onnx", "int8")}
    try:
        axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens")}
        export_to_onnx(model, qa.make_batch(features[:2], tokenizer), files["onnx"], axes)
        models["onnx"] = OnnxModel(open_session(files["onnx"]), model.config)
        unprepared = folder / "unprepared.onnx"
        quantize_dynamic(files["onnx"], unprepared)
        quantize(files["onnx"], files["int8"])
        # Products with weights that are computed in int8: quantized as exported, prepared first, and how many there are.
        counted = [products_in_int8(unprepared), products_in_int8(files["int8"])]
        row["products"] = [*counted, counted[1] + len(weights_left(files["int8"]))]
        row["unprepared_megabytes"] = round(unprepared.stat().st_size / 1e6, 2)
        models["int8"] = OnnxModel(open_session(files["int8"]), model.config)
    except Exception as raised:  # whatever the libraries raise is what the lesson has to show
        error = f"{type(raised).__name__}: {str(raised).strip().splitlines()[0]}"
    seconds = {part: [] for part in models}
    logits = {}
    for _ in range(REPEATS):  # in turn, so that what else the machine does meets all of them alike
        for part, each in models.items():
            begun = time.process_time()
            logits[part] = qa.predict_logits(each, features)
            seconds[part].append(time.process_time() - begun)
    answers = {part: qa.decode_answers(examples, features, *both, align_to_words=True) for part, both in logits.items()}
    scores = {part: qa.score(found, examples) for part, found in answers.items()}
    row["scores"] = {p: [round(s.exact_match, 2), round(s.f1, 2)] for p, s in scores.items()}
    row["seconds"] = {part: round(statistics.median(each), 2) for part, each in seconds.items()}
    row["megabytes"] = {part: round(files[part].stat().st_size / 1e6, 2) for part in models if part in files}
    row["same_spans"] = {p: same_spans(answers["torch"], answers[p]) for p in models if p != "torch"}
    row["largest_difference"] = {p: largest_difference(logits["torch"], logits[p]) for p in models if p != "torch"}
    if "int8" in models:
        change = 100 * (scores["int8"].per_example["f1"] - scores["onnx"].per_example["f1"])
        low, high = qa.bootstrap_interval(change, groups=examples["context"][:])
        row["f1_change"] = [round(float(value), 2) for value in (change.mean(), low, high)]
        right = {p: scores[p].per_example["exact_match"].astype(bool) for p in ("onnx", "int8")}
        row["broken"] = int((right["onnx"] & ~right["int8"]).sum())
        row["mended"] = int((right["int8"] & ~right["onnx"]).sum())
    return row | {"error": error}


def fine_tuned(name: str, settings: CompareSettings, train, folder: Path):
    """Tokenizer and model of a family, trained if the folder does not have the model yet."""
    mini = BY_SHORT_NAME[name].mini
    tokenizer, model = qa.load_tokenizer(mini), qa.load_model(mini, seed=0)
    # It is saved so that a run that has finished is recognised and not repeated.
    config = recorded_config(settings, 0, output_dir=str(folder / "model"), save_every=settings.steps)
    return tokenizer, qa.fine_tune(model, tokenizer, train, config=config).model.eval()


def products_in_int8(path: Path) -> int:
    """How many matrix products of a quantized file are computed in int8."""
    return sum(node.op_type == "MatMulInteger" for node in onnx.load(path).graph.node)


def weights_left(path: Path) -> list[str]:
    """The matrices of weights that a quantized file still multiplies in float32."""
    graph = onnx.load(path).graph
    stored = {weight.name for weight in graph.initializer}
    return [node.input[1] for node in graph.node if node.op_type == "MatMul" and node.input[1] in stored]


def same_spans(first, second):
    return sum((a.start, a.end) == (b.start, b.end) for a, b in zip(first, second))


def largest_difference(first, second):
    return float(max(np.abs(a - b).max() for one, other in zip(first, second) for a, b in zip(one, other)))


def read_record(path: Path, settings: CompareSettings) -> dict:
    """What is measured so far; nothing, if it was measured with other settings."""
    new = {"settings": asdict(settings), "repeats": REPEATS, "versions": {}, "families": []}
    if not path.is_file():
        return new
    record = json.loads(path.read_text(encoding="utf-8"))
    return record if record["settings"] == new["settings"] else new


def run(names: list[str], settings: CompareSettings, path: Path, models: Path, again: bool = False) -> dict:
    """Measure the families that the record lacks, one at a time, and write the record after each."""
    order = [family.name for family in BY_SHORT_NAME.values()]
    for name in names:
        record = read_record(path, settings)  # anew each time: another command may have added to it
        known = {row["family"]: row for row in record["families"]}
        row = known.get(BY_SHORT_NAME[name].name)
        if again or row is None or row["encoder"] != encoder_fingerprint(BY_SHORT_NAME[name].mini):
            if again or row is not None:
                shutil.rmtree(models / name, ignore_errors=True)
            row = measure(name, settings, models / name)
            known[row["family"]] = row
            record["families"] = sorted(known.values(), key=lambda row: order.index(row["family"]))
            record["versions"] = {
                package: version(package).split("+")[0] for package in ("torch", "onnx", "onnxruntime")
            }
            write_whole(path, json.dumps(record, indent=1) + "\n")
        print(
            f"{row['family']}: {row['error'] or row['scores']}, int8 changes F1 by {row.get('f1_change')}", flush=True
        )
    return read_record(path, settings)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--families",
        nargs="+",
        choices=BY_SHORT_NAME,
        default=list(BY_SHORT_NAME),
        metavar="FAMILY",
        help=", ".join(BY_SHORT_NAME),
    )
    parser.add_argument("--again", action="store_true", help="train and measure them even if the record has them")
    parser.add_argument("--output", type=Path, default=RECORD, help="the record (default: where lesson 12 reads it)")
    options = parser.parse_args(arguments)
    os.environ |= {"HF_HUB_OFFLINE": "1", "QA_BARS": "off"}
    logging.disable(logging.WARNING)  # remarks of the exporter and of the quantizer
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    run(options.families, CompareSettings(), options.output, MODELS, options.again)


if __name__ == "__main__":
    main()
