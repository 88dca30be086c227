"""The site in headless Chromium: phone and desktop, light and dark. Run by `make test-site`; pictures in build/screenshots."""

import importlib.util
import re
from pathlib import Path

import build_site as build
import pytest
from contrast import FAINT

PHONE, DESKTOP = (390, 800), (1280, 900)
WIDE = (1440, 900)

# Code and printed text that is wider than its box, and that no scroll bar leads to.
CUT = """() => [...document.querySelectorAll("main pre, main .row")].filter((box) => box.scrollWidth > box.clientWidth + 1
  && getComputedStyle(box).overflowX !== "auto").map((box) => box.textContent.slice(0, 60))"""


@pytest.fixture(scope="module")
def names(built) -> list[str]:
    """All pages but those that only lead to another."""
    return sorted(page.name for page in built[1])


def test_every_page_fits_is_readable_and_makes_no_error(tab, site, names, pictures):
    for name in names:
        tab.goto((site / name).as_uri())
        for size in (WIDE, DESKTOP, PHONE):
            tab.set_viewport_size({"width": size[0], "height": size[1]})
            assert tab.evaluate("document.documentElement.scrollWidth") <= size[0], f"{name} scrolls sideways"
            assert tab.evaluate(CUT) == [], f"{name}: lines are cut off at {size[0]}"
            for theme in ("light", "dark") if size is not WIDE else ():
                tab.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
                found = tab.evaluate(FAINT)
                assert found["seen"] > 20 and not found["faint"], f"{name}, {theme}: {found['faint']}"
                if name.startswith(("index", "02", "03", "08", "10")) and "solutions" not in name:
                    tab.screenshot(path=pictures / f"site-{Path(name).stem}-{size[0]}-{theme}.png")


def test_the_browsers_wish_decides_about_light_and_dark(browser, site):
    for theme, colour in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 23, 29)")):
        for scripts in (True, False):
            context = browser.new_context(color_scheme=theme, java_script_enabled=scripts)
            page = context.new_page()
            page.goto((site / "index.html").as_uri())
            body = page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor") if scripts else None
            assert body in (colour, None)
            if scripts:
                assert page.evaluate("document.documentElement.dataset.theme") == theme
            context.close()


def test_axe_finds_nothing(browser, site, names):
    if importlib.util.find_spec("axe_playwright_python") is None:
        pytest.skip("axe-core is not here: pip install axe-playwright-python, which brings it")
    import axe_playwright_python

    axe = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    context = browser.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=True)
    page = context.new_page()
    found = {}
    for name in names:
        page.goto((site / name).as_uri())
        page.evaluate(axe)
        # Contrast is tested above, in both themes and much faster.
        options = {"resultTypes": ["violations"], "rules": {"color-contrast": {"enabled": False}}}
        for violation in page.evaluate("options => axe.run(document, options)", options)["violations"]:
            found[f"{name}: {violation['id']}"] = violation["nodes"][0]["html"][:200]
    context.close()
    assert not found


def test_a_page_without_scripts_has_everything_to_read(browser, site):
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto((site / "03_stride_windows.html").as_uri())
    assert page.get_by_text(
        "This widget works in JupyterLab, and in this page where JavaScript is allowed"
    ).is_visible()
    assert page.locator(".live").is_hidden()
    assert page.get_by_role("button").count() == 0 and not page.get_by_role("searchbox").is_visible()
    page.locator("a.term").first.focus()
    assert page.locator(".tip").first.is_visible()
    question = page.locator(".question").first
    assert not question.locator(".said").first.is_visible()
    question.locator("summary").first.click()
    assert question.locator(".said").first.is_visible()
    context.close()


def test_the_switch_is_remembered_and_the_search_finds_a_section(tab, site):
    tab.goto((site / "index.html").as_uri())
    assert not tab.evaluate("Boolean(window.searchIndex)"), "the index is loaded when somebody searches"
    tab.get_by_role("button", name="Switch to the dark theme").click()
    tab.goto((site / "03_stride_windows.html").as_uri())
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    tab.keyboard.press("/")
    tab.keyboard.type("stride wind")
    results = tab.get_by_role("region", name="Search results")
    results.get_by_role("link").first.wait_for()
    assert re.match(r"\d+( best)? sections", results.locator("p").first.inner_text())
    first = results.get_by_role("link").first
    assert "03 · Stride windows" in first.inner_text()
    target = first.get_attribute("href")
    first.click()
    assert tab.url.endswith(target) and results.is_hidden()
    tab.get_by_label("Search", exact=True).fill("zzzz")
    assert "Nothing found" in results.inner_text()
    tab.keyboard.press("Escape")
    assert results.is_hidden()


def test_the_keyboard_sees_where_it_is_and_skips_to_the_text(tab, site):
    tab.goto((site / "00_tour.html").as_uri())
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    assert tab.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "content"


