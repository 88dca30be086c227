"""A lesson as slides with reveal.js: `make slides NOTEBOOK=notebooks/03_stride_windows.ipynb` → dist/slides/.

A section (a second-level heading) is a column of slides: right and left go through the sections, down and up through a section. A
slide is a piece of text and the code after it, with its output. Nothing is executed, and the folder needs no network: reveal.js
itself comes once from npm and is kept in build/.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tarfile
from html import escape
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).parent))
from notebook_html import cell_html

ROOT = Path(__file__).resolve().parent.parent.parent
REVEAL = "reveal.js@6.0.2"
TAKEN = ("dist/reveal.js", "dist/reveal.css", "dist/reset.css", "LICENSE")
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="reveal.js/reset.css"><link rel="stylesheet" href="reveal.js/reveal.css">
<link rel="stylesheet" href="style.css"><link rel="stylesheet" href="slides.css">
</head><body class="reveal-viewport"><div class="reveal"><div class="slides">
{sections}
</div></div>
<script src="reveal.js/reveal.js"></script><script src="slides.js"></script>
</body></html>
"""
CSS = """body { display: block; max-width: none; margin: 0; }
.reveal-viewport, .reveal { background: var(--page); color: var(--text); }
.reveal { font: 24px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
.reveal .slides { text-align: left; }
.reveal .slides section > section { max-height: 100%; overflow: auto; padding: 0.5rem 1.2rem; }
.reveal h1, .reveal h2, .reveal h3 { font-weight: bold; line-height: 1.2; margin-bottom: 0.7em; }
.reveal h1 { font-size: 1.7em; }
.reveal h2 { font-size: 1.4em; }
.reveal p, .reveal ul, .reveal ol, .reveal blockquote { margin: 0 0 0.7em; }
.reveal ul, .reveal ol { padding-left: 1.3em; }
.reveal ul { list-style: disc; }
.reveal ol { list-style: decimal; }
.reveal em { font-style: italic; }
.reveal strong { font-weight: bold; }
.reveal img { max-width: 100%; max-height: 420px; background: #fff; border-radius: 4px; }
.reveal pre { font-size: 0.75em; white-space: pre-wrap; }
.reveal .controls, .reveal .progress { color: var(--link); }
.reveal .anchor-link { display: none; }
"""
SCRIPT = "Reveal.initialize({ hash: true, center: false, width: 1100, height: 720, margin: 0.03 });\n"


def slides(notebook, name: str) -> list[list[str]]:
    """The HTML of a lesson's slides, a list for each section; the first holds the title and what comes before a section.

    Raises:
        ValueError: a figure has no caption in the cell after it.
    """
    sections: list[list[str]] = [[]]
    for number, cell in enumerate(notebook.cells):
        html = cell_html(notebook, number, name, _inside)
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            sections.append([])
        if cell.cell_type == "markdown" or not sections[-1]:
            sections[-1].append(html)
        else:
            sections[-1][-1] += html
    return [slides for slides in ([slide for slide in section if slide] for section in sections) if slides]


def _inside(number: int, index: int, picture: str) -> str:
    """A picture as part of the page."""
    return f"data:image/png;base64,{''.join(picture.split())}"


def reveal(kept: Path) -> Path:
    """The unpacked npm package of reveal.js, fetched once.

    Raises:
        ValueError: npm is not here, or cannot fetch it.
    """
    folder = kept / REVEAL
    if not folder.is_dir():
        npm = shutil.which("npm")
        if npm is None:
            raise ValueError("Slides need npm once, to fetch reveal.js: install Node.js, then run the command again")
        kept.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([npm, "pack", REVEAL, "--silent"], cwd=kept, capture_output=True, text=True)
        if done.returncode:
            raise ValueError(f"npm could not fetch {REVEAL}: {done.stderr.strip() or done.stdout.strip()}")
        with tarfile.open(kept / done.stdout.strip().splitlines()[-1]) as archive:
            archive.extractall(folder.with_suffix(".part"), filter="data")
        (folder.with_suffix(".part") / "package").rename(folder)
    return folder


def write_slides(path: Path, output: Path, package: Path) -> Path:
    """Write a notebook's slides and what they need into a folder; returns the page's path."""
    notebook = nbformat.read(path, as_version=4)
    sections = "\n".join(
        "<section>" + "".join(f"<section>{slide}</section>" for slide in section) + "</section>"
        for section in slides(notebook, path.name)
    )
    title = re.match(r"# (.+)", notebook.cells[0].source)
    (output / "reveal.js").mkdir(parents=True, exist_ok=True)
    for name in TAKEN:
        shutil.copyfile(package / name, output / "reveal.js" / Path(name).name)
    shutil.copyfile(Path(__file__).parent / "style.css", output / "style.css")
    (output / "slides.css").write_text(CSS, encoding="utf-8")
    (output / "slides.js").write_text(SCRIPT, encoding="utf-8")
    page = output / f"{path.stem}.html"
    page.write_text(PAGE.format(title=escape(title[1] if title else path.stem), sections=sections), encoding="utf-8")
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--output-dir", type=Path, default=ROOT / "dist" / "slides")
    options = parser.parse_args()
    try:
        package = reveal(ROOT / "build")
        for path in options.notebooks:
            print("written:", write_slides(path, options.output_dir, package))
    except (OSError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
