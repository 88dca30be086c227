"""The classes of lesson 05 against the library's: the student's, cut out of the notebook, and the package's own.

All five families, as tiny models with random weights, so that nothing of this depends on a shipped checkpoint.
"""

import json

import pytest
import torch
from conftest import REPOSITORY
from support import CONFIGS, batch_for
from torch import nn
from torch.nn import functional as F
from transformers import (
    AutoModelForQuestionAnswering,
)
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
