"""The fine-tuned encoder that ships with the package: it loads, answers at once, and is as good as its training said.

It is made by this command, and again after mini-bert has changed:

    qa-helpers train --source mini --checkpoint mini-bert --epochs 1.8 --half-precision \\
        --output-dir qa_helpers/mini/assets/mini-bert-qa --overwrite
"""

import json

import pytest
import torch
from safetensors.torch import load_file

import qa_helpers as qa
from qa_helpers.checkpoints import ASSETS, MINI_CHECKPOINTS, shipped_checkpoints

MADE_BY = __doc__.split("\n\n")[-1]
EM_AT_LEAST = 75
BRIDGE = (
    "The Tarn Bridge is a road bridge over the Ellim. It was designed by the engineer Odile Brask; an earlier plan "
    "by Henrik Sorley had been rejected in 1871 as too costly. The bridge was opened to traffic on 4 May 1893."
)


def test_it_loads_with_its_head_and_is_listed_but_is_no_encoder_to_start_from():
    assert "mini-bert-qa" in shipped_checkpoints() and "mini-bert-qa" not in MINI_CHECKPOINTS
    model = qa.load_model("mini-bert-qa", needs_head=True)
    assert model.has_trained_head and model.dtype == torch.float32 and not model.training


def test_it_is_stored_in_half_precision_with_the_tokenizer_of_its_encoder():
    folder = ASSETS / "mini-bert-qa"
    weights = load_file(folder / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    assert (folder / "model.safetensors").stat().st_size < 3_000_000
    ours, base = (json.loads((ASSETS / name / "tokenizer.json").read_text()) for name in ("mini-bert-qa", "mini-bert"))
    assert ours["model"] == base["model"], f"mini-bert has changed; make mini-bert-qa again:\n{MADE_BY}"


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
