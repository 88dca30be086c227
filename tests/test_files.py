"""Files of every format, ours and other people's: read character by character, or refused with the place and a remedy.

What is decided about doubtful content (a float as ``answer_start``, an id that occurs twice, …) is in ``load_squad``'s
docstring; a test here for each.
"""

import gzip
import json

import datasets
import pandas
import pyarrow as pa
import pyarrow.parquet
import pytest
from conftest import BRIDGE, make_example
from file_seeds import CRLF, ROWS, as_csv, as_lines, nested

import qa_helpers.data as data
from qa_helpers import load_squad
from qa_helpers.data import FEATURES, check_examples, rows_to_dataset

ONE = make_example("one", BRIDGE, "Who built it?", "Ilse Varn")  # at 51


def write(path, content):
    if isinstance(content, pa.Table):
        pyarrow.parquet.write_table(content, path)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return path


def loaded(path):
    (dataset,) = load_squad(path).values()
    assert dataset.features == FEATURES
    return dataset.to_list()


def refusal(path) -> str:
    with pytest.raises(ValueError) as caught:
        load_squad(path)
    message = str(caught.value)
    assert path.name in message and "\n" not in message and len(message) < 1000
    return message


def parquet(rows) -> pa.Table:
    return pa.Table.from_pylist(rows)


def one_with(**changes):
    return {**ONE, **changes}


# Every format, written by its usual tools.


@pytest.mark.parametrize("ending", ["json", "jsonl", "csv", "parquet"])
def test_what_datasets_writes_is_read_back(tmp_path, ending):
    dataset, path = rows_to_dataset(ROWS), tmp_path / f"train.{ending}"
    {"json": dataset.to_json, "jsonl": dataset.to_json, "csv": dataset.to_csv, "parquet": dataset.to_parquet}[ending](
        path
    )
    assert loaded(path) == ROWS


@pytest.mark.parametrize("ending", ["json", "jsonl", "csv", "parquet"])
def test_what_pandas_writes_is_read_back(tmp_path, ending):
    frame, path = pandas.DataFrame(ROWS), tmp_path / f"dev.{ending}"
    if ending == "json":
        frame.to_json(path, orient="records")
    elif ending == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        getattr(frame, f"to_{ending}")(path)
    assert loaded(path) == ROWS


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_pandas_table_with_gaps_has_its_starts_as_floats_and_is_read(tmp_path, ending):
    none = make_example("none", BRIDGE, "Who painted it?")
    flat = [{**row, "answer_text": next(iter(row["answers"]["text"]), None),
             "answer_start": next(iter(row["answers"]["answer_start"]), None)} for row in (ONE, none)]  # fmt: skip
    frame, path = pandas.DataFrame(flat).drop(columns="answers"), tmp_path / f"dev.{ending}"
    getattr(frame, f"to_{ending}")(path)
    assert frame["answer_start"].tolist()[0] == 51.0 and frame["answer_start"].dtype == float
    assert loaded(path) == [ONE, none]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_csv_cells_may_be_separated_by_commas_semicolons_or_tabs(tmp_path, mark):
    for cell in (json.dumps, repr):
        assert loaded(write(tmp_path / "dev.csv", "\ufeff" + as_csv(ROWS, cell, mark))) == ROWS


def test_flat_tables_need_no_title_and_may_have_number_ids(tmp_path):
    rows = [{k: v for k, v in one_with(id=7).items() if k != "title"}]
    expected = [one_with(id="7", title="")]
    assert loaded(write(tmp_path / "dev.jsonl", as_lines(rows))) == expected
    assert loaded(write(tmp_path / "dev.parquet", parquet(rows))) == expected
    assert loaded(write(tmp_path / "dev.json", json.dumps({"data": rows}))) == expected


def test_files_of_different_kinds_make_one_folder_but_two_of_one_split_do_not(tmp_path):
    write(tmp_path / "train.jsonl", as_lines(ROWS[:3]))
    write(tmp_path / "dev.csv", as_csv(ROWS[3:], json.dumps))
    write(tmp_path / "test.parquet", parquet(ROWS))
    write(tmp_path / "train.txt", "of no interest")
    both = load_squad(tmp_path)
    assert {split: rows.to_list() for split, rows in both.items()} == {
        "train": ROWS[:3],
        "validation": ROWS[3:],
        "test": ROWS,
    }
    assert list(both) == ["train", "validation", "test"]
    write(tmp_path / "validation.json", json.dumps(nested(ROWS)))
    assert "two files for validation: dev.csv and validation.json; keep one" in refusal(tmp_path)


