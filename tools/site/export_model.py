"""Writes the model of the live pages as scripts: a vocabulary and weights that a page can load from a folder on disk.

    python tools/site/export_model.py --output-dir dist/site/live
    python tools/site/export_model.py --output-dir build/live --fixtures build/live --examples 1000 --measure

A page opened from a folder may load scripts but fetch no files, so the numbers travel as text: ``weights.js`` holds 13
bits in two letters. In half precision the model would be more than 7 MB of text. Here most numbers take 8 bits and share
a scale with their row; ``--measure`` says what that changes. ``tools/site/live`` reads the files, and ``golden.py``
writes what the package computes, for the tests to compare.
"""

import argparse
import copy
import json
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import qa_helpers as qa

MODEL = "mini-bert-qa"
OWN = "own-model"  # what the page calls a model that does not come with the course
ENGINE = ("text.js", "tokenize.js", "windows.js", "encoder.js", "decode.js", "ask.js")  # in the order of loading
LETTERS = bytes(code for code in range(ord("#"), ord("~") + 1) if code != ord("\\"))  # 91, and two hold 13 bits
LIMIT = 4_000_000  # bytes that the live part may add to a page
CODE = 90_000  # of them, at most, for the scripts and styles of the widgets
REMEDY = "fine-tune the course's small BERT instead: qa-helpers train --checkpoint mini-bert --output-dir runs/first"
# The parts of the tokenizer that tokenize.js does the same way.
EXPECTED = {
    "normalizer": {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": False,
        "lowercase": False,
    },
    "pre_tokenizer": {"type": "BertPreTokenizer"},
}
CONFIG = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "layer_norm_eps",
    "max_position_embeddings",
)


