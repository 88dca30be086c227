"""The embedded corpus with the shipped checkpoint: every label holds, nothing is lost, and the encoder is what it says."""

import json

import pytest
import torch
from safetensors.torch import load_file

import qa_helpers as qa
from qa_helpers.checkpoints import ASSETS
from qa_helpers.course import MINI_MAX_LENGTH, MINI_STRIDE


@pytest.fixture(scope="module")
def tokenizer():
    return qa.load_tokenizer("mini-bert")


@pytest.mark.parametrize("source", ["mini", "mini_v2"])
@pytest.mark.parametrize(("max_length", "stride"), [(MINI_MAX_LENGTH, MINI_STRIDE), (100, 50)])
def test_every_label_of_every_feature_reads_back_as_its_answer(tokenizer, source, max_length, stride):
    for split, examples in qa.load_squad(source).items():
        coverage = qa.label_coverage(examples, qa.make_features(examples, tokenizer, max_length, stride))
        assert coverage.examples == len(examples) and coverage.with_answer > 0
        assert coverage.altered == [], f"{split}: labels that read back as other text"
        assert coverage.lost == [], f"{split}: answers that no window holds whole"


def test_no_word_of_the_corpus_is_unknown_to_the_tokenizer(tokenizer):
    data = qa.load_squad("mini")
    texts = {text for split in data.values() for column in ("context", "question") for text in split[column]}
    encoded = tokenizer(sorted(texts), add_special_tokens=False, verbose=False)
    unknown = sum(ids.count(tokenizer.unk_token_id) for ids in encoded["input_ids"])
    total = sum(map(len, encoded["input_ids"]))
    assert unknown <= total / 10_000, f"{unknown} of {total} tokens are unknown"


def test_shipped_encoder_is_small_half_precision_and_headless():
    folder = ASSETS / "mini-bert"
    weights = load_file(folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    assert (folder / "model.safetensors").stat().st_size < 3_000_000
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    assert not any(name.startswith("qa_outputs") for name in weights)
    assert (config["num_hidden_layers"], config["hidden_size"]) == (2, 128)
    model = qa.load_model("mini-bert")
    assert not model.has_trained_head and model.dtype == torch.float32


def test_shipped_tokenizer_is_the_one_its_command_makes(tokenizer):
    from qa_helpers.pretraining import CORPUS_SEED, PASSAGES, PretrainConfig, train_tokenizer

    made = train_tokenizer("bert", PretrainConfig().vocab_size, qa.passages(PASSAGES, seed=CORPUS_SEED))
    assert made.get_vocab() == tokenizer.get_vocab()


def test_pretraining_is_reproducible_from_its_seed(tmp_path, monkeypatch):
    from dataclasses import replace

    from qa_helpers import pretraining

    monkeypatch.setattr(pretraining, "PASSAGES", 60)
    monkeypatch.setattr(pretraining, "RETELLINGS", 60)
    config = pretraining.PretrainConfig(vocab_size=1200, progress=False)
    config = replace(config, stages=tuple(replace(stage, steps=3) for stage in config.stages))
    for name in ("first", "second"):
        history = pretraining.pretrain("bert", tmp_path / name, config)
        assert [row["step"] for row in history] == [3 * k for k in range(1, len(config.stages) + 1)]
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("first", "second"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert qa.load_tokenizer(tmp_path / "first").get_vocab() == qa.load_tokenizer(tmp_path / "second").get_vocab()


def test_pretraining_refuses_an_unknown_family(tmp_path):
    with pytest.raises(ValueError, match="unknown family 'bret'.*bert"):
        from qa_helpers.pretraining import pretrain

        pretrain("bret", tmp_path / "out")
    assert not (tmp_path / "out").exists()
