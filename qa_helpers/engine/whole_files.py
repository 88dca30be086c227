"""Outputs that are either whole or absent: written under a temporary name, then renamed.

A process that is killed while it writes can leave its temporary file or folder behind (``.NAME.….part``, hidden, next
to the output); it does no harm and may be deleted. A folder that is being replaced is called ``.NAME.….old/old`` for
the moment between two renamings; only a process killed at that very moment leaves it there.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # disk full, quota used up, file too large


@contextmanager
def whole_file(path: str | Path, needed: int | None = None) -> Iterator[Path]:
    """Yield a temporary path next to ``path``; rename it to ``path`` if the block succeeds, remove it otherwise.

    Args:
        path: where the file goes.
        needed: bytes that it will have, if known, for the message if there is no room.

    Raises:
        ValueError: the disk is full; an older file at ``path`` is untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    partial = Path(name)
    try:
        with explain_full_disk(path, needed, partial):
            yield partial
            partial.chmod(0o644)  # mkstemp makes private files; an output is an ordinary one
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: str | Path, text: str) -> None:
    """Write a text (UTF-8) to a file that appears whole or not at all."""
    content = text.encode("utf-8")
    with whole_file(path, len(content)) as partial:
        partial.write_bytes(content)


@contextmanager
def whole_folder(path: str | Path, needed: int | None = None) -> Iterator[Path]:
    """Yield a temporary folder next to ``path``; it takes the place of ``path`` if the block succeeds.

    An older folder at ``path`` is kept until the new one is complete.

    Args:
        path: where the folder goes.
        needed: bytes that its files will have, if known, for the message if there is no room.

    Raises:
        ValueError: the disk is full; an older folder at ``path`` is untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    try:
        with explain_full_disk(path, needed, partial):
            yield partial
        for file in partial.rglob("*"):  # safetensors makes private files, as mkdtemp makes a private folder
            file.chmod(0o755 if file.is_dir() else 0o644)
        partial.chmod(0o755)
        if path.exists():
            retired = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".old"))
            os.replace(path, retired / "old")
            os.replace(partial, path)
            shutil.rmtree(retired)
        else:
            os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def explain_full_disk(path: Path, needed: int | None = None, partial: Path | None = None) -> Iterator[None]:
    """Turn the libraries' several errors on a full disk into one ValueError.

    Args:
        path: what is being written; ``partial``: where it is written for now, if elsewhere.
        needed: its bytes, if known; otherwise the message says how many there was room for.
    """
    try:
        yield
    except Exception as error:
        if not is_full_disk(error):
            raise
        size = (
            f"{in_megabytes(needed)} are needed"
            if needed
            else f"more than {in_megabytes(_size(partial or path))} are needed"
        )
        raise ValueError(
            f"{path} could not be written: {size}, and {path.parent} has no room for them (its disk is full, or a quota "
            "or limit is reached). Free some space or name another place; what was there before is unchanged"
        ) from error


@contextmanager
def explain_damage(checkpoint: str | Path | None) -> Iterator[None]:
    """Turn the libraries' several errors on a damaged file of a run's checkpoint into one ValueError."""
    try:
        yield
    except Exception as error:  # errors of safetensors, pickle, zipfile, torch
        told = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ValueError(
            f"{checkpoint} is damaged ({told}): delete this folder to go on from the checkpoint before it, or start over "
            "with resume=False (--no-resume)"
        ) from error


def require_space(path: str | Path, needed: int, what: str) -> None:
    """Raise a ValueError unless the disk that ``path`` is (or will be) on has ``needed`` bytes free for ``what``."""
    folder = Path(path).absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ValueError(
            f"{path}: {what} would take {in_megabytes(needed)}, and its disk has {in_megabytes(free)} free. Free some "
            "space or name another place"
        )


def checkpoint_size(model) -> int:
    """Bytes of a checkpoint: the weights, and AdamW's two numbers for each trainable one."""
    return model_size(model) + 2 * sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)


def model_size(model) -> int:
    """Bytes of the weights, as they are saved."""
    return sum(p.numel() * p.element_size() for p in model.parameters())


def require_space_for_run(model, output_dir: str | Path, checkpoints: Path | None) -> None:
    """Raise a ValueError if the disk has no room for a run that is about to start.

    Args:
        model: the model that will be saved in ``output_dir``.
        checkpoints: the folder for checkpoints; None if there will be none. The library keeps two and removes the older
            one after a new one is written, so there are three for a moment.
    """
    if checkpoints is None:
        require_space(output_dir, model_size(model), "the model")
        return
    there = len(list(checkpoints.glob("checkpoint-*")))
    require_space(output_dir, max(3 - there, 1) * checkpoint_size(model), "saving the run (three checkpoints)")


def is_full_disk(error: BaseException) -> bool:
    """Whether an error, from any library, says that there is no room to write."""
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    told = str(error)
    if type(error).__name__ == "SafetensorError":
        return any(f"(os error {number})" in told for number in _NO_ROOM)
    return isinstance(error, RuntimeError) and "inline_container" in told  # torch.save: "unexpected pos 576 vs 534"


def in_megabytes(size: int) -> str:
    """``1.5 MB``; small sizes are given in kB, so that they do not become 0."""
    return f"{size / 1e6:,.1f} MB" if size >= 50_000 else f"{size / 1e3:,.1f} kB"


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
