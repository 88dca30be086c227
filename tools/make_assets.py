"""Make everything that ships with the package, from nothing: ``make assets``.

    python tools/make_assets.py [--only NAME ...] [--again]

A step at a time, and each step that is done is remembered in ``build/assets.json`` with the seconds it took; a run that was
cut off goes on with the first step that is missing. ``--only`` makes some of them, for instance to share the work between
two cores; ``--again`` forgets what is remembered. (The comparison remembers each of its runs in ``build/family_scores.json``.)
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "qa_helpers" / "mini" / "assets"
CHECKSUMS = ROOT / "tests" / "fixtures" / "shipped.sha256"
DONE, SCORES = ROOT / "build" / "assets.json", ROOT / "build" / "family_scores.json"


def _pretrain(family: str, *more: str) -> list[str]:
    return ["-m", "qa_helpers", "pretrain", "--family", family, "--output-dir", str(ASSETS / f"mini-{family}"), *more]


# Name → what Python is called with. DistilBERT starts from the shipped BERT; ALBERT, the slowest to learn, goes through its
# last stage three times; the comparison needs all encoders.
STEPS = {
    **{
        f"mini-{family}": _pretrain(family)
        for family in ("bert", "distilbert", "roberta", "albert", "deberta", "modernbert")
    },
    "mini-albert, once more": _pretrain("albert", "--start-from", str(ASSETS / "mini-albert")),
    "mini-albert, a third time": _pretrain("albert", "--start-from", str(ASSETS / "mini-albert")),
    "mini-bert-qa": ["-m", "qa_helpers.mini.answering_model", "--output-dir", str(ASSETS / "mini-bert-qa")],
    "family_scores.json": [
        *("-m", "qa_helpers", "compare", "--families", "all", "--seeds", "5"),
        *("--output-file", str(SCORES)),
    ],
}


def make(names: list[str]) -> None:
    """Run the steps that are missing, and write the list of checksums that the tests compare with."""
    # One thread: a small model gains little from two, and the last digits of its weights depend on their number.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for name in names:
        if name not in _done():
            begun = time.perf_counter()
            subprocess.run([sys.executable, *STEPS[name]], cwd=ROOT, env=environment, check=True)
            _remember(name, time.perf_counter() - begun)
        print(f"{name}: {_done()[name]:.0f} s", flush=True)
    if SCORES.is_file() and "family_scores.json" in names:
        shutil.copy(SCORES, ASSETS)
    files = sorted(path for path in ASSETS.glob("mini-*/*") if path.is_file())
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(ASSETS).as_posix()}" for path in files
    ]
    CHECKSUMS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _done() -> dict[str, float]:
    """Step → seconds that it took."""
    return json.loads(DONE.read_text(encoding="utf-8")) if DONE.is_file() else {}


def _remember(name: str, seconds: float) -> None:
    DONE.parent.mkdir(exist_ok=True)
    DONE.write_text(json.dumps({**_done(), name: round(seconds)}, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=STEPS, default=list(STEPS), metavar="NAME", help=", ".join(STEPS))
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    if options.again:
        for file in (DONE, SCORES):
            file.unlink(missing_ok=True)
    make(options.only)


if __name__ == "__main__":
    main()
