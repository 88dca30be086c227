"""What is said about a machine is what torch says; operations and bytes are counted against hand computation."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForQuestionAnswering
from transformers.modeling_outputs import QuestionAnsweringModelOutput

from qa_helpers import machine, make_batch


def test_a_cpu_is_described_by_cores_and_threads(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    facts = machine.describe_machine()["value"]
    assert facts["cores"] == "6" and facts["threads that torch uses"] == str(torch.get_num_threads())
    assert facts["precision"] == "float32" and facts["device"].startswith("CPU")


@pytest.mark.parametrize(
    ("name", "capability", "precision"), [("T4", (7, 5), "autocast to float16"), ("L4", (8, 9), "autocast to bfloat16")]
)
def test_a_gpu_is_described_as_nvidia_smi_would(monkeypatch, name, capability, precision):
    card = SimpleNamespace(name=name, major=capability[0], minor=capability[1])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (14 * 2**30, 15 * 2**30))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or capability[0] >= 8)  # fmt: skip
    facts = machine.describe_machine()["value"]
    assert facts["device"] == f"{name}, one of 2" and facts["memory"] == "14.0 GiB free of 15.0 GiB"
    assert facts["compute capability"] == f"{capability[0]}.{capability[1]}" and facts["precision"] == precision


def bert_on_meta(**changes):
    sizes = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 256}
    with torch.device("meta"):
        return BertForQuestionAnswering(BertConfig(vocab_size=100, **sizes, **changes)).train()


def inputs(windows, tokens, device="meta"):
    ids = torch.ones(windows, tokens, dtype=torch.long, device=device)
    label = torch.ones(windows, dtype=torch.long, device=device)
    return {"input_ids": ids, "token_type_ids": ids, "start_positions": label, "end_positions": label}


@pytest.mark.parametrize(("windows", "tokens"), [(1, 16), (4, 48)])
def test_operations_of_a_step_follow_the_formula(windows, tokens):
    layers, hidden = 3, 64
    matrices = 6 * 12 * hidden**2 * layers * windows * tokens
    attention = 12 * layers * hidden * windows * tokens**2
    head = 6 * 2 * hidden * windows * tokens
    assert machine.count_flops(bert_on_meta(), inputs(windows, tokens)) == matrices + attention + head


class OneLayer(nn.Module):
    """(batch, sequence) ids → logits, with one matrix product whose kept tensors can be counted by hand."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 16, bias=False), nn.Linear(16, 2, bias=False)

    def forward(self, input_ids):
        hidden = self.first(torch.ones(*input_ids.shape, 8)).relu()
        table = hidden @ hidden.mT
        loss = self.second(table.softmax(-1) @ hidden).sum()
        return QuestionAnsweringModelOutput(loss=loss)


def test_bytes_kept_for_backward_are_counted_once_each_and_apart_from_weights():
    windows, tokens = 3, 5
    kept = machine.saved_bytes(OneLayer(), {"input_ids": torch.ones(windows, tokens, dtype=torch.long)})
    ones, hidden, mixed = 8, 16, 16
    assert kept == {
        "activations": 4 * windows * tokens * (ones + hidden + mixed),
        "attention tables": 4 * windows * tokens * tokens,  # after softmax; what went in is not needed again
    }


def test_activations_grow_with_the_batch_and_counting_changes_nothing(model, tokenizer, features):
    batch = make_batch(features.select([0, 1]), tokenizer)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    one, two = (machine.saved_bytes(model, {k: v.repeat_interleave(n, 0) for k, v in batch.items()}) for n in (1, 2))
    assert one["activations"] > 0 and two["activations"] / one["activations"] == pytest.approx(2, rel=0.02)
    machine.count_flops(model, batch)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
