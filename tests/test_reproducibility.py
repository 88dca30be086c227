"""What comes out the same: to the bit on one machine, within a tolerance on another, and for shipped files always.

Training is repeated to the bit by the same kind of processor with the same number of threads. On others the last digits
of sums differ, and training carries them on: the weights are others then (about as good). The logits of a model that is
loaded differ by rounding only; measured between AVX-512, AVX2 and no vector instructions at all, with one thread and two:
1.5e-5 at most of logits up to 10, 1.2e-5 of probabilities, and no answer.
"""

import ast
import json
import os
import subprocess
import sys

import make_assets
import numpy as np
import pytest
import reproduced
from conftest import REPOSITORY

from qa_helpers.checkpoints import ASSETS, MINI_CHECKPOINTS, shipped_checkpoints

LOGITS, PROBABILITIES = 1e-3, 1e-3  # promised between machines
OLD_PROCESSOR = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}
RUNS = {  # name: threads, environment
    "first": (1, {"PYTHONHASHSEED": "1"}),
    "second": (1, {"PYTHONHASHSEED": "2"}),
    "old processor": (2, {"PYTHONHASHSEED": "random", **OLD_PROCESSOR}),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Name of a run → the folder with its results."""
    folders, children = {}, {}
    for name, (threads, environment) in RUNS.items():
        folders[name] = tmp_path_factory.mktemp(name.replace(" ", "_"))
        command = [sys.executable, reproduced.__file__, str(folders[name]), str(threads)]
        children[name] = subprocess.Popen(
            command, cwd=REPOSITORY, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
    for child in children.values():
        told = child.communicate()[1]
        assert child.returncode == 0, told.decode()
    return folders


def digests(folder):
    return json.loads((folder / "digests.json").read_text())


def test_the_same_seed_on_the_same_machine_gives_the_same_bits(runs):
    first, second = digests(runs["first"]), digests(runs["second"])
    assert len(first) == 6
    assert [name for name in first if first[name] != second[name]] == []


def test_the_corpus_and_features_are_the_same_on_every_machine(runs):
    first, other = digests(runs["first"]), digests(runs["old processor"])
    for name in ("train-v2.0.json", "dev-v2.0.json", "features"):
        assert first[name] == other[name], name


def test_another_processor_gives_the_same_scores_within_the_stated_tolerance(runs):
    first, other = (np.load(runs[name] / "logits.npz") for name in ("first", "old processor"))
    assert str(other["capability"]) == "DEFAULT", "the variables that stand for another processor have no effect"
    assert np.abs(first["logits"] - other["logits"]).max() < LOGITS
    assert np.abs(first["probabilities"] - other["probabilities"]).max() < PROBABILITIES
    assert (first["answers"] != other["answers"]).sum() <= 1, "two spans that are equally good may change places"
    assert np.abs(first["scores"] - other["scores"]).max() <= 100 / reproduced.EXAMPLES


def test_shipped_files_are_those_of_their_list():
    """A changed bit in a weight is still a number; without the list nobody would notice. ``make assets`` writes it."""
    lines = (REPOSITORY / "tests" / "fixtures" / "shipped.sha256").read_text(encoding="utf-8").splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    files = {f"{name}/{path.name}": path for name in shipped_checkpoints() for path in (ASSETS / name).iterdir()}
    assert {name: reproduced.checksum(path) for name, path in files.items()} == listed


def test_tests_come_in_one_order():
    """pytest-xdist refuses tests that its processes collect in different orders; a set has one of its own in each."""
    for path in sorted((REPOSITORY / "tests").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("parametrize"):
                cases = node.args[1] if len(node.args) > 1 else None
                unordered = isinstance(cases, ast.Set | ast.SetComp) or ast.unparse(cases or node).startswith("set(")
                assert not unordered, f"{path.name}, line {node.lineno}: the cases are a set; make them a list"


def test_every_shipped_model_has_a_command_that_makes_it():
    assert {name for name in make_assets.STEPS if name.startswith("mini-") and "," not in name} == set(
        shipped_checkpoints()
    )
    assert set(shipped_checkpoints()) == {*MINI_CHECKPOINTS, "mini-bert-qa"}
    assert "tools/make_assets.py" in (REPOSITORY / "Makefile").read_text()


def test_making_the_assets_goes_on_where_it_was_cut_off(tmp_path, monkeypatch, capsys):
    assets = tmp_path / "assets"
    for name, value in {"ASSETS": assets, "DONE": tmp_path / "done.json", "CHECKSUMS": tmp_path / "sums"}.items():
        monkeypatch.setattr(make_assets, name, value)
    folder = assets / "mini-one"
    write = f"import os, pathlib; f = pathlib.Path({str(folder)!r}); f.mkdir(parents=True); (f / 'n').write_text(os.environ['OMP_NUM_THREADS'])"
    missing = tmp_path / "missing"
    steps = {"mini-one": ["-c", write], "mini-two": ["-c", f"open({str(missing)!r})"]}
    monkeypatch.setattr(make_assets, "STEPS", steps)
    with pytest.raises(subprocess.CalledProcessError):
        make_assets.make(list(steps))
    assert json.loads((tmp_path / "done.json").read_text()).keys() == {"mini-one"}
    missing.touch()
    make_assets.make(list(steps))  # making the first folder again would fail
    assert "mini-one: 0 s" in capsys.readouterr().out
    assert (folder / "n").read_text() == "1", "weights depend on the number of threads"
    assert (tmp_path / "sums").read_text() == f"{reproduced.checksum(folder / 'n')}  mini-one/n\n"
