"""Help beside the words of a lesson: glossary words and citations that explain themselves on hover and on focus.

Both are links, to the glossary and to the bibliography, each with a small box behind it that style.css shows: nothing here
needs a script. What is explained comes from the glossary in notebooks/TEACHING.md and from notebooks/BIBLIOGRAPHY.md.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from bibliography import citations
from bs4 import BeautifulSoup, NavigableString, Tag

# What the glossary means by a word, it does not mean in these phrases. (Its "example" is a row of the data.)
OTHER_SENSES = {
    "example": r"\b(?:[Ff]or|an|An|own|first|another|good|small|by|of) examples?\b|\bexamples? (?:of|above|below)\b",
    "head": r"\b(?:[Aa]ttention|each|every|one|first|of this|a|two|four|\d+) heads?\b|\bheads? (?:of|attends?|looks?)\b|\bheads\b",
    "label": r"\b(?:to|must|axis|museum) labels?\b",
    "query": r"\bsearch quer(?:y|ies)\b",
}
# Words that are verbs or everyday words as well: only in these phrases do they mean what the glossary says.
ONLY_IN = {"split": r"\b(?:training|validation|test|[Tt]he|[Ee]ach|every|whole|both|other) splits?\b"}
SKIPPED = ("a", "code", "pre", "strong", "b", "figcaption", "math", "h1", "h2", "h3", "h4", "h5", "h6")


@dataclass(frozen=True)
class Term:
    """A line of the glossary: its spellings, what it means (HTML), and the heading that explains it."""

    spellings: tuple[str, ...]
    meaning: str
    anchor: str  # on the glossary's page
    explained: str  # page and anchor, as "02_tokenizer_and_offsets.html#2-special-tokens"
    where: str  # the same in words: "02, section 2"

    def pattern(self) -> str:
        """Any spelling as a whole word, in the singular or the plural; capitals count where a spelling is all capitals."""
        found = []
        for spelling in self.spellings:
            first, rest = spelling[0], re.escape(spelling[1:])
            free = first.isalpha() and not spelling.isupper()
            found.append(f"[{first.upper()}{first.lower()}]{rest}" if free else re.escape(first) + rest)
        return rf"(?<![\w#\[-])(?:{'|'.join(found)})(?:s|es)?(?![\w-])"


def read_glossary(table: Tag) -> list[Term]:
    """The glossary's rows, after their links have been settled; the rows get anchors."""
    terms = []
    for row in table.select("tbody tr"):
        name, meaning, _, explained = row.find_all("td")
        spellings = tuple(strong.get_text() for strong in name.find_all("strong"))
        row["id"] = re.sub(r"[^a-z0-9]+", "-", spellings[0].lower()).strip("-")
        link = explained.a
        terms.append(Term(spellings, meaning.get_text(), row["id"], link["href"], link.get_text()))
    return terms


class Tips:
    """The boxes of a page, numbered so that each link can name the one that describes it."""

    def __init__(self, tree: BeautifulSoup):
        self.tree = tree
        self.count = 0

    def around(self, link: Tag, html: str) -> Tag:
        """The link and its box."""
        self.count += 1
        name = f"tip-{self.count}"
        link["aria-describedby"] = name
        whole = self.tree.new_tag("span", attrs={"class": "tipped"})
        tip = BeautifulSoup(f'<span class="tip" role="tooltip" id="{name}">{html}</span>', "html.parser").span
        whole.extend([link, tip])
        return whole


def add_citations(tree: BeautifulSoup, sources: dict[str, Tag], tips: Tips) -> None:
    """Where a text names a source, a link to its line in the bibliography, with the authors and the title in a box.

    A citation that the lesson has linked keeps its own link, and gets the box.
    """
    for text in _texts(tree, skipped=("code", "pre", "figcaption", "h1", "h2", "h3")):
        link = text.find_parent("a")
        found = citations(str(text), set(sources))
        if link is not None:
            if found and not link.find_parent(class_="tipped"):
                marker = tree.new_tag("span")
                link.replace_with(marker)
                marker.replace_with(tips.around(link, source_html(sources[found[0].key])))
            continue
        pieces, at = [], 0
        for cited in found:
            made = tree.new_tag("a", attrs={"class": "cite", "href": f"bibliography.html#{sources[cited.key]['id']}"})
            made.string = text[cited.start : cited.end]
            pieces += [text[at : cited.start], tips.around(made, source_html(sources[cited.key]))]
            at = cited.end
        if pieces:
            text.replace_with(*pieces, text[at:])


