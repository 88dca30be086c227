"""What the course does not do: run what a file says, reach for the network unasked, or let a text become markup."""

import ast
import inspect
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from unittest import mock

import closed_sockets
import nbformat
import pytest
import torch
import yaml
from conftest import REPOSITORY, make_example
from test_resume import interrupted
from test_training import SHORT, assert_same_weights
from test_widget_shells import file
from test_widgets import HOSTILE, hostile_example, views_of
from widget_pages import check_page

from qa_helpers import (
    FineTuneConfig,
    QuestionAnswerer,
    fine_tune,
    load_model,
    load_tokenizer,
    progress,
    render,
    widgets,
)
from qa_helpers.annotations import Annotations
from qa_helpers.checksums import write_checksums
from qa_helpers.corpus import to_squad_json
from qa_helpers.data import load_squad
from qa_helpers.training import CHECKPOINTS, save_model
from qa_helpers.widgets import ask_box

PACKAGE = REPOSITORY / "qa_helpers"
MODULES = sorted(PACKAGE.rglob("*.py"))

# ---------------------------------------------------------------------------------------------------------------------
# No pickle, no remote code
# ---------------------------------------------------------------------------------------------------------------------

RUNS_WHAT_IT_READS = {
    *("pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"),  # modules
    *(
        "socket",
        "urllib",
        "requests",
        "httpx",
        "http",
        "ftplib",
        "smtplib",
        "subprocess",
        "ctypes",
        "zipfile",
        "tarfile",
    ),
}
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.load", "torch.hub.load", "torch.save"}
CALLS |= {"pd.read_pickle", "pandas.read_pickle", "yaml.unsafe_load", "yaml.full_load", "importlib.import_module"}


def called(node: ast.Call) -> str:
    """``torch.load`` for ``torch.load(x)``."""
    return ast.unparse(node.func)


def faults_in(source: str) -> list[str]:
    """What a module must not do, found in its text."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
        found += [f"imports {name}" for name in names if name.split(".")[0] in RUNS_WHAT_IT_READS]
        if isinstance(node, ast.Call):
            options = {k.arg: ast.unparse(k.value) for k in node.keywords}
            if called(node) in CALLS:
                found.append(f"calls {called(node)}")
            if called(node) == "yaml.load" and options.get("Loader") != "_Loader":  # which is a safe one, see below
                found.append("calls yaml.load")
            if options.get("trust_remote_code", "False") != "False" or options.get("allow_pickle", "False") != "False":
                found.append(f"calls {called(node)} with {options}")
            if options.get("shell") == "True":
                found.append(f"calls {called(node)} with a shell")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_unpickles_runs_or_downloads(path):
    allowed = {"__init__.py": ["calls importlib.import_module", "imports importlib"]}.get(path.name, [])
    assert [fault for fault in faults_in(path.read_text(encoding="utf-8")) if fault not in allowed] == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from urllib.request import urlopen",
        "torch.load(path)",
        "AutoModel.from_pretrained(x, trust_remote_code=True)",
        "np.load(x, allow_pickle=True)",
        "yaml.load(text, Loader=yaml.Loader)",
        "eval(text)",
        "run('ls', shell=True)",
    ],
)
def test_the_search_for_them_finds_them(line):
    assert len(faults_in(line)) == 1


def test_the_corpus_assets_are_read_by_a_loader_that_makes_plain_values_only():
    from qa_helpers import _grammar

    assert issubclass(_grammar._Loader, (yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def test_a_repository_with_code_of_its_own_is_refused_and_its_code_not_run(folder_with_code):
    folder, witness = folder_with_code
    for load in (load_model, load_tokenizer):
        with pytest.raises(ValueError, match="could not be loaded"):
            load(folder)
    assert not witness.exists()


@pytest.fixture
def folder_with_code(checkpoint, tmp_path):
    """A checkpoint whose configuration names classes in a file beside it, which leaves a trace when it is run."""
    folder, witness = shutil.copytree(checkpoint, tmp_path / "foreign"), tmp_path / "witness"
    (folder / "own.py").write_text(f"open({str(witness)!r}, 'w').close()\nclass Own: pass\n")
    config = json.loads((folder / "config.json").read_text())
    own = {"AutoConfig": "own.Own", "AutoModelForQuestionAnswering": "own.Own", "AutoTokenizer": ["own.Own", "own.Own"]}
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "own", "auto_map": own}))
    return folder, witness


class Payload:
    """Unpickled, it leaves a trace."""

    def __init__(self, witness):
        self.witness = str(witness)

    def __reduce__(self):
        return open, (self.witness, "w")


def test_the_payload_of_these_tests_works(tmp_path):
    pickle.loads(pickle.dumps(Payload(tmp_path / "witness"))).close()
    assert (tmp_path / "witness").exists()


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_resumed_run_reads_numbers_from_its_checkpoint_and_runs_nothing(
    checkpoint, tokenizer, examples, tmp_path, name
):
    """The library writes these files with torch.save and reads them with ``torch.load(weights_only=True)``."""
    config = replace(SHORT, save_every=4, output_dir=str(tmp_path / "out"))
    interrupted(checkpoint, tokenizer, examples, config, stop=5)
    folder, witness = tmp_path / "out" / CHECKPOINTS / "checkpoint-4", tmp_path / "witness"
    torch.save({"state": Payload(witness)}, folder / name)
    write_checksums(folder)  # by whoever put it there
    with pytest.raises(pickle.UnpicklingError, match="(?i)weights.only"):
        fine_tune(load_model(checkpoint), tokenizer, examples, None, config)
    assert not witness.exists()


def test_training_arguments_that_lie_in_a_checkpoint_are_not_read(checkpoint, tokenizer, examples, tmp_path):
    config = replace(SHORT, save_every=4, output_dir=str(tmp_path / "out"))
    interrupted(checkpoint, tokenizer, examples, config, stop=5)
    folder, witness = tmp_path / "out" / CHECKPOINTS / "checkpoint-4", tmp_path / "witness"
    (folder / "training_args.bin").write_bytes(pickle.dumps(Payload(witness)))
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Payload(witness)))
    write_checksums(folder)
    resumed, unbroken = load_model(checkpoint), load_model(checkpoint)
    fine_tune(resumed, tokenizer, examples, None, config)
    fine_tune(unbroken, tokenizer, examples, None, SHORT)
    assert_same_weights(resumed, unbroken)
    assert not witness.exists()


def test_a_saved_model_holds_no_pickle(model, tokenizer, tmp_path):
    save_model(model, tokenizer, tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".safetensors", ".txt", ""}


# ---------------------------------------------------------------------------------------------------------------------
# No network
# ---------------------------------------------------------------------------------------------------------------------

COURSE = """
import sys, time
import closed_sockets
from qa_helpers import cli
import qa_helpers as qa

