"""Annotations: offsets that are right, errors that teach, and a file that is always whole."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import DOCUMENTS, KETTLE, NORREGATE

import qa_helpers as qa
from qa_helpers.classroom.annotations import Annotations, closest_text, find_answer, in_context, read_documents


@pytest.fixture
def notes():
    return Annotations(DOCUMENTS)


def test_an_annotation_becomes_an_example_with_the_right_offset(notes):
    example = notes.add("lamp", "  What did\nit cost? ", " €1,250.50 ")
    start = example["answers"]["answer_start"][0]
    assert example["context"][start:].startswith("€1,250.50") and start == NORREGATE.index("€")
    assert (example["title"], example["question"]) == ("lamp", "What did it cost?")
    assert example["answers"]["text"] == ["€1,250.50"]
    assert qa.check_examples(notes.examples) == [] and notes.examples == [example]


def test_a_question_that_the_document_does_not_answer_becomes_an_example_of_squad_2(tmp_path):
    file = tmp_path / "train.json"
    notes = Annotations(DOCUMENTS, file)
    example = notes.add("lamp", "Who painted it?", None)
    assert example["answers"] == {"text": [], "answer_start": []}
    notes.add("lamp", "When?", "1898")
    written = json.loads(file.read_text(encoding="utf-8"))
    (first, second) = written["data"][0]["paragraphs"][0]["qas"]
    assert written["version"] == "v2.0" and first["is_impossible"] and first["answers"] == []
    assert not second["is_impossible"]
    rows = qa.load_squad(file)["train"]
    assert [row["answers"]["text"] for row in rows] == [[], ["1898"]] and qa.check_examples(rows) == []
    assert Annotations(DOCUMENTS, file).examples == notes.examples
    with pytest.raises(ValueError, match="already been asked"):
        notes.add("lamp", "Who painted it?", "Ilse")
    with pytest.raises(ValueError, match="has no occurrence"):
        notes.add("lamp", "How heavy is it?", None, occurrence=0)


def test_the_same_annotations_have_the_same_ids_and_others_have_others():
    rows = [("kettle", "How much?", "four litres"), ("kettle", "When?", "2010"), ("lamp", "When?", "1898")]
    first, second = ([Annotations(DOCUMENTS).add(*row)["id"] for row in rows] for _ in range(2))
    assert first == second and len(set(first)) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("kettle", "  ", "2010"), "question is empty"),
        (("kettle", "When?", "  "), "answer is empty"),
        (("kettle", "How much?", "Four litre"), "'four litres'"),
        (("kettle", "Who?", "zebra crossing"), r"occur in the document\. Copy"),
        (("kettel", "When?", "2010"), "did you mean 'kettle'"),
        (
            ("kettle", "What did the lid cost?", "10 crowns"),
            r"2 times in the document; choose one by its number:\n0: .*\n1: .*",
        ),
        (("kettle", "What did the lid cost?", "10 crowns", 2), "there is no number 2"),
        (("kettle", "What did the lid cost?", "10 crowns", -1), "there is no number -1"),
    ],
)
def test_mistakes_are_refused_with_a_reason_and_leave_nothing_behind(notes, arguments, message):
    with pytest.raises(ValueError, match=message):
        notes.add(*arguments)
    assert notes.examples == []


def test_a_question_is_asked_of_a_document_once_however_it_is_typed(notes):
    notes.add("kettle", "When was it mended?", "2010")
    with pytest.raises(ValueError, match="asked about 'kettle'"):
        notes.add("kettle", "when  was it mended", "2010")
    notes.add("lamp", "When was it mended?", "1898")  # another document is another matter


def test_the_occurrence_decides_where_a_repeated_answer_stands(notes):
    for number, start in enumerate((KETTLE.index("10 crowns"), KETTLE.rindex("10 crowns"))):
        example = notes.add("kettle", f"Question {number}?", "10 crowns", number)
        assert example["answers"]["answer_start"] == [start]


def test_places_inside_longer_words_do_not_count_unless_there_are_no_others():
    assert find_answer(KETTLE, "10") == [KETTLE.index("10 crowns"), KETTLE.rindex("10 crowns")]
    assert find_answer(KETTLE, "ettl") == [KETTLE.index("ettl")]
    assert find_answer("ananas", "ana") == [0, 2]
    assert find_answer("(a.b) [a.b]", "a.b") == [1, 7], "nothing in an answer is a pattern"
    assert find_answer("Cafe\u0301s, Cafe", "Cafe") == [8], "a mark belongs to the word"
    assert find_answer("தமிழ்நாடு, தமி", "தமி") == [len("தமிழ்நாடு, ")]


@given(st.text(min_size=1, max_size=40), st.data())
def test_every_place_that_is_found_holds_the_answer(document, data):
    start = data.draw(st.integers(0, len(document) - 1))
    answer = document[start : data.draw(st.integers(start + 1, len(document)))].strip()
    if answer:
        places = find_answer(document, answer)
        assert places and all(document[p : p + len(answer)] == answer for p in places)


def test_the_closest_text_is_found_in_any_case_and_nothing_is_made_up():
    assert closest_text(KETTLE, "FOUR LITERS") == "four litres"
    assert closest_text(KETTLE, "the lid costs") in ("the lid cost", "lid cost")
    assert closest_text(KETTLE, "qqq www") is None
    assert closest_text("", "x") is None


def test_in_context_brackets_the_place_and_says_where_text_is_left_out():
    assert in_context("one two three", 4, 7) == "one [two] three"
    assert in_context("a" * 50 + " x " + "b" * 50, 51, 52, around=3) == "…aa [x] bb…"


def test_the_file_is_squad_json_that_load_squad_reads_and_holds_each_context_once(tmp_path):
    file = tmp_path / "sub" / "train.json"
    notes = Annotations(DOCUMENTS, file)
    notes.add("kettle", "When?", "2010")
    notes.add("lamp", "When?", "1898")
    notes.add("kettle", "How much?", "four litres")
    rows = list(qa.load_squad(file)["train"])
    assert {row["id"] for row in rows} == {example["id"] for example in notes.examples}
    content = json.loads(file.read_text(encoding="utf-8"))
    assert content["version"] == "1.1" and [a["title"] for a in content["data"]] == ["kettle", "lamp"]
    assert "Nørregate" in file.read_text(encoding="utf-8"), "texts stay readable in the file"


def test_it_goes_on_where_the_file_ends(tmp_path):
    file = tmp_path / "train.json"
    Annotations(DOCUMENTS, file).add("lamp", "When?", "1898")
    again = Annotations(DOCUMENTS, file)
    again.add("kettle", "When?", "2010")
    assert [row["question"] for row in Annotations(DOCUMENTS, file).examples] == ["When?", "When?"]
    with pytest.raises(ValueError, match="already been asked"):
        again.add("lamp", "When?", "1898")


def test_removing_writes_the_file_too_down_to_an_empty_one(tmp_path):
    file = tmp_path / "train.json"
    notes = Annotations(DOCUMENTS, file)
    example = notes.add("lamp", "When?", "1898")
    notes.remove(example["id"])
    assert Annotations(DOCUMENTS, file).examples == [] and json.loads(file.read_text())["data"] == []
    with pytest.raises(ValueError, match="no annotation with the id"):
        notes.remove(example["id"])


def test_questions_without_answer_in_a_file_are_kept(tmp_path):
    file = tmp_path / "train.json"
    row = {
        "id": "x",
        "title": "lamp",
        "context": NORREGATE,
        "question": "Who?",
        "answers": {"text": [], "answer_start": []},
    }
    file.write_text(json.dumps(qa.to_squad_json([row], "2.0")), encoding="utf-8")
    Annotations(DOCUMENTS, file).add("lamp", "When?", "1898")
    assert [len(example["answers"]["text"]) for example in Annotations(DOCUMENTS, file).examples] == [0, 1]


@pytest.mark.parametrize(
    ("documents", "message"),
    [({"lamp": NORREGATE + "!"}, "a different text now"), ({"kettle": KETTLE}, "'lamp', which is not among")],
)
def test_a_file_about_other_documents_is_refused_and_left_alone(tmp_path, documents, message):
    file = tmp_path / "train.json"
    Annotations(DOCUMENTS, file).add("lamp", "When?", "1898")
    before = file.read_bytes()
    with pytest.raises(ValueError, match=message):
        Annotations(documents, file)
    assert file.read_bytes() == before


def test_a_write_that_breaks_off_leaves_the_old_file_and_the_old_list(tmp_path, monkeypatch):
    file = tmp_path / "train.json"
    notes = Annotations(DOCUMENTS, file)
    notes.add("lamp", "When?", "1898")
    before = file.read_bytes()

    def full(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="no space"):
        notes.add("kettle", "When?", "2010")
    assert file.read_bytes() == before and [row["title"] for row in notes.examples] == ["lamp"]
    assert [path.name for path in tmp_path.iterdir()] == ["train.json"], "nothing half-written stays"


@pytest.mark.parametrize(("documents", "message"), [({}, "no document"), ({"a": " "}, "'a' is empty")])
def test_documents_must_hold_text(documents, message):
    with pytest.raises(ValueError, match=message):
        Annotations(documents)


def test_reading_a_folder_of_texts(tmp_path):
    for name, text in (("b_side.txt", "\ufeff Two. \n"), ("A.MD", "One."), ("c.pdf", "no text")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_documents(tmp_path) == {"A": "One.", "b side": "Two."}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "contains no .txt"),
        ({"a.txt": b"caf\xe9"}, "a.txt: byte 3 is not UTF-8"),
        ({"a.txt": b" \n"}, "a.txt is empty"),
        ({"a b.txt": b"x", "a_b.txt": b"y"}, "the title 'a b'"),
    ],
)
def test_a_folder_that_cannot_be_read_says_why(tmp_path, files, message):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_documents(tmp_path)


def test_a_folder_that_does_not_exist_is_said_not_to_exist(tmp_path):
    with pytest.raises(ValueError, match="'nowhere' does not exist: give a folder with one .txt or .md file"):
        read_documents(tmp_path / "nowhere")
    (tmp_path / "texts.csv").write_text("title,text")
    with pytest.raises(ValueError, match="'texts.csv' is a file, not a folder.*use a dict title -> text"):
        read_documents(tmp_path / "texts.csv")
