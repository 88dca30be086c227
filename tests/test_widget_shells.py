"""The widgets' shells: moving a control redraws the view, and whatever goes wrong is said there."""

import time
import warnings

import ipywidgets
import numpy as np
import pytest
from support import file
from widget_pages import Page, logits_for

from qa_helpers import make_features, widgets
from qa_helpers.classroom.widgets import ask_box


def said(widget) -> str:
    return Page(widget.view.value).text


def explorers(rows, tokenizer) -> dict[str, ipywidgets.VBox]:
    bells = next(row for row in rows if row["id"] == "bells-founder")
    features = make_features([bells], tokenizer, 40, 12)
    return {
        "qa-ask-box": widgets.AskBox(answerer, "Who?", "Ilse Varn built it."),
        "qa-offset-explorer": widgets.OffsetExplorer("a lamp", {"tiny": tokenizer}),
        "qa-window-explorer": widgets.WindowExplorer(rows, tokenizer, 40, 12),
        "qa-label-stepper": widgets.LabelStepper(bells, tokenizer, 40, 12),
        "qa-span-explorer": widgets.SpanExplorer(bells, features, *logits_for(features)),
    }


def answerer(question, context, top_k, **_):
    if question == "boom":
        raise RuntimeError("<out of memory>")
    if question == "refuse":
        raise ValueError("the <question> is refused")
    start = context.index("Ilse")
    return {"answer": context[start : start + 4], "start": start, "end": start + 4, "score": 0.5}


def controls(widget):
    return widget.children[0].children


def test_every_widget_is_a_box_with_a_name_labels_and_a_view(rows, tokenizer):
    for css_class, widget in explorers(rows, tokenizer).items():
        assert isinstance(widget, ipywidgets.VBox) and css_class in widget._dom_classes
        assert widget.view in widget.children and "qa-view" in widget.view.value
        for control in controls(widget):
            assert control.description and control.tooltip, f"{css_class}: a control without a label or a tooltip"
            assert not getattr(control, "description_allow_html", False)
            if isinstance(control, (ipywidgets.Button, ipywidgets.FileUpload)):
                continue
            assert control.style.description_width == "initial", "a label that may be cut off"
        bundle = widget._repr_mimebundle_()
        assert "application/vnd.jupyter.widget-view+json" in bundle
        assert len(bundle["text/plain"]) < 110 and "\n" not in bundle["text/plain"]


def test_they_are_drawn_in_time(rows, tokenizer):
    """A slider's move shows within 100 ms; the browser and the kernel take some 50 of them."""
    for css_class, widget in explorers(rows, tokenizer).items():
        taken = []
        for _ in range(5):
            begun = time.perf_counter()
            widget.redraw()
            taken.append(time.perf_counter() - begun)
        assert sorted(taken)[2] < 0.05, css_class


def test_offset_explorer_follows_text_family_and_token(tokenizer):
    explorer = widgets.OffsetExplorer("a lamp", {"tiny": tokenizer, "shipped": "mini-bert"})
    last = len(tokenizer("a lamp")["input_ids"]) - 1
    assert explorer.token.max == last and "token 1: 'a'" in said(explorer)
    explorer.token.value = last
    assert f"token {last}: '[SEP]'" in said(explorer)
    explorer.text.value = "a"
    assert explorer.token.max == explorer.token.value == 2 and "token 2: '[SEP]'" in said(explorer)
    explorer.text.value = "<script>"
    assert "<script" not in explorer.view.value and Page(explorer.view.value).boxes == ["<script>"]
    before = explorer.view.value
    explorer.family.value = "shipped"
    assert explorer.view.value != before
    explorer.text.value = "  "
    assert said(explorer) == "There is no text yet. Type some"
    explorer.text.value = "x" * 5000
    assert "at most 600 can be shown" in said(explorer)


def test_offset_explorer_offers_the_six_families_and_says_what_cannot_be_loaded():
    assert len(widgets.OffsetExplorer("a lamp").family.options) == 6
    explorer = widgets.OffsetExplorer("a lamp", ["nonsense"])
    assert "qa-message" in explorer.view.value and "'nonsense'" in said(explorer)
    with pytest.raises(ValueError, match="no tokenizer"):
        widgets.OffsetExplorer("a lamp", {})


def test_window_explorer_follows_its_sliders(rows, tokenizer):
    explorer = widgets.WindowExplorer(rows, tokenizer, 40, 12)
    bells = next(k for k, row in enumerate(rows) if row["id"] == "bells-founder")
    explorer.example.value = bells
    for max_length, stride in ((50, 12), (50, 20), (64, 20)):
        explorer.max_length.value, explorer.stride.value = max_length, stride
        count = len(make_features([rows[bells]], tokenizer, max_length, stride))
        assert f"{count} features at max_length {max_length}, stride {stride}" in said(explorer)
        assert explorer.view.value == widgets.window_view(rows[bells], tokenizer, max_length, stride).html
    explorer.stride.value = explorer.stride.max
    assert "Lower stride or raise max_length" in said(explorer) and "qa-message" in explorer.view.value
    explorer.stride.value = 12
    assert "qa-message" not in explorer.view.value
    with pytest.raises(ValueError, match="no examples"):
        widgets.WindowExplorer([], tokenizer)


