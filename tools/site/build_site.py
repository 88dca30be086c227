"""Build the course as a static site: `make site` → dist/site/index.html, and PDFs of its pages where Chromium is installed.

    python tools/site/build_site.py [--output-dir dist/site] [--no-pdf]

nbconvert renders the executed notebooks, so figures, tables and the static twins of widgets appear as JupyterLab shows
them. (Jupyter Book 2 would bring a theme with more comfort, but fetches it over the network at each build; this site is
built offline, and works when opened from a folder.) Everything around the notebooks is here: page.html, style.css, site.js.
"""

import argparse
import base64
import copy
import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from urllib.parse import unquote

import nbformat
from bs4 import BeautifulSoup
from jinja2 import Environment, FileSystemLoader
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from pygments.formatters import HtmlFormatter

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))

from bibliography import is_cited, plain  # noqa: E402
from lab import find_chromium  # noqa: E402

WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_REMARK = "This widget works in JupyterLab only. The picture that follows shows what it looks like."
BADGE = re.compile(r"\[!\[Open in Colab\]\([^)]*\)\]\([^)]*\)(?: · )?")
HOME = "index.html"


@dataclass(eq=False)
class Page:
    """A page of the site: where it comes from, what it is called, and its content as a parsed tree."""

    source: Path
    name: str
    title: str
    body: BeautifulSoup
    spoiler: bool = False
    lesson: bool = False
    sections: list[tuple[str, str]] = field(default_factory=list)  # (id, text) of the second-level headings


def build(output: Path, notebooks: Path = ROOT / "notebooks") -> list[Page]:
    """Write the site into ``output`` (replaced) and return its pages.

    Raises:
        ValueError: a figure without a caption, a notebook without outputs or title, or a link that leads nowhere.
    """
    if output.exists():
        shutil.rmtree(output)
    output.mkdir(parents=True)
    pages = [notebook_page(path, output) for path in sorted(notebooks.glob("*.ipynb"))]
    pages += [notebook_page(path, output, spoiler=True) for path in sorted((notebooks / "solutions").glob("*.ipynb"))]
    pages += [markdown_page(path) for path in sorted(notebooks.glob("*.md"))]
    if (notebooks / "images").is_dir():
        shutil.copytree(notebooks / "images", output / "images", dirs_exist_ok=True)
    add_sources(pages)
    for page in pages:
        settle_headings(page)
    by_source = {page.source.resolve(): page for page in pages}
    for page in pages:
        settle_links(page, by_source)
    lessons = [page for page in pages if page.lesson]
    home = Page(notebooks, HOME, "Extractive QA in notebooks", home_body(lessons, pages))
    template = Environment(loader=FileSystemLoader(HERE), autoescape=True).get_template("page.html")
    turns = [home, *lessons]
    for page in (home, *pages):
        place = turns.index(page) if page in turns else None
        html = template.render(
            page=page,
            lessons=lessons,
            others=[other for other in pages if not other.lesson and not other.spoiler],
            before=turns[place - 1] if place else None,
            after=turns[place + 1] if place is not None and place + 1 < len(turns) else None,
            content=str(page.body),
        )
        (output / page.name).write_text(html, encoding="utf-8")
    write_assets(output, pages)
    return [home, *pages]


def notebook_page(path: Path, output: Path, spoiler: bool = False) -> Page:
    """A notebook as a page; its figures are written beside it, with their captions as alternative texts."""
    notebook = nbformat.read(path, as_version=4)
    stem = path.stem
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            cell.source = BADGE.sub("", cell.source)
        for index, shown in enumerate(cell.get("outputs", [])):
            data = shown.get("data", {})
            if WIDGET in data:
                shown.data = {"text/html": f'<p class="remark">{WIDGET_REMARK}</p>'}
            elif "image/png" in data:
                image = output / "figures" / f"{stem}-{number:03d}-{index}.png"
                image.parent.mkdir(exist_ok=True)
                image.write_bytes(base64.b64decode(data["image/png"]))
                caption = escape(caption_of(notebook, number, path.name))
                shown.data = {"text/html": f'<img src="figures/{image.name}" alt="{caption}">'}
                shown.metadata = {}
    exporter = HTMLExporter(template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True)
    exporter.exclude_anchor_links = True
    notebook.metadata.pop("widgets", None)
    body, _ = exporter.from_notebook_node(notebook)
    tree = BeautifulSoup(body, "html.parser")
    title = tree.find("h1")
    if title is None:
        raise ValueError(f"{path.name} has no title: its first cell begins with '# '")
    return Page(path, f"{stem}.html", title.get_text().strip("¶ "), tree, spoiler, lesson=not spoiler)


