"""Checksums beside saved models, so that a file that was damaged or cut short is found before it is used.

The list is a file ``SHA256SUMS`` in the format of the command ``sha256sum``, which checks it as well:
``sha256sum -c SHA256SUMS``. A changed bit in a weight is still a number; without a checksum nobody would notice.
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

NAME = "SHA256SUMS"


def write_checksums(folder: str | Path, takes: Callable[[str], bool] = lambda name: True) -> None:
    """Write the list for a folder's files (not those in folders inside it), or for those whose name ``takes`` accepts."""
    folder = Path(folder)
    names = sorted(p.name for p in folder.iterdir() if p.is_file() and p.name != NAME and takes(p.name))
    lines = [f"{checksum(folder / name)}  {name}\n" for name in names]
    (folder / NAME).write_text("".join(lines), encoding="utf-8")


def find_damage(folder: str | Path, takes: Callable[[str], bool] = lambda name: True) -> str | None:
    """What differs from a folder's list: a few words about the first file; None if nothing does, or there is no list.

    Args:
        folder: of a saved model, or a checkpoint of a run.
        takes: which of the listed names to check.
    """
    folder = Path(folder)
    try:
        lines = (folder / NAME).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return f"{NAME} is damaged"
    for line in lines:
        # Names of files in the folder only: a list from elsewhere makes nobody read other places.
        found = re.fullmatch(r"([0-9a-f]{64}) [ *]([^/\\]+)", line)
        if not found or found[2] in (".", ".."):
            return f"{NAME} is damaged"
        if not takes(found[2]):
            continue
        if not (folder / found[2]).is_file():
            return f"{found[2]} is missing"
        if checksum(folder / found[2]) != found[1]:
            return f"{found[2]} is not what was saved"
    return None


def checksum(path: Path) -> str:
    """A file's SHA-256, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
