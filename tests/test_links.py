"""The repository's address: one name in every file, stamped into a copy of the course and taken out again."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import stamp_links
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
FIRST, SECOND = "some-school/qa-course", "Another1/extractive.qa_2"


@pytest.fixture
def copy(tmp_path) -> Path:
    """The files that hold the address, as they are here."""
    for path in stamp_links.places(ROOT):
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return tmp_path


def contents(root: Path) -> dict[Path, bytes]:
    return {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_the_address_is_the_same_everywhere():
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["qa-helpers"]["repository"]
    stamp_links.check_address(table)
    for path, addresses in stamp_links.read_addresses().items():
        for what, address in addresses.items():
            assert address == table, f"{path.name}: the {what} says {address!r}; run make links REPO={table}"


def test_no_badge_is_left_out():
    """A link to Colab or Binder that stamp_links does not know would keep an old address."""
    known = {path: sum("badge" in what for what in patterns) for path, patterns in stamp_links.places(ROOT).items()}
    for path in [*ROOT.glob("*.*"), *(ROOT / "notebooks").glob("*.*"), *(ROOT / "notebooks/solutions").glob("*.*")]:
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            links = re.findall(r"colab\.research\.google\.com/github/|mybinder\.org/v2/", text)
            assert len(links) == known.get(path, 0), (
                f"{path.name} links to Colab or Binder where `make links` does not write"
            )


def test_stamping_writes_every_place(copy):
    changed = stamp_links.stamp(FIRST, copy)
    assert set(changed) == set(stamp_links.places(copy))
    assert {a for addresses in stamp_links.read_addresses(copy).values() for a in addresses.values()} == {FIRST}
    tour = (copy / "notebooks/00_tour.ipynb").read_text(encoding="utf-8")
    assert f"https://colab.research.google.com/github/{FIRST}/blob/main/notebooks/00_tour.ipynb" in tour
    assert tomllib.loads((copy / "pyproject.toml").read_text())["tool"]["qa-helpers"]["repository"] == FIRST
    assert f"https://mybinder.org/v2/gh/{FIRST}/main?" in (copy / "README.md").read_text(encoding="utf-8")
    assert not any("OWNER/REPO" in text.decode() for text in contents(copy).values())


def test_only_badge_and_setup_cell_of_a_notebook_change(copy):
    stamp_links.stamp("", copy)
    before = {path: json.loads(path.read_text(encoding="utf-8")) for path in copy.rglob("*.ipynb")}
    stamp_links.stamp(FIRST, copy)
    for path, old in before.items():
        new = json.loads(path.read_text(encoding="utf-8"))
        first_code = next(k for k, cell in enumerate(old["cells"]) if cell["cell_type"] == "code")
        for k, (was, now) in enumerate(zip(old["cells"], new["cells"], strict=True)):
            source, other = "".join(was.pop("source")), "".join(now.pop("source"))
            if k == first_code:
                source = source.replace('repository = ""', f'repository = "{FIRST}"')
            assert other == source.replace("github/OWNER/REPO/", f"github/{FIRST}/"), f"{path.name}, cell {k}"
        assert new == old, f"{path.name}: more than sources has changed"


def test_stamping_twice_again_and_back(copy):
    stamp_links.stamp("", copy)
    unstamped = contents(copy)
    stamp_links.stamp(FIRST, copy)
    stamped = contents(copy)
    assert stamp_links.stamp(FIRST, copy) == []
    stamp_links.stamp(SECOND, copy)
    stamp_links.stamp(FIRST, copy)
    assert contents(copy) == stamped
    stamp_links.stamp("", copy)
    assert contents(copy) == unstamped


@pytest.mark.parametrize(
    "address",
    [
        "owner",
        "owner/",
        "/name",
        "owner/name/tree",
        "https://github.com/owner/name",
        "owner/name.git",
        "-owner/name",
        "own er/name",
        'owner/na"me',
        "owner/..",
        "owner/name\n",
        "OWNER/REPO",
    ],
)
def test_a_malformed_address_changes_nothing(copy, address):
    before = contents(copy)
    with pytest.raises(ValueError, match="owner"):
        stamp_links.stamp(address, copy)
    assert contents(copy) == before


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (
            "notebooks/solutions/01_dataset_solutions.ipynb",
            "    repository = ",
            "    address = ",
            "setup cell once.* 0 times",
        ),
        ("notebooks/01_dataset.ipynb", "notebooks/01_dataset.ipynb", "notebooks/02_other.ipynb", "badge to itself"),
        ("README.md", "mybinder.org", "example.org", "README.md must hold the Binder badge"),
        ("pyproject.toml", "[tool.qa-helpers]\n", "", "table"),
    ],
)
def test_a_file_that_is_not_as_expected_changes_nothing(copy, name, old, new, message):
    text = (copy / name).read_text(encoding="utf-8")
    assert old in text
    (copy / name).write_text(text.replace(old, new), encoding="utf-8")
    before = contents(copy)
    with pytest.raises(ValueError, match=message):
        stamp_links.stamp(SECOND, copy)
    assert contents(copy) == before


def test_a_failed_write_leaves_every_file_as_it_was(copy, monkeypatch):
    before = contents(copy)
    copymode, calls = shutil.copymode, []

    def full_disk(*paths):
        calls.append(paths)
        if len(calls) == 4:
            raise OSError("no space left on device")
        copymode(*paths)

    monkeypatch.setattr(shutil, "copymode", full_disk)
    with pytest.raises(OSError, match="no space"):
        stamp_links.stamp(SECOND, copy)
    assert contents(copy) == before


@pytest.fixture
def make_links(copy):
    """`make links` with these arguments in the copy, as (exit code, output)."""
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    (copy / "tools").mkdir()
    shutil.copy(ROOT / "Makefile", copy)
    shutil.copy(ROOT / "tools/stamp_links.py", copy / "tools")

    def run(*arguments: str) -> tuple[int, str]:
        command = ["make", "links", f"PYTHON={sys.executable}", *arguments]
        environment = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}}
        environment["REPO"] = "of-the/shell"
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    return run


def test_make_links(make_links, copy):
    code, output = make_links(f"REPO={SECOND}")
    assert code == 0
    assert f"the address is {SECOND}; {len(stamp_links.places(copy))} files changed" in output
    assert make_links("REPO=")[0] == 0
    assert {a for addresses in stamp_links.read_addresses(copy).values() for a in addresses.values()} == {""}


def test_make_links_needs_an_address_on_its_command_line(make_links, copy):
    before = contents(copy)
    code, output = make_links()
    assert code != 0
    assert "make links REPO=owner/name" in output
    code, output = make_links("REPO=https://github.com/a/b")
    assert code != 0
    assert "is not an address of the form owner/name" in output
    assert contents(copy) == before


def colab_versions() -> dict[str, str]:
    lines = (ROOT / "tests/fixtures/colab.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {name.lower().replace("_", "-"): version for name, version in pairs}


def test_the_course_takes_the_versions_that_colab_has():
    """pip changes an installed version only where a range forbids it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    missing = set()
    for requirement in map(Requirement, project["dependencies"]):
        had = colab_versions().get(requirement.name.lower().replace("_", "-"))
        if had is None:
            missing.add(requirement.name)
        else:
            assert requirement.specifier.contains(had), f"{requirement} would replace Colab's {had}"
    # Of its own build, with what that brings; what huggingface_hub brings; and the one that the setup cell brings.
    assert missing == {"torch", "filelock", "tqdm", "torchinfo"}


def test_binder_can_build_from_environment_yml():
    """Binder copies the repository before it installs only if a pip line names a local file, and then takes that file.

    It prefers a folder ``binder`` or ``.binder``, and several other files, to ``environment.yml``.
    """
    for other in ("binder", ".binder", "Dockerfile", "Project.toml", "REQUIRE", "default.nix", "DESCRIPTION"):
        assert not (ROOT / other).exists(), f"Binder would build from {other} instead"
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    lines = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    options = [line.split()[0] for line in lines]
    assert {"-c", "-e"} == set(options)
    for line in lines:
        assert (ROOT / line.split()[1].partition("[")[0]).exists(), line
    assert "pip" in environment["dependencies"]
