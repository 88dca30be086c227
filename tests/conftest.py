"""Fixtures: a tiny random BERT, a handful of invented examples, and the real files where they are."""

import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # before any Hugging Face library is imported
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["QA_PROGRESS"] = "off"  # no test writes into the progress of whoever runs it
os.environ["QA_BARS"] = "off"  # progress bars would be mixed into outputs that tests compare

import closed_sockets
import datasets
import pytest
import torch

datasets.disable_progress_bars()
REPOSITORY = Path(__file__).resolve().parent.parent
torch.set_num_threads(1)  # the models are tiny: threads would only wait for each other
closed_sockets.close()


@pytest.fixture(autouse=True)
def no_network():
    """No test reaches for another machine, not even where the attempt is swallowed and goes unnoticed."""
    closed_sockets.attempts.clear()
    yield closed_sockets.attempts
    assert not closed_sockets.attempts, "this test wanted to reach the network"


def make_example(identifier, context, question, *answers):
    """An example whose answers are given as texts, or as (text, which occurrence)."""
    texts, starts = [], []
    for answer in answers:
        text, occurrence = answer if isinstance(answer, tuple) else (answer, 0)
        start = -1
        for _ in range(occurrence + 1):
            start = context.index(text, start + 1)
        texts.append(text)
        starts.append(start)
    return {
        "id": identifier,
        "title": "Invented",
        "context": context,
        "question": question,
        "answers": {"text": texts, "answer_start": starts},
    }


BRIDGE = "The stone bridge at Quellmark was built in 1874 by Ilse Varn, and the old tower followed two years later."
LAMP = "“Nørregate” – the small harbour’s lamp – cost €1,250.50 (about £1,000), a keeper wrote; others said £900."
BELLS = (
    "The village of Ambersound had a music school long before it had a road. It was founded in the winter of 1902 by "
    "the teacher Oda Brennick. In 1911 the wind took the wooden tower, and for ten years the bells stood in the "
    "keeper's garden. The new tower, built of stone and copper, opened on 3 May 1921. Oda Brennick's letters are in "
    "the archive of the museum. The glass of the north wall was painted by Pia Lorentz-Dahl; the south wall had to "
    "wait for another summer."
)


@pytest.fixture(scope="session")
def rows() -> list[dict]:
    """Examples with one answer, several, a repeated one, answers at both ends, and none."""
    return [
        make_example("bridge-who", BRIDGE, "Who built the bridge?", "Ilse Varn"),
        make_example("bridge-when", BRIDGE, "When was the bridge built?", "1874", "in 1874"),
        make_example("bridge-start", BRIDGE, "What was built?", "The stone bridge"),
        make_example("bridge-end", BRIDGE, "When did the tower follow?", "two years later"),
        make_example("lamp-cost", LAMP, "What did the lamp cost?", "€1,250.50"),
        make_example("lamp-name", LAMP, "What was it called?", "“Nørregate”", "Nørregate"),
        make_example(
            "bells-founder", BELLS, "Who founded the school?", ("Oda Brennick", 0), "the teacher Oda Brennick"
        ),
        make_example("bells-letters", BELLS, "Whose letters are in the museum?", ("Oda Brennick", 1)),
        make_example("bells-last", BELLS, "What did the south wall wait for?", "another summer"),
        make_example("bells-none", BELLS, "Who painted the south wall?"),
    ]


@pytest.fixture(scope="session")
def examples(rows):
    """The same rows as a Dataset."""
    from qa_helpers.data import rows_to_dataset

    return rows_to_dataset(rows)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> str:
    """A folder with a tiny BERT, its (random) question answering head and its tokenizer."""
    import tiny_bert

    folder = tmp_path_factory.mktemp("tiny-bert")
    tiny_bert.save_checkpoint(folder)
    return str(folder)


@pytest.fixture(scope="session")
def encoder_checkpoint(tmp_path_factory) -> str:
    """The same encoder without a head, as ``bert-base-cased`` is."""
    import tiny_bert
    from transformers import BertConfig, BertForQuestionAnswering

    folder = tmp_path_factory.mktemp("tiny-encoder")
    model = BertForQuestionAnswering(BertConfig(**tiny_bert.config_values()))
    tiny_bert.set_weights(model)
    model.bert.save_pretrained(folder)
    tiny_bert.save_tokenizer_files(folder)
    return str(folder)


@pytest.fixture(scope="session")
def tokenizer(checkpoint):
    from qa_helpers import load_tokenizer

    return load_tokenizer(checkpoint)


@pytest.fixture
def model(checkpoint):
    """A fresh model for every test."""
    from qa_helpers import load_model

    return load_model(checkpoint)


@pytest.fixture(scope="session")
def unbroken(checkpoint, tokenizer, examples):
    """A model trained with the short settings of support.py, without a break; to compare with, not to train on."""
    from support import SHORT

    from qa_helpers import fine_tune, load_model

    model = load_model(checkpoint)
    fine_tune(model, tokenizer, examples, None, SHORT)
    return model


@pytest.fixture(scope="session")
def features(examples, tokenizer):
    """Windows of 40 tokens sharing 12: several for each of the longer contexts."""
    from qa_helpers import make_features

    return make_features(examples, tokenizer, max_length=40, stride=12)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with a part of the real SQuAD and the real ``bert-base-cased`` vocabulary."""
    folder = Path(os.environ.get("QA_REAL_DATA") or REPOSITORY / "../shared")
    folder = folder if folder.is_absolute() else REPOSITORY / folder
    if not (folder / "squad" / "train-v1.1.json").is_file():
        pytest.skip(f"the real SQuAD files are not here ({folder.name}/squad; set QA_REAL_DATA to their folder)")
    return folder
