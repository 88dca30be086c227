"""The site in headless Chromium: phone and desktop, light and dark. Run by `make test-site`; pictures in build/screenshots."""

import re
import subprocess
import sys
from pathlib import Path

import build_site as build
import pytest

PHONE, DESKTOP = (390, 800), (1280, 900)

# Texts whose contrast with what lies behind them is below WCAG's AA: 4.5, or 3 where the letters are large.
FAINT = """() => {
  const parse = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n.length > 3 ? n[3] : 1]; };
  const over = (a, b) => [0, 1, 2].map((k) => a[k] * a[3] + b[k] * (1 - a[3])).concat(1);
  const light = (c) => [0, 1, 2].map((k) => { const v = c[k] / 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; })
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
  };
  const faint = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let node, seen = 0;
  while ((node = walker.nextNode())) {
    const element = node.parentElement, style = getComputedStyle(element);
    if (!node.data.trim() || !element.getClientRects().length || style.visibility === "hidden") continue;
    if (element.closest("script, style, .skip")) continue;
    seen += 1;
    const ground = behind(element), text = over(parse(style.color), ground);
    const [high, low] = [light(text), light(ground)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) faint.set(`${element.tagName}.${element.className} ${style.color} on ${ground.map(Math.round)}`, `${ratio.toFixed(2)} "${node.data.trim().slice(0, 30)}"`);
  }
  return { seen, faint: Object.fromEntries(faint) };
}"""


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    program = build.find_chromium()
    if program is None:
        pytest.skip("Chromium is not here: install it (Debian: apt-get install chromium) to look at the site")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program)
        yield started
        started.close()


@pytest.fixture(scope="module")
def site(browser, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    build.build(folder)
    return folder


@pytest.fixture(scope="module")
def pictures() -> Path:
    folder = build.ROOT / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_every_page_fits_is_readable_and_makes_no_error(browser, site, pictures, size, theme):
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=theme)
    errors, requests = [], []
    tab = context.new_page()
    tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    for path in sorted(site.glob("*.html")):
        tab.goto(path.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= size[0], f"{path.name} scrolls sideways"
        found = tab.evaluate(FAINT)
        assert found["seen"] > 20 and not found["faint"], f"{path.name}: {found['faint']}"
        assert tab.evaluate("document.documentElement.dataset.theme") == theme
        if path.name.startswith(("index", "04", "07")):
            tab.screenshot(path=pictures / f"site-{path.stem}-{size[0]}-{theme}.png")
    assert errors == []
    assert {url.split(":")[0] for url in requests} <= {"file", "data"}, "the site asks for something elsewhere"
    context.close()


def test_the_switch_is_remembered_and_the_search_finds_a_section(browser, site):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    tab = context.new_page()
    tab.goto((site / "index.html").as_uri())
    tab.get_by_role("button", name="Switch to the dark theme").click()
    tab.goto((site / "03_stride_windows.html").as_uri())
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    tab.keyboard.press("/")
    tab.keyboard.type("stride wind")
    results = tab.get_by_role("region", name="Search results")
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
    context.close()


def test_the_keyboard_sees_where_it_is_and_skips_to_the_text(browser, site):
    tab = browser.new_page()
    tab.goto((site / "00_tour.html").as_uri())
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    assert tab.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "content"
    tab.close()


def test_a_pdf_of_each_page_has_all_its_text(browser, site):
    # In a process of its own: playwright's browser of this one is busy.
    code = (
        f"import sys; sys.path.insert(0, {str(build.HERE)!r}); import build_site as build; from pathlib import Path\n"
    )
    code += f"pages = build.build(Path({str(site)!r})); print(build.print_pdfs(Path({str(site)!r}), pages))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    stems = {path.stem for path in site.glob("*.html")}
    printed = {stem for stem in stems if stem != "index" and not stem.endswith("_solutions")}
    assert done.returncode == 0 and done.stdout.split()[-1] == str(len(printed)), done.stderr[-2000:]
    assert {path.stem for path in (site / "pdf").glob("*.pdf")} == printed and "bibliography" in printed
    for path in sorted((site / "pdf").glob("*.pdf")):
        data = path.read_bytes()
        assert data.startswith(b"%PDF-") and data.rstrip().endswith(b"%%EOF")
        assert len(re.findall(rb"/Type\s*/Page\b", data)) >= (5 if path.stem[0].isdigit() else 1), path.name
