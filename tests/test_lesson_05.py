"""The models of lesson 05 against the library's: the student's class and functions, cut out of the notebook, and the
package's own class.

Tiny models with random weights, so that none of this depends on a shipped checkpoint; the five families with a
linear head where the code is for all of them.
"""

import json
import math

import pytest
import torch
from conftest import REPOSITORY
from support import CONFIGS, batch_for, names_of_lesson
from torch import nn
from torch.nn import functional as F
from transformers import AutoModelForQuestionAnswering, BertConfig
from transformers.modeling_outputs import QuestionAnsweringModelOutput

import qa_helpers

NOTEBOOK = REPOSITORY / "notebooks" / "05_model_internals.ipynb"


@pytest.fixture(scope="module")
def lesson() -> dict:
    """The names that the notebook's own cells define: ``span_loss``, ``ExtractiveQA``, ``build_own``, ``load_weights``."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    names = {
        "torch": torch,
        "nn": nn,
        "F": F,
        "AutoModelForQuestionAnswering": AutoModelForQuestionAnswering,
        "QuestionAnsweringModelOutput": QuestionAnsweringModelOutput,
    }
    for wanted in ("def span_loss(", "class ExtractiveQA(", "def build_own(", "def load_weights("):
        exec(next(source for source in sources if wanted in source), names)  # the notebook's own text
    return names


@pytest.fixture(params=CONFIGS)
def library(request):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return AutoModelForQuestionAnswering.from_config(CONFIGS[request.param]).eval()


LABELS = {
    "inside": ([0, 3, 29, 14, 7], [4, 3, 29, 15, 9]),
    "some outside": ([45, 3, 30, 14, -2], [4, 99, 29, 15, 9]),
    "with an extra axis": ([[1], [2], [45], [4], [5]], [[1], [2], [45], [4], [5]]),
}


def largest_differences(own, library, batch):
    with torch.no_grad():
        ours, theirs = own(**batch), library(**batch)
    return {name: (ours[name] - theirs[name]).abs().max().item() for name in ("start_logits", "end_logits", "loss")}


@pytest.mark.parametrize("labels", LABELS)
def test_the_students_class_equals_the_librarys_once_it_has_its_weights(lesson, library, labels):
    batch = batch_for(library, *LABELS[labels])
    own = lesson["build_own"](library)
    assert max(largest_differences(own, library, batch).values()) > 1e-3, "new weights should differ"
    lesson["load_weights"](own, library)
    assert max(largest_differences(own, library, batch).values()) <= 1e-6
    with torch.no_grad():
        library.qa_outputs.bias += 1
    assert max(largest_differences(own, library, batch).values()) > 1e-3, "the weights are copied, not shared"


@pytest.mark.parametrize("labels", LABELS)
def test_the_packages_class_equals_the_librarys_and_the_students(lesson, library, labels):
    batch = batch_for(library, *LABELS[labels])
    packaged = qa_helpers.ExtractiveQA.from_library(library)
    assert max(largest_differences(packaged, library, batch).values()) <= 1e-6
    own = lesson["build_own"](library)
    lesson["load_weights"](own, library)
    assert max(largest_differences(own, packaged, batch).values()) <= 1e-6


def test_the_students_class_has_no_parameter_more_and_none_less(lesson, library):
    count = sum(parameter.numel() for parameter in lesson["build_own"](library).parameters())
    assert count == sum(parameter.numel() for parameter in library.parameters())


def test_the_students_class_drops_before_the_head_in_training_like_distilbert(lesson):
    library = AutoModelForQuestionAnswering.from_config(CONFIGS["distilbert"])
    own = lesson["ExtractiveQA"](library.base_model, dropout=0.3)
    own.qa_outputs = library.qa_outputs
    batch = batch_for(library, *LABELS["inside"])
    torch.manual_seed(3)
    expected = library.train()(**batch).loss
    torch.manual_seed(3)
    assert torch.equal(own.train()(**batch).loss, expected)


def test_the_students_class_gives_no_loss_without_labels(lesson, library):
    batch = batch_for(library, *LABELS["inside"])
    del batch["end_positions"]
    own = lesson["build_own"](library)
    assert own(**batch).loss is None
    del batch["start_positions"]
    assert own(**batch).loss is None


def test_gradients_reach_the_input_vectors_in_every_family(library):
    """Section 8 passes vectors instead of ids; every family must take them, and give the same logits."""
    batch = batch_for(library, *LABELS["inside"])
    batch = {name: tensor[2:] for name, tensor in batch.items()}  # without padding, as in the lesson
    expected = library(**batch)
    vectors = library.base_model.get_input_embeddings()(batch.pop("input_ids")).detach().requires_grad_()
    found = library(inputs_embeds=vectors, **batch)
    torch.testing.assert_close(found.start_logits, expected.start_logits)
    found.loss.backward()
    assert (vectors.grad.norm(dim=-1) > 0).all()


WRITTEN_OUT = (
    "parameter layer_norm embed linear by_heads attention_by_hand gelu take_in layer encode "
    "cross_entropy_by_hand whole_model only_itself"
)


@pytest.fixture(params=[(1, 2), (3, 4)], ids=lambda layers_and_heads: "{} layers, {} heads".format(*layers_and_heads))
def by_hand(request):
    """The functions of sections 3 to 9, without the rest of their cells, over a random BERT of another size than ours."""
    layers, heads = request.param
    with torch.random.fork_rng():
        torch.manual_seed(2)
        shape = {"num_hidden_layers": layers, "num_attention_heads": heads, "hidden_size": 24, "intermediate_size": 40}
        config = BertConfig(vocab_size=60, max_position_embeddings=40, layer_norm_eps=1e-3, **shape)
        bert = AutoModelForQuestionAnswering.from_config(config, attn_implementation="eager").eval()
        # Constants that are 0 and factors that are 1 would hide that one is missing.
        for parameter in bert.parameters():
            nn.init.normal_(parameter, std=0.3)
    tables = bert.bert.embeddings
    names = {"torch": torch, "math": math, "bert": bert, "named": dict(bert.named_parameters()), "used": set()}
    names |= {"position_table": tables.position_embeddings.weight, "segment_table": tables.token_type_embeddings.weight}
    names["size"] = config.hidden_size // heads
    return names_of_lesson("05_model_internals", *WRITTEN_OUT.split(), **names)


@pytest.fixture
def pair_batch():
    generator = torch.Generator().manual_seed(4)
    return {
        "input_ids": torch.randint(0, 60, (3, 11), generator=generator),
        "token_type_ids": (torch.arange(11) > 4).long().repeat(3, 1),
        "start_positions": torch.tensor([5, 7, 10]),
        "end_positions": torch.tensor([6, 7, 10]),
    }


def test_the_students_functions_are_the_librarys_bert_in_every_layer_logits_and_loss(by_hand, pair_batch):
    ids, segments, starts, ends = pair_batch.values()
    seen = by_hand["bert"](**pair_batch, output_hidden_states=True, output_attentions=True)
    states, start, end, loss = by_hand["whole_model"](ids, segments, starts, ends)
    assert len(states) == len(seen.hidden_states)
    for ours, theirs in zip(
        (*states, start, end, loss), (*seen.hidden_states, seen.start_logits, seen.end_logits, seen.loss)
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    for k, theirs in enumerate(seen.attentions):
        torch.testing.assert_close(by_hand["attention_by_hand"](states[k], k), theirs, atol=1e-5, rtol=1e-5)


def test_the_students_functions_use_every_parameter(by_hand, pair_batch):
    by_hand["whole_model"](*pair_batch.values())
    tables = {f"bert.embeddings.{name}_embeddings.weight" for name in ("position", "token_type")}  # read beforehand
    assert by_hand["used"] | tables == set(by_hand["named"])


def test_without_attention_a_logit_depends_on_its_own_token_alone_and_the_loss_on_all(by_hand, pair_batch):
    ids, segments, starts, ends = pair_batch.values()

    def gradients(mix):
        vectors = by_hand["bert"].bert.embeddings.word_embeddings.weight[ids].detach().requires_grad_()
        logits = by_hand["linear"](by_hand["encode"](vectors, segments, mix)[-1], "qa_outputs")
        loss = by_hand["cross_entropy_by_hand"](logits[..., 0], starts)
        return [
            torch.autograd.grad(of, vectors, retain_graph=True)[0][0].norm(dim=-1) for of in (logits[0, 5, 0], loss)
        ]

    of_logit, of_loss = gradients(by_hand["only_itself"])
    assert of_logit.nonzero().flatten().tolist() == [5] and (of_loss > 0).all()
    of_logit, of_loss = gradients(by_hand["take_in"])
    assert (of_logit > 0).all() and (of_loss > 0).all()
