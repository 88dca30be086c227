import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import BertConfig, BertForQuestionAnswering, DistilBertConfig, DistilBertForQuestionAnswering

from qa_helpers import ExtractiveQA, make_batch, make_features, predict_logits, trace_shapes
from qa_helpers.model import check_fits, span_loss


@pytest.fixture
def batch(features, tokenizer):
    return make_batch(features.select(range(6)), tokenizer)


def gradients(model):
    """Parameter name without the encoder's prefix → gradient."""
    names = {n.removeprefix("encoder.").removeprefix("bert."): p.grad for n, p in model.named_parameters()}
    return {name: grad for name, grad in names.items() if grad is not None}


def both(checkpoint):
    from qa_helpers import load_model

    return ExtractiveQA.from_library(load_model(checkpoint)), load_model(checkpoint)


LENGTH = 40  # of the longest window among the features
LABELS = {
    "as they are": None,
    "at both ends": ([0] * 6, [LENGTH - 1] * 6),
    "some outside the sequence": ([3, LENGTH, LENGTH + 1, 999, 5, 0], [4, 7, LENGTH, 2, 999, 999]),
    "below zero": ([-1, -7, 3, 3, 3, 3], [5] * 6),
    "all outside": ([LENGTH] * 6, [999] * 6),
}


@pytest.mark.parametrize("extra_axis", [False, True])
@pytest.mark.parametrize("labels", LABELS)
def test_logits_loss_and_gradients_equal_the_librarys(checkpoint, batch, labels, extra_axis):
    own, library = both(checkpoint)
    assert batch["input_ids"].size(1) == LENGTH
    if LABELS[labels]:
        batch["start_positions"], batch["end_positions"] = (torch.tensor(x) for x in LABELS[labels])
    if extra_axis:
        batch |= {name: batch[name].unsqueeze(-1) for name in ("start_positions", "end_positions")}
    ours, theirs = own(**batch), library(**batch)
    assert ours.start_logits.shape == ours.end_logits.shape == (6, LENGTH)
    assert torch.equal(ours.start_logits, theirs.start_logits)
    assert torch.equal(ours.end_logits, theirs.end_logits)
    assert ours.start_logits.is_contiguous() and ours.end_logits.is_contiguous()
    torch.testing.assert_close(ours.loss, theirs.loss, rtol=0, atol=0, equal_nan=True)
    ours.loss.backward()
    theirs.loss.backward()
    expected, found = gradients(library), gradients(own)
    assert expected.keys() == found.keys() and len(found) > 20
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-5, atol=1e-7, equal_nan=True)


def test_a_new_head_gives_two_numbers_for_each_token(checkpoint, batch):
    from qa_helpers import load_model

    model = ExtractiveQA(load_model(checkpoint).base_model)
    assert model.qa_outputs.weight.shape == (2, model.config.hidden_size)
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
    with torch.inference_mode():
        output = model.eval()(**inputs)
    assert output.start_logits.shape == output.end_logits.shape == batch["input_ids"].shape


def test_without_labels_there_is_no_loss_and_one_label_alone_gives_none(checkpoint, batch):
    own, _ = both(checkpoint)
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
    assert own(**inputs).loss is None
    assert own(**inputs, start_positions=batch["start_positions"]).loss is None


def test_span_loss_is_cross_entropy_over_the_rows_that_are_not_ignored():
    logits = torch.tensor([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0], [9.0, -9.0, 1.0]])
    probabilities = logits.softmax(1)
    both_rows = -(probabilities[0, 2].log() + probabilities[1, 0].log()) / 2
    torch.testing.assert_close(span_loss(logits, torch.tensor([2, 0, 3])), both_rows)  # 3: one past the end, ignored
    torch.testing.assert_close(span_loss(logits, torch.tensor([2, -4, 77])), both_rows)  # clamped to 0 and to 3
    torch.testing.assert_close(span_loss(logits, torch.tensor([[2], [0], [3]])), both_rows)
    torch.testing.assert_close(span_loss(logits[:1], torch.tensor([[2]])), -probabilities[0, 2].log())


