import json

import pytest
from conftest import BRIDGE, make_example
from support import squad_json

import qa_helpers.engine.splits as hub
from qa_helpers import check_examples, load_squad
from qa_helpers.data import looks_like_path, read_squad_json, rows_to_dataset
from qa_helpers.examples import FEATURES, example_problems


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_folder_gives_train_then_validation_with_squads_columns_in_file_order(tmp_path, rows):
    write(tmp_path / "dev-v1.1.json", squad_json(rows[4:]))
    write(tmp_path / "train-v1.1.json", squad_json(rows[:4]))
    write(tmp_path / "notes.json", "not SQuAD, and not named like it")
    data = load_squad(tmp_path)
    assert list(data) == ["train", "validation"]
    assert data["train"].features == FEATURES == data["validation"].features
    assert data["train"].to_list() == rows[:4]
    assert data["validation"].to_list() == rows[4:]


@pytest.mark.parametrize(
    ("name", "split"), [("train.json", "train"), ("dev.json", "validation"), ("Valid.json", "validation"),
                        ("val-2.json", "validation"), ("test.json", "test"), ("anything.json", "validation")]
)  # fmt: skip
def test_a_single_file_becomes_the_split_its_name_says(tmp_path, rows, name, split):
    data = load_squad(write(tmp_path / name, squad_json(rows)))
    assert list(data) == [split]
    assert data[split].to_list() == rows


def test_unanswerable_questions_keep_empty_lists_even_with_plausible_answers(tmp_path, rows):
    content = squad_json(rows, "v2.0", impossible=True)
    content["data"][0]["paragraphs"][-1]["qas"][0]["plausible_answers"] = [{"text": "Pia", "answer_start": 3}]
    content["data"][0]["paragraphs"][-1]["qas"][0]["answers"] = [{"text": "nonsense", "answer_start": 3}]
    loaded = load_squad(write(tmp_path / "dev.json", content))["validation"]
    assert loaded[-1]["answers"] == {"text": [], "answer_start": []}
    assert loaded.to_list() == rows


def test_a_byte_order_mark_and_number_ids_are_accepted(tmp_path, rows):
    content = squad_json(rows[:1])
    content["data"][0]["paragraphs"][0]["qas"][0]["id"] = 17
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(content), encoding="utf-8-sig")
    assert load_squad(path)["validation"][0]["id"] == "17"


def test_characters_beyond_the_basic_plane_count_as_one(tmp_path):
    row = make_example("emoji", "A 🚲 stood by the \U0001d4d0 gate.", "Where?", "the \U0001d4d0 gate")
    assert row["answers"]["answer_start"] == [13]
    assert load_squad(write(tmp_path / "dev.json", squad_json([row])))["validation"].to_list() == [row]


