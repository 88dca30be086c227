"""Twelve thousand damaged files: each is read right or refused with a ``ValueError``, none half-read.

"Read right" means: what is returned are exactly the examples that a second, simpler reader (``file_oracle.py``) finds
in the damaged file, and each of them is sound. Text files are held to the other direction too: where the damage leaves
a sound file, it must be read. Every number names the same damaged file on every machine. ``QA_FUZZ=10`` tries ten
times as many (120,000; so many were run once, group by group, without a fault).
"""

import json
import os
import subprocess
import sys

import pytest
from conftest import REPOSITORY
from file_mutations import ANY, TEXT, mutate
from file_oracle import expected_rows
from file_seeds import parquet_files, text_files
from fuzz_files import fuzz

from qa_helpers import load_squad

TIMES = int(os.environ.get("QA_FUZZ", 1))
COUNTS = {"text": 9000, "parquet": 2000, "saved": 1000}


def test_ten_thousand_files_are_tried():
    assert sum(COUNTS.values()) >= 10_000


@pytest.mark.parametrize("name", [*text_files(), "dev-plain.parquet", "dev-flat.parquet"])
def test_the_undamaged_files_are_read_by_both_readers_alike(tmp_path, name):
    kind, data, rows = (text_files() | parquet_files())[name]
    (tmp_path / name).write_bytes(data)
    (loaded,) = load_squad(tmp_path / name).values()
    assert loaded.to_list() == rows == expected_rows(kind, data)


@pytest.mark.parametrize("mutator", list(dict.fromkeys((*ANY, *TEXT))), ids=lambda mutator: mutator.__name__)
def test_damage_is_done_and_is_the_same_each_time(mutator):
    name, (_, data, _) = "dev-v2.0.json", text_files()["dev-v2.0.json"]
    damaged = [mutate(number, name, data, [mutator])[1] for number in range(20)]
    assert damaged == [mutate(number, name, data, [mutator])[1] for number in range(20)]
    assert sum(changed != data for changed in damaged) > 15


def _check(result: dict, count: int) -> None:
    faults = result["faults"]
    assert not faults, f"{len(faults)} of {count}, the first of them:\n" + "\n".join(faults[:5])
    assert result["read"] + result["refused"] == count
    assert result["read"] > count / 20 and result["refused"] > count / 5, "the damage is too hard or too soft to tell"


def test_damaged_text_files_are_read_right_or_refused(tmp_path):
    """JSON 1.1 and 2.0, ours and foreign; rows, JSON lines, CSV."""
    count = COUNTS["text"] * TIMES
    _check(fuzz("text", count, tmp_path), count)


@pytest.mark.parametrize("group", ["parquet", "saved"])
def test_damaged_binary_files_are_read_right_or_refused_and_crash_nothing(tmp_path, group):
    """Parquet, and folders of ``save_to_disk``; in a process of their own, since compiled code reads them."""
    count = COUNTS[group] * TIMES
    command = [
        sys.executable,
        "-X",
        "faulthandler",
        REPOSITORY / "tests" / "fuzz_files.py",
        group,
        str(count),
        tmp_path,
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    number = (tmp_path / "number").read_text() if (tmp_path / "number").exists() else "none"
    assert done.returncode == 0, f"crashed at {group} {number}:\n{done.stderr[-3000:]}"
    _check(json.loads(done.stdout.splitlines()[-1]), count)
