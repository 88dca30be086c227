"""The site: every page is there, every link leads somewhere, every figure says what it shows, and nothing is fetched."""

import ast
import json
import re
import struct

import bibliography
import build_site as build
import export_model
import formulas
import home
import live_places
import nbformat
import notebook_html
import pytest
import reading_aids
import self_check
import self_check_cells
import slides as slideshow
import yaml
from bs4 import BeautifulSoup
from conftest import REPOSITORY

NOTEBOOKS = REPOSITORY / "notebooks"
LESSONS = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site: page's file name → its parsed HTML, without the small pages at old names."""
    folder = tmp_path_factory.mktemp("site") / "site"
    names = [page.name for page in build.build(folder)]
    return folder, {name: BeautifulSoup((folder / name).read_text(encoding="utf-8"), "html.parser") for name in names}


def test_every_lesson_solution_and_guide_has_a_page(site):
    _, pages = site
    sources = [*NOTEBOOKS.glob("*.ipynb"), *NOTEBOOKS.glob("solutions/*.ipynb"), *NOTEBOOKS.glob("*.md")]
    names = {f"{p.stem.lower() if p.suffix == '.md' else p.stem}.html" for p in sources}
    assert set(pages) == {"index.html", "glossary.html"} | names
    for page in pages.values():
        linked = [link["href"] for link in page.select("nav.course ol a")]
        assert linked == [f"{stem}.html" for stem in LESSONS]


def test_old_names_lead_to_the_pages_of_today(site):
    folder, pages = site
    old = {path.name for path in folder.glob("*.html")} - set(pages)
    assert len(old) == 2 * len(build.MOVED)
    for name in old:
        page = BeautifulSoup((folder / name).read_text(encoding="utf-8"), "html.parser")
        target = page.main.a["href"]
        assert target in pages and page.find("meta", {"http-equiv": "refresh"})["content"] == f"0; url={target}"
    assert "09_bert_and_friends.html" in (folder / "08_bert_and_friends.html").read_text()


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
                assert file.removeprefix("pdf/").replace(".pdf", ".html") in pages
                continue
            assert (file or name) in pages, f"{name}: {link['href']}"
            assert not anchor or anchor in anchors[file or name], f"{name}: {link['href']}"
            checked += 1
    assert checked > 500
    for entry in search_index(folder):
        file, _, anchor = entry["url"].partition("#")
        assert file in pages and (not anchor or anchor in anchors[file])


