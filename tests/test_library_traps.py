"""What the course knows about today's libraries. A failure here says which of those facts has changed."""

import inspect

import numpy as np
import pytest
import torch
import transformers
from conftest import BELLS
from datasets import Dataset
from transformers import AutoModel, AutoModelForQuestionAnswering, TrainingArguments


def test_the_question_answering_pipeline_is_gone():
    with pytest.raises((KeyError, ValueError)):
        transformers.pipeline("question-answering")
        pytest.fail("transformers has a question-answering pipeline again: QuestionAnswerer could hand over to it")
    assert not hasattr(transformers, "QuestionAnsweringPipeline"), "transformers.QuestionAnsweringPipeline is back"


def test_trainer_takes_processing_class_not_tokenizer():
    names = inspect.signature(transformers.Trainer.__init__).parameters
    assert "processing_class" in names, "Trainer lost processing_class"
    assert "tokenizer" not in names, "Trainer takes tokenizer= again: the lesson on it is out of date"


@pytest.mark.parametrize(
    "name", ["evaluation_strategy", "warmup_ratio", "no_cuda", "overwrite_output_dir", "group_by_length", "logging_dir"]
)
def test_training_arguments_of_old_notebooks_are_gone(name):
    assert name not in inspect.signature(TrainingArguments.__init__).parameters, f"TrainingArguments takes {name} again"


def test_the_training_arguments_the_course_uses_are_there(tmp_path):
    arguments = TrainingArguments(
        output_dir=str(tmp_path),
        eval_strategy="no",
        use_cpu=True,
        train_sampling_strategy="group_by_length",
        length_column_name="length",
        warmup_steps=0.25,
        report_to="none",
        remove_unused_columns=False,
    )
    assert arguments.get_warmup_steps(100) == 25, "warmup_steps below 1 is no longer a share of all steps"
    # The strategy's name is not checked by the library (a misspelt one silently shuffles), so see what it does.
    data = Dataset.from_dict({"input_ids": [[1] * n for n in range(1, 33)], "length": list(range(1, 33))})
    arguments.per_device_train_batch_size = 4
    trainer = transformers.Trainer(torch.nn.Linear(1, 1), arguments, train_dataset=data)
    name = type(trainer.get_train_dataloader().batch_sampler.sampler).__name__
    assert "LengthGrouped" in name, f'train_sampling_strategy="group_by_length" gives a {name} now'


def half(checkpoint, folder):
    model = AutoModelForQuestionAnswering.from_pretrained(checkpoint).half()
    model.save_pretrained(folder)
    return folder


def test_a_half_precision_checkpoint_loads_in_half_precision_unless_told_otherwise(checkpoint, tmp_path):
    from qa_helpers import load_model

    folder = half(checkpoint, tmp_path / "half")
    found = AutoModelForQuestionAnswering.from_pretrained(folder).dtype
    assert found == torch.float16, f"from_pretrained no longer keeps a checkpoint's own dtype by default: {found}"
    assert load_model(folder).dtype == torch.float32


def test_scaled_dot_product_attention_returns_no_attentions(checkpoint, tokenizer):
    inputs = tokenizer("Who?", "The keeper.", return_tensors="pt")
    model = AutoModel.from_pretrained(checkpoint)
    assert model.config._attn_implementation == "sdpa", "sdpa is no longer the default attention"
    found = model(**inputs, output_attentions=True).attentions
    assert not found or found[0] is None, "sdpa returns attentions now: attention='eager' is not needed any more"
    eager = AutoModel.from_pretrained(checkpoint, attn_implementation="eager")
    assert len(eager(**inputs, output_attentions=True).attentions) == 2, "eager attention returns no attentions"


def test_a_question_without_room_panics_in_tokenizers_but_is_a_value_error_here(tokenizer):
    from qa_helpers import make_features

    with pytest.raises(BaseException) as caught:
        tokenizer(
            ["why " * 24], [BELLS], truncation="only_second", max_length=40, stride=13, return_overflowing_tokens=True
        )
    assert not isinstance(caught.value, Exception), (
        f"tokenizers raises {type(caught.value).__name__}, an ordinary exception: check_room could go"
    )
    row = {
        "id": "x",
        "title": "",
        "context": BELLS,
        "question": "why " * 24,
        "answers": {"text": [], "answer_start": []},
    }
    with pytest.raises(ValueError, match="example 'x'"):
        make_features([row], tokenizer, 40, 13)


def test_special_tokens_in_a_text_are_read_as_special_unless_split(checkpoint):
    from transformers import AutoTokenizer

    plain = AutoTokenizer.from_pretrained(checkpoint)
    sep = plain.sep_token_id
    assert plain("a [SEP] b").input_ids.count(sep) == 2, "a [SEP] in a text is no longer special by default"
    assert plain("a [SEP] b", split_special_tokens=True).input_ids.count(sep) == 1, "split_special_tokens has no effect"


def test_columns_of_a_dataset_are_lazy(examples):
    column = examples["context"]
    assert not isinstance(column, list), "Dataset columns are lists again: the lessons' remark on Column is out of date"
    assert isinstance(column[:], list) and list(column) == column[:], "slicing a Column no longer gives a list"


def test_the_null_score_of_several_windows_is_their_minimum():
    from test_decoding import three_windows

    from qa_helpers import decode_answers

    examples, features, starts, ends = three_windows()
    for window, null in enumerate((4.0, -2.0, 8.0)):
        starts[window][0] = null
    assert decode_answers(examples, features, starts, ends)[0].null_score == -2.0


def test_no_answer_is_labelled_by_the_cls_found_not_by_zero_where_padding_is_on_the_left(features, tokenizer):
    from qa_helpers import make_batch

    tokenizer.padding_side = "left"
    try:
        batch = make_batch(features, tokenizer)
    finally:
        tokenizer.padding_side = "right"
    cls = batch["input_ids"] == tokenizer.cls_token_id
    empty = np.array(features["start_positions"][:]) == np.array(features["cls_index"][:])
    assert cls[:, 0].logical_not().any(), "some rows should be padded"
    where = cls.float().argmax(1)
    assert torch.equal(batch["start_positions"][empty], where[empty]), "labels should follow [CLS] behind the padding"


def test_sequence_ids_tell_the_context_for_tokenizers_without_segments(checkpoint, examples):
    from qa_helpers import load_tokenizer, make_features

    tokenizer = load_tokenizer(checkpoint)
    expected = make_features(examples, tokenizer, 40, 12)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]  # as RoBERTa and DistilBERT
    found = make_features(examples, tokenizer, 40, 12)
    assert "token_type_ids" not in found.column_names, "the tokenizer ignores model_input_names"
    for name in ("input_ids", "context_tokens", "start_positions", "end_positions"):
        assert found[name][:] == expected[name][:]


def test_hub_loading_never_runs_code_from_a_repository():
    import datasets

    parameters = inspect.signature(datasets.load_dataset).parameters
    assert "trust_remote_code" not in parameters, "datasets.load_dataset takes trust_remote_code again: pass False"
