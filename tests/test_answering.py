import copy
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import BELLS, BRIDGE

from qa_helpers import QuestionAnswerer, load_model

RECORDED = json.loads((Path(__file__).parent / "fixtures" / "pipeline_v4.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def answerers(tmp_path_factory):
    """Two models by the same formula as those the pipeline of transformers 4 was recorded with."""
    import tiny_bert

    result = {}
    for cautious in (False, True):
        folder = tmp_path_factory.mktemp("recorded")
        tiny_bert.save_checkpoint(folder, cautious)
        result[cautious] = QuestionAnswerer(str(folder))
    return result


@pytest.fixture(scope="module")
def answerer(answerers):
    return answerers[False]


def assert_alike(found, expected):
    """Same shape (dict or list, all the way down), same spans in the same order, same scores."""
    assert type(found) is type(expected)
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert_alike(a, b)
    else:
        assert set(found) == {"score", "start", "end", "answer"}
        assert [found[k] for k in ("start", "end", "answer")] == [expected[k] for k in ("start", "end", "answer")]
        assert type(found["score"]) is float and type(found["start"]) is int
        assert found["score"] == pytest.approx(expected["score"], rel=1e-3, abs=1e-7)


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: case["name"].replace(" ", "-"))
def test_answers_equal_those_of_transformers_4s_pipeline(answerers, case):
    assert_alike(answerers[case["cautious"]](*case["args"], **case["kwargs"]), case["output"])


def test_the_recording_covers_what_it_is_for():
    outputs = json.dumps([case["output"] for case in RECORDED["cases"]])
    assert RECORDED["made_with"]["transformers"].startswith("4.57")
    assert '"answer": ""' in outputs, "some answers should be 'no answer'"
    assert any(not case["kwargs"].get("align_to_words", True) for case in RECORDED["cases"])
    assert {type(case["output"]) for case in RECORDED["cases"]} == {dict, list}


def test_characters_count_in_the_document_even_in_its_last_window(answerer):
    for answer in answerer(question="Why?", context=BELLS, top_k=30, max_seq_len=32, doc_stride=8):
        assert BELLS[answer["start"] : answer["end"]] == answer["answer"] != ""
        assert 0 < answer["score"] <= 1.5  # sums over spans that read the same may pass 1, as in the pipeline


def test_scores_are_products_of_softmaxes_over_context_and_cls(answerer):
    from qa_helpers.model import predict_logits

    context = "The old tower"
    encoding = answerer.tokenizer("Which one?", context)
    starts, ends = (x[0].astype(float) for x in predict_logits(answerer.model, {k: [v] for k, v in encoding.items()}))
    sides = encoding.encodings[0].sequence_ids
    allowed = [0, *(k for k, side in enumerate(sides) if side == 1)]
    p, q = (np.exp(x[allowed]) / np.exp(x[allowed]).sum() for x in (starts, ends))
    n = len(allowed)
    expected = sorted((p[a] * q[b] for a in range(1, n) for b in range(a, n)), reverse=True)
    found = answerer(question="Which one?", context=context, top_k=100, align_to_words=False)
    assert [a["score"] for a in found] == pytest.approx(expected, rel=1e-5)
    found = answerer(question="Which one?", context=context, top_k=20, handle_impossible_answer=True)
    assert next(a for a in found if not a["answer"])["score"] == pytest.approx(p[0] * q[0], rel=1e-5)


def test_batch_size_and_company_do_not_change_an_answer(answerer):
    questions = ["Who?", "When did the wind take it?", "Why so?"]
    alone = [answerer(question=q, context=BELLS, max_seq_len=48, doc_stride=8) for q in questions]
    small = QuestionAnswerer(answerer.model, answerer.tokenizer, batch_size=2)
    for found in (answerer, small):
        together = found(question=questions, context=BELLS, max_seq_len=48, doc_stride=8)
        for a, b in zip(together, alone, strict=True):
            assert_alike(a, b)


def test_tuples_and_generators_of_dicts_are_taken_too(answerer):
    rows = [{"question": "Who?", "context": BRIDGE, "id": "extra keys do no harm"}] * 2
    expected = answerer(rows)
    assert len(expected) == 2
    assert answerer(tuple(rows)) == answerer(row for row in rows) == expected
    assert answerer(question=("Who?", "Who?"), context=(BRIDGE, BRIDGE)) == expected


def test_special_tokens_typed_in_a_text_are_plain_characters(answerer):
    """Unlike the pipeline, which let a [SEP] in the context end it."""
    context = "The [SEP] tower [CLS] stood."
    answers = answerer(question="What [SEP] stood?", context=context, top_k=20, max_answer_len=30)
    assert all(context[a["start"] : a["end"]] == a["answer"] for a in answers)
    assert any("SEP" in a["answer"] for a in answers)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ([], {}, r"give both question= and context="),
        ([], {"question": "Who?"}, r"give both question= and context="),
        ([], {"question": "", "context": BRIDGE}, "the question of input 0 is empty; give some text"),
        ([], {"question": ["Who?", " \n"], "context": BRIDGE}, "the question of input 1 is empty"),
        ([], {"question": "Who?", "context": " "}, "the context of input 0 is empty"),
        ([], {"question": "Who?", "context": "\u200b"}, "the context holds no token"),
        ([], {"question": None, "context": BRIDGE}, "give both"),
        ([], {"question": ["Who?", None], "context": BRIDGE}, "the question of input 1 is empty"),
        ([], {"question": ["Who?", "Why?"], "context": [BRIDGE]}, "2 questions but 1 contexts; give one context"),
        ([], {"question": [], "context": BRIDGE}, "there is no question to answer"),
        ([[]], {}, "there is no question to answer"),
        (["Who?"], {}, "give a question and a context, or dicts"),
        ([{"question": "Who?"}], {}, "each input is a dict with the keys question and context"),
        ([["Who?", BRIDGE]], {}, "each input is a dict"),
        ([{"question": "Who?", "context": BRIDGE}], {"question": "Who?"}, "either inputs or question= and context="),
        (
            [],
            {"question": "Who?", "context": BRIDGE, "top_k": 0},
            "top_k and max_answer_len must be at least 1, got 0 and 15",
        ),
        ([], {"question": "Who?", "context": BRIDGE, "max_answer_len": 0}, "got 1 and 0"),
        ([], {"question": "Who?", "context": BRIDGE, "max_seq_len": 40, "doc_stride": 40}, "stride 40 does not fit"),
        ([], {"question": "Who?", "context": BELLS, "max_seq_len": 400}, r"the model takes 128"),
        (
            [],
            {"question": "who " * 70, "context": BRIDGE},
            "70 tokens of question leave 55 for context; .*Shorten the question",
        ),
        ([], {"question": "who " * 9, "context": BRIDGE, "max_question_len": 8}, "has 9 tokens, max_question_len is 8"),
    ],
)
def test_bad_input_is_a_value_error_with_the_remedy(answerer, args, kwargs, message):
    with pytest.raises(ValueError, match=message):
        answerer(*args, **kwargs)