def search_index(folder) -> list[dict]:
    text = (folder / "search-index.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("window.searchIndex = ").rstrip(";\n"))


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


def test_a_pages_own_policy_allows_nothing_from_elsewhere_and_no_inline_script(site):
    for name, page in site[1].items():
        policy = page.find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy and "http" not in policy
        assert "connect-src" not in policy  # so default-src rules: nothing may be fetched
        assert all(script.get("src") and not script.string for script in page.find_all("script")), name
        assert not [tag for tag in page.find_all(True) if any(attribute.startswith("on") for attribute in tag.attrs)], (
            name
        )
        assert not page.find_all("iframe") and not page.select('a[href^="javascript:"]')
        assert "search-index.js" not in str(page.head), "it is loaded when somebody searches"


def test_the_first_page_shows_the_thing(site):
    main = site[1]["index.html"].main
    drawing = main.find(class_="pipeline")
    assert drawing["role"] == "img" and "Row: a question" in drawing["aria-label"]
    assert len(drawing.select(".steps use")) == 8 and drawing.find(id="pipeline-drawing")
    live, lessons = main.find(id="live"), main.find(class_="lessons")
    assert live.has_attr("hidden") and lessons in live.find_all_next("ol")
    assert [link["href"] for link in lessons.select("h3 a")] == [f"{stem}.html" for stem in LESSONS]
    assert "make lab" in main.pre.get_text() and "make test" in main.pre.get_text()
    overview = home.lesson_rows(
        BeautifulSoup(notebook_html.text_html((NOTEBOOKS / "README.md").read_text("utf-8")), "html.parser")
    )
    for stem, item in zip(LESSONS, lessons.find_all("li")):
        row = overview.get(f"{stem}.ipynb")
        assert row is None or f"{row.reading} min, {row.exercises} min for the exercises" in item.get_text()


def test_hours_are_told_to_the_half():
    assert [home._hours(minutes) for minutes in (10, 30, 60, 440, 470)] == ["½", "½", "1", "7½", "8"]


PLACES = {
    "00_tour": ["qa-ask-box"],
    "02_tokenizer_and_offsets": ["qa-offset-explorer"],
    "03_stride_windows": ["qa-window-explorer"],
    "04_labels": ["qa-label-stepper"],
    "08_evaluation": ["qa-span-explorer"],
    "10_your_own_documents": ["qa-ask-box"],
}


def test_widgets_leave_a_remark_a_picture_and_a_place_for_a_live_twin(site):
    for name, page in site[1].items():
        live = page.select("main [data-live]")
        wanted = ["qa-ask-box"] if name == "index.html" else PLACES.get(name.removesuffix(".html"), [])
        assert [place["data-live"] for place in live] == wanted, name
        assert "A Jupyter Widget" not in page.text and "model_id" not in page.text
        for place in live:
            assert place.has_attr("hidden") and place["data-live"] in place["class"] and not place.contents
            given = json.loads(place["data-given"])
            for number, address in given.get("lessons", {}).items():
                assert address.startswith(number) and address in site[1]
            if name in ("index.html", "00_tour.html"):
                continue
            remark = place.find_previous_sibling()
            assert remark["data-widget"] == place["data-live"] and remark.string == notebook_html.LIVE_REMARK
            assert place.find_next(class_="qa-view") is not None, "the static twin"
    annotator = site[1]["10_your_own_documents.html"].find(class_="remark", attrs={"data-widget": "qa-annotator"})
    assert annotator.string == notebook_html.WIDGET_REMARK


def test_a_live_twin_begins_with_the_example_of_its_static_one(site):
    given = {stem: json.loads(site[1][f"{stem}.html"].find(attrs={"data-live": True})["data-given"]) for stem in PLACES}
    assert given["02_tokenizer_and_offsets"]["text"] == "Two  cafés: €1,250 😀", "both spaces are there"
    assert given["03_stride_windows"] | {"examples": 0, "lessons": 0} == {
        "examples": 0,
        "lessons": 0,
        "maxLength": 100,
        "stride": 0,
    }
    assert "nine hours" in given["10_your_own_documents"]["context"]
    for stem in ("03_stride_windows", "04_labels", "08_evaluation"):
        examples = given[stem]["examples"]
        assert len(examples) == 1 + live_places.FURTHER and len({row["context"] for row in examples}) == len(examples)
        for row in examples:
            assert row["answer"] is None or 0 <= row["answer"][0] < row["answer"][1] <= len(row["context"])
    start, end = given["04_labels"]["examples"][0]["answer"]
    assert given["04_labels"]["examples"][0]["context"][start:end] == "Agnete R. Ubaldini"


def test_a_picture_that_shows_other_data_or_too_little(site):
    def given(widget, html):
        return live_places.given(widget, BeautifulSoup(html, "html.parser"))

    examples = given("qa-span-explorer", "<div>Question: Why not?</div>")["examples"]
    assert len(examples) == live_places.FURTHER and all(row["question"] != "Why not?" for row in examples)
    asked = "<div>Question: Why?</div>"
    for widget, html in (("qa-ask-box", asked), ("qa-offset-explorer", asked[:5]), ("qa-window-explorer", "<p>So</p>")):
        with pytest.raises(ValueError, match=f"after the widget {widget} shows no question or no text"):
            given(widget, html)
    text = '<div class="qa-text">a <mark>b </mark><mark>c</mark> d</div>'
    assert given("qa-window-explorer", asked + text)["examples"][0]["answer"] == [2, 5]
    assert len(given("qa-label-stepper", asked + text)["examples"]) == live_places.FURTHER, "an excerpt is no example"


def test_the_bridge_of_the_first_page_is_that_of_the_tour(site):
    cells = nbformat.read(NOTEBOOKS / "00_tour.ipynb", as_version=4).cells
    source = next(cell.source for cell in cells if cell.source.startswith("document = ("))
    assert ast.literal_eval(ast.parse(source).body[0].value) == live_places.CONTEXT
    given = json.loads(site[1]["index.html"].find(id="live")["data-given"])
    assert given["context"] == live_places.CONTEXT and {"02", "03", "05", "08"} <= set(given["lessons"])


def test_pages_load_what_their_widgets_need_and_no_more_than_four_megabytes(site):
    folder, pages = site
    for name, page in pages.items():
        loaded = [tag["src"] for tag in page.select('script[src^="live/"]')]
        assert bool(loaded) == bool(page.select("[data-live]")) == bool(page.select('link[href="live/live.css"]')), name
        if not loaded:
            continue
        assert loaded[: len(build.LIVE_SCRIPTS)] == [f"live/{script}" for script in build.LIVE_SCRIPTS]
        needs_model = page.find(attrs={"data-live": ["qa-ask-box", "qa-span-explorer"]})
        later = ["vocabulary-mini-bert-qa.js", "weights.js"] if needs_model else ["vocabulary-mini-bert.js"]
        files = [*loaded, "live/live.css", *(f"live/{file}" for file in later)]
        assert sum((folder / file).stat().st_size for file in files) <= export_model.LIMIT, name
    told = (folder / "live" / "model.js").read_text()
    weighs = sum((folder / "live" / f"{file}.js").stat().st_size for file in ("weights", "vocabulary-mini-bert-qa"))
    assert f'"bytes":{weighs}' in told and '"name":"mini-bert-qa"' in told and '"own":false' in told


def test_lessons_end_with_the_sources_that_they_cite(site):
    folder, pages = site
    assert "Attention Is All You Need" in pages["bibliography.html"].main.get_text()
    page = pages["09_bert_and_friends.html"].find(class_="sources")
    titles = [line.em.get_text() for line in page.find_all("li")]
    assert any(title.startswith("RoBERTa:") for title in titles) and not any("Jackknife" in title for title in titles)
    assert page.find("a", href="https://arxiv.org/abs/1907.11692") and page.find("a", href="bibliography.html")
    assert "Cited in" not in page.get_text()
    hits = [
        entry["url"]
        for entry in search_index(folder)
        if "A Robustly Optimized BERT Pretraining Approach" in entry["text"]
    ]
    assert len(hits) == 1 and hits[0].startswith("bibliography.html"), "the bibliography is found, not each lesson"


def test_solutions_are_marked_and_not_found_by_searching(site):
    folder, pages = site
    index = (folder / "search-index.js").read_text()
    for name, page in pages.items():
        solution = name.endswith("_solutions.html")
        assert bool(page.find(class_="spoiler")) == solution
        assert not solution or name not in index


def test_code_stands_on_the_page_as_the_author_wrote_it(site):
    for stem in LESSONS:
        cells = nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4).cells
        written = [cell.source.rstrip("\n") for cell in cells if cell.cell_type == "code" and cell.source.strip()]
        shown = [box.get_text().rstrip("\n") for box in site[1][f"{stem}.html"].select(".cell.code > .highlight pre")]
        assert shown == written


