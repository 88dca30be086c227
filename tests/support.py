"""What several test files share: a short run, callbacks that disturb it, and comparisons of models."""

import ast
import json
import math
from datetime import UTC, datetime

import nbformat
import numpy as np
import pytest
import torch
from conftest import REPOSITORY, make_example
from datasets import Dataset
from transformers import (
    AlbertConfig,
    BertConfig,
    DebertaConfig,
    DebertaForQuestionAnswering,
    DebertaTokenizer,
    DebertaV2Config,
    DistilBertConfig,
    RobertaConfig,
    TrainerCallback,
)
from widget_pages import logits_for

import qa_helpers as qa
from qa_helpers import FineTuneConfig, fine_tune, load_model, make_features, widgets
from qa_helpers.classroom.render import Html

SHORT = FineTuneConfig(
    max_steps=12, batch_size=4, learning_rate=1e-3, max_length=40, stride=12, log_every=2, precision="float32", seed=3
)


def weights(model):
    """Parameter name without the encoder's prefix → values."""
    return {
        name.removeprefix("encoder.").removeprefix("bert."): value.clone()
        for name, value in model.state_dict().items()
        if "position_ids" not in name
    }


def assert_same_weights(a, b):
    a, b = weights(a), weights(b)
    assert a.keys() == b.keys()
    different = [name for name in a if not torch.equal(a[name], b[name])]
    assert different == []


def assert_close_weights(a, b, start):
    """They end at the same place, but for rounding: the distance between them is small beside the way they went.

    Rounding cannot be ruled out weight by weight: where a gradient is nearly 0 (the bias of every key), Adam scales its
    rounding up to full steps.
    """
    a, b, start = (torch.cat([value.flatten() for value in weights(model).values()]) for model in (a, b, start))
    assert (a - b).norm() < 0.05 * (a - start).norm()


class LaptopClosed(Exception):
    pass


class Stop(TrainerCallback):
    """Breaks a run off after a step."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **_):
        if state.global_step == self.step:
            raise LaptopClosed


class First(TrainerCallback):
    """Notes the first step that a run takes."""

    step = None

    def on_step_end(self, args, state, control, **_):
        self.step = self.step or state.global_step


class Poison(TrainerCallback):
    """Makes the weights NaN after a step, as a diverging run does."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, model=None, **_):
        if state.global_step == self.step:
            with torch.no_grad():
                model.qa_outputs.bias.fill_(math.nan)


def interrupted(checkpoint, tokenizer, examples, config, stop=9, model=None):
    """Train, and break the run off after a step."""
    with pytest.raises(LaptopClosed):
        fine_tune(model or load_model(checkpoint), tokenizer, examples, None, config, callbacks=[Stop(stop)])


def squad_json(rows, version="1.1", impossible=False):
    """Rows → SQuAD's nested JSON, one paragraph each."""
    paragraphs = []
    for row in rows:
        answers = [
            {"text": t, "answer_start": s}
            for t, s in zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True)
        ]
        qa = {"id": row["id"], "question": row["question"], "answers": answers}
        if impossible:
            qa["is_impossible"] = not answers
        paragraphs.append({"context": row["context"], "qas": [qa]})
    return {"version": version, "data": [{"title": "Invented", "paragraphs": paragraphs}]}


HOSTILE = [
    "<script>alert('view')</script>",
    'an <img src=x onerror="alert(1)"> in it',
    "\"double\" and 'single' quotes",
    "</mark></div></svg><b>out</b>",
    "&lt;no tag&gt; &amp; &#39;",
    "emoji 👩\u200d🚀, cafe\u0301, 東京",
]


def hostile_example(text):
    context = f"{text} was seen by Ilse Varn near {text}, and by nobody else in the year 1874."
    return make_example("hostile", context, f"Who saw {text}?", "Ilse Varn")


def views_of(example, tokenizer) -> dict[str, Html]:
    """Every widget's view of one example."""
    features = make_features([example], tokenizer, 128, 12)
    text, start = example["answers"]["text"][0], example["answers"]["answer_start"][0]
    found = {"answer": text, "start": start, "end": start + len(text), "score": 0.75}
    other = {"answer": example["context"][:9], "start": 0, "end": 9, "score": 0.125}
    steps = widgets.label_steps(example, tokenizer, 128, 12, 0)
    return {
        "answer_view": widgets.answer_view(example["question"], example["context"], [found, other]),
        "offset_view": widgets.offset_view(example["context"], tokenizer, 1),
        "window_view": widgets.window_view(example, tokenizer, 128, 12),
        "span_view": widgets.span_view(example, features, *logits_for(features), null_threshold=0.0),
        **{f"step {k}": step for k, step in enumerate(steps, 1)},
    }