def broken(change):
    content = squad_json([make_example("one", BRIDGE, "Who built it?", "Ilse Varn")])
    article = content["data"][0]
    paragraph = article["paragraphs"][0]
    change(content, article, paragraph, paragraph["qas"][0])
    return content


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c, a, p, q: c.pop("data"), ["key 'data' is missing", "expected list"]),
        (lambda c, a, p, q: c.update(data={}), ["data", "expected list", "found dict"]),
        (lambda c, a, p, q: c["data"].insert(0, "text"), ["data[0]", "'paragraphs'"]),
        (lambda c, a, p, q: a.pop("paragraphs"), ["data[0]", "'paragraphs' is missing"]),
        (lambda c, a, p, q: p.pop("context"), ["data[0].paragraphs[0]", "'context' is missing"]),
        (lambda c, a, p, q: p.update(context=7), ["paragraphs[0].context", "expected str", "found int"]),
        (lambda c, a, p, q: p.update(context=None), ["paragraphs[0].context", "found NoneType"]),
        (lambda c, a, p, q: p.pop("qas"), ["paragraphs[0]", "'qas' is missing"]),
        (lambda c, a, p, q: p.update(qas=["x"]), ["paragraphs[0].qas[0]", "is missing"]),
        (lambda c, a, p, q: q.pop("id"), ["qas[0]", "'id' is missing"]),
        (lambda c, a, p, q: q.update(id=True), ["qas[0].id", "found bool"]),
        (lambda c, a, p, q: q.update(id=1.5), ["qas[0].id", "found float"]),
        (lambda c, a, p, q: q.pop("question"), ["qas[0]", "'question' is missing"]),
        (lambda c, a, p, q: q.update(question=["Who?"]), ["qas[0].question", "found list"]),
        (lambda c, a, p, q: q.pop("answers"), ["qas[0]", "'answers' is missing"]),
        (lambda c, a, p, q: q.update(answers={"text": ["Ilse Varn"]}), ["qas[0].answers", "'answer_start' is missing"]),
        (lambda c, a, p, q: q["answers"][0].pop("text"), ["answers[0]", "'text' is missing"]),
        (lambda c, a, p, q: q["answers"][0].pop("answer_start"), ["answers[0]", "'answer_start' is missing"]),
        (lambda c, a, p, q: q["answers"][0].update(answer_start="51"), ["answers[0].answer_start", "found str"]),
        (lambda c, a, p, q: q["answers"][0].update(answer_start=True), ["answers[0].answer_start", "found bool"]),
        (lambda c, a, p, q: q["answers"][0].update(answer_start=51.0), ["answers[0].answer_start", "found float"]),
        (lambda c, a, p, q: q["answers"][0].update(text=["Ilse"]), ["answers[0].text", "found list"]),
        (lambda c, a, p, q: q.update(question="  "), ["'one'", "the question is empty", "drop the example"]),
        (lambda c, a, p, q: p.update(context="\n"), ["'one'", "the context is empty", "drop the example"]),
        (lambda c, a, p, q: q["answers"][0].update(answer_start=52), ["'one'", "points at", "does occur at 51"]),
        (lambda c, a, p, q: q["answers"][0].update(answer_start=-1), ["'one'", "answer_start -1", "does occur at 51"]),
        (lambda c, a, p, q: q["answers"][0].update(answer_start=2**40), ["'one'", "does occur at 51"]),
        (
            lambda c, a, p, q: q["answers"][0].update(text="Jon Ek"),
            ["'one'", "'Jon Ek'", "does not occur in the context"],
        ),
        (lambda c, a, p, q: q["answers"][0].update(text=" "), ["'one'", "an answer is empty", "empty lists"]),
        (lambda c, a, p, q: q.update(question="Who \ud800?"), ["'one'", "question", "surrogate"]),
        (lambda c, a, p, q: c.update(data=[]), ["'validation' holds no examples"]),
    ],
)
def test_malformed_squad_json_is_a_value_error_that_names_the_place(tmp_path, change, words):
    path = write(tmp_path / "dev.json", broken(change))
    with pytest.raises(ValueError) as caught:
        load_squad(path)
    for word in words:
        assert word in str(caught.value)
    if "holds no examples" not in words[0]:
        assert "dev.json" in str(caught.value), "the message should name the file"


