"""Files as people have them: parts of SQuAD's nesting, MRQA, other tools' exports, hidden tests, offsets in other units."""

import json
import unicodedata

import pytest
from datasets import Dataset, DatasetDict, load_dataset

import qa_helpers as qa
from qa_helpers.engine import splits as hub
from qa_helpers.engine.misplaced import place_in_form, why_misplaced

CONTEXT = "The weir at Ombley holds 300 eels. A second weir holds 300 eels, too."
ANSWER = {"text": "300 eels", "answer_start": CONTEXT.index("300 eels")}
ITEM = {"id": "w1", "question": "What does the weir hold?", "answers": [ANSWER]}
PARAGRAPH = {"context": CONTEXT, "qas": [ITEM]}
ROW = {"id": "w1", "title": "", "context": CONTEXT, "question": ITEM["question"]}
ROW |= {"answers": {"text": [ANSWER["text"]], "answer_start": [ANSWER["answer_start"]]}}


def load(tmp_path, content, name="dev.json"):
    lines = [json.dumps(line) for line in content] if name.endswith("jsonl") else [json.dumps(content)]
    (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
    return qa.load_squad(tmp_path / name)["validation"].to_list()


@pytest.mark.parametrize(
    "content",
    [
        [PARAGRAPH],
        PARAGRAPH,
        [{"title": "", "paragraphs": [PARAGRAPH]}],
        {"paragraphs": [PARAGRAPH]},
        {"data": [PARAGRAPH]},
        {"data": [ROW]},
        [ROW],
        ROW,
    ],
)
def test_any_part_of_squads_nesting_is_read(tmp_path, content):
    assert load(tmp_path, content) == [ROW]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([[ROW]], r"dev.json: \[0\]: the key 'question' is missing"),
        ({"data": [{"paragraphs": [{"paragraphs": []}]}]}, r"data\[0\].paragraphs\[0\]: the key 'qas' is missing"),
        ({"data": [{"title": "x"}]}, r"data\[0\]: the key 'paragraphs' is missing"),
        ({"data": {}}, "dev.json: data: expected list, found dict"),
        ([{"context": CONTEXT, "qas": [{"id": "1"}]}], r"\[0\].qas\[0\]: the key 'question' is missing"),
        (3, "dev.json: the key 'data' is missing"),
    ],
)
def test_what_is_not_squads_nesting_is_named_with_its_place(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        load(tmp_path, content)


def mrqa(start, last, text="300 eels", qid="w1"):
    detected = [{"text": text, "char_spans": [[start, last]], "token_spans": [[5, 6]]}]
    item = {"qid": qid, "question": ITEM["question"], "detected_answers": detected, "answers": [text]}
    return {"id": "", "context": CONTEXT, "qas": [item]}


def test_mrqas_lines_are_read_and_its_last_characters_are_inclusive(tmp_path):
    start = ANSWER["answer_start"]
    assert load(tmp_path, [{"header": {"split": "dev"}}, mrqa(start, start + 7)], "dev.jsonl") == [ROW]


def test_an_mrqa_answer_reads_as_the_context_does(tmp_path):
    found = load(tmp_path, [mrqa(0, 7, "the  weir")], "dev.jsonl")
    assert found[0]["answers"] == {"text": ["The weir"], "answer_start": [0]}
    with pytest.raises(ValueError, match="line 1.qas|line 1, qas.*answer_start 4 points at"):
        load(tmp_path, [mrqa(4, 7, "Ombley")], "dev.jsonl")
    broken = mrqa(0, 7)
    broken["qas"][0]["detected_answers"] = [{"text": "The weir"}]
    with pytest.raises(ValueError, match="answers: not as MRQA writes them"):
        load(tmp_path, [broken], "dev.jsonl")


def test_mrqas_rows_of_the_hub_are_read(tmp_path):
    spans = [{"start": [25, 55], "end": [32, 62]}]
    row = {"subset": "X", "context": CONTEXT, "qid": "w1", "question": ITEM["question"], "answers": ["300 eels"]}
    row["detected_answers"] = {"text": ["300 eels"], "char_spans": spans}
    want = {"text": ["300 eels"] * 2, "answer_start": [25, 55]}
    assert load(tmp_path, [row], "dev.jsonl")[0]["answers"] == want
    DatasetDict(validation=Dataset.from_list([row])).save_to_disk(tmp_path / "saved")
    kept = qa.load_squad(tmp_path / "saved")["validation"][0]
    assert (kept["id"], kept["answers"]) == ("w1", want)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"id": 1, "data": {"text": CONTEXT}, "annotations": []}], r"dev.json: \[0\]: this is Label Studio's export"),
        ([{"id": 1, "text": CONTEXT, "label": [[0, 3, "A"]]}], "as doccano writes it; it has no questions"),
        ({"Data": [{"Question": "q", "Answer": {}}], "Domain": "Web"}, "this is TriviaQA.*MRQA"),
        ({"data": [{"storyId": "s", "text": "x", "questions": []}]}, r"data\[0\]: this is NewsQA"),
        ({"data": [{**PARAGRAPH, "raw_html": ""}]}, r"data\[0\]: this is KorQuAD 2; its answers are positions in HTML"),
    ],
)
def test_another_tools_format_is_named_with_what_to_export(tmp_path, content, message):
    with pytest.raises(ValueError, match=message) as error:
        load(tmp_path, content)
    assert 'Export rows of SQuAD\'s shape instead: {"id", "context"' in str(error.value)