def export(folder: Path, checkpoint: str | Path = MODEL, vocabularies: Iterable[str] = ()) -> dict[str, int]:
    """Write the scripts with the weights and vocabularies.

    Args:
        folder: where they go, beside the scripts of ``tools/site/live``.
        checkpoint: the model that answers: a name of the course's, or a folder with a fine-tuned model.
        vocabularies: further BERT tokenizers to write, by their checkpoints' names.

    Returns:
        File name → bytes.

    Raises:
        ValueError: as in :func:`scripts`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = scripts(str(checkpoint), tuple(vocabularies))
    for name, text in files.items():
        (folder / name).write_text(text, encoding="ascii")
    return {name: len(text) for name, text in files.items()}


@cache
def scripts(checkpoint: str, vocabularies: tuple[str, ...]) -> dict[str, str]:
    """The scripts' texts by their files' names.

    Raises:
        ValueError: the checkpoint is not a BERT with a trained head and a cased tokenizer, or is too large for a page; the
            message says what to do.
    """
    name = OWN if Path(checkpoint).is_dir() else checkpoint
    model = qa.load_model(checkpoint, needs_head=True)
    parameters = sum(values.numel() for values in model.parameters())
    if model.config.model_type == "bert" and parameters * 8 * 2 / 13 > LIMIT:  # 8 bits each, 13 bits in two letters
        raise ValueError(
            f"{checkpoint} has {parameters / 1e6:.0f} million weights, and a page loads at most {LIMIT / 1e6:.0f} MB, which "
            f"holds {LIMIT * 13 / 16 / 1e6:.1f} million; {REMEDY}"
        )
    files = {"weights.js": script("extractiveQA.weights", weights(model))}
    for key, source in {name: checkpoint, **dict(zip(vocabularies, vocabularies))}.items():
        content = vocabulary(source)
        if key == name:
            content["longest_window"] = min(content["longest_window"], model.config.max_position_embeddings)
        files[f"vocabulary-{key}.js"] = script(f'(extractiveQA.vocabularies ??= {{}})["{key}"]', content)
    size = sum(len(files[file]) for file in ("weights.js", f"vocabulary-{name}.js"))
    if size + CODE > LIMIT:
        raise ValueError(
            f"{checkpoint} takes {size / 1e6:.2f} MB, and a page loads at most {LIMIT / 1e6:.0f}; {REMEDY}"
        )
    told = {"name": name, "title": Path(checkpoint).resolve().name if name == OWN else name, "parameters": parameters}
    files["model.js"] = script("extractiveQA.model", told | {"bytes": size, "own": name == OWN})
    return files


def script(target: str, content: dict) -> str:
    """A classic script that puts ``content`` where ``target`` says."""
    told = json.dumps(content, separators=(",", ":"))
    return f'"use strict";\nvar extractiveQA = globalThis.extractiveQA || {{}};\n{target} = {told};\n'


# ---- The vocabulary --------------------------------------------------------------------------------------------------


def vocabulary(checkpoint: str) -> dict:
    """What ``tokenize.js`` needs to know of a BERT tokenizer.

    Raises:
        ValueError: the tokenizer does something that ``tokenize.js`` does not.
    """
    tokenizer = qa.load_tokenizer(checkpoint)
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    model = backend["model"]
    if model["type"] != "WordPiece" or any(backend[part] != wanted for part, wanted in EXPECTED.items()):
        raise ValueError(
            f"{checkpoint}: the live pages cut texts as BERT's cased tokenizer does, and no other way; {REMEDY}"
        )
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    if [model["vocab"][token] for token in tokens] != list(range(len(tokens))):
        raise ValueError(f"{checkpoint}: the ids of the vocabulary have gaps")
    return {
        "tokens": tokens,
        "special": {"cls": tokenizer.cls_token_id, "sep": tokenizer.sep_token_id, "unk": tokenizer.unk_token_id},
        "continuation": model["continuing_subword_prefix"],
        "longest_word": model["max_input_chars_per_word"],
        "longest_window": tokenizer.model_max_length,
        "characters": characters(tokenizer.backend_tokenizer),
    }


def characters(backend) -> dict[str, list[list[int]]]:
    """Code points that the tokenizer treats specially, as ranges [first, last], found out by trying every one."""
    clean, cut = backend.normalizer.normalize_str, backend.pre_tokenizer.pre_tokenize_str
    found = {"dropped": [], "space": [], "punctuation": [], "chinese": []}
    valid = [code for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
    for begin in range(0, len(valid), 64):
        codes = valid[begin : begin + 64]
        together = "".join(map(chr, codes))
        if clean(together) == together and len(cut(together)) == 1:
            continue  # all of them are ordinary
        for code in codes:
            cleaned = clean(f"a{chr(code)}b")
            if cleaned == "ab":
                found["dropped"].append(code)
            elif cleaned == "a b":
                found["space"].append(code)
            elif cleaned == f"a {chr(code)} b":
                found["chinese"].append(code)
            elif cleaned != f"a{chr(code)}b":
                raise ValueError(f"the tokenizer turns U+{code:04X} into {cleaned[1:-1]!r}")
            elif len(cut(cleaned)) == 3:
                found["punctuation"].append(code)
    return {kind: ranges(codes) for kind, codes in found.items()}


def ranges(codes: list[int]) -> list[list[int]]:
    """Ascending numbers → [[first, last], …] without gaps."""
    found: list[list[int]] = []
    for code in codes:
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return found


# ---- The weights -----------------------------------------------------------------------------------------------------


def weights(model) -> dict:
    """The content of ``weights.js``: the configuration, a list of tensors, and their numbers as letters."""
    config = model.config
    if config.model_type != "bert" or config.hidden_act != "gelu":
        raise ValueError(
            f"encoder.js computes a BERT with GELU, not a {config.model_type} with {getattr(config, 'hidden_act', 'another function')}; {REMEDY}"
        )
    tensors, bits = [], []
    for name, values in model.named_parameters():
        bits_each, group = precision(name, values)
        tensors.append({"name": name, "shape": list(values.shape), "bits": bits_each, "group": group})
        bits.append(bits_of(values, bits_each, group))
    return {
        "config": {name: getattr(config, name) for name in CONFIG},
        "tensors": tensors,
        "data": letters(np.concatenate(bits)),
    }


def precision(name: str, values: torch.Tensor) -> tuple[int, int]:
    """How a tensor is stored: bits for each number, and how many numbers share a scale.

    Vectors (biases and the like) are few and stay in half precision. Tables and matrices take 8 bits and a scale for each
    row, with two exceptions, where rounding did most of the damage. Heads that compare tokens with one another have rows
    with outliers, and a scale that suits an outlier is too large for the rest of its row. And the tables of positions and
    segments are small, but every token uses them. Both take 10 bits, and few numbers share a scale.
    """
    if values.dim() == 1:
        return 16, 1
    largest = values.abs().amax(dim=1) / values.pow(2).mean(dim=1).sqrt().clamp_min(1e-9)
    outliers = largest.median().item() > 6  # about 3 for normally distributed numbers
    small = "embeddings" in name and len(values) <= 512
    return (10, 16) if outliers or small else (8, values.size(1))


def rounded(values: torch.Tensor, bits: int, group: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Whole numbers (groups, group) and the scale of each group, in half precision; a number stands for whole × scale."""
    parts = values.detach().float().reshape(-1, group)
    most = 2 ** (bits - 1) - 1
    scales = (parts.abs().amax(dim=1, keepdim=True) / most).half().float().clamp_min(2.0**-24)
    return (parts / scales).round().clamp(-most, most), scales


