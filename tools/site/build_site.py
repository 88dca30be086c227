"""Build the course as a static site: `make site` → dist/site/index.html, and PDFs of its pages where Chromium is installed.

    python tools/site/build_site.py [--output-dir dist/site] [--no-pdf] [--model runs/first]

Nothing is executed: the site shows the notebooks as they are stored. It needs no server and no network, neither to be
built nor to be read. (Jupyter Book 2 would bring a theme with more comfort, but fetches it over the network at each build.)

| file | what it does |
|---|---|
| pages.py | a page, its headings and links, and its entries in the search |
| notebook_html.py, formulas.py | cells → HTML, numbered figures |
| reading_aids.py, bibliography.py | glossary words and citations that explain themselves |
| self_check.py, self_check.js | the questions of notebooks/self_check.yaml |
| live_places.py, live/, export_model.py | the widgets that work in the pages, and the model that answers there |
| home.py, card.py | the first page; the picture that links to the site show |
| page.html, redirect.html, style.css, theme.js, site.js | what is around the content |
"""

import argparse
import copy
import json
import shutil
import sys
import tomllib
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from jinja2 import Environment, FileSystemLoader

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE.parent), str(HERE)]

import card  # noqa: E402
import export_model  # noqa: E402
import home  # noqa: E402
import live_places  # noqa: E402
import reading_aids  # noqa: E402
import self_check  # noqa: E402
from bibliography import is_cited, plain  # noqa: E402
from lab import find_chromium  # noqa: E402
from notebook_html import number_figures  # noqa: E402
from pages import (  # noqa: E402
    HOME,
    Page,
    describe,
    glossary_page,
    markdown_page,
    notebook_page,
    search_entries,
    settle_headings,
    settle_links,
    slug,
)

# Pages that have moved: old name → new name. Links to them from elsewhere stay good.
MOVED = {
    "07_evaluation": "08_evaluation",
    "08_bert_and_friends": "09_bert_and_friends",
    "09_your_own_documents": "10_your_own_documents",
}
# The scripts in live/, in their order, of every page that has a live widget; those of its widgets come after them.
VOCABULARIES = ("mini-bert",)  # of the widgets that need no model
LIVE_SCRIPTS = ("model.js", *export_model.ENGINE, "ui.js")


def build(
    output: Path,
    notebooks: Path = ROOT / "notebooks",
    repository: str | None = None,
    pdf: bool = True,
    model: str | Path = export_model.MODEL,
) -> list[Page]:
    """Write the site into ``output`` (replaced) and return its pages.

    Args:
        repository: owner and name on GitHub, for links that open a page's notebook elsewhere; None takes it from
            pyproject.toml, and where that has none, there are no such links.
        pdf: whether the pages link to their PDFs (see :func:`print_pdfs`).
        model: the model that answers in the pages: a folder with a small fine-tuned BERT, instead of the course's own.

    Raises:
        ValueError: a figure without a caption, a notebook without outputs or title, a link that leads nowhere, or a model
            that cannot answer in a page.
    """
    if model != export_model.MODEL and not Path(model).is_dir():
        raise ValueError(f"{model} is not a folder with a fine-tuned model; {export_model.REMEDY}")
    export_model.scripts(str(model), VOCABULARIES)  # complains before anything is replaced
    repository = known_repository() if repository is None else repository
    if output.exists():
        shutil.rmtree(output)
    output.mkdir(parents=True)
    pages = [notebook_page(path, output) for path in sorted(notebooks.glob("*.ipynb"))]
    pages += [notebook_page(path, output, spoiler=True) for path in sorted((notebooks / "solutions").glob("*.ipynb"))]
    pages += [markdown_page(path) for path in sorted(notebooks.glob("*.md"))]
    if (notebooks / "images").is_dir():
        shutil.copytree(notebooks / "images", output / "images", dirs_exist_ok=True)
    by_name = {page.name: page for page in pages}
    rows = home.lesson_rows(by_name["readme.html"].body if "readme.html" in by_name else None)
    add_self_check(pages, notebooks / "self_check.yaml", by_name.get("teaching.html"))
    add_sources(pages, by_name.get("bibliography.html"))
    if "teaching.html" in by_name:
        pages.append(glossary_page(by_name["teaching.html"]))
    for page in pages:
        settle_headings(page)
    by_source = {page.source.resolve(): page for page in pages if page.name != "glossary.html"}
    for page in pages:
        settle_links(page, by_source)
    lessons = [page for page in pages if page.lesson]
    pipeline = home_pipeline(lessons, notebooks)
    for page in lessons:
        page.description = describe(page)
        number_figures(page.body, int(page.name[:2]))
        live_places.add(page.body, home.lesson_addresses(lessons))
        home.inline_pipeline(page.body, notebooks / "images")
    index = [
        entry for page in pages if not page.spoiler for entry in search_entries(page)
    ]  # nobody finds a solution by accident
    add_aids(pages)
    for page in pages:
        add_launch(page, repository, pdf)
    front = Page(notebooks, HOME, home.TITLE, home.body(lessons, pages, rows, pipeline, repository, pdf))
    front.description = home.summary(len(lessons))
    settle_links(front, by_source)
    write_pages(output, front, pages, repository)
    write_assets(output, index, front.description, model)
    return [front, *pages]