def run(*words):
    sys.argv = ["qa-helpers", *words]
    cli.app(standalone_mode=False)

out = sys.argv[1]
course = qa.setup()
course.load_data()
run("corpus", "--output-dir", f"{out}/corpus", "--examples", "40", "--validation-examples", "10")
run("train", "--source", f"{out}/corpus", "--output-dir", f"{out}/model", "--max-steps", "2", "--save-every", "1")
run("evaluate", "--source", f"{out}/corpus", "--checkpoint", f"{out}/model", "--predictions", f"{out}/p.json")
run("ask", "Who built it?", "--context", "It was built by Ilse Varn.", "--checkpoint", f"{out}/model")
print("attempts before a hub id:", closed_sockets.attempts)
time.sleep = lambda seconds: None  # the libraries wait before they try again
for load, name in ((qa.load_squad, "squad"), (qa.load_model, "someone/something"), (qa.load_tokenizer, "roberta-base")):
    try:
        load(name)
    except ValueError as error:
        print("refused:", error)
print("attempts for hub ids:", len(closed_sockets.attempts))
"""


def python(*arguments, **environment):
    """Run Python with closed sockets, and without the variables that tell the libraries that they are offline."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
    path = [str(REPOSITORY / "tests" / "offline"), str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    kept |= {"PYTHONPATH": os.pathsep.join(path), **environment}
    return subprocess.run([sys.executable, *arguments], cwd=REPOSITORY, env=kept, capture_output=True, text=True)


def test_corpus_training_evaluation_and_answering_reach_for_nothing_and_a_hub_id_does(tmp_path):
    child = python("-c", COURSE, str(tmp_path), HF_HOME=str(tmp_path / "hub"))
    assert child.returncode == 0, child.stderr
    assert "attempts before a hub id: []" in child.stdout, child.stderr
    assert len(re.findall("refused: .*(?i:without a network|needs a network)", child.stdout)) == 3, child.stdout
    assert int(re.search(r"attempts for hub ids: (\d+)", child.stdout)[1]) > 0, "the sockets are not watched"
    assert (tmp_path / "p.json").is_file()


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.create_connection(('example.org', 80))",
        "socket.socket().connect(('192.0.2.1', 80))",
        "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
        "socket.socket().connect_ex(('192.0.2.1', 80))",
        "urllib.request.urlopen('http://example.org')",
    ],
)
def test_closed_sockets_refuse_and_tell(attempt, no_network, capsys):
    import socket  # noqa: F401
    import urllib.request  # noqa: F401

    with pytest.raises(OSError, match="the sockets are closed in tests"):
        eval(attempt)
    assert len(no_network) == 1 and "something wanted to reach" in capsys.readouterr().err
    no_network.clear()