def file(name, content):
    return [
        {
            "name": name,
            "type": "",
            "size": len(content),
            "content": memoryview(content),
            "last_modified": datetime.now(UTC),
        }
    ]


KETTLE = "The kettle holds four litres. It was mended in 2010 for 10 crowns; the lid cost 10 crowns more."


NORREGATE = "“Nørregate” is a lamp – it cost €1,250.50 in 1898."


DOCUMENTS = {"kettle": KETTLE, "lamp": NORREGATE}


def build(windows_of_examples, total_tokens):
    """Examples "w0 w1 …" and the windows [a, b) of each; two tokens before the context, one after."""
    words = [f"w{k}" for k in range(total_tokens)]
    offsets, place = [], 0
    for word in words:
        offsets.append([place, place + len(word)])
        place += len(word) + 1
    examples = [
        {"id": f"e{k}", "context": " ".join(words), "question": "?", "answers": {"text": [], "answer_start": []}}
        for k in range(len(windows_of_examples))
    ]
    columns = {"offset_mapping": [], "context_tokens": [], "cls_index": [], "example_id": [], "example_index": []}
    for k, windows in enumerate(windows_of_examples):
        for a, b in windows:
            columns["offset_mapping"].append([[0, 0], [0, 1], *offsets[a:b], [0, 0]])
            columns["context_tokens"].append([2, 2 + b - a])
            columns["cls_index"].append(0)
            columns["example_id"].append(f"e{k}")
            columns["example_index"].append(k)
    return examples, Dataset.from_dict(columns)


def three_windows():
    examples, features = build([[(0, 4), (2, 6), (4, 8)]], 8)
    zeros = [np.zeros(7, dtype=np.float32) for _ in range(3)]
    return examples, features, zeros, [x.copy() for x in zeros]


SIZES = {"vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


CONFIGS = {
    "bert": BertConfig(**SIZES),
    "distilbert": DistilBertConfig(vocab_size=60, dim=16, hidden_dim=32, n_layers=2, n_heads=2, qa_dropout=0.3),
    "roberta": RobertaConfig(**SIZES, type_vocab_size=1),
    "albert": AlbertConfig(**SIZES, embedding_size=8),
    "deberta-v2": DebertaV2Config(
        **SIZES, relative_attention=True, position_buckets=8, norm_rel_ebd="layer_norm", share_att_key=True,
        pos_att_type=["p2c", "c2p"], position_biased_input=False, type_vocab_size=0,
    ),
}  # fmt: skip


SEGMENTS = {"bert", "albert"}


def batch_for(library, starts, ends):
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(5, 60, (5, 30), generator=generator)
    mask = torch.ones_like(ids)
    ids[1, 22:], mask[1, 22:] = library.config.pad_token_id or 0, 0
    batch = {"input_ids": ids, "attention_mask": mask}
    if library.config.model_type in SEGMENTS:
        batch["token_type_ids"] = (torch.arange(30) > 12).long().expand(5, 30)
    return batch | {"start_positions": torch.tensor(starts), "end_positions": torch.tensor(ends)}


def made_like_deberta_v1(folder) -> str:
    """mini-roberta's pieces behind DeBERTa v1's special tokens and layout, and a model of its kind, untrained."""
    pieces = json.loads(qa.load_tokenizer("mini-roberta").backend_tokenizer.to_str())["model"]
    renamed = {"<s>": "[CLS]", "<pad>": "[PAD]", "</s>": "[SEP]", "<unk>": "[UNK]", "<mask>": "[MASK]"}
    vocabulary = {renamed.get(piece, piece): number for piece, number in pieces["vocab"].items()}
    tokenizer = DebertaTokenizer(vocabulary, [tuple(pair) for pair in pieces["merges"]], model_max_length=256)
    config = DebertaConfig(
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=256,
        type_vocab_size=0,
        relative_attention=True,
        pos_att_type=["c2p", "p2c"],
        position_biased_input=False,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        DebertaForQuestionAnswering(config).half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def names_of_lesson(lesson: str, *wanted: str, **given) -> dict:
    """Functions (by their names) and values (by the names they are assigned to) that a lesson's cells define, in their order.

    Args:
        lesson: the notebook's name without ``.ipynb``.
        wanted: all must be there.
        given: names that they need.
    """
    cells = nbformat.read(REPOSITORY / "notebooks" / f"{lesson}.ipynb", as_version=4).cells
    sources = [cell.source for cell in cells if cell.cell_type == "code" and "%pip" not in cell.source]
    nodes = [
        node
        for source in sources
        for node in ast.parse(source).body
        if ({getattr(node, "name", "")} | {getattr(to, "id", "") for to in getattr(node, "targets", [])}) & set(wanted)
    ]
    exec(compile(ast.Module(nodes, []), lesson, "exec"), given)
    assert set(wanted) <= given.keys()
    return given
