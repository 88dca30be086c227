"""The facts of the course on the real files: ids, numbers and counts only, no sentence of SQuAD's."""

from collections import Counter

import pytest
import torch
from transformers import AutoConfig

from qa_helpers import ExtractiveQA, expect, label_coverage, load_squad, load_tokenizer, make_batch, make_features


@pytest.fixture(scope="module")
def squad(real_data):
    return load_squad(real_data / "squad")


@pytest.fixture(scope="module")
def real_tokenizer(real_data):
    return load_tokenizer(real_data / "bert-base-cased")


def test_the_splits_hold_what_their_note_says(squad):
    assert {split: len(rows) for split, rows in squad.items()} == {"train": 3012, "validation": 632}
    assert {len(answers["text"]) for rows in squad.values() for answers in rows["answers"]} == {1}


def test_the_first_row_has_181_tokens_and_its_answer_at_515(squad, real_tokenizer):
    row = squad["train"][0]
    encoded = real_tokenizer(row["question"], row["context"], return_offsets_mapping=True)
    assert len(encoded["input_ids"]) == 181
    assert encoded["input_ids"][:8] == [101, 1706, 2292, 1225, 1103, 6567, 2090, 9273]
    (text,), (start,) = row["answers"]["text"], row["answers"]["answer_start"]
    assert (start, len(text)) == (515, 26)
    assert row["context"][515:541] == text
    assert encoded["offset_mapping"][0] == encoded["offset_mapping"][-1] == (0, 0)
    assert encoded["offset_mapping"][2] == (3, 7)
    assert row["question"][3:7] == "whom"


def test_windows_of_100_tokens_sharing_50(squad, real_tokenizer):
    assert len(make_features(squad["train"].select([0]), real_tokenizer, 100, 50)) == 4
    features = make_features(squad["train"].select(range(2, 6)), real_tokenizer, 100, 50)
    assert len(features) == 19
    assert list(Counter(features["example_index"][:]).values()) == [4, 4, 4, 7]
    assert max(len(ids) for ids in features["input_ids"]) == 100
    for name in features.column_names:
        assert len(features[name][:]) == 19


def test_the_heads_eight_steps_have_their_shapes(real_data):
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(real_data / "bert-base-cased", num_hidden_layers=1)
    from transformers import AutoModel

    model = ExtractiveQA(AutoModel.from_config(config, add_pooling_layer=False)).eval()
    ids = torch.randint(1000, 28000, (5, 30))
    labels = torch.tensor([0, 3, 29, 30, 77]), torch.tensor([0, 5, 29, 30, 99])  # the last two lie outside: ignored
    seen = {}
    model.qa_outputs.register_forward_hook(lambda _, inputs, output: seen.update(hidden=inputs[0], logits=output))
    output = model(ids, start_positions=labels[0], end_positions=labels[1])
    known = expect(ids, "batch sequence")
    assert known == {"batch": 5, "sequence": 30}
    expect(seen["hidden"], "batch sequence 768", **known)
    expect(seen["logits"], "batch sequence 2", **known)
    for part, logits in zip(seen["logits"].split(1, dim=-1), (output.start_logits, output.end_logits), strict=True):
        expect(part, "batch sequence 1", **known)
        expect(logits, "batch sequence", **known)
        assert torch.equal(part.squeeze(-1), logits)
    losses = [
        -logits.log_softmax(-1)[range(3), label[:3]].mean()
        for logits, label in zip((output.start_logits, output.end_logits), labels, strict=True)
    ]
    torch.testing.assert_close(output.loss, (losses[0] + losses[1]) / 2)


# In this many examples SQuAD's answer begins or ends inside a token of bert-base-cased (a misplaced character, or a
# part of a number or word): the label is then the smallest run of tokens around it.
INSIDE_A_TOKEN = {"train": 14, "validation": 1}


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize(("max_length", "stride"), [(384, 128), (100, 50)])
def test_every_label_reads_back_as_its_answer(squad, real_tokenizer, split, max_length, stride):
    rows = squad[split]
    longest_question = max(
        len(ids) for ids in real_tokenizer(list(rows["question"]), add_special_tokens=False).input_ids
    )
    if max_length - 3 - longest_question <= stride:
        pytest.skip(f"a question of {longest_question} tokens leaves no room at max_length {max_length}")
    features = make_features(rows, real_tokenizer, max_length, stride)
    examples = rows.to_list()
    altered, labelled = set(), set()
    for feature in features:
        start, end = feature["start_positions"], feature["end_positions"]
        if start == feature["cls_index"]:
            assert end == feature["cls_index"]
            continue
        example = examples[feature["example_index"]]
        assert example["id"] == feature["example_id"]
        labelled.add(example["id"])
        text, a = example["answers"]["text"][0], example["answers"]["answer_start"][0]
        offsets = feature["offset_mapping"]
        first, last = offsets[start], offsets[end]
        if (first[0], last[1]) != (a, a + len(text)):
            altered.add(example["id"])
            assert first[0] <= a < first[1] and last[0] < a + len(text) <= last[1], "not the smallest run of tokens"
    room = max_length - 3 - longest_question
    lost = [e for e in examples if e["id"] not in labelled]
    for example in lost:
        tokens = real_tokenizer(example["answers"]["text"][0], add_special_tokens=False).input_ids
        assert len(tokens) > stride, f"{example['id']}: an answer of {len(tokens)} tokens fits some window of {room}"
    coverage = label_coverage(rows, features)
    assert coverage.lost == [e["id"] for e in lost]
    assert set(coverage.altered) == altered
    if max_length == 384:
        assert lost == []
        assert len(altered) == INSIDE_A_TOKEN[split]


def test_a_real_batch_runs_through_a_random_bert_of_768(squad, real_data, real_tokenizer):
    from transformers import AutoModelForQuestionAnswering

    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(real_data / "bert-base-cased", num_hidden_layers=1)
    library = AutoModelForQuestionAnswering.from_config(config).eval()
    features = make_features(squad["train"].select(range(2, 6)), real_tokenizer, 100, 50)
    batch = make_batch(features, real_tokenizer)
    assert batch["input_ids"].shape == (19, 100)
    with torch.no_grad():
        ours, theirs = ExtractiveQA.from_library(library)(**batch), library(**batch)
    assert torch.equal(ours.loss, theirs.loss)
    assert torch.equal(ours.start_logits, theirs.start_logits)
