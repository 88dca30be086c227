"""Large files: examples mapped from the cache, never from a stale or damaged one; memory in proportion to the file."""

import json
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import datasets
import pyarrow as pa
import pytest
from conftest import REPOSITORY, make_example
from file_seeds import ROWS, as_csv, as_lines, nested

import qa_helpers.data as data
import qa_helpers.engine.arrow_store as store
from qa_helpers import load_squad


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """The folder in which examples are cached, of files of any size."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(store, "CACHE_FROM", 1)
    return tmp_path / "cache" / "qa_helpers"


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "train.json"
    path.write_text(json.dumps(nested(ROWS)))
    return path


def must_not_read(path):
    pytest.fail(f"{path.name} was read again")
    yield


def test_a_large_file_is_mapped_from_the_cache_and_read_only_once(cache, file, monkeypatch):
    first = load_squad(file)["train"]
    (kept,) = cache.glob("*.arrow")
    assert [Path(entry["filename"]) for entry in first.cache_files] == [kept]
    assert first.to_list() == ROWS and first.features == data.FEATURES
    monkeypatch.setitem(data.READERS, ".json", must_not_read)
    renamed = file.rename(file.with_name("dev.json"))
    assert load_squad(renamed)["validation"].to_list() == ROWS, "the content counts, not the name"
    assert {path.suffix for path in cache.iterdir()} == {".arrow", ".digest"}


@pytest.mark.parametrize("ending", ["json", "jsonl", "csv", "parquet"])
def test_every_format_is_cached(cache, tmp_path, ending):
    path = tmp_path / f"dev.{ending}"
    if ending == "parquet":
        data.rows_to_dataset(ROWS).to_parquet(path)
    else:
        text = {"json": json.dumps(nested(ROWS)), "jsonl": as_lines(ROWS), "csv": as_csv(ROWS, json.dumps)}[ending]
        path.write_bytes(text.encode())
    for _ in range(2):
        assert load_squad(path)["validation"].to_list() == ROWS
    assert len(list(cache.glob("*.arrow"))) == 1


def test_a_small_file_stays_in_memory(cache, file, monkeypatch):
    monkeypatch.setattr(store, "CACHE_FROM", file.stat().st_size + 1)
    assert load_squad(file)["train"].cache_files == []
    assert not cache.exists()


def test_changed_content_is_read_anew(cache, file):
    load_squad(file)
    stamp = file.stat()
    file.write_text(json.dumps(nested(ROWS)).replace("Invented", "Inverted"))
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # neither size nor time tells
    assert file.stat().st_size == stamp.st_size
    assert {row["title"] for row in load_squad(file)["train"]} == {"Inverted"}


def test_other_code_reads_anew(cache, file, monkeypatch):
    load_squad(file)
    monkeypatch.setattr(store, "_code", lambda: "of tomorrow")
    monkeypatch.setitem(data.READERS, ".json", must_not_read)
    with pytest.raises(pytest.fail.Exception, match="read again"):
        load_squad(file)


def test_the_code_that_counts_is_all_code_of_the_readers():
    cupboards = {path.name for path in Path(store.__file__).parent.glob("_read_*.py")}
    assert cupboards | {"_examples.py", "_arrow_store.py"} == set(store._READERS)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "gone", "no note", "wrong note"])
def test_a_damaged_cache_is_made_again(cache, file, damage):
    load_squad(file)
    (kept,) = cache.glob("*.arrow")
    note, whole = kept.with_suffix(".digest"), kept.read_bytes()
    kept.unlink()  # a new file: the old one is still mapped
    if damage != "gone":
        flipped = whole.replace(b"Quellmark", b"Quellmork", 1)
        kept.write_bytes({"flip": flipped, "cut": whole[:-300], "empty": b""}.get(damage, whole))
        assert damage not in ("flip", "cut", "empty") or kept.read_bytes() != whole
    if damage == "no note":
        note.unlink()
    if damage == "wrong note":
        note.write_bytes(b"\xff\xfe")
    assert load_squad(file)["train"].to_list() == ROWS
    assert kept.read_bytes() == whole and note.read_text() == store._digest(kept)


def test_a_file_that_is_refused_leaves_nothing_in_the_cache(cache, file):
    file.write_text(json.dumps(nested([*ROWS, ROWS[0]])))
    for _ in range(2):
        with pytest.raises(ValueError, match="occurs twice"):
            load_squad(file)
        assert list(cache.iterdir()) == []


def test_a_reader_that_is_killed_leaves_nothing_that_is_taken_for_whole(cache, file):
    code = (
        "import os, signal, sys, datasets, qa_helpers.data as data, qa_helpers.engine.arrow_store as store\n"
        "datasets.config.HF_DATASETS_CACHE, store.CACHE_FROM, store._ROWS = sys.argv[1], 1, 1\n"
        "def dying(path, read=data.READERS['.json']):\n"
        "    for k, pair in enumerate(read(path)):\n"
        "        if k == 4: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        yield pair\n"
        "data.READERS['.json'] = dying\n"
        "data.load_squad(sys.argv[2])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, cache.parent, file], cwd=REPOSITORY, capture_output=True)
    assert done.returncode == -9, done.stderr
    (left,) = cache.iterdir()
    assert left.suffix == ".part"
    assert load_squad(file)["train"].to_list() == ROWS
    assert left.exists(), "it might belong to somebody who is still writing"
    os.utime(left, (time.time() - 2 * 86_400,) * 2)
    next(cache.glob("*.digest")).unlink()
    load_squad(file)
    assert not left.exists()


def test_a_file_that_changes_while_it_is_read_is_refused(cache, file, monkeypatch):
    def growing(path):
        yield from data.read_json(path)
        path.write_text(path.read_text() + "\n")

    monkeypatch.setitem(data.READERS, ".json", growing)
    with pytest.raises(ValueError, match="train.json changed while it was being read"):
        load_squad(file)
    assert list(cache.iterdir()) == []


def test_without_room_for_the_cache_the_examples_are_held_in_memory_and_that_is_said(cache, file, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "whole_file", full)
    with pytest.warns(UserWarning, match="train.json is held in memory: .* No space left on device"):
        loaded = load_squad(file)["train"]
    assert loaded.to_list() == ROWS and loaded.cache_files == []


def test_long_and_many_contexts_come_in_several_batches(cache, tmp_path, monkeypatch):
    rows = [make_example(f"{k}", f"Number {k} " + "lamp " * (k % 7) * 50, "Which?", f"{k}") for k in range(2500)]
    path = tmp_path / "dev.jsonl"
    path.write_text(as_lines(rows))
    monkeypatch.setattr(store, "_CHARACTERS", 100_000)
    loaded = load_squad(path)["validation"]
    assert loaded.to_list() == rows
    batches = loaded.data.table.column("context").chunks
    assert len(batches) > 10 and max(sum(map(len, batch.to_pylist())) for batch in batches) < 103_000


# Memory: Python's by tracemalloc, Arrow's by its own count; neither depends on the machine's speed.


def file_of(path: Path, megabytes: float) -> Path:
    """Invented examples, five to a context, as SQuAD JSON or JSON lines."""
    rows, size = [], 0
    while size < megabytes * 2**20:
        context = f"The lamp of house {len(rows)} " + "was lit by the keeper at dusk " * 25
        rows += [make_example(f"{len(rows) + k:024}", context, f"What was lit, {k}?", "The lamp") for k in range(5)]
        size += (len(context) + 5 * 155) if path.suffix == ".json" else 5 * (len(context) + 170)
    path.write_text(as_lines(rows) if path.suffix == ".jsonl" else json.dumps(nested(rows)))
    return path


def peak_of_loading(path: Path) -> float:
    """Bytes at the peak for every byte of the file, without what Arrow maps."""
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    loaded = load_squad(path)
    peak = tracemalloc.get_traced_memory()[1] + pa.total_allocated_bytes() - before
    tracemalloc.stop()
    assert len(loaded) == 1
    return peak / path.stat().st_size


@pytest.mark.parametrize(
    ("name", "cached", "most"), [("train.json", False, 9.0), ("train.json", True, 5.0), ("train.jsonl", True, 1.5)]
)
def test_memory_grows_with_the_file_and_not_faster(cache, tmp_path, monkeypatch, name, cached, most):
    monkeypatch.setattr(store, "CACHE_FROM", 1 if cached else 2**40)
    peak_of_loading(file_of(tmp_path / f"first-{name}", 0.1))  # imports and the like
    small, large = (peak_of_loading(file_of(tmp_path / name, size)) for size in (1, 4))
    assert large < most
    assert large < 1.2 * small


def test_a_second_loading_takes_hardly_any_memory(cache, tmp_path):
    path = file_of(tmp_path / "train.json", 2)
    load_squad(path)
    assert peak_of_loading(path) < 0.2
