"""What the course does not do: run what a file says, or write where a text in it says."""

import ast
import json
import pickle
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from conftest import REPOSITORY, make_example
from support import SHORT, assert_same_weights, file, interrupted

from qa_helpers import FineTuneConfig, fine_tune, load_model, load_tokenizer, widgets
from qa_helpers.classroom.annotations import Annotations
from qa_helpers.classroom.widgets import ask_box
from qa_helpers.data import load_squad
from qa_helpers.mini.corpus import to_squad_json
from qa_helpers.training import CHECKPOINTS, save_model

PACKAGE = REPOSITORY / "qa_helpers"
MODULES = sorted(PACKAGE.rglob("*.py"))

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
            if called(node) == "yaml.load" and options.get("Loader") != "LOADER":  # which is a safe one, see below
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
    from qa_helpers.mini import grammar

    assert issubclass(grammar.LOADER, (yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


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
    with pytest.raises(ValueError, match="(?i)checkpoint-4 is damaged .*weights.only"):
        fine_tune(load_model(checkpoint), tokenizer, examples, None, config)
    assert not witness.exists()


def test_training_arguments_that_lie_in_a_checkpoint_are_not_read(checkpoint, tokenizer, examples, tmp_path):
    config = replace(SHORT, save_every=4, output_dir=str(tmp_path / "out"))
    interrupted(checkpoint, tokenizer, examples, config, stop=5)
    folder, witness = tmp_path / "out" / CHECKPOINTS / "checkpoint-4", tmp_path / "witness"
    (folder / "training_args.bin").write_bytes(pickle.dumps(Payload(witness)))
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Payload(witness)))
    resumed, unbroken = load_model(checkpoint), load_model(checkpoint)
    fine_tune(resumed, tokenizer, examples, None, config)
    fine_tune(unbroken, tokenizer, examples, None, SHORT)
    assert_same_weights(resumed, unbroken)
    assert not witness.exists()


def test_a_saved_model_holds_no_pickle(model, tokenizer, tmp_path):
    save_model(model, tokenizer, tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".safetensors", ".txt", ""}


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
        ("notes.exe", b"text", "is not a plain text or Markdown file"),
        ("notes.txt.zip", b"PK", "is not a plain text or Markdown file"),
        ("notes.html", b"<script>", "is not a plain text or Markdown file"),
        ("notes.txt", b"x" * (ask_box.MAX_BYTES + 1), "1,000,001 bytes, but the limit is 1,000,000"),
        ("notes.txt", b"\xff\xfe\x00", "is not UTF-8 .byte 0"),
        ("notes.md", b"PK\x03\x04\x00\x00", "contains bytes that are not text"),
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