def test_closed_sockets_reach_this_machine(no_network):
    import socket

    for family, place in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "localhost")):
        with socket.create_server((place, 0), family=family) as server, socket.create_connection(server.getsockname()):
            pass
    assert closed_sockets.is_local("::1") and not closed_sockets.is_local("127.0.0.1.example.org")
    assert not no_network


def test_the_notebooks_are_compared_with_closed_sockets(tmp_path):
    """As `make nbval` does it, with a notebook that reaches for the network and says nothing about it."""
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"(?m)^nbval: \$\(READY\)\n((?:\t.*\n)+)", makefile)[1]
    # Whole paths: a kernel starts in its notebook's folder.
    path = re.search(r'\tPYTHONPATH="\$\(CURDIR\)/(tests/offline)', recipe)[1]
    assert "\nnbval: export NETWORK_LOG = $(CURDIR)/build/network.txt\n" in makefile
    assert re.search("if test -s build/network.txt; then .*exit 1; fi\n$", recipe)
    code = (
        "try:\n    __import__('urllib.request').request.urlopen('http://example.org')\nexcept OSError:\n    print('no')"
    )
    told = [nbformat.v4.new_output("stream", name="stdout", text="no\n")]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code, execution_count=1, outputs=told)])
    nbformat.write(notebook, tmp_path / "reaching.ipynb")
    child = python(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env", str(tmp_path)),
        PYTHONPATH=str(REPOSITORY / path),
        NETWORK_LOG=str(tmp_path / "network.txt"),
    )
    assert child.returncode == 1 and "1 failed" in child.stdout, child.stdout
    assert (tmp_path / "network.txt").read_text() == "example.org\n", "told even where a cell's output is not compared"


# ---------------------------------------------------------------------------------------------------------------------
# No markup from texts
# ---------------------------------------------------------------------------------------------------------------------


def all_views(text: str, tokenizer) -> dict[str, render.Html]:
    """Every function of the package that returns HTML, with a text wherever it takes one: name → what it returned."""
    example = hostile_example(text)
    context, question = example["context"], example["question"]
    encoded = tokenizer(question, context, return_offsets_mapping=True, split_special_tokens=True)
    ruler = render.offset_ruler(
        question, context, encoded["offset_mapping"], encoded.sequence_ids(), [text] * len(encoded["input_ids"]), (3, 9)
    )
    notes = Annotations({text: context})
    notes.add(text, question, "Ilse Varn")
    views = views_of(example, tokenizer)
    steps = [views.pop(name) for name in list(views) if name.startswith("step")]
    box = widgets.AskBox(QuestionAnswerer(load_model_once(), tokenizer), question, context)
    return {
        **{f"widgets.{name}": shown for name, shown in views.items()},
        "render.offset_ruler": ruler,
        "widgets.label_steps": steps,
        "widgets.annotation_view": widgets.annotation_view(notes, text, question, text, 0, note=text),
        "widgets._html.message": widgets._html.message(text),
        "widgets.ask_box.AskBox": box.draw(),
        "_progress.progress": damaged_progress(text),
    }


