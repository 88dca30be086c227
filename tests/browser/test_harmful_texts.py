"""Texts that would run if they were taken for HTML: every widget shows them as text, typed in or from the data."""

import nbformat
import pytest
import workshop

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not here: run make again").expect

WIDGETS = (
    "qa-offset-explorer",
    "qa-window-explorer",
    "qa-label-stepper",
    "qa-span-explorer",
    "qa-ask-box",
    "qa-annotator",
)
SHOWN = "<script>window.harmed"


def test_nothing_in_a_text_runs(run_lesson, lab):
    nbformat.write(workshop.widgets(), lab.notebooks / "widgets.ipynb")
    with run_lesson("widgets") as desk:
        for name in WIDGETS:
            expect(desk.widget(name).view, name).to_contain_text(SHOWN)

        form = desk.widget("qa-annotator")
        form.control("Question").fill(f"typed {workshop.HARM}")
        form.control("Answer").fill(workshop.HARM)
        expect(form.view).to_contain_text(f"typed {SHOWN}")
        explorer, box = desk.widget("qa-offset-explorer"), desk.widget("qa-ask-box")
        explorer.control("Text").fill(f"typed {workshop.HARM}")
        expect(explorer.view).to_contain_text(f"typed {SHOWN}")
        box.control("Document").fill(f"A text that was pasted here: {workshop.HARM}")
        box.control("Question").fill(f"typed {workshop.HARM}")
        box.control("Question").press("Enter")
        expect(box.view).to_contain_text(f"Question: typed {SHOWN}")
        expect(box.view).to_contain_text(f"pasted here: {SHOWN}")

        assert desk.page.evaluate("window.harmed") is None
        assert desk.page.locator(".harm").count() == 0
        assert desk.complaints == [], "such as a picture named x that was asked for"
        # The trap is armed: taken for HTML, the same text does run.
        desk.page.evaluate("text => document.body.insertAdjacentHTML('beforeend', text)", workshop.HARM)
        desk.page.wait_for_function("() => window.harmed")
        desk.complaints.clear()
