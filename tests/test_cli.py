import json
import os
import subprocess
import sys

import pytest
import torch
from conftest import BELLS
from support import squad_json

from qa_helpers import QuestionAnswerer, load_model, load_squad
from qa_helpers import cli as cli_module


@pytest.fixture
def cli(monkeypatch, capsys):
    """Run the command line; returns (exit code, what it printed, what it complained)."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["qa-helpers", *map(str, args)])
        try:
            cli_module.main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def source(tmp_path, rows):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.json").write_text(json.dumps(squad_json(rows)))
    (folder / "dev.json").write_text(json.dumps(squad_json(rows[:4])))
    return folder


WINDOW = ("--max-length", 40, "--stride", 12)


@pytest.mark.parametrize("command", ["train", "evaluate", "score", "ask", "compare", "corpus", "pretrain"])
def test_every_command_shows_an_example_of_itself_in_its_help(cli, command):
    code, out, _ = cli(command, "--help")
    assert code == 0
    assert f"Example: qa-helpers {command} " in out
    code, out, _ = cli("--help")
    assert code == 0 and command in out


def test_the_examples_in_the_help_use_options_that_exist(cli):
    import re

    for command in ("train", "evaluate", "score", "ask", "compare", "corpus", "pretrain"):
        _, out, _ = cli(command, "--help")
        example = out[out.index("Example:") :]
        options = set(re.findall(r"--[a-z-]+", example))
        assert options and options <= set(re.findall(r"--[a-z-]+", out[: out.index("Example:")]))


def test_train_then_evaluate_then_ask(cli, source, checkpoint, tmp_path, rows):
    model = tmp_path / "model"
    code, out, err = cli(
        "train", "--source", source, "--checkpoint", checkpoint, "--output-dir", model, "--max-steps", 12, *WINDOW
    )
    assert code == 0, err
    assert "12 steps over" in out and "validation: EM" in out and "loss" in out
    assert load_model(model, needs_head=True).has_trained_head

    answers = tmp_path / "out" / "answers.json"
    code, out, err = cli("evaluate", "--source", source, "--checkpoint", model, "--predictions", answers, *WINDOW)
    assert code == 0, err
    assert "validation: EM" in out and "(4 examples)" in out
    written = json.loads(answers.read_text(encoding="utf-8"))
    assert list(written) == [row["id"] for row in rows[:4]]
    assert all(text in row["context"] for text, row in zip(written.values(), rows[:4], strict=True))
    code, out, _ = cli("evaluate", "--source", source, "--checkpoint", model, "--split", "train", "--limit", 3, *WINDOW)
    assert code == 0 and "train: EM" in out and "(3 examples)" in out

    document = tmp_path / "bells.txt"
    document.write_text(BELLS, encoding="utf-8-sig")
    code, out, err = cli(
        "ask", "Who founded it?", "--document", document, "--checkpoint", model, "--top-k", 3, "--json"
    )
    assert code == 0, err
    assert json.loads(out) == QuestionAnswerer(str(model))(question="Who founded it?", context=BELLS, top_k=3)
    code, out, err = cli("ask", "Who founded it?", "--context", BELLS, "--checkpoint", model)
    assert code == 0, err
    assert "answer" in out and "score" in out and "characters" in out


def test_half_precision_saves_the_same_model_in_half_the_size(cli, source, checkpoint, tmp_path):
    from safetensors.torch import load_file

    for name, options in (("full", ()), ("half", ("--half-precision",))):
        code, out, err = cli(
            "train", "--source", source, "--checkpoint", checkpoint, "--output-dir", tmp_path / name, "--max-steps", 3,
            *options, *WINDOW,
        )  # fmt: skip
        assert code == 0, err
        told = " ".join(out.split())  # however long the path is that it had to wrap
        assert ("in half precision" in told) == (name == "half")
    full, half = (load_file(tmp_path / name / "model.safetensors") for name in ("full", "half"))
    assert full.keys() == half.keys()
    assert all(torch.equal(full[name].half(), half[name]) for name in full)
    model = load_model(tmp_path / "half", needs_head=True)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_evaluate_and_ask_need_no_checkpoint_of_ones_own(cli):
    code, out, err = cli("evaluate", "--source", "mini_v2", "--limit", 24, "--null-threshold", 0)
    assert code == 0, err
    assert "(24 examples)" in out and "questions with an answer EM" in out and ", without EM" in out
    code, out, err = cli("evaluate", "--limit", 8)
    assert code == 0, err
    assert "validation: EM" in out and "without" not in out, "no split where every question has an answer"
    code, out, err = cli(
        "ask", "How long is the bridge?", "--context", "The bridge is 212 metres long and was opened in 1893.", "--json"
    )
    assert code == 0, err
    assert "212 metres" in json.loads(out)[0]["answer"]


def test_ask_reads_standard_input(cli, checkpoint, monkeypatch):
    import io

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BELLS.encode())))
    code, out, err = cli("ask", "Who?", "--checkpoint", checkpoint, "--json")
    assert code == 0, err
    (answer,) = json.loads(out)
    assert BELLS[answer["start"] : answer["end"]] == answer["answer"]


def test_a_question_or_text_with_rich_markup_is_printed_as_it_is(cli, checkpoint):
    code, out, err = cli("ask", "Who?", "--context", "the [bold]tower[/bold] [/] stood", "--checkpoint", checkpoint)
    assert code == 0, err
    assert "[bold]tower[/bold] [/] stood" in out


def test_corpus_writes_squad_json_that_loads(cli, tmp_path):
    code, _, err = cli(
        "corpus", "--output-dir", tmp_path / "mini", "--version", "2.0", "--examples", 60, "--validation-examples", 30
    )
    assert code == 0, err
    data = load_squad(tmp_path / "mini")
    assert (len(data["train"]), len(data["validation"])) == (60, 30)
    assert any(not answers["text"] for answers in data["train"]["answers"])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["train", "--source", "mimi"], "unknown source 'mimi'; did you mean 'mini'"),
        (["train", "--source", "SOURCE", "--checkpoint", "mini-brt"], "unknown checkpoint 'mini-brt'"),
        (["train", "--source", "./nowhere"], "there is no such file or folder"),
        (["train", "--source", "SOURCE/dev.json"], "has no train split; it holds validation"),
        (
            ["train", "--source", "SOURCE", "--checkpoint", "CHECKPOINT", "--output-dir", "SOURCE", *WINDOW],
            "already holds",
        ),
        (
            ["train", "--source", "SOURCE", "--checkpoint", "CHECKPOINT", "--max-length", 20, "--stride", 20],
            "stride 20",
        ),
        (["evaluate", "--source", "SOURCE", "--checkpoint", "ENCODER"], "without a trained question answering head"),
        (["evaluate", "--source", "SOURCE", "--checkpoint", "CHECKPOINT", "--split", "test"], "has no split 'test'"),
        (
            ["evaluate", "--source", "SOURCE", "--checkpoint", "CHECKPOINT", "--limit", 0, *WINDOW],
            "there are no examples",
        ),
        (["ask", "Who?", "--checkpoint", "ENCODER", "--context", "x"], "without a trained question answering head"),
        (["ask", "Who?", "--checkpoint", "CHECKPOINT", "--document", "/nowhere.txt"], "cannot read /nowhere.txt"),
        (["ask", "Who?", "--checkpoint", "CHECKPOINT", "--document", "LATIN"], "is not UTF-8 text (byte 1)"),
        (["ask", " ", "--checkpoint", "CHECKPOINT", "--context", "x"], "the question of input 0 is empty"),
        (["ask", "Who?", "--context", "x", "--document", "y"], "either --document or --context"),
        (["compare", "--families", "bert,brt", "--output-file", "OUT"], "unknown family 'brt'; did you mean 'bert'"),
        (["pretrain", "--family", "brt", "--output-dir", "OUT"], "unknown family 'brt'; did you mean 'bert'"),
    ],
)
def test_bad_input_is_one_line_with_the_remedy_and_leaves_nothing_behind(
    cli, args, message, source, checkpoint, encoder_checkpoint, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    latin = tmp_path / "latin.txt"
    latin.write_bytes("né".encode("latin-1"))
    places = {"CHECKPOINT": checkpoint, "ENCODER": encoder_checkpoint, "LATIN": latin, "OUT": tmp_path / "out"}
    places |= {"SOURCE": source, "SOURCE/dev.json": source / "dev.json"}
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    code, out, err = cli(*(places.get(a, a) for a in args))
    assert code == 2
    assert err.startswith("qa-helpers: ") and message in err
    assert err.count("\n") == 1 and "Traceback" not in err + out
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_setup_chooses_arguments_then_the_environment_then_mini(monkeypatch, source, checkpoint, capsys):
    import datasets

    from qa_helpers import Course, setup

    monkeypatch.delenv("QA_SOURCE", raising=False)
    monkeypatch.delenv("QA_CHECKPOINT", raising=False)
    course = setup()
    assert isinstance(course, Course)
    assert (course.source, course.checkpoint, course.is_mini) == ("mini", "mini-bert", True)
    assert course.stride < course.max_length < 384
    assert datasets.are_progress_bars_disabled()
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("QA_SOURCE", str(source))
    monkeypatch.setenv("QA_CHECKPOINT", checkpoint)
    course = setup()
    assert (course.source, course.checkpoint, course.is_mini) == (str(source), checkpoint, False)
    assert (course.max_length, course.stride) == (128, 42), "no longer than the checkpoint has positions for"
    assert list(course.load_data()) == ["train", "validation"]
    assert course.load_model().config.hidden_size == 32
    assert course.load_tokenizer().is_fast
    assert str(source.parent) not in str(course), "a committed output should not show where a reader keeps files"
    assert setup("mini_v2").source == "mini_v2"
    setup(seed=5)
    first = torch.rand(2)
    setup(seed=5)
    assert torch.equal(torch.rand(2), first)


def test_score_reads_a_file_of_answers(cli, source, tmp_path):
    rows = load_squad(source)["validation"]
    file = tmp_path / "answers.json"
    file.write_text(json.dumps({row["id"]: row["answers"]["text"][0] for row in rows}), encoding="utf-8")
    code, out, _ = cli("score", file, "--source", source)
    assert code == 0 and f"validation: EM 100.0 / F1 100.0 ({len(rows)} examples)" in out
    file.write_text("{}", encoding="utf-8")
    code, _, err = cli("score", file, "--source", source)
    assert code == 2 and "has no prediction; predict all examples" in err and "answers.json" in err
    file.write_text('{"a": ', encoding="utf-8")
    code, _, err = cli("score", file, "--source", source)
    assert code == 2 and "answers.json: not valid JSON at line 1" in err


CAFE = "Le caf\u00e9 Zo\u00eb ouvre \u00e0 9 h.\r\nThe caf\u00e9 was opened in 1893 by Zo\u00eb M\u00fcller."


@pytest.mark.parametrize(
    ("encoding", "way", "form"),
    [("cp1252", "standard input", "table"), ("ascii", "document", "table"), ("ascii", "standard input", "json")],
)
def test_ask_counts_the_files_own_characters_whatever_the_console_says(tmp_path, encoding, way, form):
    file, start = tmp_path / "cafe.txt", CAFE.index("1893")
    file.write_bytes(CAFE.encode())
    command = [sys.executable, "-m", "qa_helpers", "ask", "When was the caf\u00e9 opened?"]
    command += ["--document", str(file)] * (way == "document") + ["--json"] * (form == "json")
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    with file.open("rb") as text:
        said = subprocess.run(command, stdin=text, capture_output=True, env=environment, check=True).stdout.decode(
            encoding
        )
    if form == "json":
        assert json.loads(said)[0] | {"score": 0} == {"score": 0, "start": start, "end": start + 4, "answer": "1893"}
    else:
        assert f"{start}-{start + 4}" in said


def test_ask_says_what_it_takes(cli, tmp_path):
    (tmp_path / "texts.csv").write_text("text\nabc")
    for document, message in (
        (tmp_path, "is a folder: ask takes one text file"),
        (tmp_path / "texts.csv", "is not plain text"),
    ):
        code, _, err = cli("ask", "Who?", "--document", document)
        assert code == 2 and message in err and "qa.QuestionAnswerer" in err


def test_ask_leaves_words_as_the_tokens_have_them_where_told(cli):
    text = "\u6771\u4eac\u306b\u3042\u308b Ilse built it."
    for option in ("--align-to-words", "--no-align-to-words"):
        assert cli("ask", "Who built it?", "--context", text, option)[0] == 0
