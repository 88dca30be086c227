"""The live pages in headless Chromium, from a folder and without a network: the engine answers, in a worker, and every widget
shows what its static twin shows. Times are printed (``pytest -s``) and never tested."""

import importlib.util
import json
import re
import shutil
import time
from pathlib import Path

import export_model
import golden
import live_places
import pytest
from bs4 import BeautifulSoup
from contrast import FAINT
from playwright.sync_api import Page, expect

import qa_helpers as qa

SCRIPTS = Path(export_model.__file__).parent / "live"
CONTEXT = "👩\u200d🚀 The bridge at Quellmark was built in 1874 by Ilse Varn. “Nørregate” was the lamp’s name. " * 14
QUESTION = "Who built the bridge?"
POLICY = "default-src 'none'; script-src 'self'; worker-src {workers}"
ASK = """async ([question, context]) => {
  const begun = performance.now();
  const { answer, start, end, score, windows } = await extractiveQA.ask(question, context);
  return { answer, start, end, score, windows: windows.length, milliseconds: performance.now() - begun };
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    export_model.export(folder / "live")
    for name in export_model.ENGINE:
        shutil.copy(SCRIPTS / name, folder / "live")
    scripts = "".join(f'<script src="live/{name}" defer></script>' for name in export_model.ENGINE)
    for name, workers in {"page": "blob:", "no-worker": "'none'"}.items():
        policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY.format(workers=workers)}">'
        page = f'<!doctype html><html lang="en"><meta charset="utf-8">{policy}<title>Ask</title>{scripts}'
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def expected():
    model = export_model.as_stored(qa.load_model(export_model.MODEL))
    return qa.QuestionAnswerer(model, qa.load_tokenizer(export_model.MODEL))(QUESTION, CONTEXT)


@pytest.mark.parametrize("name", ["page", "no-worker"])
def test_a_question_is_answered_from_a_folder_without_a_network(tab, folder, expected, name):
    """Where the page's policy allows no worker, the page computes itself."""
    tab.expected += ["worker-src 'none'"] if name == "no-worker" else []
    tab.goto((folder / f"{name}.html").as_uri())
    found = tab.evaluate(ASK, [QUESTION, CONTEXT])
    assert len(tab.workers) == (1 if name == "page" else 0)
    assert (found["answer"], found["start"], found["end"]) == (expected["answer"], expected["start"], expected["end"])
    assert found["score"] == pytest.approx(expected["score"], abs=1e-4)
    assert found["windows"] > 1
    again = tab.evaluate(ASK, [QUESTION, CONTEXT])
    assert len(tab.workers) <= 1, "one worker serves the page"
    print(f"{name}: first answer {found['milliseconds']:.0f} ms, second {again['milliseconds']:.0f} ms")


def test_tokens_in_the_browser_are_the_tokenizers(tab, folder):
    tokenizer = qa.load_tokenizer(export_model.MODEL)
    texts = [text for text in golden.texts(1000) if "\r" not in text]
    expected = golden.tokens(tokenizer, texts)
    tab.goto((folder / "page.html").as_uri())
    found = tab.evaluate(
        """async (texts) => {
          await extractiveQA.vocabularyReady();
          const found = texts.map((text) => extractiveQA.tokens(JSON.parse(text)));
          return [found.map((tokens) => tokens.map(({ id }) => id)),
                  found.map((tokens) => tokens.flatMap(({ start, end }) => [start, end]))];
        }""",
        [json.dumps(text) for text in texts],  # escaped: the way to the browser takes no half surrogates
    )
    assert found == [expected["ids"], expected["offsets"]]
    assert tab.workers == [], "tokens need no model"


# ---- The widgets on the site's pages ---------------------------------------------------------------------------------

SIZES, THEMES = ((390, 800), (1440, 900)), ("light", "dark")
WIDGETS = {
    "index": "qa-ask-box",
    "00_tour": "qa-ask-box",
    "02_tokenizer_and_offsets": "qa-offset-explorer",
    "03_stride_windows": "qa-window-explorer",
    "04_labels": "qa-label-stepper",
    "08_evaluation": "qa-span-explorer",
    "10_your_own_documents": "qa-ask-box",
}
HARMFUL = (
    '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script> & </textarea><b>Who</b> did it in 1893?'
)