def test_figures_are_numbered_and_what_the_text_says_about_them_links_there(site):
    mentions = 0
    for stem in LESSONS:
        page = site[1][f"{stem}.html"]
        figures = [figure["id"] for figure in page.select('figure[id^="figure-"]')]
        assert figures == [f"figure-{int(stem[:2])}-{k}" for k in range(1, len(figures) + 1)] and figures
        for figure in page.select("figure[id]"):
            kind, *numbers = figure["id"].split("-")
            assert figure.figcaption.get_text().startswith(f"{kind.capitalize()} {'.'.join(numbers)}: ")
            assert figure.find(["img", "table", "svg"]) or figure.find(class_=re.compile("^qa-"))
        for image in page.select(".cell img"):
            assert image.find_parent("figure"), f"{stem}: {image['src']}"
        for link in page.select("a.mention"):
            assert (
                link["href"][1:] in figures
                and link.get_text().lower() == f"figure {link['href'].split('-', 1)[1].replace('-', '.')}"
            )
            mentions += 1
    assert mentions > 10


def test_a_citation_shows_authors_and_title(site):
    page = site[1]["09_bert_and_friends.html"]
    link = page.select_one('a.cite[href="bibliography.html#liu-et-al-2019"]')
    assert re.fullmatch(r"Liu et al\. \(?2019\)?", link.get_text())
    tip = page.find(id=link["aria-describedby"]).get_text()
    assert (
        tip.startswith("Yinhan Liu, Myle Ott")
        and "RoBERTa: A Robustly Optimized" in tip
        and tip.endswith("arXiv:1907.11692")
    )
    linked = site[1]["04_labels.html"].find("a", href="https://arxiv.org/abs/1810.04805")
    assert "Bidirectional Transformers" in linked.find_next(class_="tip").get_text()