# JSON of other people's.


def test_extra_keys_answers_as_lists_a_mark_at_the_beginning_and_a_line_end_at_the_end(tmp_path):
    content = {"$schema": {"a": [1e3, None]}, **nested(ROWS, impossible=True, lists=True)}
    content["data"][0]["paragraphs"][0] |= {"document_id": 3}
    text = "\ufeff" + json.dumps(content, ensure_ascii=False, indent=2).replace("\n", "\r\n") + "\r\n\n"
    assert loaded(write(tmp_path / "dev.json", text)) == ROWS


@pytest.mark.parametrize(
    "leftover", [{"answers": []}, {}, {"answers": None}, {"answers": [{"text": "Varn", "answer_start": 56}]}]
)
def test_an_impossible_question_has_no_answer_whatever_else_stands_there(tmp_path, leftover):
    plausible = {"plausible_answers": [{"text": "Ilse Varn", "answer_start": 51}], "is_impossible": True}
    qa = {"id": "none", "question": "Who painted it?", **leftover, **plausible}
    content = nested([ONE])
    content["data"][0]["paragraphs"][0]["qas"].append(qa)
    none = make_example("none", BRIDGE, "Who painted it?")
    assert loaded(write(tmp_path / "dev.json", json.dumps(content))) == [ONE, none]
    row = {**qa, "title": "Invented", "context": BRIDGE}
    assert loaded(write(tmp_path / "dev.jsonl", as_lines([ONE, row]))) == [ONE, none]


def test_plausible_answers_do_not_stand_in_for_missing_ones(tmp_path):
    row = {k: v for k, v in ONE.items() if k != "answers"} | {
        "plausible_answers": [{"text": "Ilse Varn", "answer_start": 51}]
    }
    assert "line 1: the key 'answers' is missing" in refusal(write(tmp_path / "dev.jsonl", as_lines([row])))


@pytest.mark.parametrize(("value", "words"), [
    ({"is_impossible": "false"}, "is_impossible: expected true or false, found str"),
    ({"is_impossible": 1}, "is_impossible: expected true or false, found int"),
    ({"is_impossible": False, "answers": []}, "is_impossible is false; add the answer, or set is_impossible to true"),
    ({"answers": None}, "answers: nothing there; a question without an answer has []"),
    ({"answers": "Ilse Varn"}, "answers: expected list or dict, found str"),
    ({"answers": {"text": ["Ilse Varn"], "answer_start": []}}, "answers: 1 texts but 0 answer_start"),
    ({"answers": {"text": "Ilse Varn", "answer_start": 51}}, "answers.text: expected list, found str"),
    ({"answers": {"text": [None], "answer_start": [51]}}, "answers.text[0]: expected str, found NoneType"),
    ({"answers": [["Ilse Varn", 51]]}, "answers[0]: the key 'text' is missing"),
    ({"id": ""}, "id: the id is empty"),
    ({"id": None}, "id: expected str or int, found NoneType"),
    ({"title": ["a"]}, "title: expected str or int, found list"),
    ({"title": "\ud800"}, "the title holds half a surrogate pair"),
    ({"id": "x\udfff"}, "the id holds half a surrogate pair"),
    ({"context": BRIDGE + "\ud83d"}, "the context holds half a surrogate pair"),
])  # fmt: skip
def test_a_malformed_row_is_refused_with_its_line_or_place(tmp_path, value, words):
    lines = as_lines([make_example("two", BRIDGE, "When?", "1874")]) + json.dumps(one_with(**value))
    message = refusal(write(tmp_path / "dev.jsonl", lines))
    assert "dev.jsonl: line 2" in message and words in message
    message = refusal(
        write(tmp_path / "dev.json", json.dumps([make_example("two", BRIDGE, "When?", "1874"), one_with(**value)]))
    )
    assert "dev.json: [1]" in message and words in message


# answer_start: a whole number that counts the text's characters.