def test_klues_guid_is_an_id(tmp_path):
    item = {"guid": "k1", "question": "Why?", "answers": [], "is_impossible": True}
    assert load(tmp_path, {"data": [{"paragraphs": [{"context": CONTEXT, "qas": [item]}]}]})[0]["id"] == "k1"


# ---- answers that are not at their place ----

ROCKETS = "Tide 1 🚀🚀: a crate of 7. Tide 2 🚀: a crate of 7 again, and a crate of 7."
SECOND = ROCKETS.index("crate of 7", 20)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (len(ROCKETS[:SECOND].encode("utf-16-le")) // 2, f"counts UTF-16 units.*does occur at {SECOND}"),
        (len(ROCKETS[:SECOND].encode()), f"counts the bytes of UTF-8.*does occur at {SECOND}"),
        (SECOND - 1, f"does occur at {SECOND}, the nearest of 3 places"),
        (0, f"does occur at {ROCKETS.index('crate')}, the nearest of 3 places"),
        (-1, "the nearest of 3 places"),
        (10_000, f"does occur at {ROCKETS.rindex('crate')}, the nearest of 3 places"),
    ],
)
def test_the_remedy_names_the_place_that_is_meant(start, message):
    row = {**ROW, "context": ROCKETS, "answers": {"text": ["crate of 7"], "answer_start": [start]}}
    (problem,) = qa.check_examples([row])
    assert problem.kind == "misaligned"
    with pytest.raises(ValueError, match=message):
        raise ValueError(problem.message)


def test_an_answer_that_occurs_once_or_nowhere():
    assert why_misplaced(CONTEXT, "second", 3) == f"the text does occur at {CONTEXT.index('second')}"
    assert why_misplaced(CONTEXT, "third", 3) == "the text does not occur in the context"


@pytest.mark.parametrize(
    ("written", "answer", "words"),
    [
        (unicodedata.normalize("NFD", "Phở Hiếu"), "Phở Hiếu", "composed in one"),
        ("Phở Hiếu", unicodedata.normalize("NFD", "Phở Hiếu"), "composed in one"),
        ("300\u00a0eels", "300 eels", "no-break spaces"),
        ("the \ufb01sh", "the fish", "NFKC"),
    ],
)
def test_a_difference_in_writing_is_named_with_its_place(written, answer, words):
    context = f"Ọ Near the weir: {written}, it says."
    said = why_misplaced(context, answer, 0)
    start = context.index(written)
    assert words in said
    assert f"context[{start}:{start + len(written)}], with answer_start {start}" in said
    assert context[start : start + len(written)] == written


def test_a_place_in_another_form_reaches_to_the_end_of_the_text():
    assert place_in_form("an e\u0301", "é", lambda text: unicodedata.normalize("NFC", text)) == (3, 5)
    assert place_in_form("abc", "", str) is None


# ---- splits ----


def nested(items):
    return json.dumps({"data": [{"paragraphs": [{"context": CONTEXT, "qas": items}]}]})


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"answers": None},
        {"answers": [{"text": "", "answer_start": -1}]},
        {"answers": {"text": [""], "answer_start": [-1]}},
    ],
)
def test_a_test_split_without_answers_is_refused_only_when_it_is_asked_for(tmp_path, answers):
    (tmp_path / "train.json").write_text(nested([ITEM]))
    (tmp_path / "test.json").write_text(nested([{"id": "t", "question": "What?", **answers}]))
    loaded = qa.load_squad(tmp_path)
    assert list(loaded) == ["train"] and len(loaded["train"]) == 1
    with pytest.raises(ValueError, match=r"test.json: data\[0\].paragraphs\[0\].qas\[0\]"):
        loaded["test"]
    with pytest.raises(ValueError, match="has no split 'validation'; it holds train"):
        loaded["validation"]
    with pytest.raises(ValueError, match="test.json"):
        qa.load_squad(tmp_path / "test.json")