def test_citations_are_found_where_they_stand():
    text = "As Devlin et al. (2019) and (Rajpurkar et al. 2016, 2018) said, like Xu, Yu and Zhu, 2020; not Devlin et al. 2018."
    keys = {
        "Devlin et al. 2019",
        "Rajpurkar et al. 2016",
        "Rajpurkar et al. 2018",
        "Xu et al. 2020",
        "The ALBERT repository",
    }
    found = [(text[cited.start : cited.end], cited.key) for cited in bibliography.citations(text, keys)]
    assert found == [
        ("Devlin et al. (2019)", "Devlin et al. 2019"),
        ("Rajpurkar et al. 2016", "Rajpurkar et al. 2016"),
        ("2018", "Rajpurkar et al. 2018"),
        ("Xu, Yu and Zhu, 2020", "Xu et al. 2020"),
    ]


def test_words_of_the_glossary_are_explained_once_in_a_section_and_never_inside_code_or_links(site):
    meanings = {row["id"]: row.find_all("td")[1].get_text() for row in site[1]["glossary.html"].select("tr[id]")}
    assert len(meanings) > 60
    for stem in LESSONS:
        page = site[1][f"{stem}.html"]
        section, seen, words = None, set(), page.select("a.term")
        tips = {tip["id"]: tip for tip in page.select(".tip")}
        assert len(words) > 20
        for node in page.main.find_all(["h2", "a"]):
            if node.name == "h2":
                section, seen = node["id"], set()
            elif "term" in node.get("class", ()):
                anchor = node["href"].removeprefix("glossary.html#")
                assert anchor not in seen, f"{stem}, {section}: {anchor} twice"
                seen.add(anchor)
                tip = tips[node["aria-describedby"]]
                assert tip["role"] == "tooltip" and meanings[anchor] in tip.get_text()
                assert not node.find_parent(
                    ["code", "pre", "strong", "h1", "h2", "h3", "h4"]
                ) and not node.parent.find_parent("a")
                assert not node.find_parent(class_=["output", "self-check", "sources"])


def term(*spellings):
    return reading_aids.Term(spellings, "meaning", "anchor", "page.html#there", "there")