def damaged_progress(text: str) -> render.Html:
    """The table of what is done, with the remark that its file has a strange entry, named ``text``."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "progress.json"
        file.write_text(json.dumps({"format": 1, "exercises": {text: "no entry"}}), encoding="utf-8")
        with mock.patch.dict(os.environ, QA_PROGRESS=str(file)):
            return progress()


_model = []


def load_model_once():
    import tiny_bert
    from transformers import BertConfig, BertForQuestionAnswering

    if not _model:
        _model.append(BertForQuestionAnswering(BertConfig(**tiny_bert.config_values())).eval())
        tiny_bert.set_weights(_model[0])
    return _model[0]


@pytest.mark.parametrize(
    "text", [*HOSTILE, "<!-- ", "]]>", "{{7*7}}", "javascript:alert(1)", "</style><script>x</script>"]
)
def test_no_text_becomes_markup_anywhere(text, tokenizer):
    for name, shown in all_views(text, tokenizer).items():
        for page in shown if isinstance(shown, list) else [shown]:
            checked = check_page(page) if name not in ("render.offset_ruler", "_progress.progress") else None
            assert checked is None or not checked.all("style") or "script" not in str(checked.all("style"))
            for tag in ("<script", "<img", "<!--", "<b>out"):
                assert tag not in page.html, name


def test_every_function_that_returns_html_is_among_those_tried(tokenizer):
    returning = set()
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            public = isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and node.returns
            if public and re.search(r"\bHtml\b", ast.unparse(node.returns)):
                returning.add(node.name)
    tried = {name.split(".")[-1] for name in all_views("a lamp", tokenizer)}
    assert returning <= tried, f"{returning - tried} return HTML and are not tried with hostile texts"
    assert {"offset_ruler", "answer_view", "span_view", "annotation_view"} <= returning


def test_what_stands_in_attributes_of_html_by_hand_is_escaped_or_a_number():
    """Where HTML is put together by f-strings: no value stands between quotes unless by ``escape`` or ``attributes``."""
    source = inspect.getsource(render) + inspect.getsource(widgets._html)
    for value in re.findall(r'(?:title|aria-label|class)="\{([^}]*)\}', source):
        assert "escape" in value, value


# ---------------------------------------------------------------------------------------------------------------------
# Paths
# ---------------------------------------------------------------------------------------------------------------------

CLIMBING = ["../outside", "/outside", "..\\outside", "~/outside", "a/../../outside", "nul\0byte", "."]


@pytest.mark.parametrize("name", CLIMBING)
def test_titles_and_ids_from_files_are_never_paths(name, model, tokenizer, tmp_path, monkeypatch):
    """What is written goes where the caller says, and under names that the package chooses."""
    inside = tmp_path / "place" / "inside"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    row = {**make_example(name, "The stone bridge was built in 1874.", "When?", "1874"), "title": name}
    other = {**row, "id": f"{name}2", "question": "What was built in 1874?"}
    (inside / "train.json").write_text(json.dumps(to_squad_json([row, other], "1.1")), encoding="utf-8")
    data = load_squad(str(inside))["train"]
    notes = Annotations({name: row["context"]}, inside / "notes.json")
    notes.add(name, "When?", "1874")
    config = FineTuneConfig(max_steps=1, max_length=40, stride=12, output_dir=str(inside / "model"))
    fine_tune(model, tokenizer, data, data, config)
    written = {path.relative_to(tmp_path).parts[:2] for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {("place", "inside")}
    assert {path.name for path in inside.iterdir()} == {"train.json", "notes.json", "model"}


# ---------------------------------------------------------------------------------------------------------------------
# Uploads, and the workflow
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, content, told",
    [
        ("notes.exe", b"text", "is not a plain text or markdown file"),
        ("notes.txt.zip", b"PK", "is not a plain text or markdown file"),
        ("notes.html", b"<script>", "is not a plain text or markdown file"),
        ("notes.txt", b"x" * (ask_box.MAX_BYTES + 1), "1,000,001 bytes, and at most 1,000,000 are read"),
        ("notes.txt", b"\xff\xfe\x00", "is not UTF-8 .byte 0"),
        ("notes.md", b"PK\x03\x04\x00\x00", "holds bytes that are no text"),
        ("notes.txt", b" \n", "is empty"),
    ],
)
def test_an_upload_is_limited_in_size_and_kind(name, content, told):
    box = widgets.AskBox(lambda **_: pytest.fail("nothing was asked"), document="the text before")
    with pytest.raises(ValueError, match=told):
        ask_box.read_upload(name, content)
    box.upload.value = file(name, content)
    assert box.document.value == "the text before", "a refused file replaces nothing"
    assert re.search(told, box.view.value.replace("&#x27;", "'"))
    assert not box.upload.multiple and box.upload.accept == ".txt,.md,.markdown,.text"


@pytest.mark.parametrize("name", ["../../<img src=x onerror=alert(1)>.txt", "a" * 100_000 + ".txt"])
def test_an_uploads_name_is_shown_as_text_and_used_for_nothing(name):
    box = widgets.AskBox(lambda **_: [])
    box.upload.value = file(name, b"It was Ilse.")
    assert box.document.value == "It was Ilse." and "is the document now" in box.view.value
    assert "<img" not in box.view.value and len(box.view.value) < 2000


def test_the_workflow_audits_the_pinned_versions_and_may_only_read():
    workflow = yaml.safe_load((REPOSITORY / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    steps = [step.get("run", "") for step in workflow["jobs"]["audit"]["steps"]]
    assert any("pip-audit" in step and "constraints.txt" in step for step in steps)
    assert workflow["permissions"] == {"contents": "read"}
    assert all("secrets" not in str(job) for job in workflow["jobs"].values())
    pinned = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pinned.splitlines() if line and line[0] != "#")
    assert Path(REPOSITORY / ".ci" / "run").is_file()
