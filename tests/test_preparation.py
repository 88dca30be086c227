"""Features of examples on disk are kept on disk, found again, and never stale."""

import datasets
import pyarrow as pa
import pytest
from conftest import BELLS, make_example
from datasets import load_from_disk
from tokenizers import normalizers

from qa_helpers import features, load_tokenizer, make_features
from qa_helpers.data import rows_to_dataset

SETTINGS = {"max_length": 40, "stride": 12}


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache of its own, and a list that counts how often a batch is cut."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "qa_helpers" / "features"


@pytest.fixture
def cuts(monkeypatch):
    done = []

    def cut(*arguments, **options):
        done.append(1)
        return original(*arguments, **options)

    original = features.features_of
    monkeypatch.setattr(features, "features_of", cut)
    return done


@pytest.fixture
def on_disk(examples, tmp_path):
    examples.save_to_disk(tmp_path / "examples")
    return load_from_disk(tmp_path / "examples")


def same(a, b):
    return a.column_names == b.column_names and all(a[name][:] == b[name][:] for name in a.column_names)


def test_examples_in_memory_leave_nothing_on_disk(cache, examples, tokenizer):
    assert make_features(examples, tokenizer, **SETTINGS).cache_files == []
    assert not cache.exists()


def test_examples_on_disk_are_prepared_once(cache, cuts, on_disk, examples, tokenizer):
    first = make_features(on_disk, tokenizer, **SETTINGS)
    assert len(cuts) == 1 and len(first.cache_files) == 1 and len(list(cache.iterdir())) == 1
    again = make_features(on_disk, load_tokenizer(tokenizer.name_or_path), **SETTINGS)
    assert len(cuts) == 1, "the second call should find the first one's file"
    assert same(first, again) and same(first, make_features(examples, tokenizer, **SETTINGS))


def test_several_processes_make_the_same_and_keep_it(cache, on_disk, examples, tokenizer):
    expected = make_features(examples, tokenizer, **SETTINGS)
    shared = make_features(on_disk, tokenizer, **SETTINGS, num_proc=2)
    assert same(shared, expected) and len(shared.cache_files) == 2
    assert same(make_features(on_disk, tokenizer, **SETTINGS, num_proc=2), expected)
    assert same(make_features(examples, tokenizer, **SETTINGS, num_proc=2), expected)


def test_whatever_changes_the_features_makes_them_anew(cache, cuts, on_disk, checkpoint):
    tokenizer = load_tokenizer(checkpoint)

    def is_made_anew(examples=on_disk, **changes) -> bool:
        before = len(cuts)
        make_features(examples, tokenizer, **(SETTINGS | changes))
        return len(cuts) > before

    assert is_made_anew() and not is_made_anew()
    assert is_made_anew(max_length=41) and is_made_anew(stride=11) and is_made_anew(labels=False)
    assert is_made_anew(on_disk.select(range(5))) and not is_made_anew(on_disk.select(range(5)))
    assert is_made_anew(on_disk.select(range(9, -1, -1)))
    tokenizer("Who?", BELLS, truncation=True, max_length=20, padding="max_length")  # leaves its marks in the object
    assert not is_made_anew()
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    assert is_made_anew()
    tokenizer = load_tokenizer(checkpoint)
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    assert is_made_anew()
    tokenizer = load_tokenizer(checkpoint)
    tokenizer.add_tokens(["Quellmark"])
    assert is_made_anew()


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"x" * 500])
def test_a_file_that_cannot_be_read_is_made_again(cache, on_disk, tokenizer, damage):
    expected = make_features(on_disk, tokenizer, **SETTINGS)["input_ids"][:]
    (file,) = cache.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert make_features(on_disk, tokenizer, **SETTINGS)["input_ids"][:] == expected


def test_many_rows_on_disk_take_no_more_memory_than_few(cache, tmp_path, tokenizer):
    rows = [make_example(f"n{k}", BELLS, "Who founded the school?", "Oda Brennick") for k in range(1200)]
    held = {}
    for count in (600, 1200):
        rows_to_dataset(rows[:count]).save_to_disk(tmp_path / str(count))
        examples = load_from_disk(tmp_path / str(count))
        before = pa.total_allocated_bytes()
        made = make_features(examples, tokenizer, **SETTINGS)
        held[count] = pa.total_allocated_bytes() - before
        assert len(made) > 2 * count
        del made
    assert held[1200] < held[600] + 50_000