def opened(tab: Page, site: Path, name: str):
    """A page's widget, when it has drawn what it shows first."""
    tab.goto((site / f"{name}.html").as_uri())
    widget = tab.locator(f'[data-live="{WIDGETS[name]}"]')
    widget.scroll_into_view_if_needed()
    if WIDGETS[name] != "qa-ask-box":
        expect(widget.locator(".view .block").first).to_be_visible(timeout=60_000)
    return widget


def answer(widget) -> str:
    """What the box says when it has answered."""
    told = widget.get_by_role("status").first
    expect(told).to_contain_text("Answer:", timeout=60_000)
    return told.inner_text()


def ask(widget, question: str | None = None, text: str | None = None) -> None:
    for label, value in (("Text", text), ("Question", question)):
        if value is not None:
            widget.get_by_label(label, exact=True).fill(value)
    widget.get_by_role("button", name="Ask", exact=True).click()


def until(tab: Page, condition: str) -> None:
    """Wait until a condition holds. (Playwright's own way would need eval, which the pages' policy forbids.)"""
    end = time.monotonic() + 60
    while not tab.evaluate(condition):
        assert time.monotonic() < end, condition
        tab.wait_for_timeout(20)


def twin(site: Path, name: str) -> BeautifulSoup:
    """The static picture of a page's widget."""
    page = BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
    return page.find(attrs={"data-live": True}).find_next(class_="qa-view")


@pytest.mark.parametrize("name", WIDGETS)
def test_a_widget_fits_and_is_readable_on_phone_and_desktop_in_light_and_dark(tab, site, pictures, name):
    widget = opened(tab, site, name)
    if WIDGETS[name] == "qa-ask-box":
        ask(widget)
        answer(widget)
        widget.get_by_text("A look behind it").click()
    remark = tab.locator(f'.remark[data-widget="{WIDGETS[name]}"]')
    assert remark.count() == 0 or remark.is_hidden(), "the widget has taken the remark's place"
    for width, height in SIZES:
        tab.set_viewport_size({"width": width, "height": height})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        outside = """e => [...e.querySelectorAll('*')].filter((part) => !part.closest('.drawing, .scrolls, .qa-text, .unseen')
          && part.getBoundingClientRect().width && part.getBoundingClientRect().right > e.getBoundingClientRect().right + 1)
          .map((part) => part.outerHTML.slice(0, 100))"""
        assert widget.evaluate(outside) == [], f"{name} at {width}"
        for theme in THEMES:
            tab.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
            assert not tab.evaluate(FAINT)["faint"], f"{name}, {theme}"
            widget.evaluate("e => e.scrollIntoView({ behavior: 'instant' })")
            tab.screenshot(path=pictures / f"live-{name}-{width}-{theme}.png")


def test_times_until_the_first_answer_and_after_a_key(tab, site):
    """The first answer of a page includes loading the model."""
    for name in ("index", "10_your_own_documents"):
        widget, begun = opened(tab, site, name), time.perf_counter()
        ask(widget)
        answer(widget)
        print(f"\n{name}: first answer {1000 * (time.perf_counter() - begun):.0f} ms")
    keys = {
        "02_tokenizer_and_offsets": "Token",
        "03_stride_windows": "stride",
        "04_labels": "Step",
        "08_evaluation": "Null threshold",
    }
    for name, label in keys.items():
        widget = opened(tab, site, name)
        slider = widget.get_by_role("slider", name=label)
        slider.focus()
        before = widget.inner_text()
        # From the key to the next frame after the view has changed.
        slider.evaluate("""e => { e.addEventListener('keydown', () => {
          const begun = performance.now();
          requestAnimationFrame(() => requestAnimationFrame(() => { window.took = performance.now() - begun; }));
        }); }""")
        tab.keyboard.press("ArrowRight")
        until(tab, "Boolean(window.took)")
        assert widget.inner_text() != before, f"{name}: the key changes nothing"
        assert tab.evaluate("document.activeElement.type") == "range", "the focus stays"
        print(f"{name}: a key on “{label}” to the new view {tab.evaluate('window.took'):.0f} ms")


