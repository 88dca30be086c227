"""The splits of a source: which file or part is which, and what to do about one that cannot be read."""

from collections.abc import Callable, Mapping
from pathlib import Path

from datasets import Dataset, DatasetDict, get_dataset_config_names, load_dataset

from ..examples import FEATURES, rows_to_dataset
from .files import READERS, SPLIT_PREFIXES, sound, split_of
from .progress_bars import bars_shown, library_bars, track
from .tables import ROWS, check_columns, one_line, table_rows


class Splits(DatasetDict):
    """Split → Dataset. Many publishers keep the answers of a test split secret: such a split raises an error only when
    asked for.

    Attributes:
        refused: split → the ValueError that says what is wrong with it.
    """

    refused: dict[str, ValueError] = {}

    def __missing__(self, split: str):
        raise self.refused.get(split) or ValueError(f"the source has no split {split!r}; it holds {', '.join(self)}")


def split_files(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in READERS and path.is_file()):
        split = split_of(path)
        if split is None:
            continue
        if split in found:
            raise ValueError(
                f"folder {folder.name!r} holds two files for {split}: {found[split].name} and {path.name}; "
                "keep one version per folder"
            )
        found[split] = path
    if not found:
        raise ValueError(
            f"folder {folder.name!r} holds no examples: expected train*.json and/or dev*.json in it "
            f"(or {', '.join(ending for ending in READERS if ending != '.json')})"
        )
    return found


def readable(splits: Mapping, read: Callable) -> Splits:
    """Apply ``read`` to each split, in order; the test split may fail, as long as there is another split."""
    found, refused = Splits(), {}
    for split in sorted(splits, key=_place_of_split):
        try:
            found[split] = read(splits[split])
        except ValueError as error:
            if split != "test" or len(splits) == 1:
                raise
            refused[split] = error
    found.refused = refused
    return found


def in_schema(splits: dict[str, Dataset], name: str) -> Splits:
    """Check datasets that the library loaded; those that already have the course's schema are not copied."""

    def checked(named: tuple[str, Dataset]) -> Dataset:
        split, dataset = named
        if not len(dataset):
            raise ValueError(f"{name}: split {split!r} holds no examples; is it the right one?")
        where = f"{name}, split {split!r}"
        check_columns(dataset.column_names, where)
        batches = dataset.with_format("arrow").iter(ROWS)
        with track(sound(table_rows(batches, where)), f"Checking {split}", len(dataset), "examples") as examples:
            if not _has_the_schema(dataset):
                return rows_to_dataset(list(examples))
            for _ in examples:
                pass  # reading an example checks it
        return dataset.select_columns(list(FEATURES))

    if not splits:
        raise ValueError(f"{name}: holds no split")
    # A split called "dev" is the validation split, just like a file called dev.json.
    usual = {
        split: next((k for k, v in SPLIT_PREFIXES.items() if split in v and k not in splits), split) for split in splits
    }
    return readable({usual[split]: (split, dataset) for split, dataset in splits.items()}, checked)


def from_hub(source: str) -> Splits:
    """The splits of a dataset on the Hugging Face hub, ``"owner/name"`` or ``"owner/name:config"``."""
    repository, _, config = source.partition(":")
    try:
        with library_bars(downloads=bars_shown(), data=bars_shown()):
            loaded = load_dataset(repository, **({"name": config} if config else {}))
    except Exception as error:  # many kinds: no network, no such repository, a loading script
        if "Config name is missing" in str(error):
            known = ", ".join(f"{repository}:{name}" for name in get_dataset_config_names(repository))
            raise ValueError(f"source {source!r} has several configurations; name one of them: {known}") from error
        raise ValueError(
            f"source {source!r} could not be loaded from the Hugging Face hub ({one_line(error)}). Without a network, "
            "give a local folder with train*.json and dev*.json instead, or use the embedded source 'mini'"
        ) from error
    return in_schema(loaded, f"source {source!r}")


def _has_the_schema(dataset: Dataset) -> bool:
    if not set(FEATURES) <= set(dataset.column_names) or "is_impossible" in dataset.column_names:
        return False
    kept = dataset.select_columns(list(FEATURES))
    return kept.features == FEATURES and not kept.data.column("title").null_count


def _place_of_split(split: str) -> int:
    return list(SPLIT_PREFIXES).index(split) if split in SPLIT_PREFIXES else len(SPLIT_PREFIXES)
