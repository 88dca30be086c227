"""The answering model that ships with the package: it loads, answers at once, and is as good as it was.

``python tools/make_assets.py --only mini-bert-qa`` makes it; ``test_answering_model.py`` shows how.
"""

import own_texts
import pytest
import torch
from conftest import REPOSITORY
from safetensors.torch import load_file

import qa_helpers as qa
from qa_helpers.checkpoints import ASSETS, MINI_CHECKPOINTS, shipped_checkpoints

EM_AT_LEAST = 75
OWN_TEXTS_AT_LEAST = {"own_texts.json": 42, "own_texts_held_back.json": 50}
BRIDGE = (
    "The Tarn Bridge is a road bridge over the Ellim. It was designed by the engineer Odile Brask; an earlier plan "
    "by Henrik Sorley had been rejected in 1871 as too costly. The bridge was opened to traffic on 4 May 1893."
)


def test_it_loads_with_its_head_and_is_listed_but_is_no_encoder_to_start_from():
    assert "mini-bert-qa" in shipped_checkpoints() and "mini-bert-qa" not in MINI_CHECKPOINTS
    model = qa.load_model("mini-bert-qa", needs_head=True)
    assert model.has_trained_head and model.dtype == torch.float32 and not model.training


def test_it_is_stored_in_half_precision_and_has_at_most_four_million_weights():
    weights = load_file(ASSETS / "mini-bert-qa" / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    assert sum(tensor.numel() for tensor in weights.values()) <= 4_000_000


@pytest.mark.parametrize("file", ["own_texts.json", "own_texts_held_back.json"])
def test_it_is_of_some_use_on_everyday_texts(file):
    rows = own_texts.examples(REPOSITORY / "tools" / "benchmarks" / file)
    tokenizer, model = qa.load_tokenizer("mini-bert-qa"), qa.load_model("mini-bert-qa")
    scores, _ = qa.Evaluation(rows, tokenizer, 256, 64, align_to_words=True, progress=False).run(model)
    assert scores.exact_match >= OWN_TEXTS_AT_LEAST[file]


def test_it_is_as_good_on_the_validation_split_as_its_training_left_it():
    course = qa.setup("mini", "mini-bert-qa")
    examples, tokenizer = course.load_data()["validation"], course.load_tokenizer()
    features = qa.make_features(examples, tokenizer, course.max_length, course.stride, labels=False)
    logits = qa.predict_logits(course.load_model(), features)
    scores = qa.score(qa.decode_answers(examples, features, *logits, align_to_words=True), examples)
    assert scores.exact_match >= EM_AT_LEAST and scores.f1 >= scores.exact_match
    assert scores.total == len(examples) == scores.has_answer.total and scores.no_answer is None


@pytest.mark.parametrize(
    ("question", "answer"), [("Who designed the Tarn Bridge?", "Odile Brask"), ("When was it opened?", "4 May 1893")]
)
def test_it_answers_a_question_at_once(question, answer):
    found = qa.QuestionAnswerer("mini-bert-qa")(question=question, context=BRIDGE)
    assert found["answer"] in BRIDGE and BRIDGE[found["start"] : found["end"]] == found["answer"]
    assert 0 < found["score"] <= 1
    assert answer in found["answer"] or found["answer"] in answer
