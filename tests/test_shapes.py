import numpy as np
import pytest
import torch

from qa_helpers import expect, shape_table


def test_names_take_their_sizes_and_keep_them():
    known = expect(torch.zeros(5, 30, 768), "batch sequence hidden")
    assert known == {"batch": 5, "sequence": 30, "hidden": 768}
    assert expect(np.zeros((5, 30, 2)), "batch sequence 2", **known) == known
    assert expect(torch.zeros(()), "") == {}
    assert expect(torch.zeros(4, 9, 4), "n _ n") == {"n": 4}


@pytest.mark.parametrize(
    ("shape", "axes", "known", "words"),
    [
        ((5, 30), "batch sequence hidden", {}, ["expected 3 axes (batch, sequence, hidden)", "(5, 30)", "squeezed"]),
        ((5, 30, 1), "batch sequence", {}, ["one axis too many: squeeze or index it", "(5, 30, 1)"]),
        ((5, 30, 1, 1), "batch sequence", {}, ["too many axes"]),
        ((5, 31), "batch sequence", {"sequence": 30}, ["axis 1 (sequence) should be 30, is 31"]),
        ((5, 30, 3), "batch sequence 2", {}, ["axis 2 (2) should be 2, is 3"]),
        ((4, 5), "n n", {}, ["axis 1 (n) should be 4, is 5"]),
        ((30, 5), "batch sequence", {"batch": 5, "sequence": 30}, ["axis 0 (batch) should be 5", "transpose"]),
    ],
)
def test_a_wrong_shape_says_which_axis_and_why(shape, axes, known, words):
    with pytest.raises(ValueError) as caught:
        expect(torch.zeros(shape), axes, **known)
    for word in words:
        assert word in str(caught.value)


def test_a_swap_is_only_suspected_where_it_would_help():
    with pytest.raises(ValueError) as caught:
        expect(torch.zeros(30, 6), "batch sequence", batch=5, sequence=30)
    assert "transpose" not in str(caught.value)


def test_the_table_shows_tensors_arrays_and_lists_in_order():
    table = shape_table(
        {"ids": torch.zeros(2, 7, dtype=torch.int64), "loss": np.float32(1.0), "offsets": [[0, 3], [4, 9]]},
        {"ids": "token ids", "loss": "a number", "offsets": "characters"},
    )
    assert table.reset_index().to_numpy().tolist() == [
        ["ids", "(2, 7)", "int64", "token ids"],
        ["loss", "()", "float32", "a number"],
        ["offsets", "(2, 2)", "int64", "characters"],
    ]


def test_the_table_wants_a_meaning_for_each_tensor_and_no_other():
    with pytest.raises(ValueError, match=r"names differ between tensors and meanings: \['a', 'b'\]"):
        shape_table({"a": [1]}, {"b": "what"})
