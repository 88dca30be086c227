"""A notebook's cells as HTML: text, code in rows that can be wrapped, outputs, and numbered figures.

Images are returned beside the HTML, to be written into files. A widget leaves a remark; live_places.py adds the widget's twin.
"""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape, unescape

import self_check
from bs4 import BeautifulSoup, Tag
from formulas import with_mathml
from live_places import SCRIPTS
from nbconvert.filters import ansi2html
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_REMARK = "This widget works in JupyterLab only. The picture that follows shows what it looks like."
LIVE_REMARK = (
    "This widget works in JupyterLab, and in this page where JavaScript is allowed. The picture that follows shows what it "
    "looks like."
)
BADGE = re.compile(r"\[!\[Open in Colab\]\([^)]*\)\]\([^)]*\)(?: · )?")
CAPTION = re.compile(r"\*Figure: (.+?)\*(?:\s|$)", re.S)
CODE_BLOCK = re.compile(r'<div class="highlight[^"]*"><pre[^>]*>(?:<span></span>)?(.*?)</pre>\s*</div>', re.S)
COLUMNS = re.compile(r"\S {2,}\S")  # texts that are set in columns: to wrap their lines would jumble them
PANDAS_STYLE = re.compile(r"<style scoped>.*?</style>", re.S)


@dataclass
class Rendered:
    """A notebook's HTML, and the images that it shows, by their names."""

    html: str = ""
    images: dict[str, bytes] = field(default_factory=dict)


def render(notebook, name: str) -> Rendered:
    """All cells of a notebook; ``name`` is its file's.

    Raises:
        ValueError: a figure has no caption in the cell after it.
    """
    rendered = Rendered()

    def keep(number: int, index: int, picture: str) -> str:
        image = f"{name.removesuffix('.ipynb')}-{number:03d}-{index}.png"
        rendered.images[image] = base64.b64decode(picture)
        return f"figures/{image}"

    rendered.html = "".join(cell_html(notebook, number, name, keep) for number in range(len(notebook.cells)))
    return rendered


def cell_html(notebook, number: int, name: str, picture_source: Callable[[int, int, str], str]) -> str:
    """One cell of a notebook; nothing of the cell of self-check questions, which the page has as a form.

    Args:
        picture_source: number of the cell, number of the output, PNG in base64 → what an image's ``src`` is.

    Raises:
        ValueError: a figure has no caption in the cell after it.
    """
    cell = notebook.cells[number]
    if self_check.TAG in cell.metadata.get("tags", []):
        return ""
    if cell.cell_type == "markdown":
        return f'<div class="cell text">\n{text_html(BADGE.sub("", cell.source))}</div>\n'
    if cell.cell_type != "code":
        return ""
    outputs = []
    for index, output in enumerate(cell.outputs):
        if "image/png" in output.get("data", {}):
            source = picture_source(number, index, output.data["image/png"])
            caption = escape(caption_of(notebook, number, name))
            outputs.append(f'<div class="output image"><img src="{source}" alt="{caption}"></div>\n')
        else:
            outputs.append(output_html(output))
    code = code_html(cell.source) if cell.source.strip() else ""
    return f'<div class="cell code">\n{code}{"".join(outputs)}</div>\n'


def caption_of(notebook, number: int, name: str) -> str:
    """The text of the caption after a figure's cell: "*Figure: …*"."""
    after = notebook.cells[number + 1].source if number + 1 < len(notebook.cells) else ""
    found = CAPTION.match(after)
    if not found:
        raise ValueError(f"{name}, cell {number}: a figure without a caption; begin the next cell with '*Figure: …*'")
    return " ".join(found[1].replace("`", "").split())


def text_html(markdown: str) -> str:
    """Markdown as HTML, with its code in rows and its formulas as MathML."""
    return CODE_BLOCK.sub(lambda found: code_box(found[1]), with_mathml(markdown2html_mistune(markdown)))


def code_html(source: str) -> str:
    """Python with colours."""
    try:
        lexer = get_lexer_by_name("ipython3", stripnl=False)
    except ClassNotFound:  # the lexer that knows magics comes with newer versions of IPython
        lexer = get_lexer_by_name("python", stripnl=False)
    return code_box(highlight(source, lexer, HtmlFormatter(nowrap=True)))


def code_box(highlighted: str) -> str:
    return f'<div class="highlight"><pre>{rows(highlighted)}</pre></div>\n'


def rows(html: str) -> str:
    """Each line as a row of its own, which knows how far it is indented: a line that is too long continues on the next
    one, two characters further in. Pygments closes its spans at the end of each line."""
    made = []
    for line in html.rstrip("\n").split("\n"):
        text = unescape(re.sub(r"<[^>]+>", "", line))
        indent = len(text) - len(text.lstrip(" "))
        style = f' style="--in:{indent}"' if indent else ""
        made.append(f'<span class="row"{style}>{line}\n</span>')
    return "".join(made)


