"""Examples as Arrow: in memory, or in a file of the Hugging Face datasets cache that is only mapped into memory.

A cached file is named by what it was made of: the source file's content and the code that read it. It is written
whole or not at all, and its own digest lies beside it, so that a damaged one is seen and made again.
"""

import contextlib
import hashlib
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import datasets
import pyarrow as pa
from datasets import Dataset
from datasets.table import InMemoryTable

from ..examples import FEATURES
from .progress_bars import track
from .whole_files import whole_file

_SCHEMA = FEATURES.arrow_schema
CACHE_FROM = 16 * 2**20  # bytes of a file from which on its examples are cached on disk
_READERS = ("engine/arrow_store.py", "examples.py", "engine/read_json.py", "engine/read_tables.py")
_ROWS, _CHARACTERS = 1000, 2**24  # in a record batch at most


def in_memory(examples: Iterable[dict]) -> Dataset:
    """Examples → Dataset in memory. Its fingerprint follows from the content alone."""
    batches, digest = [], hashlib.blake2b(digest_size=8)
    for batch in _batches(examples):
        digest.update(batch.serialize())
        batches.append(batch)
    table = pa.Table.from_batches(batches, schema=_SCHEMA)
    return Dataset(InMemoryTable(table), fingerprint=digest.hexdigest())  # the library's own would copy it all


def stored(path: Path, read: Callable[[], Iterator[dict]]) -> Dataset:
    """The Dataset of what ``read()`` gives of the file ``path``: in memory if the file is small, else from the cache.

    Raises:
        ValueError: the file is not sound, or changes while it is read.
    """
    if path.stat().st_size < CACHE_FROM:
        with _counted(path, read) as examples:
            return in_memory(examples)
    digest = _digest(path)
    name = hashlib.blake2b(f"{_code()} {path.suffix.lower()} {digest}".encode(), digest_size=16).hexdigest()
    cached = Path(datasets.config.HF_DATASETS_CACHE) / "qa_helpers" / f"{name}.arrow"
    note = cached.with_suffix(".digest")
    if not _is_whole(cached, note):
        _sweep(cached.parent)
        try:
            with whole_file(cached) as partial:
                with (
                    pa.OSFile(str(partial), "wb") as sink,
                    pa.ipc.new_stream(sink, _SCHEMA) as stream,
                    _counted(path, read) as examples,
                ):
                    for batch in _batches(examples):
                        stream.write_batch(batch)
                if _digest(path) != digest:
                    raise ValueError(f"{path.name} changed while it was being read; read it again when it is complete")
                made = _digest(partial)
            with whole_file(note) as partial:
                partial.write_text(made, encoding="ascii")
        except OSError as error:  # no room, no right to write: the examples are as good in memory, only larger
            warnings.warn(f"{path.name} is held in memory: its cache could not be written ({error})", stacklevel=2)
            with _counted(path, read) as examples:
                return in_memory(examples)
    return Dataset.from_file(str(cached))


def _counted(path: Path, read: Callable[[], Iterator[dict]]):
    return track(read(), f"Reading {path.name}", unit="examples")


def _batches(examples: Iterable[dict]) -> Iterator[pa.RecordBatch]:
    rows, characters = [], 0
    for example in examples:
        rows.append(example)
        characters += len(example["context"])
        if len(rows) >= _ROWS or characters >= _CHARACTERS:
            yield _batch(rows)
            rows, characters = [], 0
    if rows:
        yield _batch(rows)


def _batch(rows: list[dict]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({name: [row[name] for row in rows] for name in FEATURES}, schema=_SCHEMA)


def _sweep(folder: Path) -> None:
    """Remove what writers left behind that were killed; those of the last day may still be at work."""
    for partial in folder.glob(".*.part"):
        with contextlib.suppress(OSError):
            if partial.stat().st_mtime < time.time() - 86_400:
                partial.unlink()


def _is_whole(cached: Path, note: Path) -> bool:
    try:
        return note.read_text(encoding="ascii") == _digest(cached)
    except (OSError, UnicodeDecodeError):
        return False


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _code() -> str:
    """A digest of the code that makes examples of files: other code, another cache."""
    digest = hashlib.blake2b(digest_size=16)
    for name in _READERS:
        digest.update((Path(__file__).parent.parent / name).read_bytes())
    return digest.hexdigest()
