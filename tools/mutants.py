"""Which small faults in the core path do the tests catch? One fault at a time is put into a module, and its tests run.

    python tools/mutants.py --output before.json [--every 1] [MODULE …]
    python tools/mutants.py --compare before.json after.json

A fault is a comparison, an operator or a constant changed, a condition turned round or a returned value left out. It is
named by its function, its statement and the change, so that two runs can be compared after the code around it moved.
The libraries are loaded once; every fault runs in a process forked from there.
"""

import argparse
import ast
import copy
import importlib.abc
import importlib.util
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
TESTS = {  # module → the tests that are to notice
    "examples": ["test_data.py", "test_files.py"],
    "rows": ["test_data.py", "test_files.py"],
    "files": ["test_data.py", "test_files.py", "test_other_formats.py"],
    "features": ["test_features.py", "test_window_parity.py", "test_preparation.py"],
    "model": ["test_model.py"],
    "decoding": ["test_decoding.py", "test_answering.py"],
    "metrics": ["test_metrics.py"],
    "answer_texts": ["test_metrics.py"],
    "analysis": ["test_analysis.py"],
    "answering": ["test_answering.py"],
    "asked": ["test_answering.py"],
}
SWAPS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Add,
}  # fmt: skip
LONGER = 3  # a fault that makes the tests run so many times as long as without it is caught


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Every faulty form of one expression, with the change in words."""
    name = type(node).__name__
    for field in ("op", "ops"):
        operators = getattr(node, field, None)
        for place, operator in enumerate(operators if isinstance(operators, list) else [operators]):
            if type(operator) in SWAPS:
                new, swapped = copy.deepcopy(node), SWAPS[type(operator)]()
                if isinstance(operators, list):
                    new.ops[place] = swapped
                else:
                    new.op = swapped
                yield f"{type(operator).__name__} → {type(swapped).__name__}", new
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{node.value} → {not node.value}", ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield f"{node.value} → {node.value + 1}", ast.Constant(node.value + 1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not left out", node.operand
    elif isinstance(node, ast.Return) and node.value is not None:
        yield "returns None", ast.Return(ast.Constant(None))
    elif isinstance(node, ast.If):
        yield f"{name} turned round", ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)


def is_message(node: ast.AST) -> bool:
    """Whether a statement only raises, documents or annotates: its wording is tested elsewhere."""
    return isinstance(node, (ast.Raise, ast.AnnAssign)) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """(name, faulty source) of every fault in a module's functions."""
    tree = ast.parse(source)

    def walk(node: ast.AST, function: str, statement: str):
        for field, value in ast.iter_fields(node):
            if field in ("decorator_list", "annotation", "returns", "args") and isinstance(
                node, (ast.FunctionDef, ast.arg)
            ):
                continue
            for place, child in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(child, ast.AST) or is_message(child):
                    continue
                inside = f"{function}.{child.name}" if isinstance(child, (ast.FunctionDef, ast.ClassDef)) else function
                said = ast.unparse(child).splitlines()[0] if isinstance(child, ast.stmt) else statement
                if function:
                    for words, new in changes(child):
                        yield (
                            node,
                            field,
                            place if isinstance(value, list) else None,
                            new,
                            f"{function} | {said} | {words}",
                        )
                yield from walk(child, inside, said)

    seen: dict[str, int] = {}
    for parent, field, place, new, name in list(walk(tree, "", "")):
        old = getattr(parent, field) if place is None else getattr(parent, field)[place]
        for value in (new, old):
            if place is None:
                setattr(parent, field, value)
            else:
                getattr(parent, field)[place] = value
            if value is new:
                seen[name] = seen.get(name, 0) + 1
                yield f"{name} | {seen[name]}", ast.unparse(ast.fix_missing_locations(tree))


class FaultyModule(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Loads one module from another source than its file's."""

    def __init__(self, name: str, path: Path, source: str):
        self.name, self.path, self.source = name, path, source

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_filename(self, name):
        return str(self.path)

    def get_data(self, path):
        return self.source.encode()

    def path_stats(self, path):
        raise OSError("no cached code")


def is_caught(name: str, path: Path, source: str, tests: list[str], seconds: float = 1800) -> bool:
    """Whether the tests fail with this source, or run longer; they run in a process of their own."""
    child = os.fork()
    if not child:
        os.setsid()
        os.chdir(REPOSITORY)
        with tempfile.TemporaryDirectory() as scratch, redirect_stdout(io.StringIO()):
            os.environ["HF_DATASETS_CACHE"] = scratch
            silent = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silent, 1), os.dup2(silent, 2)
            sys.meta_path.insert(0, FaultyModule(name, path, source))
            import pytest

            code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *(f"tests/{test}" for test in tests)])
        os._exit(int(code))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status != 0
        time.sleep(0.05)
    os.killpg(child, 9)
    os.waitpid(child, 0)
    return True


def run(modules: list[str], every: int, output: Path) -> None:
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    sys.path[:0] = [str(REPOSITORY)]
    import datasets  # noqa: F401
    import hypothesis  # noqa: F401
    import pandas  # noqa: F401
    import torch  # noqa: F401
    import transformers.models.auto.modeling_auto  # noqa: F401

    found: dict[str, bool] = json.loads(output.read_text()) if output.is_file() else {}
    for module in modules:
        paths = [p for p in (REPOSITORY / "qa_helpers").rglob(f"{module}.py")]
        if not paths:
            continue
        tests = [test for test in TESTS[module] if (REPOSITORY / "tests" / test).is_file()]
        dotted = ".".join(paths[0].relative_to(REPOSITORY).with_suffix("").parts)
        source = paths[0].read_text(encoding="utf-8")
        begun = time.monotonic()
        if is_caught(dotted, paths[0], source, tests):
            raise SystemExit(f"{module}: its tests fail without any fault")
        seconds = LONGER * (time.monotonic() - begun)
        for number, (name, faulty) in enumerate(mutants(source)):
            if number % every == 0 and name not in found:
                found[name] = is_caught(dotted, paths[0], faulty, tests, seconds)
                output.write_text(json.dumps(found, indent=1, ensure_ascii=False))
                print("caught  " if found[name] else "SURVIVED", f"{module}: {name}", flush=True)


def compare(before: Path, after: Path) -> None:
    old, new = json.loads(before.read_text()), json.loads(after.read_text())
    both = old.keys() & new.keys()
    lost = sorted(name for name in both if old[name] and not new[name])
    for what, found in (("before", old), ("after", new)):
        print(f"{what}: {sum(found.values())} of {len(found)} faults caught")
    print(f"{len(both)} faults are in both; caught before and not after: {len(lost)}")
    print(*lost, sep="\n")
    sys.exit(bool(lost))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", default=list(TESTS))
    parser.add_argument("--every", type=int, default=1, help="only every Nth fault")
    parser.add_argument("--output", type=Path, default=Path("build/mutants.json"))
    parser.add_argument("--compare", type=Path, nargs=2)
    options = parser.parse_args()
    if options.compare:
        compare(*options.compare)
    else:
        run(options.modules, options.every, options.output)