def known_repository() -> str:
    """The address that `make links` has written, as owner/name; "" where there is none."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["qa-helpers"]["repository"]


def add_self_check(pages: list[Page], file: Path, guide: Page | None) -> None:
    """At the end of each lesson, its questions.

    Raises:
        ValueError: the file is not as it should be, or has questions for a lesson that is not there.
    """
    asked = self_check.load(file)
    lessons = {page.source.stem: page for page in pages if page.lesson}
    for name, questions in asked.items():
        if name not in lessons:
            raise ValueError(f"{file.name}: there is no lesson {name}")
        rows = self_check.misconceptions(guide.body) if guide else {}
        html = self_check.section_html(questions, rows, f"{file.name}, {name}")
        lessons[name].body.append(BeautifulSoup(html, "html.parser").section)


def add_sources(pages: list[Page], bibliography: Page | None) -> None:
    """At each lesson's end, and so in its PDF, the lines of the bibliography that the lesson cites."""
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
    for line in bibliography.body.select("li") if bibliography else ():
        line["id"] = slug(_key(line))


def _key(line: Tag) -> str:
    return line.strong.get_text().removesuffix(".")


def home_pipeline(lessons: list[Page], notebooks: Path) -> str:
    """The picture of the pipeline with the description that the tour has of it; "" where there is none."""
    for page in lessons:
        image = page.body.select_one('img[src$="images/pipeline.svg"]')
        if image is not None:
            return home.pipeline_html(notebooks / "images" / "pipeline.svg", image["alt"])
    return ""


def add_aids(pages: list[Page]) -> None:
    """In the lessons: citations with their titles, and the words of the glossary."""
    by_name = {page.name: page for page in pages}
    sources, terms = {}, []
    if "bibliography.html" in by_name:
        sources = {_key(line): line for line in by_name["bibliography.html"].body.select("li[id]")}
    if "glossary.html" in by_name and by_name["glossary.html"].body.table:
        terms = reading_aids.read_glossary(by_name["glossary.html"].body.table)
    for page in pages:
        if page.lesson:
            tips = reading_aids.Tips(page.body)
            reading_aids.add_citations(page.body, sources, tips)
            reading_aids.add_glossary(page.body, page.name, terms, tips)


def add_launch(page: Page, repository: str, pdf: bool) -> None:
    """Below a page's title: where to open its notebook, where to edit it, and its PDF."""
    links = []
    path = page.source.relative_to(page.source.parents[2 if page.spoiler else 1]).as_posix()
    if repository and page.name != "glossary.html":
        where = f"https://github.com/{repository}"
        if path.endswith(".ipynb"):
            links += [
                ("Open in Colab", f"https://colab.research.google.com/github/{repository}/blob/main/{path}"),
                ("Open in Binder", f"https://mybinder.org/v2/gh/{repository}/main?urlpath=lab/tree/{path}"),
                ("The notebook’s file", f"{where}/blob/main/{path}"),
                ("Edit this page", f"https://github.dev/{repository}/blob/main/{path}"),  # shows notebooks as notebooks
            ]
        else:
            links += [("Edit this page", f"{where}/edit/main/{path}")]
    if pdf and not page.spoiler:
        links += [("To print (PDF)", f"pdf/{Path(page.name).stem}.pdf")]
    if links:
        row = page.body.new_tag("p", attrs={"class": "launch"})
        for text, href in links:
            link = page.body.new_tag("a", attrs={"href": href})
            link.string = text
            row.extend([link, " "])
        page.body.h1.insert_after(row)