def test_label_stepper_walks_forward_and_back(rows, tokenizer):
    bells = next(row for row in rows if row["id"] == "bells-last")
    stepper = widgets.LabelStepper(bells, tokenizer, 40, 12)
    features = make_features([bells], tokenizer, 40, 12)
    whole = [k for k, row in enumerate(features) if row["start_positions"] != row["cls_index"]]
    assert stepper.window.value == whole[0] > 0 and stepper.back.disabled
    seen = [said(stepper)]
    for _ in range(5):
        stepper.forward.click()
        seen.append(said(stepper))
    assert len(set(seen)) == 6 and all(f"step {k} of 6" in text for k, text in enumerate(seen, 1))
    assert stepper.forward.disabled
    stepper.forward.click()
    assert said(stepper) == seen[-1], "there is nothing after the last step"
    stepper.back.click()
    assert said(stepper) == seen[-2] and stepper.step.value == 5
    stepper.window.value = 0
    assert stepper.step.value == stepper.step.max == 4 and "[CLS]" in said(stepper)
    stepper.step.value = 1
    assert "step 1 of 4" in said(stepper)


def test_span_explorer_follows_its_controls(rows, tokenizer):
    bells = next(row for row in rows if row["id"] == "bells-founder")
    features = make_features([bells], tokenizer, 40, 12)
    logits = logits_for(features, np.random.default_rng(3))
    explorer = widgets.SpanExplorer(bells, features, *logits)
    assert explorer.null_threshold.disabled and "“No answer” is not allowed here" in said(explorer)
    explorer.answer_length.value = 1
    assert explorer.view.value == widgets.span_view(bells, features, *logits, 1).html
    explorer.abstain.value = True
    assert not explorer.null_threshold.disabled
    explorer.null_threshold.value = -25
    assert "Answer: none" in said(explorer)
    explorer.null_threshold.value = 25
    assert "Answer: none" not in said(explorer)
    explorer.window.value = 1
    assert f"Window 1 (of {len(features)})" in said(explorer)
    assert widgets.SpanExplorer(bells, features, *logits, null_threshold=-30).null_threshold.value == -30


def test_ask_box_answers_when_asked():
    box = widgets.AskBox(answerer, document="It was Ilse.")
    assert box.view.value == ""
    box.question.value = "Who?"
    assert box.view.value == "", "typing alone does not ask"
    box.ask.click()
    assert Page(box.view.value).marks == ["Ilse", "Ilse"] and not box.ask.disabled
    box.document.value = "No: Ilse!"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        box.question._handle_msg(
            {"content": {"data": {"method": "custom", "content": {"event": "submit"}}}, "buffers": []}
        )
    assert Page(box.view.value).boxes == ["No: Ilse!"], "the Enter key asks, too"


@pytest.mark.parametrize(
    "question, document, told",
    [
        ("", "Ilse", "The question is empty"),
        ("Who?", " \n", "The document is empty"),
        ("refuse", "Ilse", "the <question> is refused"),
        ("boom", "Ilse", "RuntimeError: <out of memory>"),
    ],
)
def test_ask_box_says_what_is_wrong(question, document, told):
    box = widgets.AskBox(answerer, question, document)
    box.ask.click()
    assert told in said(box) and "qa-message" in box.view.value
    assert not box.ask.disabled, "one can try again"


@pytest.mark.parametrize("name", ["story.txt", "STORY.MD"])
def test_ask_box_takes_a_text_file(name):
    box = widgets.AskBox(answerer, "Who?", "old")
    box.upload.value = file(name, "\ufeffIt was Ilse,\r\nin a café.".encode())
    assert box.document.value == "It was Ilse,\nin a café."
    assert f"{name} is the document now: 23 characters" in said(box)
    assert box.upload.value == (), "the file is not kept a second time"


@pytest.mark.parametrize(
    "name, content, told",
    [
        ("<img src=x>.pdf", b"%PDF", "is not a plain text or Markdown file. Save the document as one"),
        ("long.txt", b"x" * 1_000_001, "1,000,001 bytes, but the limit is 1,000,000. Shorten the file"),
        ("latin.txt", "café".encode("latin-1"), "not UTF-8 (byte 3 cannot be read). Save it as UTF-8"),
        ("empty.md", b" \n", "is empty. Choose a file that contains text"),
    ],
)
def test_ask_box_refuses_other_files_and_says_what_to_do(name, content, told):
    box = widgets.AskBox(answerer, "Who?", "It was Ilse.")
    box.upload.value = file(name, content)
    assert told in said(box) and name in said(box) and "<img" not in box.view.value
    assert box.document.value == "It was Ilse."


def test_an_upload_of_exactly_the_limit_is_read():
    assert len(ask_box.read_upload("a.txt", b"x" * ask_box.MAX_BYTES)) == ask_box.MAX_BYTES


def test_a_file_is_found_in_the_upload_of_both_versions_of_ipywidgets():
    eight = ({"name": "a.txt", "size": 2, "content": memoryview(b"hi")},)
    seven = {"a.txt": {"metadata": {"name": "a.txt", "size": 2}, "content": b"hi"}}
    assert ask_box.uploaded_file(eight) == ask_box.uploaded_file(seven) == ("a.txt", b"hi")


def test_upload_can_be_left_out():
    box = widgets.AskBox(answerer, allow_upload=False)
    assert box.upload.disabled and box.upload.layout.display == "none"


def test_ask_box_works_with_the_real_answerer(checkpoint):
    from qa_helpers import QuestionAnswerer

    box = widgets.AskBox(QuestionAnswerer(checkpoint), "Who built it?", "The bridge was built by Ilse Varn.", top_k=3)
    assert "score" in said(box) and "Alternatives" in said(box)
    best = QuestionAnswerer(checkpoint)(question="Who built it?", context="The bridge was built by Ilse Varn.")
    assert Page(box.view.value).marks[0] == best["answer"]
