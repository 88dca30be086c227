"""A page of the site: made from a notebook or a Markdown file, with its headings and links settled, and as the search sees it."""

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import nbformat
from bs4 import BeautifulSoup
from notebook_html import render, text_html

HOME = "index.html"
HEADING = re.compile(r"^h[1-6]$")


@dataclass(eq=False)
class Page:
    """A page of the site: where it comes from, what it is called, and its content as a parsed tree."""

    source: Path
    name: str
    title: str
    body: BeautifulSoup
    spoiler: bool = False
    lesson: bool = False
    description: str = ""
    sections: list[tuple[str, str]] = field(default_factory=list)  # (id, text) of the second-level headings
    anchors: dict[str, str] = field(
        default_factory=dict
    )  # as Jupyter or GitHub writes a heading's anchor → its id here

    @property
    def live(self) -> bool:
        return self.body.find(attrs={"data-live": True}) is not None


def notebook_page(path: Path, output: Path, spoiler: bool = False) -> Page:
    """A notebook as a page; its images are written into the site's folder."""
    rendered = render(nbformat.read(path, as_version=4), path.name)
    for name, image in rendered.images.items():
        (output / "figures").mkdir(exist_ok=True)
        (output / "figures" / name).write_bytes(image)
    # Without the list, two spaces between two tokens of a view would become one.
    tree = BeautifulSoup(rendered.html, "html.parser", preserve_whitespace_tags={"div", "pre", "textarea"})
    title = tree.find("h1")
    if title is None:
        raise ValueError(f"{path.name} has no title: its first cell begins with '# '")
    return Page(path, f"{path.stem}.html", title.get_text().strip("¶ "), tree, spoiler, lesson=not spoiler)


def markdown_page(path: Path) -> Page:
    """A Markdown file as a page."""
    tree = BeautifulSoup(text_html(path.read_text(encoding="utf-8")), "html.parser")
    title = tree.find("h1")
    if title is None:
        raise ValueError(f"{path.name} has no title: it begins with '# '")
    return Page(path, f"{path.stem.lower()}.html", title.get_text().strip("¶ "), tree)


def glossary_page(guide: Page) -> Page:
    """The guide's glossary on a page of its own, which readers reach without the rest of the guide."""
    tree = BeautifulSoup("<h1>Glossary</h1>", "html.parser")
    heading = next((h for h in guide.body.find_all("h2") if h.get_text().strip("¶ ") == "Glossary"), None)
    for node in heading.find_next_siblings() if heading else ():
        if node.name == "h2":
            break
        tree.append(copy.copy(node))
    return Page(guide.source, "glossary.html", "Glossary", tree)


def slug(text: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", text.strip("¶ ").lower()).replace(" ", "-")


def settle_headings(page: Page) -> None:
    """Give headings anchors of one kind, each once in its page, and put tables into boxes that scroll."""
    seen: dict[str, int] = {}
    for mark in page.body.select("a.anchor-link"):  # nbconvert's, a pilcrow after each heading
        mark.decompose()
    for heading in page.body.find_all(HEADING):
        text = heading.get_text().strip("¶ ")
        name = slug(text)
        seen[name] = seen.get(name, -1) + 1
        heading["id"] = f"{name}-{seen[name]}" if seen[name] else name
        for anchor in (heading["id"], text.replace(" ", "-"), name):
            page.anchors.setdefault(anchor, heading["id"])
        if heading.name == "h2":
            page.sections.append((heading["id"], text))
    for table in page.body.find_all("table"):
        table.attrs.pop("border", None)
        for corner in table.find_all("th"):
            if not corner.get_text(strip=True):
                corner.name = "td"  # a header says what it is a header of
        box = page.body.new_tag(
            "div", attrs={"class": "scrolls", "tabindex": "0", "role": "group", "aria-label": "table"}
        )
        table.wrap(box)
    for region in page.body.select('[role="region"]'):  # a view's texts are no landmarks of the page
        region["role"] = "group"


def settle_links(page: Page, by_source: dict[Path, Page]) -> None:
    """Links to notebooks and Markdown files become links to their pages, with anchors that exist there.

    Raises:
        ValueError: a link leads nowhere.
    """
    folder = page.source if page.source.is_dir() else page.source.parent
    for link in page.body.find_all("a", href=True):
        href = link["href"]
        if re.match(r"(https?|mailto):", href) or page.name == HOME and not href.endswith((".ipynb", ".md")):
            continue
        file, _, anchor = href.partition("#")
        target = page if not file else by_source.get((folder / unquote(file)).resolve())
        if target is None:
            if not (folder / unquote(file)).exists():
                raise ValueError(f"{page.source.name}: the link {href!r} leads nowhere")
            link.unwrap()  # to a file of the repository that is no page
            continue
        link["href"] = target.name + (f"#{_anchor(target, unquote(anchor), page)}" if anchor else "")
    for image in page.body.find_all("img"):
        if not image.get("alt"):
            raise ValueError(f"{page.source.name}: an image without alternative text: {image.get('src', '')[:60]}")


def _anchor(target: Page, anchor: str, page: Page) -> str:
    if anchor not in target.anchors:
        raise ValueError(f"{page.source.name}: {target.source.name} has no heading for #{anchor}")
    return target.anchors[anchor]


def describe(page: Page) -> str:
    """What a lesson's first lines promise: "You will be able to: …"."""
    facts = next((p.get_text() for p in page.body.find_all("p") if "You will be able to:" in p.get_text()), "")
    promise = facts.split("You will be able to:")[-1].split("\n")[0].strip() if facts else ""
    return f"You will be able to {promise}" if promise else page.title


def search_entries(page: Page) -> Iterator[dict[str, str]]:
    """Every section of a page as the search sees it: page, address, heading, text."""
    anchor, heading, texts = "", page.title, []

    def entry() -> dict[str, str]:
        address = page.name + (f"#{anchor}" if anchor else "")
        return {"page": page.title, "url": address, "heading": heading, "text": " ".join(texts)}

    for node in page.body.find_all(re.compile(r"^(h[1-6]|p|li|td|th|pre|figcaption)$")):
        if node.find_parent(class_=["sources", "self-check"]):
            continue  # a search for a paper should find the bibliography, and one for a word no wrong answers
        if HEADING.match(node.name):
            if texts:
                yield entry()
            anchor, heading, texts = node["id"], node.get_text().strip("¶ "), []
        elif not node.find_parent(["li", "td", "th"]):
            texts.append(" ".join(node.get_text().split()))
    if texts:
        yield entry()
