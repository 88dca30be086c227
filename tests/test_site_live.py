"""The engine of the live pages (``tools/site/live``) computes what the package computes: tokens, windows, labels, logits,
answers. Everything runs under node, from fixtures that the package writes for this run (``tools/site/golden.py``)."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import build_site
import export_model
import golden
import live_places
import numpy as np
import pytest
import torch

import qa_helpers as qa
from qa_helpers import training
from qa_helpers.classroom import render
from qa_helpers.figures import colours

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "tools" / "site" / "live"
CHECKS = ROOT / "tests" / "live"
QUESTIONS = 25  # of each source whose logits are computed here; all of them take some minutes


@pytest.fixture(scope="module")
def node() -> str:
    program = shutil.which("node") or shutil.which("nodejs")
    if program is None:
        pytest.skip("node is not here: install it (Debian: apt-get install nodejs) to run the live pages' engine")
    return program


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    return folder, export_model.export(folder)


@pytest.fixture(scope="module")
def fixtures(node, exported, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fixtures")
    golden.write(folder, export_model.MODEL, QUESTIONS)
    return folder


@pytest.fixture(scope="module")
def compared(node, exported, fixtures) -> dict:
    """What ``compare.js`` found, for each part."""
    parts = ["tokens", "windows", "spans", "decoded", *(f"answered-{source}" for source in golden.SOURCES)]
    command = [node, CHECKS / "compare.js", SCRIPTS, exported[0], fixtures, *parts]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_ids_and_offsets_of_ten_thousand_strings(compared):
    assert compared["tokens"]["compared"] == golden.TEXTS
    assert compared["tokens"]["first"] == []


def test_windows_labels_and_messages(compared, fixtures):
    cases = json.loads((fixtures / "windows.json").read_text())
    errors = [case["error"] for case in cases if "error" in case]
    several = [case for case in cases if len(case.get("ids", ())) > 1]
    assert len(several) > 150 and sum("leave" in error for error in errors) > 10
    assert sum("does not fit" in error for error in errors) > 5
    labels = [label for case in cases if "error" not in case for label in case["labels"]]
    assert sum(label != [0, 0] for label in labels) > 200
    assert compared["windows"]["compared"] == len(cases)
    assert compared["windows"]["first"] == []


def test_the_characters_of_spans_and_whole_words(compared):
    assert compared["spans"]["compared"] == golden.SPANS
    assert compared["spans"]["first"] == []


def test_answers_read_from_random_logits(compared):
    assert compared["decoded"]["compared"] > 700
    assert compared["decoded"]["first"] == []


@pytest.mark.parametrize("source", golden.SOURCES)
def test_logits_and_answers_of_the_model(compared, source):
    found = compared[f"answered-{source}"]
    assert found["compared"] == QUESTIONS <= found["windows"]
    assert found["farthest"] < 2e-5, "both compute with the same weights, the package in double precision"
    assert found["first"] == []


def test_what_pages_call(node, exported, fixtures):
    command = [node, CHECKS / "page.js", SCRIPTS, exported[0], fixtures]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip().endswith(" 0 failed")


def test_the_added_weight_of_a_page(exported):
    """Of the largest page: the engine, the model, and the widgets of every lesson at once."""
    engine = sum((SCRIPTS / name).stat().st_size for name in export_model.ENGINE)
    widgets = sum(path.stat().st_size for path in SCRIPTS.iterdir() if path.name not in export_model.ENGINE)
    model, vocabulary, weights = sorted(exported[1].values())
    assert engine < 50_000 and vocabulary < 100_000
    ask = sum((SCRIPTS / name).stat().st_size for name in ("ui.js", "live.css", *live_places.SCRIPTS["qa-ask-box"]))
    assert engine + ask < export_model.CODE and widgets < export_model.CODE
    assert export_model.CODE + model + vocabulary + weights < export_model.LIMIT


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A student's checkpoint: the course's small BERT with a head, saved as training saves it. (Untrained is enough here.)"""
    folder = tmp_path_factory.mktemp("runs") / "first"
    training.save_model(qa.load_model("mini-bert"), qa.load_tokenizer("mini-bert"), folder)
    return folder