def test_a_bad_training_split_is_refused_at_once(tmp_path):
    (tmp_path / "train.json").write_text(nested([{"id": "t", "question": "What?"}]))
    (tmp_path / "dev.json").write_text(nested([ITEM]))
    with pytest.raises(ValueError, match="train.json.*'answers' is missing"):
        qa.load_squad(tmp_path)


@pytest.mark.parametrize("hidden", [{"text": [""], "answer_start": [-1]}, None])
def test_a_saved_or_downloaded_test_split_without_answers_does_not_hide_the_others(tmp_path, monkeypatch, hidden):
    splits = {"train": Dataset.from_list([ROW]), "test": Dataset.from_list([ROW | {"answers": hidden}])}
    monkeypatch.setattr(hub, "load_dataset", lambda name: DatasetDict(splits))
    DatasetDict(splits).save_to_disk(tmp_path / "saved")
    for source in (tmp_path / "saved", "someone/eels"):
        loaded = qa.load_squad(source)
        assert list(loaded) == ["train"]
        with pytest.raises(ValueError, match="split 'test': row 0"):
            loaded["test"]


@pytest.mark.parametrize("name", ["dev", "valid", "val", "validation"])
def test_a_saved_sets_split_dev_is_the_validation_split(tmp_path, name):
    DatasetDict({name: Dataset.from_list([ROW])}).save_to_disk(tmp_path / "saved")
    assert qa.load_squad(tmp_path / "saved")["validation"].to_list() == [ROW]


def test_a_data_set_with_several_configurations_names_them_and_takes_one(tmp_path, monkeypatch):
    """The library reads a folder as it reads a repository of the hub."""
    for name in ("old", "new"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(ROW | {"id": name}))
    configs = [{"config_name": name, "data_files": f"{name}.jsonl"} for name in ("old", "new")]
    (tmp_path / "README.md").write_text("---\n" + json.dumps({"configs": configs}) + "\n---\n")
    monkeypatch.setattr(
        hub,
        "load_dataset",
        lambda repository, **config: load_dataset(str(tmp_path), cache_dir=tmp_path / "c", **config),
    )
    names = hub.get_dataset_config_names
    monkeypatch.setattr(hub, "get_dataset_config_names", lambda name: names(str(tmp_path)))
    with pytest.raises(
        ValueError, match="several configurations; name one of them: someone/eels:old, someone/eels:new"
    ):
        qa.load_squad("someone/eels")
    assert qa.load_squad("someone/eels:new")["train"]["id"][:] == ["new"]
    with pytest.raises(ValueError, match="someone/eels:newer.*not found"):
        qa.load_squad("someone/eels:newer")


def damaged(value):
    """The same JSON with one value replaced by another kind or left out, at every place in turn."""
    yield from (None, 3, -1, True, 1.5, "x", "", [], {}, [[]], [None], {"a": 1})
    if isinstance(value, dict):
        for key in value:
            yield {name: part for name, part in value.items() if name != key}
            for part in damaged(value[key]):
                yield {**value, key: part}
    elif isinstance(value, list):
        for k, part in enumerate(value):
            for other in damaged(part):
                yield [*value[:k], other, *value[k + 1 :]]


HUB_ROW = {"qid": "w1", "context": CONTEXT, "question": "What?", "answers": ["300 eels"]}
HUB_ROW |= {"detected_answers": {"text": ["300 eels"], "char_spans": [{"start": [25], "end": [32]}]}}


@pytest.mark.parametrize(
    "content",
    [[{"title": "x", "paragraphs": [PARAGRAPH]}], {"data": [PARAGRAPH]}, mrqa(25, 32), HUB_ROW],
    ids=["articles", "paragraphs", "MRQA's file", "MRQA's row"],
)
def test_whatever_is_damaged_sound_examples_come_out_or_a_value_error_that_names_the_file(tmp_path, content):
    tried = sound = 0
    for variant in damaged(content):
        tried += 1
        try:
            rows = load(tmp_path, variant)
        except ValueError as error:
            assert str(error).startswith("dev.json"), error
        else:
            sound += 1
            assert qa.check_examples(rows) == []
    assert tried > 150 and sound < tried / 2