def test_the_offsets_of_a_typed_text_are_the_tokenizers(tab, site):
    widget = opened(tab, site, "02_tokenizer_and_offsets")
    text = "The keeper’s  lamp 😀 cost £1,250."
    widget.get_by_label("Text", exact=True).fill(text)
    encoded = qa.load_tokenizer("mini-bert")(text, return_offsets_mapping=True)
    boxes = widget.locator(".chip")
    assert boxes.count() == len(encoded["input_ids"])
    told = [box.split("\n") for box in boxes.all_inner_texts()]
    assert [row[1:] for row in told] == [[t, str(k)] for t, k in zip(encoded.tokens(), encoded["input_ids"])]
    emoji = encoded.char_to_token(text.index("😀"))
    boxes.nth(emoji).click()
    start, end = encoded["offset_mapping"][emoji]
    expect(widget.get_by_role("status")).to_contain_text(
        f"characters [{start}, {end}) of the text: {text[start:end]!r}"
    )
    boxes.nth(emoji).hover()
    assert widget.locator(".qa-text .pointed").inner_text() == "😀"
    widget.get_by_label("Text", exact=True).fill("  ")
    expect(widget.get_by_role("alert")).to_have_text("There is no text yet. Type some")
    widget.get_by_label("Text", exact=True).fill("a" * 601)
    expect(widget.get_by_role("alert")).to_contain_text("at most 600 can be shown")


def test_windows_begin_as_on_the_static_picture_and_follow_the_sliders(tab, site):
    widget = opened(tab, site, "03_stride_windows")
    told, picture = widget.get_by_role("list").first, twin(site, "03_stride_windows")
    assert told.locator("li").all_inner_texts() == [line.get_text() for line in picture.ul.find_all("li")]
    bars = [text.get_text() for text in picture.svg.find_all("text")]
    assert widget.locator(".said").all_inner_texts() == bars
    widget.get_by_role("slider", name="stride").fill("60")
    expect(told).to_contain_text("the whole answer is in window")
    widget.get_by_role("slider", name="max_length").fill("20")
    expect(widget.get_by_role("alert")).to_contain_text("stride 60 does not fit max_length 20")
    assert widget.locator(".said").count() == 0
    widget.get_by_role("slider", name="max_length").fill("100")
    widget.get_by_text("A question and a text of your own").click()
    field = widget.get_by_label("Text", exact=True)
    field.fill("😀 The lamp was lit in 1902.")
    expect(told).to_contain_text("the question has no answer in this text")
    field.evaluate("e => { e.focus(); e.setSelectionRange(e.value.indexOf('1902'), e.value.indexOf('1902') + 4); }")
    widget.get_by_role("button", name="The selected characters are the answer").click()
    expect(told).to_contain_text("the whole answer is in window 0")
    expect(widget.get_by_text("The answer is characters [22, 26): '1902'")).to_be_visible()  # the emoji counts once
    assert widget.locator(".qa-text mark").inner_text() == "1902"


def test_every_step_of_every_window_says_what_the_notebook_says(tab, site):
    from qa_helpers import widgets

    widget = opened(tab, site, "04_labels")
    given = json.loads(widget.get_attribute("data-given"))["examples"][0]
    start, end = given["answer"]
    example = {
        "id": "x",
        "title": "",
        "question": given["question"],
        "context": given["context"],
        "answers": {"text": [given["context"][start:end]], "answer_start": [start]},
    }
    tokenizer = qa.load_tokenizer("mini-bert")
    told, window = widget.locator("p[aria-live]"), widget.get_by_label("Window")
    step = widget.get_by_role("slider", name="Step")
    assert widget.get_by_role("button", name="Back").is_disabled()
    titles = {twin.b.get_text() for twin in [twin(site, "04_labels")]}
    seen = set()
    for k in range(window.locator("option").count()):
        window.select_option(str(k))
        steps = widgets.label_steps(example, tokenizer, 100, 50, k)
        assert step.get_attribute("max") == str(len(steps))
        for number, wanted in enumerate(steps, 1):
            step.fill(str(number))
            found = told.inner_text()
            assert found == repr(wanted)
            seen.add(found.split("\n")[0])
            boxes = BeautifulSoup(wanted.html, "html.parser").select("span > span:nth-of-type(2)[style*=monospace]")
            assert widget.locator(".chip code").all_inner_texts() == [box.get_text() for box in boxes]
    assert titles <= seen, "the step of the static picture is among them"
    step.fill("1")
    widget.get_by_role("button", name="Forward").click()
    expect(told).to_contain_text("step 2 of")