def caption_of(notebook, number: int, name: str) -> str:
    """The text of the caption behind a figure's cell: "*Figure: …*"."""
    after = notebook.cells[number + 1].source if number + 1 < len(notebook.cells) else ""
    found = re.match(r"\*Figure: (.+?)\*(?:\s|$)", after, re.S)
    if not found:
        raise ValueError(f"{name}, cell {number}: a figure without a caption; begin the next cell with '*Figure: …*'")
    return " ".join(found[1].replace("`", "").split())


def markdown_page(path: Path) -> Page:
    """A Markdown file as a page."""
    tree = BeautifulSoup(markdown2html_mistune(path.read_text(encoding="utf-8")), "html.parser")
    title = tree.find("h1")
    if title is None:
        raise ValueError(f"{path.name} has no title: it begins with '# '")
    return Page(path, f"{path.stem.lower()}.html", title.get_text().strip("¶ "), tree)


def add_sources(pages: list[Page]) -> None:
    """At each lesson's end, and so in its PDF, the lines of the bibliography that the lesson cites."""
    bibliography = next((page for page in pages if page.source.name == "BIBLIOGRAPHY.md"), None)
    for page in pages:
        text = plain(page.body.get_text()) if page.lesson and bibliography else ""
        cited = [line for line in bibliography.body.select("li") if is_cited(_key(line), text)] if text else []
        if cited:
            section = BeautifulSoup(
                '<section class="sources"><h2>Sources</h2><ul></ul>'
                '<p>All sources of the course are in the <a href="BIBLIOGRAPHY.md">bibliography</a>.</p></section>',
                "html.parser",
            ).section
            for line in map(copy.copy, cited):
                for node in list(line.find_all("a")[-1].next_siblings):  # who else cites it
                    node.extract()
                section.ul.append(line)
            page.body.append(section)


def _key(line) -> str:
    return line.strong.get_text().removesuffix(".")


