"""``make exported``: a family in miniature gives a whole row, the command resumes and can measure one family again, and the
record that lesson 12 reads is of the encoders that are shipped."""

import ast
import json
import logging
import warnings

import export_run
import numpy as np
import onnx
import pytest
from conftest import REPOSITORY

from qa_helpers.mini.comparison import CompareSettings, encoder_fingerprint, family_scores

SETTINGS = CompareSettings(steps=2, limit=12)
PARTS = ("torch", "onnx", "int8")


@pytest.fixture(autouse=True)
def silence():
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("exported")


@pytest.fixture(scope="module")
def measured(place):
    """ALBERT, whose shared weights are the hard case."""
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return export_run.run(["albert"], SETTINGS, place / "record.json", place / "models")


def test_a_row_has_all_that_the_lesson_shows(measured):
    [row] = measured["families"]
    assert row["family"] == "ALBERT" and row["error"] is None and row["questions"] == 12 <= row["windows"]
    assert set(row["scores"]) == set(row["seconds"]) == set(PARTS)
    assert row["scores"]["onnx"] == row["scores"]["torch"] and row["same_spans"]["onnx"] == 12
    assert row["largest_difference"]["onnx"] < 1e-4 < row["largest_difference"]["int8"]
    assert row["megabytes"]["int8"] < row["megabytes"]["onnx"] / 3
    change, low, high = row["f1_change"]
    assert low <= change <= high
    assert change == pytest.approx(row["scores"]["int8"][1] - row["scores"]["onnx"][1], abs=0.02)


def test_preparation_makes_products_with_shared_weights_visible_to_the_quantizer(measured, place):
    plain, prepared, total = measured["families"][0]["products"]
    assert plain < prepared == total
    assert measured["families"][0]["unprepared_megabytes"] > measured["families"][0]["megabytes"]["int8"]
    left = export_run.weights_left(place / "models/albert/unprepared.onnx")
    assert left == [], "they are computed, not stored, so nothing shows that they were left out"
    prepared_file = place / "models/albert/prepared_onnx.onnx"
    assert len(export_run.weights_left(prepared_file)) == total == 20
    assert onnx.load(prepared_file).graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_a_family_in_the_record_is_not_measured_again_unless_asked_or_changed(measured, place, monkeypatch):
    calls = []

    def count(name, settings, folder):
        calls.append(name)
        return measured["families"][0]

    monkeypatch.setattr(export_run, "measure", count)
    record = place / "record.json"
    export_run.run(["albert"], SETTINGS, record, place / "models")
    assert calls == []
    export_run.run(["albert"], SETTINGS, record, place / "none", again=True)
    assert calls == ["albert"]
    changed = json.loads(record.read_text())
    changed["families"][0]["encoder"] = "another"
    (place / "old.json").write_text(json.dumps(changed))
    export_run.run(["albert"], SETTINGS, place / "old.json", place / "none")
    assert calls == ["albert", "albert"]
    assert export_run.read_record(record, CompareSettings())["families"] == [], "other settings: another record"


def test_an_error_of_the_libraries_is_recorded(place, monkeypatch):
    def refuse(*_):
        raise RuntimeError("no such operator\nand a long explanation")

    monkeypatch.setattr(export_run, "export_to_onnx", refuse)
    row = export_run.measure("albert", SETTINGS, place / "models/albert")
    assert row["error"] == "RuntimeError: no such operator"
    assert set(row["scores"]) == {"torch"} and "f1_change" not in row


def test_what_the_command_runs_is_what_the_lesson_writes():
    def functions(tree):
        parts = (ast.FunctionDef, ast.ClassDef)
        return {node.name: ast.unparse(node) for node in tree.body if isinstance(node, parts)}

    notebook = json.loads((REPOSITORY / "notebooks/12_put_it_to_work.ipynb").read_text(encoding="utf-8"))
    lesson = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code" and "%pip" not in "".join(cell["source"]):
            lesson |= functions(ast.parse("".join(cell["source"])))
    command = functions(ast.parse((REPOSITORY / "tools/export_run.py").read_text(encoding="utf-8")))
    for name in ("export_to_onnx", "open_session", "quantize", "OnnxModel", "same_spans", "largest_difference"):
        lesson_says = ast.unparse(ast.parse(lesson[name]))
        assert lesson_says == command[name], f"{name} differs between the lesson and the command"


def shipped():
    return json.loads(export_run.RECORD.read_text(encoding="utf-8"))


def test_the_record_has_all_families_and_their_shipped_encoders():
    rows = shipped()["families"]
    assert [row["family"] for row in rows] == [family.name for family in export_run.BY_SHORT_NAME.values()]
    for name, row in zip(export_run.BY_SHORT_NAME, rows):
        assert row["encoder"] == encoder_fingerprint(f"mini-{name}"), (
            f"run make exported: mini-{name} has changed since"
        )


def test_the_record_is_of_the_comparison_of_lesson_09():
    """The same recipe and seed, so the scores before the export are those of ``family_scores.json``, but for rounding."""
    runs, settings = family_scores()
    assert shipped()["settings"] == vars(settings)
    first = runs[runs["seed"] == 0].set_index("family")
    for row in shipped()["families"]:
        assert row["scores"]["torch"][1] == pytest.approx(first.loc[row["family"], "f1"], abs=1.5), row["family"]


def test_the_record_supports_what_the_lesson_says_about_it():
    for row in shipped()["families"]:
        assert row["error"] is None and row["questions"] == 1000
        assert row["same_spans"]["onnx"] == 1000 and row["largest_difference"]["onnx"] < 1e-4
        assert row["products"][1] == row["products"][2]
        assert row["megabytes"]["int8"] < 0.4 * row["megabytes"]["onnx"]
        assert np.isfinite(row["f1_change"]).all()
    skipped = {row["family"] for row in shipped()["families"] if row["products"][0] < row["products"][2]}
    assert skipped == {"ALBERT", "DeBERTa"}, "the lesson explains why it is these two"