def test_spans_and_threshold_are_those_of_the_package(tab, site):
    widget = opened(tab, site, "08_evaluation")
    given = json.loads(widget.get_attribute("data-given"))["examples"]
    tokenizer, model = qa.load_tokenizer(export_model.MODEL), export_model.as_stored(qa.load_model(export_model.MODEL))
    for k, row in enumerate(given[:3]):
        if k:
            widget.get_by_label("Example").select_option(str(k))
        expect(widget.get_by_text(f"Question: {row['question']}")).to_be_visible(timeout=60_000)
        answers = {"text": [], "answer_start": []}
        example = {"id": "x", "title": "", "question": row["question"], "context": row["context"], "answers": answers}
        rows = [example]
        features = qa.make_features(rows, tokenizer, 256, 128, labels=False)
        logits = qa.predict_logits(model, features)
        for threshold, longest in ((0, 30), (-12, 3)):
            widget.get_by_role("slider", name="Null threshold").fill(str(threshold))
            widget.get_by_role("slider", name="Longest answer").fill(str(longest))
            wanted = qa.decode_answers(rows, features, *logits, 20, longest, threshold, True)[0]
            told = widget.locator("p[aria-live]").inner_text()
            assert told.startswith(f"Answer: {wanted.text!r}" if wanted.text else "Answer: none"), row["question"]
            table = widget.locator("tbody tr").all_inner_texts()
            assert [line.split("\t")[2] for line in table[:-1]] == [span.text for span in wanted.n_best[:5]]
            scores = [float(line.split("\t")[0]) for line in table]
            assert scores == pytest.approx([*(span.score for span in wanted.n_best[:5]), wanted.null_score], abs=0.011)
    widget.get_by_label("allow “no answer”").uncheck()
    expect(widget.get_by_text("“No answer” is not allowed here")).to_be_visible()
    assert widget.get_by_role("slider", name="Null threshold").is_disabled()


