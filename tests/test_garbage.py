"""Python's search for garbage rests while thousands of objects are made, and works again afterwards, whatever happened."""

import gc

import pytest

from qa_helpers import decode_answers, load_squad, make_features
from qa_helpers.engine.garbage import without_collection


def test_it_rests_within_and_works_after():
    assert gc.isenabled()
    with without_collection():
        assert not gc.isenabled()
        with without_collection():
            assert not gc.isenabled()
        assert not gc.isenabled(), "the inner one leaves it as it was"
    assert gc.isenabled()
    gc.disable()  # by somebody else, for reasons of their own
    try:
        with without_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_an_error_does_not_leave_it_off(tmp_path, examples, tokenizer):
    (tmp_path / "train.json").write_text('{"data": [', encoding="utf-8")
    with pytest.raises(ValueError, match=r"train\.json"):
        load_squad(tmp_path)
    assert gc.isenabled()
    features = make_features(examples, tokenizer, max_length=40, stride=12)
    with pytest.raises(ValueError, match="not finite"):
        decode_answers(examples, features, [[float("nan")] * 40] * len(features), [[0.0] * 40] * len(features))
    assert gc.isenabled()


def test_decoding_makes_nothing_that_only_a_search_would_free(examples, tokenizer):
    features = make_features(examples, tokenizer, max_length=40, stride=12)
    logits = [[float(k % 7) for k in range(len(ids))] for ids in features["input_ids"]]
    decode_answers(examples, features, logits, logits)  # what is made once, is made
    gc.collect()
    decode_answers(examples, features, logits, logits)
    assert gc.collect() < 200, "not a few objects for each example"