def test_a_file_that_is_not_json_or_not_utf8_says_where(tmp_path):
    whole = json.dumps(broken(lambda *_: None))
    with pytest.raises(ValueError, match=r"dev.json: not valid JSON at line 1, column \d+ .*cut off"):
        load_squad(write(tmp_path / "dev.json", whole[: len(whole) // 2]))
    (tmp_path / "dev.json").write_bytes("{'é'}".encode("latin-1"))
    with pytest.raises(ValueError, match="dev.json: byte 2, in line 1, is not UTF-8; save the file as UTF-8"):
        load_squad(tmp_path / "dev.json")
    with pytest.raises(ValueError, match="dev.json: (nested too deeply|.*is missing)"):
        load_squad(write(tmp_path / "dev.json", "[" * 200_000 + "]" * 200_000))
    with pytest.raises(ValueError, match=r"dev.json: \[0\]: the key 'question' is missing"):
        load_squad(write(tmp_path / "dev.json", "[1, 2]"))


def test_a_folder_without_squad_json_or_with_two_versions_is_refused(tmp_path, rows):
    (tmp_path / "readme.txt").write_text("nothing")
    with pytest.raises(ValueError, match=r"holds no examples: expected train\*.json and/or dev\*.json"):
        load_squad(tmp_path)
    for name in ("dev-v1.1.json", "dev-v2.0.json"):
        write(tmp_path / name, squad_json(rows))
    with pytest.raises(ValueError, match="two files for validation: dev-v1.1.json and dev-v2.0.json; keep one"):
        load_squad(tmp_path)


@pytest.mark.parametrize(("name", "near"), [("mimi", "mini"), ("squad2", "squad_v2"), ("squad-v2", "squad_v2")])
def test_an_unknown_source_names_the_nearest_known_ones(name, near):
    with pytest.raises(ValueError, match=f"unknown source '{name}'; did you mean .*'{near}'"):
        load_squad(name)


def test_an_unknown_source_unlike_any_lists_what_there_is():
    with pytest.raises(
        ValueError,
        match="unknown source 'zzzzzz'. Known: mini, mini_v2, mini_notes, mini_notes_v2, squad, squad_v2, or a hub id",
    ):
        load_squad("zzzzzz")


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "~/nowhere-at-all", "a/b/c", "nowhere.json", "..\\x"])
def test_a_path_that_does_not_exist_is_called_a_missing_path_not_a_hub_id(name):
    assert looks_like_path(name)
    with pytest.raises(ValueError, match="there is no such file or folder"):
        load_squad(name)


@pytest.mark.parametrize("name", ["squad", "someone/some-data"])
def test_a_hub_source_without_network_says_how_to_use_a_local_copy(name, tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)  # an earlier download must not help
    with pytest.raises(ValueError, match="could not be loaded from the Hugging Face hub.*local folder.*'mini'"):
        load_squad(name)


def test_a_hub_data_set_without_squads_columns_is_refused(monkeypatch):
    from datasets import Dataset, DatasetDict

    monkeypatch.setattr(
        hub, "load_dataset", lambda _: DatasetDict(train=Dataset.from_dict({"id": ["1"], "text": ["x"]}))
    )
    with pytest.raises(ValueError, match="'someone/texts', split 'train': columns missing: .*context"):
        load_squad("someone/texts")


def test_a_hub_data_set_comes_in_the_courses_schema(monkeypatch, rows):
    from datasets import Dataset, DatasetDict

    asked = []
    stored = Dataset.from_list([{**row, "extra": 1} for row in rows])
    monkeypatch.setattr(hub, "load_dataset", lambda name: asked.append(name) or DatasetDict(validation=stored))
    loaded = load_squad("squad_v2")
    assert asked == ["rajpurkar/squad_v2"]
    assert loaded["validation"].features == FEATURES
    assert loaded["validation"].to_list() == rows


def test_check_examples_is_silent_on_sound_rows_and_finds_every_kind_of_problem(rows):
    assert check_examples(rows) == []
    assert check_examples(rows_to_dataset(rows)) == []
    bad = [
        {**rows[0], "id": "a", "question": ""},
        {**rows[0], "id": "b", "context": " ", "answers": {"text": [], "answer_start": []}},
        {**rows[0], "id": "c", "answers": {"text": ["Ilse Varn"], "answer_start": []}},
        {**rows[0], "id": "d", "answers": {"text": [""], "answer_start": [0]}},
        {**rows[0], "id": "e", "answers": {"text": ["Ilse Varn", "Ilse"], "answer_start": [51, 50]}},
        rows[0],
        rows[0],
    ]
    problems = check_examples(bad)
    assert [(p.example_id, p.kind) for p in problems] == [
        ("a", "empty_question"),
        ("b", "empty_context"),
        ("c", "malformed"),
        ("d", "empty_answer"),
        ("e", "misaligned"),
        ("bridge-who", "duplicate_id"),
    ]
    for problem in problems:
        assert f"example '{problem.example_id}'" in problem.message


def test_every_answer_is_checked_not_only_the_first(rows):
    row = {**rows[1], "answers": {"text": ["1874", "in 1874"], "answer_start": [43, 41]}}
    (problem,) = example_problems(row)
    assert "answer_start 41" in problem.message
    assert "does occur at 40" in problem.message


def test_rows_without_a_column_are_refused_by_name(rows):
    incomplete = [rows[0], {k: v for k, v in rows[1].items() if k != "question"}]
    with pytest.raises(ValueError, match="row 1.*'question'"):
        rows_to_dataset(incomplete)


def test_reading_stops_at_the_first_bad_example_and_not_before(tmp_path, rows):
    content = squad_json(rows[:3])
    content["data"][0]["paragraphs"][2]["qas"][0]["question"] = ""
    reader = read_squad_json(write(tmp_path / "train.json", content))
    assert [next(reader), next(reader)] == rows[:2]
    with pytest.raises(ValueError, match=r"train.json: data\[0\].paragraphs\[2\].qas\[0\]: example 'bridge-start'"):
        next(reader)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (0, "answer_start 0 points at 'The stone', not at the answer 'Ilse Varn'"),
        (1, "answer_start 1 points at 'he stone ', not at"),
        (-1, "answer_start -1 points at 'The stone', not at"),
        (len(BRIDGE) - 1, "points at '.', not at"),
        (True, "an answer_start is bool, not a whole number"),
        (1.0, "an answer_start is float, not a whole number"),
    ],
)
def test_a_rows_problem_shows_what_is_there_in_place_of_the_answer(start, words):
    row = make_example("one", BRIDGE, "Who?", "Ilse Varn")
    row["answers"]["answer_start"] = [start]
    (problem,) = example_problems(row)
    assert words in problem.message