@pytest.mark.parametrize("model", ["shipped", "own"])
def test_which_words_mattered(node, exported, own, tmp_path, model):
    """Losses of an answer's score, with the words masked here by the package; and a model of one's own."""
    folder, checkpoint = exported[0], export_model.MODEL
    if model == "own":
        folder, checkpoint = tmp_path, own
        export_model.export(folder, own)
    texts = ["it's", "a\"b'", "tab\t\u200d", "e\u0301 \U0001f600", "\x85", "\\"]
    given = {"question": live_places.QUESTIONS[0], "context": live_places.CONTEXT, "texts": texts}
    command = [node, CHECKS / "widgets.js", SCRIPTS, folder]
    done = subprocess.run(
        command, input=json.dumps(given), capture_output=True, text=True, encoding="utf-8", timeout=300
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    tokenizer, network = (
        qa.load_tokenizer(checkpoint),
        export_model.as_stored(qa.load_model(checkpoint)).double().eval(),
    )
    best, encoded = found["answer"], tokenizer(given["question"], given["context"], return_offsets_mapping=True)
    assert best["answer"] == given["context"][best["start"] : best["end"]]

    def score(ids):
        types = torch.tensor([encoded["token_type_ids"]])
        with torch.no_grad():
            logits = network(input_ids=torch.tensor([ids]), token_type_ids=types)
        return float(logits.start_logits[0, best["first"]] + logits.end_logits[0, best["last"]])

    whole = score(encoded["input_ids"])
    assert len(found["losses"]) == found["words"] > 40
    for word in [*found["losses"][:4], found["losses"][-1]]:
        first, beyond = word["tokens"]
        assert (
            encoded["offset_mapping"][first][0] == word["start"]
            and encoded["offset_mapping"][beyond - 1][1] == word["end"]
        )
        ids = [tokenizer.mask_token_id if first <= k < beyond else one for k, one in enumerate(encoded["input_ids"])]
        assert word["loss"] == pytest.approx(whole - score(ids), abs=1e-3)
        assert word["end"] <= best["start"] or best["end"] <= word["start"]
    assert found["told"] == [[k + 1, found["words"]] for k in range(found["words"])]
    assert found["given"] == "AbortError" and "shorten it to 120 words" in found["tooLong"]
    assert found["repr"] == [repr(text) for text in texts]
    assert ("Your own model answers here: first," in found["whoAnswers"]) == (model == "own")
    states = [window["state"] for window in found["states"]]
    assert len(states) == 3 and {"whole", "absent"} <= set(states) and found["none"] == "none"
    if model == "shipped":
        assert max(found["losses"], key=lambda word: word["loss"])["loss"] > 1
        assert found["losses"][0]["start"] > best["start"] - 20, "those next to the answer come first"


def large(tmp_path):
    from transformers import BertConfig, BertForQuestionAnswering

    size = {"vocab_size": len(qa.load_tokenizer("mini-bert")), "hidden_size": 256, "intermediate_size": 1024}
    network = BertForQuestionAnswering(BertConfig(**size, num_hidden_layers=6, num_attention_heads=4))
    training.save_model(network, qa.load_tokenizer("mini-bert"), tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (large, r"million weights, and a page loads at most 4 MB, .*; fine-tune the course's small BERT"),
        (
            lambda folder: training.save_model(
                qa.load_model("mini-roberta"), qa.load_tokenizer("mini-roberta"), folder
            ),
            "computes a BERT with GELU, not a roberta with gelu; fine-tune the course's small BERT instead: qa-helpers train",
        ),
    ],
)
def test_a_model_that_a_page_cannot_hold_is_refused_with_a_remedy(tmp_path, make, message):
    make(tmp_path / "run")
    with pytest.raises(ValueError, match=message):
        build_site.build(tmp_path / "site", model=tmp_path / "run")
    assert not (tmp_path / "site").exists(), "nothing was replaced"


