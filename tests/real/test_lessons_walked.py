"""Every lesson and solution, unchanged, on sources and encoders like the real ones: each cell runs.

The sources are cuts of the real SQuAD files where ``QA_REAL_DATA`` names them (or ``../shared`` holds them), else a
generated set of their shape. The whole of the files that are at hand is walked once, and there lessons 01 to 04 must print
the facts that the course is known by. Nothing is written into the repository: the outputs hold SQuAD's texts.
"""

import re

import nbformat
import pytest
import real_shaped
from run_notebooks import ROOT, execute

LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
SOLUTIONS = sorted(path.stem for path in (ROOT / "notebooks" / "solutions").glob("*.ipynb"))
ABOUT_NO_ANSWER = ["01_dataset", "04_labels", "08_evaluation", "10_your_own_documents"]
FACTS = {
    "01_dataset": [r"train: Dataset\(.*num_rows: 3012", r"\[515 ?: ?515 ?\+ ?26\]", r"other than one answer: 0\b"],
    "02_tokenizer_and_offsets": [
        r"'input_ids': 181\b",
        r"101, 1706, 2292, 1225, 1103, 6567, 2090, 9273",
        r"token 2 is 'whom' with offsets \(3, 7\)",
        r"question\[3:7\] = 'whom'",
    ],
    "03_stride_windows": [
        r"windows of 384 tokens sharing 128",
        r"question and context together: 181 tokens",
        r"one example became 4 windows",
        r"overflow_to_sample_mapping: \[0, 0, 0, 0\]",
        r"4 examples became 19 features",
        r"windows per example: \[4, 4, 4, 7\]",
        r"'input_ids': 19, 'token_type_ids': 19, 'attention_mask': 19, 'offset_mapping': 19",
        r"input_ids: \(19, 100\)",
        r"agree on all 3012 examples: 3095 windows",
    ],
    "04_labels": [
        r"the answer has 26 characters and starts at 515",
        r"context\[515:541\]",
        r"start_positions, end_positions: \(136, 142\)",
        r"all ways agree on all 3095 features",
        r"3012 examples, 3095 features, 3029 of them with the answer",
        r"lost: 0 +altered: 14",
    ],
}


def walk(name: str, source: str, checkpoint: str, monkeypatch) -> str:
    """Run a notebook and return everything that it printed; an error or anything on stderr fails the test."""
    monkeypatch.setenv("QA_SOURCE", source)
    monkeypatch.setenv("QA_CHECKPOINT", checkpoint)
    folder = ROOT / "notebooks" / ("solutions" if name.endswith("_solutions") else "")
    executed = execute(folder / f"{name}.ipynb")
    outputs = [output for cell in executed.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


@pytest.mark.parametrize("name", LESSONS)
@pytest.mark.parametrize("encoder", ["random-bert", "mini-roberta", "mini-albert", "mini-deberta"])
def test_a_lesson_on_a_small_source(name, encoder, sources, random_bert, monkeypatch):
    walk(name, sources["small"], random_bert if encoder == "random-bert" else encoder, monkeypatch)


@pytest.mark.parametrize("name", SOLUTIONS)
def test_a_solution_on_a_small_source(name, sources, random_bert, monkeypatch):
    walk(name, sources["small"], random_bert, monkeypatch)


@pytest.mark.parametrize("name", ABOUT_NO_ANSWER)
def test_a_lesson_on_a_source_with_unanswerable_questions(name, sources, random_bert, monkeypatch):
    walk(name, sources["small 2.0"], random_bert, monkeypatch)


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_on_all_that_is_at_hand(name, sources, random_bert, monkeypatch):
    text = walk(name, sources["whole"], random_bert, monkeypatch)
    facts = FACTS.get(name, []) if real_shaped.real_files() else []
    missing = [fact for fact in facts if not re.search(fact, text, flags=re.DOTALL)]
    assert not missing, f"{name}: not in its outputs: {missing}"


def test_the_switch_is_read_by_every_notebook():
    """No lesson names a source or a checkpoint of its own in the setup cell: the environment decides there."""
    for path in [*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "notebooks" / "solutions").glob("*.ipynb")]:
        cells = nbformat.read(path, as_version=4).cells
        assert any("course = qa.setup()" in cell.source for cell in cells), path.name