def write_pages(output: Path, front: Page, pages: list[Page], repository: str) -> None:
    """All pages in their frame, and small pages where old names were."""
    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    frame, moved = environment.get_template("page.html"), environment.get_template("redirect.html")
    lessons = [page for page in pages if page.lesson]
    turns = [front, *lessons]
    for page in (front, *pages):
        place = turns.index(page) if page in turns else None
        html = frame.render(
            page=page,
            lessons=lessons,
            others=[other for other in pages if not other.lesson and not other.spoiler],
            before=turns[place - 1] if place else None,
            after=turns[place + 1] if place is not None and place + 1 < len(turns) else None,
            content=str(page.body),
            address=site_address(repository),
            card_alt=card.ALT,
            scripts=[*LIVE_SCRIPTS, *live_places.scripts_of(page.body)] if page.live else (),
        )
        (output / page.name).write_text(html, encoding="utf-8")
    names = {page.name: page for page in pages}
    for old, new in MOVED.items():
        for ending in (".html", "_solutions.html"):
            if f"{new}{ending}" in names and f"{old}{ending}" not in names:
                html = moved.render(page=names[f"{new}{ending}"])
                (output / f"{old}{ending}").write_text(html, encoding="utf-8")


def site_address(repository: str) -> str:
    """Where GitHub Pages shows the site; "" where the repository has no address."""
    owner, _, name = repository.partition("/")
    return (
        ""
        if not name
        else f"https://{owner.lower()}.github.io/"
        + ("" if name.lower() == f"{owner.lower()}.github.io" else f"{name}/")
    )


def write_assets(output: Path, index: list[dict[str, str]], subtitle: str, model: str | Path) -> None:
    """Style, scripts, the live widgets and their model, the index of the search, and the card."""
    for name in ("style.css", "theme.js", "site.js", "self_check.js"):
        shutil.copy(HERE / name, output / name)
    shutil.copytree(HERE / "live", output / "live")
    export_model.export(output / "live", model, VOCABULARIES)
    # A script, not JSON: a page that is opened from a folder may not fetch anything.
    index_text = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    (output / "search-index.js").write_text(f"window.searchIndex = {index_text};\n", encoding="utf-8")
    card.draw(output / "card.png", "From a raw row of the data to a scored answer, step by step")


def print_pdfs(output: Path, pages: list[Page], browser=None) -> int:
    """A PDF of every page but solutions and the first, by headless Chromium. Returns how many; 0 without Chromium."""
    from playwright.sync_api import sync_playwright

    executable = find_chromium()
    if executable is None:
        return 0
    if browser is None:
        with sync_playwright() as playwright:
            started = playwright.chromium.launch(executable_path=executable)
            printed = print_pdfs(output, pages, started)
            started.close()
            return printed
    (output / "pdf").mkdir(exist_ok=True)
    footer = '<div style="font-size:8px;width:100%;text-align:center"><span class="pageNumber"></span> / <span class="totalPages"></span></div>'
    printed = [page for page in pages if page.name != HOME and not page.spoiler]
    context = browser.new_context(color_scheme="light")
    tab = context.new_page()
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
    context.close()
    return len(printed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output-dir", type=Path, default=ROOT / "dist" / "site")
    parser.add_argument("--no-pdf", action="store_true")
    parser.add_argument(
        "--model", default=export_model.MODEL, help="a folder with a small fine-tuned BERT that answers in the pages"
    )
    options = parser.parse_args()
    pdf = not options.no_pdf and find_chromium() is not None  # no link to what will not be there
    try:
        pages = build(options.output_dir, pdf=pdf, model=options.model)
    except ValueError as error:
        sys.exit(str(error))
    printed = print_pdfs(options.output_dir, pages) if pdf else 0
    told = f"{printed} PDFs" if printed else "no PDFs" + ("" if options.no_pdf else " (Chromium was not found)")
    print(f"{len(pages)} pages and {told} in {options.output_dir.name}/: open {HOME}")


if __name__ == "__main__":
    main()