def slug(text: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", text.strip("¶ ").lower()).replace(" ", "-")


def _jupyter_slug(text: str) -> str:
    return text.strip("¶ ").replace(" ", "-")


def settle_headings(page: Page) -> None:
    """Give headings anchors of one kind, each once in its page; one h1, and tables and code that scroll in a box."""
    seen: dict[str, int] = {}
    for anchor in page.body.select("a.anchor-link"):
        anchor.decompose()
    for heading in page.body.find_all(re.compile(r"^h[1-6]$")):
        name = slug(heading.get_text())
        seen[name] = seen.get(name, -1) + 1
        heading["id"] = f"{name}-{seen[name]}" if seen[name] else name
        heading["data-jupyter"] = _jupyter_slug(heading.get_text())
        if heading.name == "h2":
            page.sections.append((heading["id"], heading.get_text().strip("¶ ")))
    for table in page.body.find_all("table"):
        table.attrs.pop("border", None)
        box = page.body.new_tag(
            "div", attrs={"class": "scrolls", "tabindex": "0", "role": "region", "aria-label": "table"}
        )
        table.wrap(box)
    for code in page.body.select("pre"):
        code["tabindex"] = "0"
    for style in page.body.find_all("style"):  # pandas': the site has its own
        style.decompose()


def settle_links(page: Page, by_source: dict[Path, Page]) -> None:
    """Links to notebooks and Markdown files become links to their pages, with anchors that exist there.

    Raises:
        ValueError: a link leads nowhere.
    """
    for link in page.body.find_all("a", href=True):
        href = link["href"]
        if re.match(r"(https?|mailto):", href):
            continue
        file, _, anchor = href.partition("#")
        target = page if not file else by_source.get((page.source.parent / unquote(file)).resolve())
        if target is None:
            if not (page.source.parent / unquote(file)).exists():
                raise ValueError(f"{page.source.name}: the link {href!r} leads nowhere")
            link.unwrap()  # to a file of the repository that is no page
            continue
        link["href"] = target.name + (f"#{_anchor(target, unquote(anchor), page)}" if anchor else "")
    for image in page.body.find_all("img"):
        if not image.get("alt"):
            raise ValueError(f"{page.source.name}: an image without alternative text: {image.get('src', '')[:60]}")


def _anchor(target: Page, anchor: str, page: Page) -> str:
    for heading in target.body.find_all(re.compile(r"^h[1-6]$")):
        if anchor in (heading["id"], heading["data-jupyter"], slug(heading.get_text())):
            return heading["id"]
    raise ValueError(f"{page.source.name}: {target.source.name} has no heading for #{anchor}")


def home_body(lessons: list[Page], pages: list[Page]) -> BeautifulSoup:
    """The first page: what this is, and the lessons with their levels and times."""
    rows = []
    for lesson in lessons:
        facts = next((p for p in lesson.body.find_all("p") if "Level:" in p.get_text()), None)
        facts = facts.get_text().split("\n")[0] if facts else ""
        solutions = next((p for p in pages if p.spoiler and p.source.stem == f"{lesson.source.stem}_solutions"), None)
        more = f' · <a href="{solutions.name}">solutions</a>' if solutions else ""
        rows.append(
            f'<li><h2 id="{slug(lesson.title)}"><a href="{lesson.name}">{escape(lesson.title)}</a></h2>'
            f'<p>{escape(facts)}</p><p class="small"><a href="pdf/{lesson.source.stem}.pdf" data-pdf>to print</a>{more}</p></li>'
        )
    return BeautifulSoup(
        "<h1>Extractive QA in notebooks</h1><p>How BERT and its relatives are fine-tuned to answer a question by pointing "
        "at a span of a text: ten executed lessons, from a raw dataset row to a scored answer. Open the notebooks in "
        "JupyterLab or Colab to run them yourself and to do the exercises.</p>"
        f'<ol class="lessons">{"".join(rows)}</ol>',
        "html.parser",
    )


def passages(page: Page) -> Iterator[tuple[str, str, str]]:
    """(anchor, heading, text) of every section: what the search looks through."""
    anchor, heading, texts = "", page.title, []
    for node in page.body.find_all(re.compile(r"^(h[1-6]|p|li|td|th|pre)$")):
        if node.find_parent(class_="sources"):
            continue  # a search for a paper should find the bibliography
        if re.match(r"h[1-6]$", node.name):
            yield anchor, heading, " ".join(texts)
            anchor, heading, texts = node["id"], node.get_text().strip("¶ "), []
        elif not node.find_parent(["li", "td", "th"]):
            texts.append(" ".join(node.get_text().split()))
    yield anchor, heading, " ".join(texts)


def write_assets(output: Path, pages: list[Page]) -> None:
    """Style, script, and the index of the search."""
    light, dark = (HtmlFormatter(style=name) for name in ("default", "github-dark"))
    code = light.get_style_defs(".highlight") + "\n" + dark.get_style_defs("[data-theme=dark] .highlight")
    style = (HERE / "style.css").read_text(encoding="utf-8")
    (output / "style.css").write_text(f"{code}\n{style}", encoding="utf-8")
    shutil.copy(HERE / "site.js", output / "site.js")
    index = [
        {"page": page.title, "url": page.name + (f"#{anchor}" if anchor else ""), "heading": heading, "text": text}
        for page in pages
        if not page.spoiler  # nobody finds a solution by accident
        for anchor, heading, text in passages(page)
        if text
    ]
    # A script, not JSON: a page that is opened from a folder may not fetch anything.
    (output / "search-index.js").write_text(f"window.searchIndex = {json.dumps(index)};\n", encoding="utf-8")


def print_pdfs(output: Path, pages: list[Page]) -> int:
    """A PDF of every page but solutions, by headless Chromium. Returns how many; 0 where there is no Chromium."""
    from playwright.sync_api import sync_playwright

    executable = find_chromium()
    if executable is None:
        return 0
    (output / "pdf").mkdir(exist_ok=True)
    footer = '<div style="font-size:8px;width:100%;text-align:center"><span class="pageNumber"></span> / <span class="totalPages"></span></div>'
    printed = [page for page in pages if page.name != HOME and not page.spoiler]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable)
        tab = browser.new_page()
        for page in printed:
            tab.goto((output / page.name).resolve().as_uri())
            tab.pdf(
                path=str(output / "pdf" / f"{Path(page.name).stem}.pdf"),
                format="A4",
                display_header_footer=True,
                header_template="<span></span>",
                footer_template=footer,
                margin={"top": "16mm", "bottom": "18mm", "left": "16mm", "right": "16mm"},
                tagged=True,
                outline=True,
            )
        browser.close()
    return len(printed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output-dir", type=Path, default=ROOT / "dist" / "site")
    parser.add_argument("--no-pdf", action="store_true")
    options = parser.parse_args()
    pages = build(options.output_dir)
    printed = 0 if options.no_pdf else print_pdfs(options.output_dir, pages)
    if not printed:
        for page in pages:  # no link to what is not there
            file = options.output_dir / page.name
            tree = BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")
            for link in tree.select("a[data-pdf]"):
                link.decompose()
            file.write_text(str(tree), encoding="utf-8")
    told = f"{printed} PDFs" if printed else "no PDFs" + ("" if options.no_pdf else " (Chromium was not found)")
    print(f"{len(pages)} pages and {told} in {options.output_dir.name}/: open {HOME}")


if __name__ == "__main__":
    main()
