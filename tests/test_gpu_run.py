"""``make gpu``: each step runs at tiny size and gives sensible figures, a run goes on where it broke off, and the record that
lesson 07 reads is whole, says whether it was measured, and is explained where it is damaged."""

import json
import math
from pathlib import Path

import gpu_run
import pandas as pd
import pytest
import torch

from qa_helpers.checkpoints import ASSETS
from qa_helpers.classroom import gpu
from qa_helpers.figures import gpu_plots
from qa_helpers.mini.corpus import write_corpus

ORDER = list(gpu.STEPS)
ABOUT = {"dry_run": True, "size": "tiny", "texts": "made up", "machine": {"device": "cpu"}}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder, train_examples=24, validation_examples=10)
    return gpu_run.Bench(gpu_run.PLANS["tiny"], "cpu", folder, ASSETS / "mini-bert")


def test_the_record_has_the_steps_of_the_program():
    assert list(gpu_run.STEPS) == list(gpu.STEPS)


@pytest.mark.parametrize("name", gpu_run.STEPS)
def test_a_step_gives_rows_of_finite_figures(bench, name):
    rows = gpu_run.STEPS[name](bench)
    assert rows and all(row.keys() == rows[0].keys() for row in rows)
    for row in rows:
        figures = [value for value in row.values() if isinstance(value, int | float) and not isinstance(value, bool)]
        assert all(math.isfinite(value) and value >= 0 for value in figures), row
    json.dumps(rows)  # what is recorded is JSON
    check = globals().get(f"check_{name.replace(' ', '_')}")
    if check:
        check(rows)


def check_peaks(rows):
    assert [row["numbers"] for row in rows] == list(gpu_run.NUMBERS)


def check_step(rows):
    assert [row["numbers"] for row in rows] == list(gpu_run.NUMBERS) and all(row["ms a step"] > 0 for row in rows)


def check_scaling(rows):
    """Halved after each skipped step, doubled at most elsewhere, and in the end steps are taken."""
    assert rows[0]["skipped"] and not all(row["skipped"] for row in rows)
    for row, after in zip(rows, rows[1:]):
        assert (
            after["scale"] == row["scale"] / 2 if row["skipped"] else after["scale"] in (row["scale"], 2 * row["scale"])
        )


def check_memory(rows):
    for way in gpu_run.WAYS:
        assert [row[way] for row in rows] == sorted(row[way] for row in rows), "a larger batch needs more"
    for row in rows:
        eager, fused, recomputed = (row[way] for way in gpu_run.WAYS)
        assert eager > fused > recomputed > 0


def check_largest_batch(rows):
    for row in rows:
        eager, fused, recomputed = (row[way] for way in gpu_run.WAYS)
        assert 1 <= eager <= fused <= recomputed and eager < recomputed


def check_drill(rows):
    failed, trained = rows
    assert failed["outcome"] == "out of memory" and "out of memory" in failed["PyTorch said"]
    assert "try batch_size=1 with gradient_accumulation=2" in failed["the course said"]
    assert trained["outcome"] == "trained"


def check_padding(rows):
    full, dynamic, grouped = (row["share of padding"] for row in rows)
    assert 1 > full >= dynamic >= 0 and 0 <= grouped < 1


def check_families(rows):
    assert [row["family"] for row in rows] == ["BERT", "DistilBERT", "RoBERTa", "ALBERT", "DeBERTa", "ModernBERT"]


def check_end_to_end(rows):
    assert [row["program"] for row in rows] == ["plain recipe", "qa_helpers"]
    assert all(0 < row["of these, training"] < row["seconds"] for row in rows)


def test_the_families_have_the_sizes_of_the_checkpoints():
    """Millions of weights of the real base models, as their authors state them (the head and the pooler aside)."""
    stated = {"BERT": 108, "DistilBERT": 65, "RoBERTa": 124, "ALBERT": 11, "DeBERTa": 183, "ModernBERT": 149}
    for family, million in stated.items():
        kind, values = gpu_run.FAMILIES[family]
        with torch.device("meta"):
            model = gpu_run.AutoModelForQuestionAnswering.from_config(kind(**values))
        assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(million, rel=0.03), family


