"""The site: every page is there, every link leads somewhere, every figure says what it shows, and nothing is fetched."""

import re

import build_site as build
import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import REPOSITORY

NOTEBOOKS = REPOSITORY / "notebooks"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site: page's file name → its parsed HTML."""
    folder = tmp_path_factory.mktemp("site") / "site"
    build.build(folder)
    return folder, {
        path.name: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in folder.glob("*.html")
    }


def test_every_lesson_solution_and_guide_has_a_page(site):
    _, pages = site
    sources = [*NOTEBOOKS.glob("*.ipynb"), *NOTEBOOKS.glob("solutions/*.ipynb"), *NOTEBOOKS.glob("*.md")]
    assert set(pages) == {"index.html", *(f"{p.stem.lower() if p.suffix == '.md' else p.stem}.html" for p in sources)}
    lessons = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
    for page in pages.values():
        linked = [link["href"] for link in page.select("nav.course ol a")]
        assert linked == [f"{stem}.html" for stem in lessons]


def test_no_link_is_broken(site):
    folder, pages = site
    anchors = {name: {tag["id"] for tag in page.find_all(id=True)} for name, page in pages.items()}
    checked = 0
    for name, page in pages.items():
        for link in page.find_all("a", href=True):
            if re.match(r"(https?|mailto):", link["href"]):
                assert "colab" not in link["href"], f"{name}: a badge that leads nowhere"
                continue
            file, _, anchor = link["href"].partition("#")
            if file.startswith("pdf/"):  # written by Chromium, later
                assert link.has_attr("data-pdf") and file.removeprefix("pdf/").replace(".pdf", ".html") in pages
                continue
            assert (file or name) in pages, f"{name}: {link['href']}"
            assert not anchor or anchor in anchors[file or name], f"{name}: {link['href']}"
            checked += 1
    assert checked > 500
    for found in re.findall(r'"url": "([^"#]+)(?:#([^"]*))?"', (folder / "search-index.js").read_text()):
        assert found[0] in pages and (not found[1] or found[1] in anchors[found[0]])


def test_every_image_is_there_and_says_what_it_shows(site):
    folder, pages = site
    images = [(name, image) for name, page in pages.items() for image in page.find_all("img")]
    assert len(images) > 35
    for name, image in images:
        assert (folder / image["src"]).stat().st_size > 1000, f"{name}: {image['src']}"
        assert len(image["alt"]) > 20, f"{name}: {image['src']}"


def test_headings_are_in_order(site):
    for name, page in site[1].items():
        levels = [int(tag.name[1]) for tag in page.main.find_all(re.compile("^h[1-6]$"))]
        assert levels[0] == 1 and levels.count(1) == 1, name
        for before, after in zip(levels, levels[1:]):
            assert after <= before + 1, f"{name}: a level of headings is skipped"
        ids = [tag["id"] for tag in page.find_all(id=True)]
        assert len(ids) == len(set(ids)), f"{name}: an id twice"


def test_pages_fetch_nothing_from_elsewhere_and_have_landmarks(site):
    for name, page in site[1].items():
        assert page.html["lang"] == "en" and page.title.string
        for tag, attribute in (("script", "src"), ("link", "href"), ("img", "src")):
            assert not [x for x in page.find_all(tag) if re.match(r"\w+:", x.get(attribute) or "")], name
        for landmark in ("header", "main", "footer", "nav"):
            assert page.find(landmark), name
        assert all(nav.get("aria-label") for nav in page.find_all("nav"))


def test_widgets_leave_a_remark_and_their_picture_stays(site):
    for stem in (
        "02_tokenizer_and_offsets",
        "03_stride_windows",
        "04_labels",
        "07_evaluation",
        "09_your_own_documents",
    ):
        page = site[1][f"{stem}.html"]
        assert page.find(class_="remark").string == build.WIDGET_REMARK
        assert page.find(class_="qa-view"), "the static twin"
        assert "A Jupyter Widget" not in page.text and "model_id" not in page.text


def test_lessons_end_with_the_sources_that_they_cite(site):
    folder, pages = site
    assert "Attention Is All You Need" in pages["bibliography.html"].main.get_text()
    page = pages["08_bert_and_friends.html"].find(class_="sources")
    titles = [line.em.get_text() for line in page.find_all("li")]
    assert any(title.startswith("RoBERTa:") for title in titles) and not any("Jackknife" in title for title in titles)
    assert page.find("a", href="https://arxiv.org/abs/1907.11692") and page.find("a", href="bibliography.html")
    assert "Cited in" not in page.get_text()
    index = (folder / "search-index.js").read_text()
    assert index.count("A Robustly Optimized BERT Pretraining Approach") == 1, (
        "the bibliography is found, not each lesson"
    )


def test_solutions_are_marked_and_not_found_by_searching(site):
    folder, pages = site
    index = (folder / "search-index.js").read_text()
    for name, page in pages.items():
        solution = name.endswith("_solutions.html")
        assert bool(page.find(class_="spoiler")) == solution
        assert not solution or name not in index


def notebook(tmp_path, *cells):
    figure = nbformat.v4.new_output("display_data", {"image/png": "iVBORw0KGgo="})
    made = [
        nbformat.v4.new_code_cell("plot()", outputs=[figure]) if cell is None else nbformat.v4.new_markdown_cell(cell)
        for cell in cells
    ]
    (tmp_path / "notebooks").mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=made), tmp_path / "notebooks" / "00_x.ipynb")
    return tmp_path / "notebooks"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (("# T", None, "No caption."), "00_x.ipynb, cell 1: a figure without a caption"),
        (("# T", None), "00_x.ipynb, cell 1: a figure without a caption"),
        (("no title",), "00_x.ipynb has no title"),
        (("# T\n\n[there](99.ipynb)",), "the link '99.ipynb' leads nowhere"),
        (("# T\n\n[there](#nothing)",), "00_x.ipynb has no heading for #nothing"),
        (("# T\n\n![](images/x.png)",), "an image without alternative text"),
    ],
)
def test_a_notebook_at_fault_is_named(tmp_path, cells, message):
    with pytest.raises(ValueError, match=message):
        build.build(tmp_path / "site", notebook(tmp_path, *cells))


def test_a_captions_text_becomes_the_alternative_text(tmp_path):
    build.build(tmp_path / "site", notebook(tmp_path, "# T", None, '*Figure: bars of "n" < 5, `code`.* And more.'))
    page = BeautifulSoup((tmp_path / "site" / "00_x.html").read_text(), "html.parser")
    assert page.img["alt"] == 'Figure: bars of "n" < 5, code.'.removeprefix("Figure: ")
