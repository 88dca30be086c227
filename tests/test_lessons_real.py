"""Lessons 01 to 04, unchanged, on the real files: they run to the end and print the facts that the course is known by.

The executed copies stay in a temporary folder; nothing of SQuAD's is written into the repository.
"""

import re

import nbformat
import pytest
from run_notebooks import ROOT, execute

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


def printed(notebook: nbformat.NotebookNode) -> str:
    """Everything that the cells printed or showed as text."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


@pytest.mark.parametrize("name", FACTS)
def test_a_lesson_prints_the_known_facts_on_the_real_files(name, real_data, tmp_path, monkeypatch):
    monkeypatch.setenv("QA_SOURCE", str((real_data / "squad").resolve()))
    monkeypatch.setenv("QA_CHECKPOINT", str((real_data / "bert-base-cased").resolve()))
    executed = execute(ROOT / "notebooks" / f"{name}.ipynb")
    nbformat.write(executed, tmp_path / f"{name}.ipynb")
    text = printed(executed)
    missing = [fact for fact in FACTS[name] if not re.search(fact, text, flags=re.DOTALL)]
    assert not missing, f"{name}: not in its outputs: {missing}"
