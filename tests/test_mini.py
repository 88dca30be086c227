"""The embedded corpus with the shipped encoders: every label holds, nothing is lost, and the encoders are what they say."""

import json

import pytest
import torch
from safetensors.torch import load_file

import qa_helpers as qa
from qa_helpers.checkpoints import ASSETS, MINI_CHECKPOINTS
from qa_helpers.course import MINI_MAX_LENGTH, MINI_STRIDE
from qa_helpers.mini.small_encoders import PRINTABLE


@pytest.mark.parametrize(
    ("name", "source"),
    [("mini-bert", "mini"), *((name, "mini_v2") for name in MINI_CHECKPOINTS)],  # mini for all: test_families.py
)
def test_every_label_of_every_feature_reads_back_as_its_answer(name, source):
    tokenizer = qa.load_tokenizer(name)
    windows = [(MINI_MAX_LENGTH, MINI_STRIDE), (100, 50)] if name == "mini-bert" else [(MINI_MAX_LENGTH, MINI_STRIDE)]
    for max_length, stride in windows:
        for split, examples in qa.load_squad(source).items():
            coverage = qa.label_coverage(examples, qa.make_features(examples, tokenizer, max_length, stride))
            assert coverage.examples == len(examples) and coverage.with_answer > 0
            assert coverage.altered == [], f"{split}: labels that read back as other text"
            assert coverage.lost == [], f"{split}: answers that no window holds whole"


@pytest.mark.parametrize("name", [*MINI_CHECKPOINTS, "mini-bert-qa"])
def test_a_tokenizer_knows_what_people_type(name):
    tokenizer = qa.load_tokenizer(name)
    for text in [*PRINTABLE.split(), "It's a \"test\", don't!", "$5/m², 20€, 5°C, me@home.org, www.a-b.net/x?y=1&z=~2"]:
        ids = tokenizer(f"a{text} {text} 1{text}")["input_ids"]
        assert tokenizer.unk_token_id not in ids, text


@pytest.mark.parametrize("name", MINI_CHECKPOINTS)
def test_no_word_of_the_corpus_is_unknown_to_a_tokenizer(name):
    tokenizer = qa.load_tokenizer(name)
    data = qa.load_squad("mini")
    texts = {text for split in data.values() for column in ("context", "question") for text in split[column]}
    encoded = tokenizer(sorted(texts), add_special_tokens=False, verbose=False)
    unknown = sum(ids.count(tokenizer.unk_token_id) for ids in encoded["input_ids"])
    total = sum(map(len, encoded["input_ids"]))
    assert unknown <= total / 10_000, f"{unknown} of {total} tokens are unknown"


@pytest.mark.parametrize("name", MINI_CHECKPOINTS)
def test_shipped_encoders_are_small_half_precision_and_headless(name):
    weights = load_file(ASSETS / name / "model.safetensors")
    assert (ASSETS / name / "model.safetensors").stat().st_size < 3_000_000
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    assert not any(name.startswith("qa_outputs") for name in weights)
    model = qa.load_model(name)
    assert model.config.hidden_size == 128 and model.config.num_hidden_layers in (2, 3)
    assert not model.has_trained_head and model.dtype == torch.float32


def test_mini_bert_has_two_layers():
    config = json.loads((ASSETS / "mini-bert" / "config.json").read_text())
    assert (config["num_hidden_layers"], config["hidden_size"]) == (2, 128)


def test_the_six_encoders_and_the_answering_model_are_under_twenty_megabytes():
    assert len(MINI_CHECKPOINTS) == 6
    assert sum(path.stat().st_size for path in ASSETS.glob("mini-*/*")) < 20_000_000


@pytest.mark.parametrize("name", MINI_CHECKPOINTS)
def test_a_shipped_tokenizer_is_the_one_its_command_makes(name):
    from qa_helpers.mini.pretraining import PretrainConfig, small_encoder, texts_to_read

    texts = texts_to_read()
    made, _ = small_encoder(name.removeprefix("mini-"), PretrainConfig().vocab_size, texts)
    shipped = qa.load_tokenizer(name)
    assert made.get_vocab() == shipped.get_vocab()
    sample = [*texts[:50], *texts[-50:]]
    assert made(sample, verbose=False)["input_ids"] == shipped(sample, verbose=False)["input_ids"]


@pytest.mark.parametrize("family", ["bert", "deberta", "modernbert"])
def test_pretraining_is_reproducible_from_its_seed(family, tmp_path, monkeypatch):
    from dataclasses import replace

    from qa_helpers import pretraining

    monkeypatch.setattr(pretraining, "PASSAGES", 60)
    monkeypatch.setattr(pretraining, "read_notes", lambda: [])
    monkeypatch.setattr(pretraining, "RETELLINGS", 60)
    # So small a vocabulary cuts sentences too fine for the short pairs.
    stages = tuple(
        replace(stage, steps=3, length=stage.length if stage.length == 64 else 256) for stage in pretraining.STAGES
    )
    config = pretraining.PretrainConfig(stages, vocab_size=1200, progress=False)
    for name in ("first", "second"):
        history = pretraining.pretrain(family, tmp_path / name, config)
        assert [row["step"] for row in history] == [3 * k for k in range(1, len(stages) + 1)]
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("first", "second"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert qa.load_tokenizer(tmp_path / "first").get_vocab() == qa.load_tokenizer(tmp_path / "second").get_vocab()


def test_pretraining_goes_on_from_an_encoder_made_before(tmp_path, monkeypatch):
    from dataclasses import replace

    from qa_helpers import pretraining

    monkeypatch.setattr(pretraining, "PASSAGES", 60)
    monkeypatch.setattr(pretraining, "read_notes", lambda: [])
    monkeypatch.setattr(pretraining, "RETELLINGS", 60)
    stages = tuple(replace(stage, steps=2, length=256) for stage in pretraining.STAGES)
    config = pretraining.PretrainConfig(stages, vocab_size=1200, progress=False)
    assert len(pretraining.pretrain("albert", tmp_path / "first", config)) == 3
    onwards = replace(config, start_from=tmp_path / "first")
    assert [row["step"] for row in pretraining.pretrain("albert", tmp_path / "second", onwards)] == [2]
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("first", "second"))
    moved = [float((first[name].float() - second[name].float()).abs().max()) for name in first]
    # Two steps of a learning rate of 1e-3 at most: far from it would mean that it began anew.
    assert 0 < max(moved) < 0.005
    with pytest.raises(ValueError, match="mini-albert has another vocabulary"):
        pretraining.pretrain("albert", tmp_path / "third", replace(onwards, start_from="mini-albert"))
    assert not (tmp_path / "third").exists()


def test_pretraining_refuses_an_unknown_family(tmp_path):
    with pytest.raises(ValueError, match="unknown family 'bret'.*bert"):
        from qa_helpers.mini.pretraining import pretrain

        pretrain("bret", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_distilbert_starts_as_bert_without_segments():
    from qa_helpers.mini.small_encoders import distilbert, take_over_bert

    teacher = qa.load_model("mini-bert").base_model
    segments = teacher.embeddings.token_type_embeddings.weight.data
    segments[:] = segments.mean(dim=0)
    _, build = distilbert(qa.passages(200, seed=1), 900)
    config = build().config
    config.vocab_size = teacher.config.vocab_size
    student = type(build())(config)
    take_over_bert(student, teacher)
    ids = torch.randint(5, 4000, (2, 30), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(student(ids).last_hidden_state, teacher(ids).last_hidden_state, atol=1e-6)