@pytest.mark.parametrize(
    ("spellings", "text", "found"),
    [
        (("stride",), "Strides, stridency and `stride`.", ["Strides"]),
        (("EM", "exact match"), "Em, EM, Exact matches.", ["EM", "Exact matches"]),
        (("example",), "For example, an example of this; each example.", ["example"]),
        (("split",), "Words are split. The training split is split into two splits.", ["split"]),
        (("head",), "An attention head is no head.", ["head"]),
        (("token",), "a token-wise, sub-token, ##token", []),
    ],
)
def test_a_word_is_explained_where_the_glossary_means_it(spellings, text, found):
    meant = term(*spellings)
    text = re.sub(r"`.*?`", "", text)
    hits = [hit for hit in re.finditer(meant.pattern(), text) if reading_aids.is_meant(meant, text, *hit.span())]
    assert [hit[0] for hit in hits] == found


def test_launch_buttons_appear_with_the_address(tmp_path, site):
    assert build.known_repository() or not site[1]["00_tour.html"].select('.launch a[href^="http"]')
    lessons = notebook(tmp_path, "# 00 · T")
    (lessons / "README.md").write_text("# Lessons\n", encoding="utf-8")
    build.build(tmp_path / "site", lessons, repository="some-one/course", pdf=False)
    page = BeautifulSoup((tmp_path / "site" / "00_x.html").read_text(encoding="utf-8"), "html.parser")
    assert {link.get_text(): link["href"] for link in page.select(".launch a")} == {
        "Open in Colab": "https://colab.research.google.com/github/some-one/course/blob/main/notebooks/00_x.ipynb",
        "Open in Binder": "https://mybinder.org/v2/gh/some-one/course/main?urlpath=lab/tree/notebooks/00_x.ipynb",
        "The notebook’s file": "https://github.com/some-one/course/blob/main/notebooks/00_x.ipynb",
        "Edit this page": "https://github.dev/some-one/course/blob/main/notebooks/00_x.ipynb",
    }
    assert page.find("meta", property="og:image")["content"] == "https://some-one.github.io/course/card.png"
    other = BeautifulSoup((tmp_path / "site" / "readme.html").read_text(encoding="utf-8"), "html.parser")
    assert [link["href"] for link in other.select(".launch a")] == [
        "https://github.com/some-one/course/edit/main/notebooks/README.md"
    ]
    first = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "git clone https://github.com/some-one/course\ncd course" in first


def test_a_link_to_a_page_shows_a_card(site):
    folder, pages = site
    for name, page in pages.items():
        told = {tag["property"]: tag["content"] for tag in page.select("meta[property^='og:']")}
        assert told["og:title"] and told["og:image"].endswith("card.png") and len(told["og:image:alt"]) > 20, name
    assert "name every step" in pages["00_tour.html"].find("meta", property="og:description")["content"]
    data = (folder / "card.png").read_bytes()
    assert struct.unpack(">II", data[16:24]) == (1200, 630) and len(data) < 200_000


def test_each_lessons_questions_are_on_its_page_and_lead_to_what_dispels_a_misconception(site):
    asked = self_check.load(NOTEBOOKS / "self_check.yaml")
    assert set(asked) <= set(LESSONS)
    for stem, questions in asked.items():
        section = site[1][f"{stem}.html"].find(class_="self-check")
        assert section.h2.get_text() == "Check yourself" and len(section.select(".question")) == len(questions)
        for shown, question in zip(section.select(".question"), questions):
            right = [item["data-right"] == "1" for item in shown.find_all("li")]
            assert right == [choice.right for choice in question.choices]
            for item in shown.find_all("li"):
                link = item.select_one(".misconception a")
                assert item["data-right"] == "1" or re.match(r"\d\d_\w+\.html", link["href"])