@pytest.mark.parametrize(("start", "words"), [
    (-1, "answer_start -1"), (2**31, "answer_start 2147483648"), (2**63, "answer_start 9223372036854775808"),
    (True, "found bool"), (51.0, "found float"), ("51", "found str"), (None, "found NoneType"), ([51], "found list"),
])  # fmt: skip
def test_an_answer_start_that_is_no_whole_number_within_the_text_is_refused(tmp_path, start, words):
    row = one_with(answers={"text": ["Ilse Varn"], "answer_start": [start]})
    assert words in refusal(write(tmp_path / "dev.jsonl", as_lines([row])))
    assert words in refusal(write(tmp_path / "dev.json", json.dumps(nested([row]))))
    if start != 2**63:  # which is no number of Arrow's
        assert words in refusal(write(tmp_path / "dev.parquet", parquet([row])))


@pytest.mark.parametrize(("cell", "answer"), [("51", True), (" 51 ", True), ("51.0", True), ("51.5", False), ("fifty", False),
                         ("-3", False), ("٥١", False), ("5_1", False), ("1e1", False), ("9" * 40, False)])  # fmt: skip
def test_an_answer_start_cell_of_csv_is_a_whole_number_written_out(tmp_path, cell, answer):
    text = f'id,context,question,answer_text,answer_start\none,"{BRIDGE}",Who built it?,Ilse Varn,{cell}\n'
    path = write(tmp_path / "dev.csv", text)
    if answer:
        assert loaded(path) == [one_with(title="")]
    else:
        assert "row 0 (line 2)" in refusal(path)


def test_numbers_of_thousands_of_digits_are_found(tmp_path):
    text = json.dumps(nested([ONE]), indent=1).replace(": 51", ": " + "5" * 5000)
    line = 1 + text[: text.index("55555")].count("\n")
    assert f"a number of 5000 digits at line {line}, column" in refusal(write(tmp_path / "dev.json", text))


# Characters stay what they are.


@pytest.mark.parametrize("ending", ["json", "jsonl", "csv", "tsv", "parquet"])
def test_line_ends_nul_and_odd_separators_keep_their_places(tmp_path, ending):
    context = CRLF + "\x00\x85\x1c\u2029\r\rThe\r end\x0c is\ufeff here."
    rows = [
        make_example("a", context, "\tWhere\r\nis \x00 it?", "\r end\x0c is\ufeff", "\r\nSecond"),
        make_example("b", CRLF, "?"),
    ]
    path = tmp_path / f"train.{ending}"
    if ending in ("csv", "tsv"):
        for cell in (json.dumps, repr):
            assert loaded(write(path, as_csv(rows, cell, "," if ending == "csv" else "\t"))) == rows
        assert loaded(write(path, as_csv([make_example("a", context, "?", "\r\nSecond")]))) == [
            make_example("a", context, "?", "\r\nSecond")
        ]
    else:
        text = as_lines(rows) if ending == "jsonl" else json.dumps(nested(rows), ensure_ascii=False)
        assert loaded(write(path, parquet(rows) if ending == "parquet" else text)) == rows


def test_a_surrogate_pair_in_escapes_is_one_character(tmp_path):
    row = make_example("bike", "A \U0001f6b2 by the gate.", "Where?", "by the gate")
    text = json.dumps(nested([row]))
    assert "\\ud83d\\udeb2" in text and row["answers"]["answer_start"] == [4]
    assert loaded(write(tmp_path / "dev.json", text)) == [row]


# What cannot be read at all.


@pytest.mark.parametrize("ending", sorted(data.READERS))
def test_an_empty_a_packed_and_a_utf16_file_say_what_they_are(tmp_path, ending):
    path = tmp_path / f"dev{ending}"
    assert "the file is empty (0 bytes)" in refusal(write(path, b""))
    assert "compressed (gzip); unpack it first" in refusal(write(path, gzip.compress(as_lines(ROWS).encode())))
    assert "workbook (zip)" in refusal(write(path, b"PK\x03\x04...."))
    message = refusal(write(path, as_lines(ROWS).encode("utf-16")))
    assert (
        "parquet" in ending
        or "byte 0, in line 1, is not UTF-8; save the file as UTF-8 (it begins like UTF-16)" in message
    )
    latin = as_csv(ROWS[:3], json.dumps) if "sv" in ending else as_lines(ROWS[:3])
    message = refusal(write(path, latin.encode("cp1252", "replace")))
    assert "parquet" in ending or ", in line " in message and "is not UTF-8" in message


