import json
import shutil
from pathlib import Path

import pytest
import torch

from qa_helpers import load_model, load_tokenizer
from qa_helpers.checkpoints import FAMILIES, locate, require_offsets, shipped_checkpoints


def copy(checkpoint, folder, *without):
    shutil.copytree(checkpoint, folder)
    for name in without:
        (Path(folder) / name).unlink()
    return str(folder)


def test_a_tokenizer_comes_fast_with_segments_for_bert_and_plain_special_tokens(tokenizer):
    assert tokenizer.is_fast
    assert tokenizer.model_input_names == ["input_ids", "token_type_ids", "attention_mask"]
    pair = tokenizer("Who [SEP] built it?", "The old tower.")
    assert pair["input_ids"].count(tokenizer.sep_token_id) == 2, "a [SEP] typed in a question must not end it"
    assert set(pair["token_type_ids"]) == {0, 1}


def test_a_model_loads_in_float32_and_evaluation_mode_with_its_trained_head(checkpoint):
    model = load_model(checkpoint, needs_head=True)
    assert not model.training
    assert model.has_trained_head
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_an_encoder_gets_a_new_head_that_follows_the_seed_and_leaves_the_global_generator_alone(encoder_checkpoint):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again, other = (load_model(encoder_checkpoint, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not first.has_trained_head
    assert torch.equal(first.qa_outputs.weight, again.qa_outputs.weight)
    assert not torch.equal(first.qa_outputs.weight, other.qa_outputs.weight)
    assert torch.equal(first.bert.embeddings.word_embeddings.weight, other.bert.embeddings.word_embeddings.weight)


def test_an_encoder_is_refused_where_a_trained_head_is_needed(encoder_checkpoint):
    with pytest.raises(
        ValueError, match="without a trained question answering head.*Fine-tune it first: qa-helpers train"
    ):
        load_model(encoder_checkpoint, needs_head=True)


def test_eager_attention_can_be_asked_for(checkpoint, tokenizer):
    batch = tokenizer("Who?", "The keeper.", return_tensors="pt")
    attentions = load_model(checkpoint, attention="eager")(**batch, output_attentions=True).attentions
    assert [tuple(a.shape[:2]) for a in attentions] == [(1, 4), (1, 4)]


@pytest.mark.parametrize("name", ["mini-brt", "minibert", "bert-base-case"])
@pytest.mark.parametrize("load", [load_model, load_tokenizer])
def test_an_unknown_checkpoint_names_the_nearest_known_ones(load, name):
    with pytest.raises(ValueError, match=f"unknown checkpoint '{name}'.* Known: ") as caught:
        load(name)
    if "base" in name:
        assert "did you mean 'bert-base-cased'" in str(caught.value)


@pytest.mark.parametrize("name", ["bert-base-cased", "someone/some-model"])
@pytest.mark.parametrize("load", [load_model, load_tokenizer])
def test_a_hub_checkpoint_without_network_says_how_to_use_a_local_copy(load, name, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ValueError, match=f"'{name}' could not be loaded.*needs a network.*folder of a local copy"):
        load(name)


def test_a_missing_or_foreign_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="there is no such folder"):
        locate("./nowhere")
    with pytest.raises(ValueError, match="'empty' holds no config.json; was it saved with save_pretrained"):
        (tmp_path / "empty").mkdir()
        locate(tmp_path / "empty")


def test_a_folder_without_weights_or_with_broken_ones_says_what_it_should_hold(checkpoint, tmp_path):
    place = copy(checkpoint, tmp_path / "bare", "model.safetensors")
    with pytest.raises(ValueError, match="'.*bare' could not be loaded.*config.json, model.safetensors"):
        load_model(place)
    (Path(place) / "model.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(ValueError, match="'.*bare' could not be loaded.*config.json, model.safetensors"):
        load_model(place)


def test_pickled_weights_are_never_read(checkpoint, tmp_path):
    place = copy(checkpoint, tmp_path / "pickled", "model.safetensors")
    torch.save(load_model(checkpoint).state_dict(), Path(place) / "pytorch_model.bin")
    with pytest.raises(ValueError, match="could not be loaded"):
        load_model(place)


def test_weights_that_do_not_fit_the_configuration_are_refused(checkpoint, tmp_path):
    for name, change in (("layers", {"num_hidden_layers": 3}), ("width", {"hidden_size": 16})):
        place = copy(checkpoint, tmp_path / name)
        config = json.loads((Path(place) / "config.json").read_text())
        (Path(place) / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(ValueError, match=f"checkpoint '.*{name}' (does not hold the weights|could not be loaded)"):
            load_model(place)


def test_an_encoder_that_lacks_weights_is_not_mistaken_for_one_that_lacks_only_its_head(encoder_checkpoint, tmp_path):
    from safetensors.torch import load_file, save_file

    place = copy(encoder_checkpoint, tmp_path / "holey")
    weights = load_file(Path(place) / "model.safetensors")
    name = "encoder.layer.1.output.dense.weight"
    save_file(
        {k: v for k, v in weights.items() if not k.endswith(name)}, Path(place) / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(ValueError, match=f"does not hold the weights its configuration describes .*{name}"):
        load_model(place)


def test_a_tokenizer_without_offsets_is_refused():
    class Slow:
        is_fast = False

    with pytest.raises(ValueError, match="Slow gives no offsets.*load it with qa.load_tokenizer"):
        require_offsets(Slow())


def test_a_tokenizer_without_cls_is_refused(tokenizer):
    class Decoder:
        is_fast = True
        cls_token_id = None

    with pytest.raises(ValueError, match=r"Decoder has no \[CLS\] token.*encoder like BERT"):
        require_offsets(Decoder())


def test_shipped_checkpoints_are_encoders_that_start_with_a_new_head():
    for name in shipped_checkpoints():
        model = load_model(name)
        assert model.config.model_type in FAMILIES
        assert {p.dtype for p in model.parameters()} == {torch.float32}
        assert len(load_tokenizer(name)) == model.config.vocab_size