@pytest.fixture
def counted(monkeypatch):
    """Steps that only note that they were taken; the third fails the first time."""
    taken = []

    def fake(name):
        def step(bench):
            taken.append(name)
            if name == ORDER[2] and taken.count(name) == 1:
                raise RuntimeError("the session ended")
            return [{"what": name, "value": 1.23456}]

        return step

    monkeypatch.setattr(gpu_run, "STEPS", {name: fake(name) for name in gpu.STEPS})
    return taken


def test_a_run_that_was_cut_off_goes_on_with_the_step_that_is_missing(bench, counted, tmp_path):
    kept = tmp_path / "kept.json"
    with pytest.raises(RuntimeError, match="the session ended"):
        gpu_run.run(bench, ABOUT, list(gpu.STEPS), kept)
    state = gpu_run.run(bench, ABOUT, list(gpu.STEPS), kept)
    assert counted == [*ORDER[:3], *ORDER[2:]], "the first two steps were taken once"
    assert state["steps"][ORDER[0]] == [{"what": ORDER[0], "value": 1.23}]
    gpu_run.write_record(state, tmp_path / "record.json")
    assert not gpu.recorded_run(tmp_path / "record.json").measured


def test_another_machine_begins_anew(bench, counted, tmp_path):
    kept = tmp_path / "kept.json"
    gpu_run.run(bench, ABOUT, list(ORDER[:1]), kept)
    gpu_run.run(bench, {**ABOUT, "machine": {"device": "another"}}, list(ORDER[:1]), kept)
    assert counted == [ORDER[0]] * 2


def test_damaged_remains_of_a_run_are_explained(bench, tmp_path):
    kept = tmp_path / "kept.json"
    kept.write_text('{"about": {', encoding="utf-8")
    with pytest.raises(SystemExit, match=r"kept.json, where finished steps are kept, is damaged .*add --again"):
        gpu_run.run(bench, ABOUT, list(gpu.STEPS), kept)


def record(path: Path, dry_run: bool, **changes) -> Path:
    rows = {name: [{"what": "a", "value": 2.0}] for name in gpu.STEPS}
    found = {"dry_run": dry_run, "machine": {"device": "NVIDIA H100", "driver": "580", "CUDA": None}, "steps": rows}
    path.write_text(json.dumps({**found, **changes}), encoding="utf-8")
    return path


def test_a_dry_run_does_not_take_the_place_of_a_measured_one(tmp_path):
    path = record(tmp_path / "gpu_run.json", dry_run=False)
    before = path.read_bytes()
    with pytest.raises(SystemExit, match="measured on a GPU, and this is a dry run"):
        gpu_run.write_record({"about": ABOUT, "seconds": {}, "steps": {}}, path)
    assert path.read_bytes() == before


def test_a_measured_record_gives_its_tables_and_a_dry_run_the_estimate(tmp_path, capsys):
    estimate = pd.DataFrame({"value": [5.0]}, index=["a"])
    measured = gpu.recorded_run(record(tmp_path / "real.json", dry_run=False))
    assert str(measured) == "Measured on one NVIDIA H100 (driver 580)."
    assert measured.table("step", estimate).loc["a", "value"] == 2.0
    assert measured.table("step", estimate).columns.name == "measured: NVIDIA H100"
    dry = gpu.recorded_run(record(tmp_path / "dry.json", dry_run=True))
    assert str(dry).startswith("Nobody has run this on a GPU yet")
    assert (
        dry.table("step", estimate).loc["a", "value"] == 5.0 and dry.table("step", estimate).columns.name == "estimate"
    )
    dry.show()
    assert capsys.readouterr().out == "There are none: nobody has measured this on a GPU yet.\n"
    measured.show("timing")
    shown = capsys.readouterr().out
    assert "timing: ten products" in shown and "value" in shown and "drill" not in shown
    measured.show()
    assert all(f"{name}: " in shown for shown in [capsys.readouterr().out] for name in gpu.STEPS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no recorded run"),
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ('{"dry_run": true, "machine": {"device": "cpu"}, "steps": {}}', "lacks steps timing"),
        ("no machine", "lacks its machine"),
        ("rows as text", "lacks steps drill"),
    ],
)
def test_a_damaged_record_is_explained(tmp_path, content, said):
    path = tmp_path / "gpu_run.json"
    if content == "no machine":
        record(path, True, machine={})
    elif content == "rows as text":
        steps = {name: [] for name in gpu.STEPS}
        record(path, True, steps={**steps, "drill": "none"})
    elif content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=said) as caught:
        gpu.recorded_run(path)
    assert "make gpu" in str(caught.value) and str(tmp_path) not in str(caught.value)