def test_a_model_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match="runs/second is not a folder.*qa-helpers train --checkpoint mini-bert"):
        build_site.build(tmp_path / "site", model="runs/second")


def test_few_bits_change_little():
    model = qa.load_model(export_model.MODEL)
    tokenizer = qa.load_tokenizer(export_model.MODEL)
    features = qa.make_features(golden.validation("mini", 20), tokenizer, 256, 64, labels=False)
    logits = [qa.predict_logits(weights, features) for weights in (model, export_model.as_stored(model))]
    before, after = (np.concatenate([*starts, *ends]) for starts, ends in logits)
    assert np.abs(before - after).mean() < 0.05
    stored = dict(export_model.as_stored(model).named_parameters())
    for name, values in model.named_parameters():
        if values.dim() == 1:
            assert torch.equal(values, stored[name]), f"{name} was in half precision already"


def test_a_model_with_other_layers_or_another_tokenizer_is_refused(tmp_path):
    with pytest.raises(ValueError, match="BERT with GELU, not a albert"):
        export_model.weights(qa.load_model("mini-albert"))
    for name in ("mini-roberta", "mini-albert"):
        with pytest.raises(ValueError, match="no other way"):
            export_model.vocabulary(name)


def test_two_letters_hold_13_bits_and_need_no_escape():
    numbers = torch.tensor([[1.0, -0.5, 0.25, 0.0]])
    bits = export_model.bits_of(numbers, 8, 4)
    scale = float(np.float16(1 / 127))
    assert len(bits) == 16 + 4 * 8
    whole = [int("".join(map(str, bits[k : k + 8])), 2) - 128 for k in range(16, 48, 8)]
    assert whole == [round(float(value) / scale) for value in numbers[0]]
    assert len(export_model.LETTERS) == 91 and 91**2 >= 2**13
    assert json.dumps(export_model.LETTERS.decode()) == f'"{export_model.LETTERS.decode()}"'
    first, second = (
        export_model.LETTERS.index(letter) for letter in export_model.letters(np.ones(1, np.uint8)).encode()
    )
    assert first * 91 + second == 2**12, "a single bit is the highest of its 13"


@pytest.mark.parametrize("name", sorted(path.name for path in SCRIPTS.glob("*.js")))
def test_the_engine_fetches_nothing_and_writes_no_markup(name):
    code = (SCRIPTS / name).read_text(encoding="utf-8")
    forbidden = (
        r"\b(fetch\(|XMLHttpRequest|importScripts|eval\(|new Function|innerHTML|document\.write|https?:|import )"
    )
    lines = [line for line in code.splitlines() if not line.lstrip().startswith(("//", "*"))]
    code = "\n".join(lines).replace(
        '"http://www.w3.org/2000/svg"', ""
    )  # the name of SVG's elements, which nobody fetches
    assert not re.search(forbidden, code)


def test_the_colours_of_the_widgets_are_those_of_the_figures():
    styles = (SCRIPTS / "live.css").read_text(encoding="utf-8")
    told = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", styles))
    names = {"answer-edge": "ANSWER_EDGE", "asked": "QUESTION"}
    assert told == {name: getattr(colours, names.get(name, name.upper())).lower() for name in told} and len(told) == 10
    shares = dict(re.findall(r"--(faint|clear): (\d+)%", styles))
    assert shares == {"faint": f"{100 * render.FAINT:.0f}", "clear": f"{100 * render.CLEAR:.0f}"}


def test_the_encoder_has_the_functions_of_lesson_05_under_their_names():
    lesson = (ROOT / "notebooks" / "05_model_internals.ipynb").read_text(encoding="utf-8")
    code = (SCRIPTS / "encoder.js").read_text(encoding="utf-8")
    written = ["linear", "layer_norm", "embed", "by_heads", "attention_by_hand", "take_in", "gelu", "layer", "encode"]
    for name in [*written, "parameter", "whole_model"]:
        camel = re.sub("_(.)", lambda found: found[1].upper(), name)
        assert f'"def {name}(' in lesson and f"function {camel}(" in code
