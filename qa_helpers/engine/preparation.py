"""Examples → features in batches, with a progress bar; what was made of examples on disk is kept and found again."""

import json
from collections.abc import Callable
from pathlib import Path

import datasets
import pyarrow as pa
import tokenizers
from datasets import Dataset, Features
from datasets.fingerprint import generate_random_fingerprint

from .fingerprint import fingerprint
from .progress_bars import bars_shown, counting, library_bars
from .whole_files import explain_full_disk

PACKAGE = Path(__file__).parents[1]
CODE = ("features.py", "engine/columns.py", "engine/windows.py")  # what computes the features


def in_batches(
    compute: Callable,
    examples: Dataset,
    options: dict,
    schema: Features,
    batch_size: int,
    num_proc: int | None,
    progress,
) -> Dataset:
    """Apply :func:`qa_helpers.features.features_of` to batches of examples.

    Args:
        compute: that function; ``options``: its settings.
        num_proc, progress: as in :func:`qa_helpers.make_features`.
    """
    content, cache = generate_random_fingerprint(), None  # features of examples in memory are never looked up
    if examples.cache_files:
        content = _fingerprint(examples, **options)
        cache = _cache_file(content)
    several = num_proc is not None  # with several processes, only the library's own bar can count their work
    quiet = library_bars(downloads=False, data=several and bars_shown(progress))
    counted = counting("Making features", len(examples), "examples", progress)
    with explain_full_disk(Path(cache or "features")), quiet, counted as done:

        def compute_and_count(batch: dict, indices: list[int], **options) -> pa.Table:
            table = compute(batch, indices, **options)
            done(len(indices))
            return table

        return examples.map(
            compute if several else compute_and_count,
            with_indices=True,
            batched=True,
            batch_size=batch_size,
            remove_columns=examples.column_names,
            features=schema,
            num_proc=num_proc,
            fn_kwargs=options,
            new_fingerprint=content,
            cache_file_name=cache,
            desc="Making features",
        )


def _fingerprint(examples: Dataset, tokenizer, max_length: int, stride: int, labels: bool) -> str:
    """A fingerprint of all that the features depend on: the examples, the tokenizer, the settings and the code.

    The tokenizer object's own hash cannot be used, since it changes with use.
    """
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    backend["truncation"] = backend["padding"] = None  # left over from the previous call
    settings = [max_length, stride, labels, tokenizer.model_input_names, tokenizer.cls_token_id, tokenizers.__version__]
    code = [(PACKAGE / name).read_text(encoding="utf-8") for name in CODE]
    return fingerprint(examples._fingerprint, json.dumps([settings, backend], sort_keys=True), *code)


def _cache_file(content: str) -> str:
    """Where the features of examples on disk are cached: next to the library's own caches.

    A file that cannot be read to its end (a full disk, a broken copy) is removed, so that it will be made again.
    """
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "qa_helpers" / "features"
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob(f"{content}*.arrow"):
        try:
            Dataset.from_file(str(path))
        except (pa.ArrowInvalid, OSError):
            path.unlink(missing_ok=True)
    return str(folder / f"{content}.arrow")