def test_the_record_that_is_shipped_is_whole_and_names_no_machine():
    found = json.loads(gpu.RECORD.read_text(encoding="utf-8"))
    assert gpu.recorded_run().measured is not found["dry_run"]
    assert found["dry_run"] == (found["size"] != "full" or found["machine"]["device"] == "cpu")
    assert list(found["steps"]) == list(gpu.STEPS) and all(found["steps"].values())
    text = gpu.RECORD.read_text(encoding="utf-8")
    assert "/" not in text.replace("/s", ""), "a path"


def test_the_program_says_what_to_do_without_a_gpu(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        gpu_run.main([])
    assert "--size tiny --device cpu" in capsys.readouterr().err


def test_a_budget_counts_shared_memory_once_and_forgets_what_is_gone():
    numbers = torch.ones(256, requires_grad=True)  # 1 KiB
    with gpu.Budget() as counted:
        doubled = numbers * 2
        product = doubled * doubled.view(16, 16).view(256)  # keeps the same storage twice
    assert counted.used == counted.most == 1024
    product.sum().backward()
    assert counted.used == 0 and counted.most == 1024


def test_a_budget_does_not_count_weights():
    layer, rows = torch.nn.Linear(16, 8), torch.ones(4, 16)  # keeps its input, 256 bytes, and a view of its weights
    with gpu.Budget() as counted:
        layer(rows * 2).sum().backward()
    assert counted.most == 256 and layer.weight.grad.eq(8).all()


def test_a_budget_that_is_used_up_raises_pytorchs_error():
    numbers = torch.ones(256, requires_grad=True)
    with gpu.Budget(1500) as counted:
        first = (numbers * 2).exp()
        with pytest.raises(torch.OutOfMemoryError, match=r"out of memory\. Tried to allocate 0.00 MiB"):
            first.exp()
    assert counted.used == 1024


def test_figures_show_what_they_are_given():
    panels = gpu_plots.plot_gradients([0.0, 2.0**-30, -(2.0**-20), 1.0], {"as it is": 1.0, "scaled": 2.0**20}).axes
    said = [[text.get_text() for text in panel.get_legend().get_texts()] for panel in panels]
    assert said[0] == ["becomes 0: 33.3 %", "loses digits: 33.3 %", "is kept: 33.3 %", "becomes infinite: 0.0 %"]
    assert said[1] == ["becomes 0: 0.0 %", "loses digits: 0.0 %", "is kept: 66.7 %", "becomes infinite: 33.3 %"]
    rows = gpu_plots.plot_bits({"float32": (8, 23), "float16": (5, 10)}).axes[0]
    assert len(rows.patches) == 32 + 16
    timeline = gpu.Timeline()
    assert timeline.note("Python", "adds", lambda: 1 + 1) == 2
    bars = gpu_plots.plot_queue([("a", "works", 0.0, 0.5), ("b", "waits", 0.5, 2.0)]).axes[0].patches
    assert [(bar.get_x(), bar.get_width()) for bar in bars] == [(0, 500), (500, 1500)]
