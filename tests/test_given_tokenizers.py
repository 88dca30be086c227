"""Tokenizers that a user brings along, and folders that hold none: settled to the model, or refused."""

import json
import shutil

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertForQuestionAnswering

import qa_helpers as qa
from qa_helpers.checkpoints import MINI_CHECKPOINTS, locate, settle_tokenizer

CONTEXT = "The mill at Ombley was built by Ilse Varn in 1871. It was sold in 1902 to Jory Quill."
ROWS = [
    {
        "id": question,
        "title": "",
        "question": question,
        "context": CONTEXT,
        "answers": {"text": [answer], "answer_start": [CONTEXT.index(answer)]},
    }
    for question, answer in (("Who built the mill?", "Ilse Varn"), ("Who [SEP] bought it?", "Jory Quill"))
]


@pytest.mark.parametrize("stray", [False, True])
@pytest.mark.parametrize("name", MINI_CHECKPOINTS)
def test_a_folder_without_its_tokenizer_is_refused(tmp_path, name, stray):
    qa.load_model(name).save_pretrained(tmp_path / "m")
    if stray:
        shutil.copy(f"{locate(name)}/tokenizer_config.json", tmp_path / "m")
    message = r"checkpoint '.*m'.*(the tokenizer knows [5-9] tokens and the model 4,000|could not be loaded)"
    for use in (qa.load_tokenizer, qa.QuestionAnswerer):
        with pytest.raises(ValueError, match=message):
            use(str(tmp_path / "m"))


def test_the_command_line_refuses_it_too(tmp_path, capsys):
    from qa_helpers.cli import main

    qa.load_model("mini-bert-qa").save_pretrained(tmp_path / "m")
    for command in ("evaluate", "train"):
        arguments = [command, "--checkpoint", str(tmp_path / "m"), "--source", "mini"]
        with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
            patch.setattr("sys.argv", ["qa-helpers", *arguments])
            main()
        assert ended.value.code == 2 and "the tokenizer knows 5 tokens" in capsys.readouterr().err


@pytest.mark.parametrize("name", MINI_CHECKPOINTS)
def test_a_given_tokenizer_gives_what_the_courses_own_gives(name):
    """The logits, the answers and the fine-tuned weights are those of ``load_tokenizer``, and the given one is untouched."""
    own, given = qa.load_tokenizer(name), AutoTokenizer.from_pretrained(locate(name))
    before = given.backend_tokenizer.to_str(), list(given.model_input_names)
    answers = [
        qa.QuestionAnswerer(qa.load_model(name), tokenizer)(question=ROWS[1]["question"], context=CONTEXT)
        for tokenizer in (own, given)
    ]
    assert answers[0] == answers[1]
    models = []
    for tokenizer in (own, given):
        model = qa.load_model(name)
        qa.fine_tune(
            model, tokenizer, ROWS, ROWS, qa.FineTuneConfig(max_steps=2, batch_size=2, max_length=64, stride=8)
        )
        models.append(model.state_dict())
    assert all(torch.equal(models[0][key], models[1][key]) for key in models[0])
    after = json.loads(given.backend_tokenizer.to_str()), list(given.model_input_names)
    assert after[0]["pre_tokenizer"] == json.loads(before[0])["pre_tokenizer"] and after[1] == before[1]


def test_features_without_segments_are_refused_where_the_model_has_them():
    tokenizer = AutoTokenizer.from_pretrained(locate("mini-albert"))
    features = qa.make_features(ROWS, tokenizer, 64, 8)
    assert "token_type_ids" not in features.column_names
    with pytest.raises(ValueError, match="no token_type_ids, which this model needs to tell.*qa.load_tokenizer"):
        qa.predict_logits(qa.load_model("mini-albert"), features)
    with pytest.raises(ValueError, match="no token_type_ids"):
        qa.Evaluation(ROWS, tokenizer, 64, 8).run(qa.load_model("mini-albert"))


def test_a_model_without_a_second_segment_takes_berts_tokenizer():
    tokenizer = AutoTokenizer.from_pretrained(locate("mini-bert"))
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        type_vocab_size=1,
    )  # fmt: skip
    torch.manual_seed(0)
    model = BertForQuestionAnswering(config).eval()
    features = qa.make_features(ROWS, tokenizer, 64, 8)
    assert "token_type_ids" in features.column_names
    starts, _ = qa.predict_logits(model, features)
    settled, _ = qa.predict_logits(model, qa.make_features(ROWS, settle_tokenizer(tokenizer, config), 64, 8))
    assert np.allclose(starts[0], settled[0])
    assert qa.QuestionAnswerer(model, tokenizer)(question="Who?", context=CONTEXT)["answer"]
    qa.fine_tune(model, tokenizer, ROWS, config=qa.FineTuneConfig(max_steps=1, max_length=64, stride=8))


def test_a_settled_tokenizer_stays_the_same_object():
    for name in MINI_CHECKPOINTS:
        tokenizer = qa.load_tokenizer(name)
        assert settle_tokenizer(tokenizer, qa.load_model(name).config) is tokenizer


def test_another_models_small_vocabulary_is_refused():
    tokenizer = qa.load_tokenizer("mini-bert")
    with pytest.raises(ValueError, match="knows 4,000 tokens and the model 30,522"):
        settle_tokenizer(tokenizer, BertConfig())