def test_a_cut_off_file_says_where_it_ends(tmp_path):
    text = json.dumps(nested(ROWS), indent=1)
    half = text[: len(text) // 2]
    assert f"not valid JSON at line {half.count(chr(10)) + 1}, column" in refusal(write(tmp_path / "dev.json", half))
    lines = as_lines(ROWS)
    assert "line 6: not valid JSON at column" in refusal(write(tmp_path / "dev.jsonl", lines[:-20]))
    table = as_csv(ROWS, json.dumps)
    assert "row 5 (line 9)" in refusal(write(tmp_path / "dev.csv", table[: table.index("17,Invented,") + 5]))
    assert "unexpected end of data" in refusal(write(tmp_path / "dev.csv", table[:-10]))
    write(tmp_path / "dev.parquet", parquet(ROWS))
    whole = (tmp_path / "dev.parquet").read_bytes()
    assert "damaged or not what its name says" in refusal(write(tmp_path / "dev.parquet", whole[:-9]))


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"a":' * 100_000, '[{"question": ' + "[" * 100_000 + "]" * 100_000 + "}]"]
)
def test_deep_nesting_is_refused(tmp_path, text):
    assert "nested too deeply" in refusal(write(tmp_path / "dev.json", text))
    assert "line 1: nested too deeply" in refusal(write(tmp_path / "dev.jsonl", text))


@pytest.mark.parametrize(("change", "place"), [
    (('"data": [', '"data": [], "data": ['), "dev.json: the key 'data'"),
    (('"qas": [', '"qas": [], "qas": ['), "data[0].paragraphs[0]: the key 'qas'"),
    (('"answer_start": 51', '"answer_start": 3, "answer_start": 51'), "qas[0].answers[0]: the key 'answer_start'"),
])  # fmt: skip
def test_a_key_that_stands_twice_in_one_object_is_not_guessed_at(tmp_path, change, place):
    text = json.dumps(nested([ONE]))
    assert text.count(change[0]) >= 1
    message = refusal(write(tmp_path / "dev.json", text.replace(*change, 1)))
    assert place in message and "occurs twice in one object" in message


def test_an_id_that_occurs_twice_is_refused_with_both_places(tmp_path):
    rows = [ONE, make_example("two", CRLF, "?"), make_example("one", BRIDGE, "When?", "1874")]
    message = refusal(write(tmp_path / "dev.jsonl", as_lines(rows)))
    assert (
        message.startswith("dev.jsonl: line 3: the id 'one' occurs twice, first at line 1.")
        and "id of its own" in message
    )
    message = refusal(write(tmp_path / "dev.json", json.dumps(nested(rows))))
    assert "data[0].paragraphs[0].qas[1]: the id 'one' occurs twice, first at data[0].paragraphs[0].qas[0]" in message
    message = refusal(write(tmp_path / "dev.csv", as_csv(rows, json.dumps)))
    assert "row 2 (line 6): the id 'one' occurs twice, first at row 0 (line 2)" in message
    assert "row 2: the id 'one' occurs twice, first at row 0" in refusal(write(tmp_path / "dev.parquet", parquet(rows)))
    assert [problem.kind for problem in check_examples(rows)] == ["duplicate_id"]


# Rows and checks.


@pytest.mark.parametrize(("changes", "words"), [
    ({"answers": {"text": ["Ilse Varn"], "answer_start": [2**40]}}, "row 1: example 'one': answer_start 1099511627776"),
    ({"answers": 7}, "row 1: example 'one': answers must be"),
    ({"context": "\ud800"}, "row 1: example 'one': the context holds half a surrogate pair"),
])  # fmt: skip
def test_rows_that_arrow_cannot_hold_are_named(changes, words):
    with pytest.raises(ValueError) as caught:
        rows_to_dataset([ROWS[0], one_with(**changes)])
    assert words in str(caught.value)


def test_a_long_answer_is_shortened_in_the_message():
    row = one_with(answers={"text": ["lamp " * 50_000], "answer_start": [0]})
    (problem,) = check_examples([row])
    assert problem.kind == "misaligned" and len(problem.message) < 600


def test_an_unreadable_file_is_a_value_error(tmp_path, monkeypatch):
    path = write(tmp_path / "dev.json", json.dumps(nested(ROWS)))

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "read_bytes", refuse)
    assert "dev.json could not be read (Permission denied)" in refusal(path)
    assert datasets.config.HF_DATASETS_CACHE  # untouched: small files are not cached
