"""Who cites what: the entries of notebooks/BIBLIOGRAPHY.md, and where lessons and package name them.

    python tools/site/bibliography.py     writes "Cited in …" at the end of its lines again

A source is cited by its key, which is set in bold in its line: by name and year ("Devlin et al. 2019"), or by its title.
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "notebooks" / "BIBLIOGRAPHY.md"
ENTRY = re.compile(
    r"(?m)^- \*\*(?P<key>.+?)\.\*\* (?P<what>.+\))\.(?: Cited in .+?\.(?= |$))?(?: Background to (?P<background>.+)\.)?$"
)
BY_NAME = re.compile(r"([A-Z][\w’-]+(?: et al\.| and [A-Z][\w’-]+)),?\s\(?((?:19|20)\d\d)(?!\d)")


def entries(page: str) -> dict[str, re.Match]:
    """The lines of the bibliography by key, in their order."""
    return {found["key"]: found for found in ENTRY.finditer(page)}


def plain(text: str) -> str:
    """The text on one line, and three authors or more, where they are all named, as "et al."."""
    name = r"[A-Z][\w’-]+"
    return re.sub(rf"({name})(?:, {name})+,? and {name}(?=,? \(?(?:19|20)\d\d)", r"\1 et al.", " ".join(text.split()))


def is_cited(key: str, text: str) -> bool:
    """Whether a :func:`plain` text names the source, also as "Devlin et al. (2019)" or with another year of the same authors
    before."""
    name, _, year = key.rpartition(" ")
    if not re.fullmatch(r"\d{4}", year):
        return key.removeprefix("The ") in text
    return bool(re.search(rf"(?<!\w){re.escape(name)},? \(?(?:\d{{4}}, )*{year}(?!\d)", text))


class Citation(NamedTuple):
    """Where a text names a source: its characters [start, end), and the key of the source."""

    start: int
    end: int
    key: str


def citations(text: str, keys: set[str]) -> list[Citation]:
    """What a text cites by names and year, in its order: "Devlin et al. 2019", "Devlin et al. (2019)", "Efron, 1979", and
    "Rajpurkar, Jia and Liang, 2018" for a key that ends in "et al."; of two years behind a name, each is a source."""
    found = []
    for key in keys:
        name, _, year = key.rpartition(" ")
        if not re.fullmatch(r"\d{4}", year):
            continue
        first = name.removesuffix(" et al.")
        spelt = re.escape(name)
        if first != name:
            spelt += rf"|{re.escape(first)}(?:, [A-Z][\w’-]+)+,? and [A-Z][\w’-]+"
        for match in re.finditer(rf"(?<!\w)(?P<name>{spelt}),? \(?(?P<others>(?:\d{{4}}, )*){year}(?!\d)", text):
            start = match.end() - len(year) if match["others"] else match.start()
            end = match.end() + ("(" in text[start : match.end()] and text.startswith(")", match.end()))
            found.append(Citation(start, end, key))
    return sorted(found)


def without_entry(text: str, keys: set[str]) -> list[str]:
    """What a :func:`plain` text cites by the names of two or more authors, and the bibliography lacks."""
    cited = (f"{name} {year}" for name, year in BY_NAME.findall(text))
    return [key for key in cited if key not in keys]


def cells_text(path: Path) -> str:
    """What a notebook's author wrote: all cells without their outputs."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells)


def places(root: Path = ROOT) -> dict[str, str]:
    """Everything that may cite, as :func:`plain` text, by the name that the bibliography calls it: lessons with their
    solutions, and modules."""
    found = {}
    for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        solutions = path.parent / "solutions" / f"{path.stem}_solutions.ipynb"
        found[path.name[:2]] = "\n\n".join(cells_text(part) for part in (path, solutions) if part.is_file())
    package = root / "qa_helpers"
    for path in sorted(package.rglob("*.py")):
        found[f"`{path.relative_to(package).as_posix()}`"] = path.read_text(encoding="utf-8")
    return {name: plain(text) for name, text in found.items()}


def updated(page: str, texts: dict[str, str]) -> str:
    """The page with the places that cite each source; a lesson that cites it needs no background from it."""

    def line(found: re.Match) -> str:
        citing = [name for name, text in texts.items() if is_cited(found["key"], text)]
        background = [name for name in (found["background"] or "").split(", ") if name and name not in citing]
        ends = [
            f" {what} {', '.join(names)}."
            for what, names in (("Cited in", citing), ("Background to", background))
            if names
        ]
        return f"- **{found['key']}.** {found['what']}.{''.join(ends)}"

    return ENTRY.sub(line, page)


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8"), places()), encoding="utf-8")
