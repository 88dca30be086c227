"""Rows of different length: the same numbers as the library's own conversion, from memory of any layout."""

import datasets
import numpy as np
import pytest
from datasets import Dataset
from support import build

from qa_helpers.engine.columns import lengths_of, list_column, list_columns, pad


@pytest.fixture(params=["whole", "chosen", "sliced", "joined", "from disk", "plain lists"])
def table(request, features, tmp_path):
    if request.param == "from disk":
        features.save_to_disk(tmp_path / "features")
        return datasets.load_from_disk(tmp_path / "features")
    return {
        "whole": features,
        "chosen": features.select([3, 0, 5]),
        "sliced": features.select(range(2, 6)),
        "joined": datasets.concatenate_datasets([features.select(range(2)), features.select([4])]),
        "plain lists": build([[(0, 4), (2, 6)], [(0, 1)]], 8)[1].add_column("input_ids", [[1, 2, 3], [4, 5], [6]]),
    }[request.param]


@pytest.mark.parametrize("name", ["offset_mapping", "input_ids"])
def test_rows_are_read_as_they_stand(table, name):
    column = list_column(table, name)
    expected = [[list(x) if isinstance(x, list) else x for x in row] for row in table[name]]
    assert [row.tolist() for row in column] == expected
    assert lengths_of(column).tolist() == [len(row) for row in expected]


def test_numbers_in_memory_are_not_copied():
    rows = Dataset.from_dict({"input_ids": [[1, 2, 3], [4]]})
    assert not list_column(rows, "input_ids")[0].flags.owndata


def test_no_rows_at_all_are_no_rows(features):
    assert list_column(features.select([]), "input_ids") == []


def test_columns_that_are_not_there_are_left_out(features):
    names = ("input_ids", "token_type_ids", "nothing")
    assert list(list_columns(features, names)) == ["input_ids", "token_type_ids"]
    assert list_columns({"input_ids": [[1]]}, names) == {"input_ids": [[1]]}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[1, 2, 3], [4, 0, 0]]),
        ({"value": 9, "left": True}, [[1, 2, 3], [9, 9, 4]]),
        ({"multiple": 4}, [[1, 2, 3, 0], [4, 0, 0, 0]]),
        ({"multiple": 4, "left": True}, [[0, 1, 2, 3], [0, 0, 0, 4]]),
        ({"at_least": 4}, [[1, 2, 3, 0], [4, 0, 0, 0]]),
        ({"at_least": 2, "multiple": 2}, [[1, 2, 3, 0], [4, 0, 0, 0]]),
        ({"multiple": 3}, [[1, 2, 3], [4, 0, 0]]),
    ],
)
def test_rows_are_padded_to_the_longest_or_to_a_multiple(options, expected):
    padded = pad([[1, 2, 3], np.array([4], dtype=np.int32)], **options)
    assert padded.dtype == np.int64 and padded.tolist() == expected
