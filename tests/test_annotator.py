"""The annotation widget: what is typed is lit in place, kept in the file, and never becomes markup."""

import json

import pytest
from support import DOCUMENTS, HOSTILE, KETTLE
from widget_pages import Page, check_page

from qa_helpers import load_squad, widgets
from qa_helpers.classroom.annotations import Annotations


def said(annotator) -> str:
    return Page(annotator.view.value).text


def type_in(annotator, document, question, answer):
    annotator.document.value, annotator.question.value, annotator.answer.value = document, question, answer


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_never_become_markup(text):
    context = f"{text} was seen by Ilse Varn near {text}."
    notes = Annotations({text: context})
    notes.add(text, f"Who saw {text}?", "Ilse Varn")
    for answer, occurrence in (("Ilse", None), (text, None), (text, 1), (f"no{text}", None)):
        shown = widgets.annotation_view(notes, text, f"What? {text}", answer, occurrence, note=f"refused: {text}")
        page = check_page(shown)
        assert context in page.boxes and f"Who saw {text}?" in page.text and f"refused: {text}" in page.text
    annotator = widgets.Annotator(notes)
    type_in(annotator, text, text, text)
    annotator.add.click()
    check_page(annotator.draw())
    assert annotator.view.value == annotator.draw().html


def test_the_view_lights_the_place_that_is_meant():
    notes = Annotations(DOCUMENTS)
    unique = check_page(widgets.annotation_view(notes, "kettle", "How much?", "four litres"))
    assert unique.marks == ["four litres"] and "characters [17, 28)" in unique.text
    both = check_page(widgets.annotation_view(notes, "kettle", "How much?", "10 crowns"))
    assert both.marks == [] and "occurs 2 times" in both.text
    second = check_page(widgets.annotation_view(notes, "kettle", "How much?", "10 crowns", 1))
    assert second.marks == ["10 crowns"] and f"characters [{KETTLE.rindex('10 crowns')}, " in second.text
    wrong = check_page(widgets.annotation_view(notes, "kettle", "How much?", "four liters"))
    assert wrong.marks == [] and "the most similar text is 'four litres'" in wrong.text
    with pytest.raises(ValueError, match="Choose one of: kettle, lamp"):
        widgets.annotation_view(notes, "pan")


def test_annotating_by_the_controls_alone(tmp_path):
    file = tmp_path / "train.json"
    annotator = widgets.Annotator(DOCUMENTS, file)
    assert "0 of 12 annotated" in said(annotator) and annotator.remove.disabled and annotator.occurrence.disabled
    assert (annotator.occurrence.label, annotator.annotation.label) == ("only one", "none yet"), "no menu looks empty"
    type_in(annotator, "kettle", "What did the lid cost?", "10 crowns")
    assert not annotator.occurrence.disabled and len(annotator.occurrence.options) == 3
    assert annotator.occurrence.label == "which one?"
    annotator.add.click()
    assert "choose one by its number" in said(annotator) and annotator.answer.value == "10 crowns"
    assert not file.exists()
    annotator.occurrence.value = 1
    assert "choose one" not in said(annotator), "a refusal goes when what it was about has changed"
    annotator.add.click()
    row = load_squad(file)["train"][0]
    assert row["answers"]["answer_start"] == [KETTLE.rindex("10 crowns")]
    assert "1 of 12 annotated" in said(annotator) and "What did the lid cost? → 10 crowns" in said(annotator)
    assert annotator.question.value == annotator.answer.value == "" and annotator.occurrence.disabled


def test_a_question_without_an_answer_is_annotated_by_ticking_the_box(tmp_path):
    file = tmp_path / "train.json"
    annotator = widgets.Annotator(DOCUMENTS, file)
    type_in(annotator, "kettle", "Who painted it?", "10 crowns")
    assert not annotator.occurrence.disabled
    annotator.unanswerable.value = True
    assert annotator.answer.disabled and annotator.occurrence.disabled, "nothing to choose without an answer"
    assert "No answer in this document." in said(annotator) and check_page(annotator.draw()).marks == []
    annotator.add.click()
    assert "kettle: Who painted it? → no answer" in said(annotator)
    assert load_squad(file)["train"][0]["answers"] == {"text": [], "answer_start": []}
    assert not annotator.unanswerable.value and not annotator.answer.disabled, "the next question starts afresh"


def test_a_refusal_is_shown_and_nothing_typed_is_lost():
    annotator = widgets.Annotator(DOCUMENTS)
    type_in(annotator, "kettle", "When?", "2010")
    annotator.add.click()
    type_in(annotator, "kettle", "When?", "2010")
    annotator.add.click()
    assert "has already been asked about 'kettle'" in said(annotator) and "1 of 12" in said(annotator)
    assert annotator.question.value == "When?"
    annotator.question.value = ""
    annotator.add.click()
    assert "the question is empty" in said(annotator)


def test_removing_and_going_on_from_the_file(tmp_path):
    file = tmp_path / "train.json"
    first = widgets.Annotator(DOCUMENTS, file, wanted=2)
    for question, answer in (("When?", "2010"), ("How much?", "four litres")):
        type_in(first, "kettle", question, answer)
        first.add.click()
    second = widgets.Annotator(DOCUMENTS, file, wanted=2)
    assert "2 of 2 annotated" in said(second) and len(second.annotation.options) == 2
    second.annotation.value = second.annotations.examples[0]["id"]
    second.remove.click()
    assert [row["question"] for row in load_squad(file)["train"]] == ["How much?"]
    second.remove.click()
    assert json.loads(file.read_text())["data"] == [] and second.remove.disabled
    assert "Nothing annotated yet" in said(second)
    second.remove.click()
    assert "no annotation to remove" in said(second)


def test_a_full_disk_is_said_and_the_list_stays_as_it_is_on_disk(tmp_path, monkeypatch):
    annotator = widgets.Annotator(DOCUMENTS, tmp_path / "train.json")
    type_in(annotator, "kettle", "When?", "2010")

    def full(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    annotator.add.click()
    assert "no space left" in said(annotator) and "0 of 12" in said(annotator)
    assert list(tmp_path.iterdir()) == []


def test_annotations_made_by_code_are_shown_and_continued():
    notes = Annotations(DOCUMENTS)
    notes.add("lamp", "When?", "1898")
    annotator = widgets.Annotator(notes)
    assert "lamp: When? → 1898" in said(annotator)
    type_in(annotator, "lamp", "How much?", "€1,250.50")
    annotator.add.click()
    assert len(notes.examples) == 2
    with pytest.raises(ValueError, match="its own output_file"):
        widgets.Annotator(notes, "other.json")


def test_it_is_a_widget_like_the_others():
    annotator = widgets.Annotator(DOCUMENTS)
    assert "qa-annotator" in annotator._dom_classes and "qa-view" in annotator.view.value
    for name in ("document", "question", "answer", "unanswerable", "occurrence", "add", "annotation", "remove"):
        control = getattr(annotator, name)
        assert control.description and control.tooltip and control in annotator.children[0].children