def as_stored(model):
    """A copy of the model with the numbers that ``weights.js`` stands for."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        for name, values in model.named_parameters():
            bits, group = precision(name, values)
            if bits == 16:
                values.copy_(values.half().float())
            else:
                whole, scales = rounded(values, bits, group)
                values.copy_((whole * scales).reshape(values.shape))
    return model


def bits_of(values: torch.Tensor, bits: int, group: int) -> np.ndarray:
    """A tensor's bits, one in each entry: of each group, the scale first and then its whole numbers."""
    if bits == 16:
        return binary(halves(values), 16).ravel()
    whole, scales = rounded(values, bits, group)
    numbers = binary(whole.numpy().astype(np.int64) + 2 ** (bits - 1), bits)
    return np.hstack([binary(halves(scales), 16).reshape(len(scales), 16), numbers.reshape(len(scales), -1)]).ravel()


def halves(values: torch.Tensor) -> np.ndarray:
    """Numbers in half precision, as whole numbers of 16 bits."""
    return values.detach().half().numpy().view(np.uint16)


def binary(numbers: np.ndarray, bits: int) -> np.ndarray:
    """(…,) whole numbers → (…, bits) zeros and ones, the highest first."""
    return (numbers[..., None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8)


def letters(bits: np.ndarray) -> str:
    """Zeros and ones → text, two letters for every 13."""
    padded = np.append(bits, np.zeros(-len(bits) % 13, np.uint8)).reshape(-1, 13)
    pairs = np.divmod(padded @ (1 << np.arange(12, -1, -1)), len(LETTERS))
    return np.frombuffer(LETTERS, np.uint8)[np.stack(pairs, axis=1)].tobytes().decode()


# ---- The command -----------------------------------------------------------------------------------------------------


def measure(checkpoint: str, source: str, count: int | None) -> str:
    """What storing the weights in few bits changes, on validation questions of a source."""
    rows = qa.load_squad(source)["validation"]
    rows = rows.select(range(min(count or len(rows), len(rows))))
    tokenizer, model = qa.load_tokenizer(checkpoint), qa.load_model(checkpoint)
    length = min(tokenizer.model_max_length, 384)
    features = qa.make_features(rows, tokenizer, length, length // 4, labels=False)
    found = {}
    for name, weights in {"as trained": model, "as stored": as_stored(model)}.items():
        logits = qa.predict_logits(weights, features)
        predictions = qa.decode_answers(rows, features, *logits)
        found[name] = np.concatenate([*logits[0], *logits[1]]), predictions, qa.score(predictions, rows)
    (before, trained, its_score), (after, stored, own_score) = found.values()
    same = sum((a.start, a.end) == (b.start, b.end) for a, b in zip(trained, stored))
    difference = np.abs(before - after)
    return (
        f"{source}: {same} of {len(rows)} answers are the same; logits differ by {difference.mean():.3f} in the mean and "
        f"{difference.max():.2f} at most; EM {its_score.exact_match:.1f} and F1 {its_score.f1:.1f} as trained, "
        f"{own_score.exact_match:.1f} and {own_score.f1:.1f} as stored"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output-dir", type=Path, required=True, help="where the scripts go")
    parser.add_argument("--checkpoint", default=MODEL)
    parser.add_argument("--vocabulary", action="append", default=[], help="a further BERT tokenizer to write")
    parser.add_argument("--fixtures", type=Path, help="write what the package computes into this folder, for the tests")
    parser.add_argument("--examples", type=int, help="questions of each source in the fixtures and measurements")
    parser.add_argument("--measure", action="store_true", help="say what the few bits change")
    options = parser.parse_args()
    for name, size in export(options.output_dir, options.checkpoint, options.vocabulary).items():
        print(f"{name}: {size:,} bytes")
    if options.fixtures:
        import golden

        golden.write(options.fixtures, options.checkpoint, options.examples)
    if options.measure:
        for source in ("mini", "mini_notes"):
            print(measure(options.checkpoint, source, options.examples))


if __name__ == "__main__":
    main()