def test_the_guide_counts_the_questions_and_has_every_misconception_word_for_word():
    guide = (NOTEBOOKS / "TEACHING.md").read_text(encoding="utf-8")
    section = re.search(r"(?ms)^## Self-check questions\n(.*?)^## ", guide)[1]
    told = {number: int(count) for count, number in re.findall(r"(\d) in\s+(?:lesson )?(\d\d)\b", section)}
    asked = self_check.load(NOTEBOOKS / "self_check.yaml")
    assert told == {lesson[:2]: len(questions) for lesson, questions in asked.items()}
    for lesson, questions in asked.items():
        for choice in (choice for question in questions for choice in question.choices if not choice.right):
            assert f"| “{choice.misconception}” |" in guide, f"{lesson}: {choice.misconception}"


QUESTION = {
    "ask": "Why?",
    "choices": [{"right": "So.", "because": "It is."}, {"wrong": "No.", "is": "A token is a word"}],
}


def changed(**values):
    return {**QUESTION, **values}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ([QUESTION] * 2, "three to five"),
        ([QUESTION] * 3, "twice"),
        ([changed(ask="")], "three to five"),
        ([changed(ask=""), changed(ask="B"), QUESTION], "question 1: a question has"),
        ([changed(choices=QUESTION["choices"][:1]), changed(ask="B"), QUESTION], "two to five"),
        (
            [changed(choices=[{"wrong": "No.", "is": "x"}, {"wrong": "n", "is": "x"}]), changed(ask="B"), QUESTION],
            "exactly one",
        ),
        (
            [changed(choices=[QUESTION["choices"][0], {"wrong": "No."}]), changed(ask="B"), QUESTION],
            "choice 2: the right choice has",
        ),
        (
            [changed(choices=[QUESTION["choices"][0], {"wrong": 1, "is": "x"}]), changed(ask="B"), QUESTION],
            "from 'right' or 'wrong' to a text",
        ),
    ],
)
def test_questions_at_fault_are_refused(tmp_path, entry, message):
    file = tmp_path / "self_check.yaml"
    file.write_text(yaml.safe_dump({"00_tour": entry}), encoding="utf-8")
    with pytest.raises(ValueError, match=f"self_check.yaml, 00_tour.*{message}"):
        self_check.load(file)


def test_a_misconception_that_the_guide_does_not_have_is_refused(tmp_path):
    lessons = notebook(tmp_path, "# T", "## 1. S")
    questions = [changed(ask=ask) for ask in "ABC"]
    (lessons / "self_check.yaml").write_text(yaml.safe_dump({"00_x": questions}), encoding="utf-8")
    row = "| Misconception | What dispels it |\n|---|---|\n| “A {} is a word” | Pieces: [00, section 1](00_x.ipynb#1.-S). |\n"
    (lessons / "TEACHING.md").write_text("# G\n\n" + row.format("letter"), encoding="utf-8")
    with pytest.raises(ValueError, match="00_x, question 1: TEACHING.md has no misconception 'A token is a word'"):
        build.build(tmp_path / "site", lessons)
    (lessons / "TEACHING.md").write_text("# G\n\n" + row.format("`token`"), encoding="utf-8")
    build.build(tmp_path / "site", lessons)
    page = BeautifulSoup((tmp_path / "site" / "00_x.html").read_text(encoding="utf-8"), "html.parser")
    assert page.select_one(".misconception a")["href"] == "00_x.html#1-s"
    (lessons / "self_check.yaml").write_text(yaml.safe_dump({"01_y": questions}), encoding="utf-8")
    with pytest.raises(ValueError, match="there is no lesson 01_y"):
        build.build(tmp_path / "site", lessons)