def output_html(output) -> str:
    """What a cell put out, but for images: a stream, a text, a table, a view, a widget's remark, or an error."""
    if output.output_type == "stream":
        return plain_html(output.text, output.name)
    if output.output_type == "error":
        return plain_html("\n".join(output.traceback), "error")
    data = output.data
    if WIDGET in data:
        return widget_html(data.get("text/plain", ""))
    if "text/html" in data:
        return f'<div class="output html">{PANDAS_STYLE.sub("", data["text/html"])}</div>\n'
    return plain_html(data.get("text/plain", ""), "result")


def plain_html(text: str, kind: str) -> str:
    """Printed text. What is set in columns scrolls in a box; other long lines are wrapped, as code is."""
    if not text.strip():
        return ""
    html = ansi2html(text) if "\x1b" in text else escape(text, quote=False)
    if COLUMNS.search(text) or "\x1b" in text:
        html = html.rstrip("\n")
        return f'<div class="output {kind}"><pre class="columns-of-text" tabindex="0">{html}</pre></div>\n'
    return f'<div class="output {kind}"><pre>{rows(html)}</pre></div>\n'


def widget_html(said: str) -> str:
    """The remark in a widget's place. A progress bar, which is none of the course's widgets, leaves nothing."""
    found = re.match(r"(\w+): a widget", said)
    if not found:
        return ""
    name = css_class(found[1])
    return f'<p class="remark" data-widget="{name}">{LIVE_REMARK if name in SCRIPTS else WIDGET_REMARK}</p>\n'


def css_class(widget: str) -> str:
    """The CSS class of one of the course's widgets: ``OffsetExplorer`` → ``qa-offset-explorer``."""
    return "qa" + re.sub(r"[A-Z]", lambda letter: f"-{letter[0].lower()}", widget)


def number_figures(tree: BeautifulSoup, lesson: int) -> None:
    """Set each captioned picture, view or table as a figure with a number, such as 3.2, and link what the text says about it.

    A caption is a paragraph that begins with an emphasised "Figure: …" or "Table: …", right after what it belongs to.
    """
    numbers: dict[str, int] = {}
    for emphasis in tree.select("p > em:first-child"):
        caption = emphasis.parent
        kind, colon, _ = emphasis.get_text().partition(": ")
        shown = _captioned(caption) if colon and kind in ("Figure", "Table") else None
        if shown is None:
            continue
        numbers[kind] = numbers.get(kind, 0) + 1
        figure = tree.new_tag("figure", attrs={"id": f"{kind.lower()}-{lesson}-{numbers[kind]}"})
        shown.wrap(figure)
        text = tree.new_tag("figcaption")
        label = tree.new_tag("b")
        label.string = f"{kind} {lesson}.{numbers[kind]}:"
        emphasis.contents[0].replace_with(emphasis.contents[0].removeprefix(f"{kind}: "))
        text.extend([label, " ", *list(emphasis.contents)])
        emphasis.decompose()
        figure.append(text)
        if not caption.get_text(strip=True):
            caption.decompose()
    for paragraph in tree.select(".cell.text p, .cell.text li"):
        _link_figures(tree, paragraph)


def _captioned(caption: Tag) -> Tag | None:
    """What a caption belongs to: the image before it in the same cell, or the last output of the cell before."""
    before = caption.find_previous_sibling()
    if before is not None:
        return before if before.find(["img", "svg"]) else None
    outputs = (
        caption.find_parent(class_="cell").find_previous_sibling(class_="cell").select(".output.image, .output.html")
    )
    return outputs[-1] if outputs else None


MENTION = re.compile(r"\b(T|t)h(?:e|is) (next )?(?:figure|picture)\b(?! at the top)")


def _link_figures(tree: BeautifulSoup, paragraph: Tag) -> None:
    """Turn "the figure" into a link with the number of a figure of its section: the next one if its cell follows, else the
    one before."""
    for text in list(paragraph.find_all(string=MENTION)):
        if text.find_parent(["a", "code", "figcaption"]):
            continue
        cell = text.find_parent(class_="cell")
        section = text.find_previous("h2")
        around = (cell.find_previous("figure"), cell.find_next("figure"))
        before, after = (figure if figure and figure.find_previous("h2") is section else None for figure in around)
        follows = after is not None and after.find_parent(class_="cell") is cell.find_next_sibling(class_="cell")
        talks_about = before is not None and before.find_parent(class_="cell") is cell.find_previous_sibling(
            class_="cell"
        )
        pieces, at = [], 0
        for found in MENTION.finditer(text):
            figure = after if found[2] or (follows and not talks_about) else before
            if figure is None:
                continue
            word = "Figure" if found[1] == "T" else "figure"
            link = tree.new_tag("a", attrs={"class": "mention", "href": f"#{figure['id']}"})
            link.string = f"{word} {figure['id'].split('-', 1)[1].replace('-', '.')}"
            pieces += [text[at : found.start()], link]
            at = found.end()
        text.replace_with(*pieces, text[at:])
