"""Write the repository's address on GitHub wherever the course needs it, or show where it stands.

    python tools/stamp_links.py owner/name     (or: make links REPO=owner/name)
    python tools/stamp_links.py ""             takes the address out again

It is kept in ``pyproject.toml``. From there it goes into the badge and the setup cell of every notebook, and into the
README's badges. Nothing else in these files changes, and if one file is not as expected, none is written.
"""

import argparse
import os
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACEHOLDER = "OWNER/REPO"  # what links show as long as there is no address
ADDRESS = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}(?<!\.git)")

# Each pattern has three groups, the address in the middle, and fits exactly once in its file.
COLAB = r"(https://colab\.research\.google\.com/github/)([^/\s]+/[^/\s]+)(/blob/main/{path}\))"
BINDER = r"(https://mybinder\.org/v2/gh/)([^/\s]+/[^/\s]+)(/main\?)"
SETUP_CELL = r'(?m)^( *"    repository = \\")([^"\\]*)(\\"\\n",)$'  # as it is written in the notebook's JSON
TABLE = r'(?m)^(\[tool\.qa-helpers\]\nrepository = ")([^"\n]*)(")$'


def check_address(address: str) -> str:
    """The address, if GitHub could have it; an empty one stands for none.

    Raises:
        ValueError: it is not of the form ``owner/name``.
    """
    if address == PLACEHOLDER:
        raise ValueError(f"{PLACEHOLDER} only holds the place: give the owner and the name of your own repository")
    if address and not ADDRESS.fullmatch(address):
        raise ValueError(
            f"{address!r} is not an address of the form owner/name. From https://github.com/owner/name.git take what "
            "stands behind github.com/, without .git"
        )
    return address


def places(root: Path) -> dict[Path, dict[str, str]]:
    """Every file that holds the address, with its patterns by what they find."""
    notebooks = sorted((root / "notebooks").glob("*.ipynb")) + sorted((root / "notebooks/solutions").glob("*.ipynb"))
    found = {
        root / "pyproject.toml": {"table [tool.qa-helpers]": TABLE},
        root / "README.md": {
            "Colab badge": COLAB.format(path=r"notebooks/00_tour\.ipynb"),
            "Binder badge": BINDER,
        },
    }
    for path in notebooks:
        badge = COLAB.format(path=re.escape(path.relative_to(root).as_posix()))
        found[path] = {"Colab badge to itself": badge, "setup cell": SETUP_CELL}
    return found


def read_addresses(root: Path = ROOT) -> dict[Path, dict[str, str]]:
    """The address at each place, as ``{file: {what: address}}``; "" where there is none yet.

    Raises:
        ValueError: a file lacks a place, or has it twice.
    """
    found = {}
    for path, patterns in places(root).items():
        text = path.read_bytes().decode("utf-8")
        addresses = {what: _only_match(pattern, text, what, path).group(2) for what, pattern in patterns.items()}
        found[path] = {what: "" if address == PLACEHOLDER else address for what, address in addresses.items()}
    return found


def stamp(address: str, root: Path = ROOT) -> list[Path]:
    """Write the address into every file of the course below ``root``; "" takes it out.

    Returns:
        The files that changed.

    Raises:
        ValueError: the address is malformed, or a file is not as expected; then no file has changed.
    """
    check_address(address)
    changed = {}
    for path, patterns in places(root).items():
        old = text = path.read_bytes().decode("utf-8")
        for what, pattern in patterns.items():
            shown = address if pattern in (SETUP_CELL, TABLE) else address or PLACEHOLDER
            match = _only_match(pattern, text, what, path)
            text = text[: match.start(2)] + shown + text[match.end(2) :]
        if text != old:
            changed[path] = text
    _write_all(changed)
    return list(changed)


def _only_match(pattern: str, text: str, what: str, path: Path) -> re.Match:
    matches = list(re.finditer(pattern, text))
    if len(matches) != 1:
        place = f"{path.parent.name}/{path.name}"
        raise ValueError(f"{place} must hold the {what} once, and holds it {len(matches)} times; no file was changed")
    return matches[0]


def _write_all(texts: dict[Path, str]) -> None:
    """First every text to a file beside its own, then all of them in place: a full disk leaves the old ones."""
    parts = {path: path.with_name(path.name + ".part") for path in texts}
    try:
        for path, text in texts.items():
            parts[path].write_bytes(text.encode("utf-8"))
            shutil.copymode(path, parts[path])
        for path, part in parts.items():
            os.replace(part, path)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)


def main() -> int:
    """Command line: prints what was written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help='owner/name; "" takes the address out')
    address = parser.parse_args().address.strip()
    try:
        changed = stamp(address)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    now = f"the address is {address}" if address else "there is no address"
    print(f"{now}; {len(changed)} files changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