def test_formulas_become_mathml_and_an_unknown_command_is_named():
    made = formulas.mathml(r"a_1^2 = \left\lceil \frac{n - \text{room left}}{0.5} \right\rceil")
    assert "<msubsup><mi>a</mi><mn>1</mn><mn>2</mn></msubsup>" in made
    assert "<mfrac><mrow><mi>n</mi><mo>−</mo><mi>room left</mi></mrow><mrow><mn>0.5</mn></mrow></mfrac>" in made
    assert '<mo stretchy="true">⌈</mo>' in made
    assert "<munder><mo>∑</mo><mi>w</mi></munder>" in formulas.mathml(r"\sum_w w")
    assert (
        '<munder><mrow class="braced"><mrow><mi>x</mi></mrow></mrow><mrow><mi>a b</mi></mrow></munder>'
        in formulas.mathml(r"\underbrace{x}_{\text{a b}}")
    )
    with pytest.raises(ValueError, match=r"\\oint"):
        formulas.mathml(r"\oint x")


def test_printed_columns_scroll_and_other_lines_are_wrapped():
    columns = notebook_html.plain_html("name    length\nbridge     212", "stdout")
    assert 'class="columns-of-text" tabindex="0"' in columns and "row" not in columns
    line = notebook_html.plain_html("  one <long> line\n\nand another", "stdout")
    assert line.count('<span class="row"') == 3 and 'style="--in:2"' in line and "&lt;long&gt;" in line
    error = nbformat.v4.new_output("error", ename="E", evalue="e", traceback=["\x1b[31mE\x1b[39m: e"])
    assert 'class="ansi-red-fg">E</span>' in notebook_html.output_html(error)
    bar = nbformat.v4.new_output("display_data", {notebook_html.WIDGET: {}, "text/plain": "IntProgress(value=0)"})
    assert notebook_html.output_html(bar) == ""


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


def test_each_lesson_has_the_same_questions_as_a_cell():
    rows = self_check_cells.guide_rows((NOTEBOOKS / "TEACHING.md").read_text(encoding="utf-8"))
    for lesson, questions in self_check.load(NOTEBOOKS / "self_check.yaml").items():
        notebook = json.loads((NOTEBOOKS / f"{lesson}.ipynb").read_text(encoding="utf-8"))
        expected = self_check_cells.with_questions(notebook, self_check_cells.cell_source(questions, rows))
        assert notebook == expected, f"{lesson}: run python tools/self_check_cells.py"
        assert sum(self_check_cells.TAG in cell["metadata"].get("tags", []) for cell in notebook["cells"]) == 1


def test_the_cell_of_questions_is_not_shown_twice_on_a_page(site):
    for lesson in self_check.load(NOTEBOOKS / "self_check.yaml"):
        page = site[1][f"{lesson}.html"]
        assert [h.get_text() for h in page.find_all(["h2", "h3"])].count("Check yourself") == 1


def test_a_lesson_as_slides_has_every_cell_and_loads_nothing_from_elsewhere(tmp_path):
    package = tmp_path / "package"
    (package / "dist").mkdir(parents=True)
    for name in slideshow.TAKEN:
        (package / name).write_text("", encoding="utf-8")
    source = NOTEBOOKS / "03_stride_windows.ipynb"
    page = BeautifulSoup(slideshow.write_slides(source, tmp_path / "out", package).read_text("utf-8"), "html.parser")
    headings = [
        line
        for cell in nbformat.read(source, as_version=4).cells
        if cell.cell_type == "markdown"
        for line in re.findall(r"(?m)^## (.+)$", cell.source)
    ]
    columns = page.select(".slides > section")
    assert len(columns) == len(headings) + 1 and all(column.find("section") for column in columns)
    assert [column.h2.get_text().strip("¶ ") for column in columns[1:]] == [h.replace("`", "") for h in headings]
    assert len(page.select("img[src^=data]")) == 3, "the lesson's figures"
    assert not re.search(r'(?:src|href)="(?:https?:)?//[^"]*\.(?:js|css|png)', str(page))
    for tag in page.select("script[src], link[href]"):
        assert (tmp_path / "out" / (tag.get("src") or tag["href"])).is_file()


def test_slides_without_npm_say_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(slideshow.shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match="install Node.js"):
        slideshow.reveal(tmp_path)