def source_html(line: Tag) -> str:
    """Authors, title and place of a source, without its key and without who cites it."""
    link = line.find_all("a")[-1]
    before = [node for node in link.previous_siblings if node is not line.strong and node.name != "strong"]
    html = "".join(str(node) for node in reversed(before)).strip().rstrip(".,")
    return f"{html}. {escape(link.get_text())}"


def add_glossary(tree: BeautifulSoup, name: str, terms: list[Term], tips: Tips) -> None:
    """The first time that a section uses a word of the glossary, a link to it, with the meaning in a box.

    Words inside code, links and bold type stay as they are, and so does a word in the section that explains it.
    """
    patterns = [(term, re.compile(term.pattern())) for term in terms]
    section, seen = "", set()
    for node in list(tree.descendants):
        if isinstance(node, Tag):
            if node.name in ("h2", "h3") and node.get("id"):
                section = node["id"]
                if node.name == "h2":
                    seen = {term for term in terms if term.explained == f"{name}#{section}"}
                seen |= {term for term in terms if term.explained == f"{name}#{section}"}
        elif isinstance(node, NavigableString) and _is_prose(node, SKIPPED):
            _explain(node, patterns, seen, tree, tips)


def _explain(text: NavigableString, patterns, seen: set[Term], tree: BeautifulSoup, tips: Tips) -> None:
    """Mark what occurs in a piece of text for the first time in its section."""
    hits: list[tuple[int, int, Term]] = []
    for term, pattern in patterns:
        if term in seen:
            continue
        for found in pattern.finditer(text):
            start, end = found.span()
            if is_meant(term, text, start, end) and not any(a < end and start < b for a, b, _ in hits):
                hits.append((start, end, term))
                seen.add(term)
                break
    pieces, at = [], 0
    for start, end, term in sorted(hits, key=lambda hit: hit[:2]):
        link = tree.new_tag("a", attrs={"class": "term", "href": f"glossary.html#{term.anchor}"})
        link.string = text[start:end]
        told = f"<b>{escape(term.spellings[0])}</b>: {escape(term.meaning)} <i>(explained in {escape(term.where)})</i>"
        pieces += [text[at:start], tips.around(link, told)]
        at = end
    if pieces:
        text.replace_with(*pieces, text[at:])


def is_meant(term: Term, text: str, start: int, end: int) -> bool:
    """Whether the characters [start, end) have the glossary's sense, as far as the words around them tell."""
    name = term.spellings[0]
    if name in ONLY_IN:
        return any(found.start() <= start and end <= found.end() for found in re.finditer(ONLY_IN[name], text))
    return not any(
        found.start() < end and start < found.end() for found in re.finditer(OTHER_SENSES.get(name, r"(?!)"), text)
    )


def _texts(tree: BeautifulSoup, skipped: tuple[str, ...]) -> Iterator[NavigableString]:
    for text in list(tree.find_all(string=True)):
        if _is_prose(text, skipped):
            yield text


def _is_prose(text: NavigableString, skipped: tuple[str, ...]) -> bool:
    """Whether a text is in a paragraph or a list that the author wrote, and in none of the elements to be skipped."""
    if type(text) is not NavigableString or not text.strip():
        return False
    names, in_cell = set(), False
    for parent in text.parents:
        names.add(parent.name)
        classes = parent.get("class") or ()
        if "output" in classes or "tip" in classes or "self-check" in classes or "sources" in classes:
            return False
        in_cell = in_cell or ("cell" in classes and "text" in classes)
    return in_cell and not names & set(skipped) and bool(names & {"p", "li"})