@given(
    data=st.data(),
    rows=st.integers(1, 5),
    sequence=st.integers(1, 12),
    seed=st.integers(0, 999),
    extra_axis=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_span_loss_equals_the_librarys_on_random_labels(data, rows, sequence, seed, extra_axis):
    from transformers.loss.loss_utils import ForQuestionAnsweringLoss

    generator = torch.Generator().manual_seed(seed)
    starts, ends = (5 * torch.randn(rows, sequence, generator=generator) for _ in range(2))
    labels = [
        torch.tensor(data.draw(st.lists(st.integers(-3, sequence + 5), min_size=rows, max_size=rows))) for _ in range(2)
    ]
    if extra_axis:
        labels = [x.unsqueeze(-1) for x in labels]
    ours = (span_loss(starts, labels[0]) + span_loss(ends, labels[1])) / 2
    theirs = ForQuestionAnsweringLoss(starts, ends, *labels)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0, equal_nan=True)


def test_labels_are_not_changed_in_place(checkpoint, batch):
    own, _ = both(checkpoint)
    batch["start_positions"] = torch.tensor([999] * 6)
    own(**batch)
    assert batch["start_positions"].tolist() == [999] * 6


def test_to_library_and_back_share_the_weights(checkpoint, batch):
    own = ExtractiveQA.from_pretrained(checkpoint, needs_head=True)
    library = own.to_library()
    assert isinstance(library, BertForQuestionAnswering)
    assert library.qa_outputs is own.qa_outputs and library.bert is own.encoder
    assert not library.training
    assert own.train().to_library().training
    own.eval()
    with torch.no_grad():
        own.qa_outputs.weight += 1
    assert torch.equal(own(**batch).start_logits, library(**batch).start_logits)


def test_distilberts_dropout_before_the_head_is_kept_and_berts_absence_of_it_too():
    config = DistilBertConfig(vocab_size=50, dim=16, hidden_dim=16, n_layers=1, n_heads=2, qa_dropout=0.3)
    assert ExtractiveQA.from_library(DistilBertForQuestionAnswering(config)).dropout.p == 0.3
    config = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    assert ExtractiveQA.from_library(BertForQuestionAnswering(config)).dropout.p == 0
    library = DistilBertForQuestionAnswering(
        DistilBertConfig(vocab_size=50, dim=16, hidden_dim=16, n_layers=1, n_heads=2, qa_dropout=0.3)
    )
    own = ExtractiveQA.from_library(library.train())
    ids = torch.arange(12).view(2, 6)
    torch.manual_seed(3)
    expected = library(ids).start_logits
    torch.manual_seed(3)
    assert torch.equal(own(ids).start_logits, expected)


def test_a_batch_is_padded_to_its_longest_row_on_the_tokenizers_side(features, tokenizer):
    rows = [0, 4, 7]  # different lengths
    lengths = [len(features[k]["input_ids"]) for k in rows]
    assert len(set(lengths)) > 1
    chosen = features.select(rows)
    right = make_batch(chosen, tokenizer)
    tokenizer.padding_side = "left"
    try:
        left = make_batch(chosen[:], tokenizer)
    finally:
        tokenizer.padding_side = "right"
    assert right["input_ids"].shape == left["input_ids"].shape == (3, max(lengths))
    assert right["input_ids"].dtype == torch.int64
    for k, (row, length) in enumerate(zip(rows, lengths, strict=True)):
        ids, start = features[row]["input_ids"], features[row]["start_positions"]
        assert right["input_ids"][k].tolist() == ids + [tokenizer.pad_token_id] * (max(lengths) - length)
        assert left["input_ids"][k].tolist() == [tokenizer.pad_token_id] * (max(lengths) - length) + ids
        assert right["attention_mask"][k].tolist() == [1] * length + [0] * (max(lengths) - length)
        assert right["start_positions"][k] == start
        assert left["input_ids"][k, left["start_positions"][k]] == ids[start], "labels move with the padding"
        assert left["input_ids"][k, left["end_positions"][k]] == ids[features[row]["end_positions"]]


