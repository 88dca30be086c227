"""The lessons with widgets, in JupyterLab as a student has them: all cells run, and the widgets answer."""

import re

import pytest

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not here: run make again").expect

# A widget may take this many times as long as a bare slider: a redraw that went wrong takes a hundred times as long.
# The figures are in the summary; 100 ms on two cores is what the course aims at.
SLOWEST = 10


@pytest.fixture
def check_time(plain_time, note_time):
    def check(widget, slider: str) -> None:
        time = widget.answer_time(slider)
        note_time(f"{widget.name}: {slider}", time)
        assert time < SLOWEST * plain_time

    return check


def test_02_offsets_light_up(run_lesson, pictures, check_time):
    with run_lesson("02_tokenizer_and_offsets") as desk:
        widget = desk.widget("qa-offset-explorer")
        widget.keep_pictures(pictures)
        lit = widget.marked()
        widget.slider("Token").press("ArrowRight")
        expect(widget.view).to_contain_text("token 2:")
        assert widget.marked() != lit

        widget.control("Text").fill("Typed here")
        expect(widget.view).to_contain_text("of 10 characters belongs to no token")
        cut = widget.read()
        widget.control("Tokenizer").select_option(index=1)
        expect(widget.view).not_to_contain_text(cut)
        check_time(widget, "Token")


def test_03_windows_follow_the_sliders(run_lesson, pictures, check_time):
    with run_lesson("03_stride_windows") as desk:
        widget = desk.widget("qa-window-explorer")
        widget.keep_pictures(pictures)
        told, bars = widget.read(), widget.drawing()
        widget.slider("max_length").press("End")
        expect(widget.view).to_contain_text("1 feature at max_length")
        assert widget.drawing() != bars
        widget.slider("stride").press("Home")
        expect(widget.view).to_contain_text("stride 0")

        widget.control("Example").select_option(index=1)
        expect(widget.view).not_to_contain_text(told.splitlines()[0])
        check_time(widget, "max_length")
        check_time(widget, "stride")


def test_04_a_label_step_by_step(run_lesson, pictures, check_time):
    with run_lesson("04_labels") as desk:
        widget = desk.widget("qa-label-stepper")
        widget.keep_pictures(pictures)
        expect(widget.view).to_contain_text("step 1 of 6")
        lit = widget.marked()
        widget.root.get_by_role("button", name="Forward").click()
        expect(widget.view).to_contain_text("step 2 of 6")
        assert widget.marked() != lit
        widget.slider("Step").press("End")
        expect(widget.view).to_contain_text("Read back from the context:")
        widget.root.get_by_role("button", name="Back").click()
        expect(widget.view).to_contain_text("step 5 of 6")
        check_time(widget, "Step")


def best_spans(widget) -> list[str]:
    """The texts in the list of best spans, the best one first."""
    return widget.view.locator("tbody tr td:last-child").all_inner_texts()


def test_08_spans_and_the_threshold(run_lesson, pictures, check_time):
    with run_lesson("08_evaluation") as desk:
        widget = desk.widget("qa-span-explorer")
        widget.keep_pictures(pictures)
        widget.slider("Longest answer").press("End")
        bars, spans = widget.drawing(), best_spans(widget)
        widget.slider("Longest answer").press("Home")
        expect(widget.view).to_contain_text("at most 1 token each")
        assert best_spans(widget) != spans, "longer spans are no longer among the best"
        assert (widget.drawing() != bars) == (best_spans(widget)[0] != spans[0]), "the best span is shaded"

        widget.control("allow “no answer”").check()
        widget.slider("Null threshold").press("Home")
        expect(widget.view).to_contain_text("Answer: none")
        widget.slider("Null threshold").press("End")
        expect(widget.view).not_to_contain_text("Answer: none")
        check_time(widget, "Longest answer")
        check_time(widget, "Null threshold")


def test_10_a_document_of_ones_own(run_lesson, pictures):
    with run_lesson("10_your_own_documents") as desk:
        widget = desk.widget("qa-ask-box")
        widget.control("Document").fill(
            "The lighthouse at Brennick was built in 1874 by Ilse Varn. It was closed in 1921."
        )
        widget.control("Question").fill("Who built the lighthouse?")
        widget.control("Question").press("Enter")
        expect(widget.view).to_contain_text("Question: Who built the lighthouse?")
        answer = widget.marked()[0]
        assert answer and answer in widget.control("Document").input_value()
        assert widget.marked()[1] == answer, "it is lit in the document, too"

        widget.control("Question").fill("When was it closed?")
        widget.root.get_by_role("button", name="Ask").click()
        expect(widget.view).to_contain_text("Question: When was it closed?")
        widget.keep_pictures(pictures)

        form = desk.widget("qa-annotator")
        done = int(re.search(r"(\d+) of \d+ annotated", form.read()).group(1))
        document = form.view.locator(".qa-text")
        form.control("Question").fill("A question of one's own?")
        form.control("Answer").fill("stands nowhere in the text")
        form.root.get_by_role("button", name="Add").click()
        expect(form.view.get_by_role("alert")).to_be_visible()
        beginning = " ".join(document.inner_text().split()[:6])
        form.control("Answer").fill(beginning)
        expect(document.locator("mark").first).to_have_text(beginning)
        expect(form.control("Occurrence")).not_to_have_value("")  # an empty menu would say nothing
        form.root.get_by_role("button", name="Add").click()
        expect(form.view).to_contain_text(f"{done + 1} of ")
        form.keep_pictures(pictures)