def test_code_is_copied_as_it_was_written(browser, site):
    # The clipboard stands in for one that refuses a page from a folder, too: then a selection is copied.
    for refused in (False, True):
        context = browser.new_context(permissions=["clipboard-read"])
        page = context.new_page()
        page.goto((site / "02_tokenizer_and_offsets.html").as_uri())
        if refused:
            page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
        else:
            page.evaluate("() => { navigator.clipboard.writeText = async (text) => { window.copied = text; }; }")
        page.evaluate("document.addEventListener('copy', () => { window.copied = document.activeElement.value; })")
        box = page.locator(".highlight", has_text="def end_of_longest_piece")
        box.get_by_role("button", name="Copy this code").click()
        page.get_by_text("Copied").first.wait_for()
        copied = page.evaluate("window.copied")
        assert copied.startswith("def end_of_longest_piece(word, start, vocabulary):\n    ") and "↪" not in copied
        assert copied == copied.rstrip("\n") and "\n\n" not in copied
        assert page.evaluate("document.activeElement.className") == "copy"
        context.close()


def test_the_section_in_view_is_marked(tab, site):
    tab.goto((site / "03_stride_windows.html").as_uri())
    contents = tab.get_by_role("navigation", name="On this page")
    assert contents.locator("[aria-current]").count() == 0
    heading = tab.get_by_role("heading", name="4. A batch")
    heading.evaluate("e => e.scrollIntoView({ behavior: 'instant' })")
    marked = contents.locator('[aria-current="location"]')
    marked.wait_for()
    assert marked.all_inner_texts() == ["4. A batch"]


def test_a_word_of_the_glossary_explains_itself_to_pointer_and_keyboard(tab, site):
    tab.goto((site / "03_stride_windows.html").as_uri())
    word = tab.locator("a.term", has_text="tokenizer").first
    tip = tab.locator(f"#{word.get_attribute('aria-describedby')}")
    assert tip.is_hidden()
    word.focus()
    assert tip.is_visible() and tip.inner_text().startswith("tokenizer: the program that")
    tab.keyboard.press("Escape")
    assert tip.is_hidden()
    tab.locator("h1").hover()
    word.hover()
    assert tip.is_visible()
    tab.set_viewport_size({"width": 390, "height": 800})
    word.focus()
    box = tip.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["y"] + box["height"] <= 800


def test_a_question_is_answered_with_the_keyboard_and_read_out(tab, site):
    tab.goto((site / "03_stride_windows.html").as_uri())
    question = tab.get_by_role("group", name=re.compile("cut off the last"))
    told = question.get_by_role("status")
    first = question.get_by_role("radio").first
    first.focus()
    tab.keyboard.press("Space")
    assert told.inner_text() == ""
    tab.keyboard.press("Enter")
    assert told.inner_text().startswith("Not quite.") and "misconception" in told.inner_text()
    link = told.get_by_role("link").first.get_attribute("href")
    assert link == "03_stride_windows.html#2-the-wrong-way-cut-the-end-off"
    first.focus()
    tab.keyboard.press("ArrowDown")
    question.get_by_role("button", name="Check").press("Enter")
    assert told.inner_text().startswith("Right.")
    assert tab.get_by_role("group", name=re.compile("features")).first.get_by_role("status").inner_text() == ""


def test_an_old_name_leads_to_the_page(tab, site):
    tab.goto((site / "08_bert_and_friends.html").as_uri())
    tab.wait_for_url("**/09_bert_and_friends.html")


def test_a_page_moves_only_for_those_who_do_not_mind(tab, site):
    tab.emulate_media(reduced_motion="reduce")
    tab.goto((site / "index.html").as_uri())
    assert tab.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    tab.emulate_media(reduced_motion="no-preference")
    assert tab.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "smooth"


def test_nothing_is_cut_off_on_paper(tab, site):
    tab.set_viewport_size({"width": 700, "height": 900})  # about what A4 leaves between its margins
    tab.emulate_media(media="print")
    for name in ("02_tokenizer_and_offsets.html", "08_evaluation.html"):
        tab.goto((site / name).as_uri())
        assert tab.evaluate(CUT) == []
        assert (
            tab.locator("main pre.columns-of-text").first.evaluate("e => getComputedStyle(e).whiteSpace") == "pre-wrap"
        )
        for hidden in ("header", "nav.course", ".copy", ".launch", ".question button"):
            assert tab.locator(hidden).first.is_hidden(), hidden


def test_a_pdf_of_each_page_has_all_its_text(browser, built):
    site, pages = built
    printed = {page.name.removesuffix(".html") for page in pages if not page.spoiler and page.name != build.HOME}
    assert build.print_pdfs(site, pages, browser) == len(printed)
    assert {path.stem for path in (site / "pdf").glob("*.pdf")} == printed and "bibliography" in printed
    for path in sorted((site / "pdf").glob("*.pdf")):
        data = path.read_bytes()
        assert data.startswith(b"%PDF-") and data.rstrip().endswith(b"%%EOF")
        assert len(re.findall(rb"/Type\s*/Page\b", data)) >= (5 if path.stem[0].isdigit() else 1), path.name