def test_an_encoder_without_a_trained_head_or_a_model_without_tokenizer_is_refused(encoder_checkpoint):
    with pytest.raises(ValueError, match="without a trained question answering head"):
        QuestionAnswerer(encoder_checkpoint)
    with pytest.raises(ValueError, match="give the model's tokenizer too"):
        QuestionAnswerer(load_model(encoder_checkpoint))


def test_logits_that_are_not_finite_are_told_as_evaluate_tells_them(answerer):
    model = copy.deepcopy(answerer.model)
    model.qa_outputs.bias.data[0] = float("nan")
    with pytest.raises(ValueError, match="logits are not finite; did training diverge"):
        QuestionAnswerer(model, answerer.tokenizer)(question="Who?", context="It was built by Ilse Varn.")


def test_what_the_pipeline_took_at_a_call_is_taken(answerer):
    rows = [{"question": "Who?", "context": BRIDGE}, {"question": "What?", "context": BRIDGE}]
    expected = answerer(rows)
    for padding in (True, False, "longest", "max_length", "do_not_pad"):
        for found, wanted in zip(answerer(iter(rows), batch_size=1, padding=padding), expected, strict=True):
            assert_alike(found, wanted)
    with pytest.raises(ValueError, match="padding is True, False.*got 'right'"):
        answerer(rows, padding="right")
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        answerer(rows, batch_size=0)