def test_a_batch_without_labels_has_model_inputs_only(features, tokenizer):
    batch = make_batch(features.remove_columns(["start_positions", "end_positions"]).select([0]), tokenizer)
    assert set(batch) == {"input_ids", "attention_mask", "token_type_ids"}


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_predicted_logits_are_those_of_each_window_alone_in_order(model, features, tokenizer, batch_size):
    model.train()
    starts, ends = predict_logits(model, features, batch_size=batch_size)
    assert model.training, "the model's mode should be as before"
    model.eval()
    assert len(starts) == len(ends) == len(features)
    for k, feature in enumerate(features):
        with torch.no_grad():
            inputs = {n: torch.tensor([feature[n]]) for n in ("input_ids", "attention_mask", "token_type_ids")}
            alone = model(**inputs)
        assert starts[k].dtype == ends[k].dtype == np.float32
        assert starts[k].shape == ends[k].shape == (len(feature["input_ids"]),)
        np.testing.assert_allclose(starts[k], alone.start_logits[0], atol=2e-5)
        np.testing.assert_allclose(ends[k], alone.end_logits[0], atol=2e-5)


def test_on_a_cpu_a_batch_is_as_wide_as_its_longest_window(model, features):
    names, widths = ("input_ids", "attention_mask", "token_type_ids"), []
    windows = {name: [features[k][name][:length] for k, length in enumerate((13, 5, 9, 11))] for name in names}
    hook = model.register_forward_pre_hook(
        lambda _, args, inputs: widths.append(inputs["input_ids"].size(1)), with_kwargs=True
    )
    predict_logits(model, windows, batch_size=1)
    hook.remove()
    assert widths[:2] == [13, 11] and set(widths) <= {13, 11, 9, 5}


def test_predict_takes_plain_lists_and_the_lessons_own_model(model, features):
    expected = predict_logits(model, features)
    columns = {n: features[n][:] for n in ("input_ids", "attention_mask", "token_type_ids")}
    for given_model, given_features in ((model, columns), (ExtractiveQA.from_library(model), features)):
        found = predict_logits(given_model, given_features)
        for a, b in zip(expected[0] + expected[1], found[0] + found[1], strict=True):
            assert np.array_equal(a, b)


def test_a_window_too_long_for_the_model_is_refused_with_the_length_that_fits(model, rows, tokenizer):
    features = make_features([{**rows[6], "context": rows[6]["context"] * 2}], tokenizer, 200, 20)
    with pytest.raises(
        ValueError, match=r"a window has \d+ tokens, the model takes 128: make features with max_length=128"
    ):
        predict_logits(model, features)


def test_positions_of_roberta_start_after_padding_and_debertas_are_relative():
    class Stub:
        def __init__(self, **values):
            self.config = type("Config", (), {"vocab_size": 9, "max_position_embeddings": 12, **values})

    check_fits(Stub(model_type="bert"), [[1] * 12])
    check_fits(Stub(model_type="deberta-v2", position_biased_input=False), [[1] * 99])
    check_fits(Stub(model_type="roberta"), [[1] * 10])
    with pytest.raises(ValueError, match="a window has 11 tokens, the model takes 10"):
        check_fits(Stub(model_type="roberta"), [[1] * 10, [1] * 11])


def test_ids_of_another_vocabulary_are_refused(model):
    columns = {"input_ids": [[2, 5, 3], [2, 9999, 3]], "attention_mask": [[1] * 3] * 2}
    with pytest.raises(ValueError, match="token id 9999 is outside the model's vocabulary of .*same checkpoint"):
        predict_logits(model, columns)


def test_the_trace_shows_every_tensor_on_the_way(checkpoint, batch):
    table = trace_shapes(ExtractiveQA.from_pretrained(checkpoint), batch).reset_index()
    shapes = dict(zip(table["name"], table["shape"], strict=True))
    assert list(shapes.items()) == [
        ("input_ids", "(6, 40)"),
        ("attention_mask", "(6, 40)"),
        ("token_type_ids", "(6, 40)"),
        ("hidden_states", "(6, 40, 32)"),
        ("logits", "(6, 40, 2)"),
        ("start_logits", "(6, 40)"),
        ("end_logits", "(6, 40)"),
        ("start_positions", "(6,)"),
        ("end_positions", "(6,)"),
        ("loss", "()"),
    ]