def test_the_first_page_answers_says_that_there_is_no_answer_and_shows_what_is_behind(tab, site):
    widget = opened(tab, site, "index")
    assert tab.workers == [] and not tab.evaluate("Boolean(extractiveQA.weights)"), "nobody has asked yet"
    for question, wanted in zip(live_places.QUESTIONS, ("Odile Brask", "£4,200", "too costly", "no answer")):
        widget.get_by_role("button", name=question).click()
        expect(widget.get_by_role("status").first).to_contain_text(wanted, timeout=60_000)
    assert len(tab.workers) == 1
    assert widget.get_by_role("button", name="Which words mattered?").count() == 0, "there is no answer"
    widget.get_by_label("allow “no answer”").uncheck()
    ask(widget, "Who designed the bridge?")
    expect(widget.get_by_role("status").first).to_contain_text("Odile Brask")
    place = re.search(r"\[(\d+), (\d+)\)", widget.get_by_role("status").first.inner_text())
    assert live_places.CONTEXT[int(place[1]) : int(place[2])] == "Odile Brask"
    assert widget.locator(".qa-text mark").inner_text() == "Odile Brask"
    behind = widget.locator(".behind")
    behind.locator("summary").click()
    links = [link.get_attribute("href") for link in behind.get_by_role("link").all()]
    assert [link[:2] for link in links] == ["02", "03", "05", "08"] and all((site / link).is_file() for link in links)
    assert behind.locator(".chip").count() > 50 and behind.locator(".logit-bars rect").count() > 40
    if importlib.util.find_spec("axe_playwright_python") is None:
        pytest.skip("axe-core is not here: pip install axe-playwright-python, which brings it")
    import axe_playwright_python

    tab.evaluate((Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    # Contrast is tested above. What axe would load itself, the page's policy forbids.
    options = {"resultTypes": ["violations"], "preload": False, "rules": {"color-contrast": {"enabled": False}}}
    found = tab.evaluate("options => axe.run('#live', options)", options)["violations"]
    assert not found, [(violation["id"], violation["nodes"][0]["html"]) for violation in found]


def test_the_box_of_lesson_10_begins_with_the_answer_of_the_static_picture(tab, site):
    widget = opened(tab, site, "10_your_own_documents")
    ask(widget)
    picture = twin(site, "10_your_own_documents")
    assert picture.mark.get_text() in answer(widget)
    wanted = [line.b.get_text() for line in picture.ol.find_all("li")]
    assert widget.locator("ol b").all_inner_texts() == wanted


def test_the_words_that_mattered_are_lit_by_pointer_and_keyboard(tab, site):
    widget = opened(tab, site, "index")
    ask(widget)
    answer(widget)
    lit = widget.locator(".qa-text mark")
    lit.focus()
    begun = time.perf_counter()
    expect(widget.get_by_text("Each word was replaced by [MASK]")).to_be_visible(timeout=120_000)
    words = widget.locator("[data-word]").count()
    print(f"\n{words} words taken away, one by one: {1000 * (time.perf_counter() - begun):.0f} ms")
    box = widget.locator(".qa-text").first
    assert "designed" in widget.locator(".mattered[data-word]").all_inner_texts()
    told = widget.get_by_text("It fell most without").inner_text()
    assert told.count("(by ") == 3 and "“designed”" in told
    colour = "e => getComputedStyle(e).borderBottomStyle"
    word = widget.locator(".mattered[data-word]", has_text="designed")
    assert box.evaluate("e => e.classList.contains('occluded')") and word.evaluate(colour) == "solid"
    tab.keyboard.press("Tab")  # to the button, which does the same
    tab.keyboard.press("Tab")
    assert word.evaluate(colour) == "none"
    lit.hover()
    assert word.evaluate(colour) == "solid"
    button = widget.get_by_role("button", name="Which words mattered?")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    tab.locator("h1").hover()
    tab.locator("h1").click()
    assert word.evaluate(colour) == "solid", "it stays while the button is pressed"


def test_a_newer_question_ends_the_older_one_and_messages_say_what_is_wrong(tab, site):
    widget = opened(tab, site, "index")
    long = "The keeper wrote a line about the weather and the boats. " * 120 + "The lamp was lit in 1902."
    ask(widget, "When was the lamp lit?", long)
    bar = widget.get_by_role("progressbar", name="progress of the model")
    expect(bar).to_be_visible()
    until(tab, "document.querySelector('#live progress').max > 2")  # it reads window by window
    ask(widget, "Who wrote a line?")
    ask(widget, "How long is the bridge?", live_places.CONTEXT)
    expect(widget.get_by_role("status").first).to_contain_text("212 metres", timeout=60_000)
    assert bar.is_hidden()
    for question, text, message in (
        (" ", "A text.", "the question is empty; give some text"),
        ("Who?", "\u200b", "the context holds no token (only invisible characters?)"),
        ("Who is it? " * 80, "A text.", "tokens of question leave"),
    ):
        ask(widget, question, text)
        expect(widget.get_by_role("alert")).to_contain_text(message)
        assert widget.get_by_role("status").first.inner_text() == ""
    ask(widget, "How long is the bridge?", live_places.CONTEXT)
    expect(widget.get_by_role("status").first).to_contain_text("212 metres")


@pytest.mark.parametrize("name", WIDGETS)
def test_harmful_texts_stay_texts(tab, site, name):
    widget = opened(tab, site, name)
    if WIDGETS[name] == "qa-ask-box":
        ask(widget, HARMFUL, HARMFUL)
        answer(widget)
        widget.get_by_text("A look behind it").click()
    else:
        if widget.get_by_text("A question and a text of your own").count():
            widget.get_by_text("A question and a text of your own").click()
            widget.get_by_label("Question", exact=True).fill(HARMFUL[:37])
        widget.get_by_label("Text", exact=True).fill(HARMFUL)
        if WIDGETS[name] != "qa-offset-explorer":
            expect(widget.locator(".view")).to_contain_text(f"Question: {HARMFUL[:37]}", timeout=60_000)
    assert "onerror" in widget.locator(".view").inner_text()
    assert widget.locator("img, script, .view textarea").count() == 0 and not tab.evaluate("Boolean(window.hacked)")


def test_a_model_of_ones_own_answers_and_the_page_says_so(tab, tmp_path):
    """Its head is trained no further here: what counts is that the page computes with it."""
    import build_site
    import nbformat

    from qa_helpers import training

    model, tokenizer = qa.load_model("mini-bert"), qa.load_tokenizer("mini-bert")
    training.save_model(model, tokenizer, tmp_path / "first")
    (tmp_path / "notebooks").mkdir()
    cell = nbformat.v4.new_markdown_cell("# 00 · The tour")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "notebooks" / "00_tour.ipynb")
    build_site.build(tmp_path / "site", tmp_path / "notebooks", pdf=False, model=tmp_path / "first")
    widget = opened(tab, tmp_path / "site", "index")
    expect(widget.get_by_text("Your own model answers here: first, a BERT of")).to_be_visible()
    widget.get_by_label("allow “no answer”").uncheck()
    ask(widget)
    stored = export_model.as_stored(qa.load_model(tmp_path / "first"))
    wanted = qa.QuestionAnswerer(stored, tokenizer)(question=live_places.QUESTIONS[0], context=live_places.CONTEXT)
    assert wanted["answer"] in answer(widget)
