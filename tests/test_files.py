"""Files of every format, ours and other people's: read character by character, or refused with the place and a remedy.

What is decided about doubtful content (a float as ``answer_start``, an id that occurs twice, …) is in ``load_squad``'s
docstring; a test here for each.
"""

import csv
import gzip
import json
import random

import datasets
import pandas
import pyarrow as pa
import pyarrow.parquet
import pytest
from conftest import BRIDGE, make_example
from datasets import Dataset, DatasetDict
from file_seeds import CRLF, ROWS, as_csv, as_lines, nested

import qa_helpers.data as data
import qa_helpers.engine.files as files
import qa_helpers.engine.splits as hub
from qa_helpers import load_squad
from qa_helpers.examples import FEATURES, check_examples, rows_to_dataset

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


@pytest.mark.parametrize("ending", ["json", "jsonl", "parquet"])
def test_what_datasets_writes_is_read_back(tmp_path, ending):
    dataset, path = rows_to_dataset(ROWS), tmp_path / f"train.{ending}"
    {"json": dataset.to_json, "jsonl": dataset.to_json, "parquet": dataset.to_parquet}[ending](path)
    assert loaded(path) == ROWS


def test_arrays_as_numpy_prints_them_are_refused_with_the_remedy(tmp_path):
    rows_to_dataset(ROWS).to_csv(tmp_path / "train.csv")
    assert "row 0 (line 2), answers: cannot be read" in refusal(tmp_path / "train.csv")
    assert "save them as lists" in refusal(tmp_path / "train.csv")


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
    ({"answers": None}, "answers: no value; a question without an answer has []"),
    ({"answers": "Ilse Varn"}, "answers: expected list or dict, found str"),
    ({"answers": {"text": ["Ilse Varn"], "answer_start": []}}, "answers: 1 texts but 0 answer_start"),
    ({"answers": {"text": "Ilse Varn", "answer_start": 51}}, "answers.text: expected list, found str"),
    ({"answers": {"text": [None], "answer_start": [51]}}, "answers[0].text: expected str, found NoneType"),
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


def test_an_id_that_occurs_twice_is_refused_with_both_places(tmp_path):
    rows = [ONE, make_example("two", CRLF, "?"), make_example("one", BRIDGE, "When?", "1874")]
    message = refusal(write(tmp_path / "dev.jsonl", as_lines(rows)))
    assert (
        message.startswith("dev.jsonl: line 3: the id 'one' occurs twice, first at line 1.")
        and "give it another id" in message
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


# CSV alone.


@pytest.mark.parametrize(("text", "words"), [
    ("\n", "columns missing: ['id', 'context', 'question']"),
    ("id,context,question\n1,a,b", "columns missing: ['answers']"),
    ("id,question,answers\n1,a,b", "columns missing: ['context']; SQuAD has them. Found: 'id, question, answers'"),
    ("id,context,question,answers\n1,a, b,c,[]", "row 0 (line 2): not as many cells as the header has"),
    ("id,context,question,answers\n1,a,b", "row 0 (line 2): not as many cells as the header has"),
    ('id,context,question,answers\n1,"a,b,[]\n', "not valid CSV at line 1 (unexpected end of data)"),
    ('id,context,question,answers\n1,"a"b,c,[]\n', "not valid CSV at line 1 (',' expected after '\"')"),
    ("id,context,question,answers\n\n1,a,b,[\n", "row 0 (line 3), answers: cannot be read"),
    ("id,context,question,answers\n1,a,b,__import__('os')\n", "answers: cannot be read"),
    ("id,context,question,answers\n1,a,b,\n", "answers: no value"),
    ("id,context,question,answers\n1,a,b,7\n", "answers: expected list or dict, found int"),
    ("id,context,question,answer_text,answer_start\n1,a,b,a,\n", "answer_start: expected int, found NoneType"),
    ("id,context,question,answer_text,answer_start\n1,a,b,,0\n", "answer_text: expected str, found NoneType"),
    ("id,context,question,is_impossible\n1,a,b,yes\n", "is_impossible: expected true or false, found 'yes'"),
    ("id,context,question,is_impossible\n1,a,b,False\n", "the key 'answers' is missing"),
    ("id,context,question,answers\n", "holds no examples; is it the right file?"),
])  # fmt: skip
def test_a_table_with_something_wrong_says_where(tmp_path, text, words):
    assert words in refusal(write(tmp_path / "dev.csv", text))


@pytest.mark.parametrize(
    "cell", ["-" * 100_000 + "1", "(" * 100_000, "[" * 100_000 + "]" * 100_000, "{'a':" * 300 + "1" + "}" * 300]
)
def test_deeply_nested_cells_are_refused_without_a_crash(tmp_path, cell):
    path = tmp_path / "dev.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "context", "question", "answers"], ["1", "a", "b", cell]])
    assert "row 0 (line 2), answers" in refusal(path)


def test_a_cell_may_be_longer_than_pythons_csv_allows(tmp_path):
    row = make_example("long", "lamp " * 100_000 + "Ilse", "Who?", "Ilse")
    assert loaded(write(tmp_path / "dev.csv", as_csv([row], json.dumps))) == [row]


# Parquet and saved folders.


def test_parquet_columns_of_other_types_are_read_and_gaps_refused(tmp_path):
    table = parquet(ROWS)
    large = table.set_column(2, "context", table["context"].cast(pa.large_string()).dictionary_encode())
    assert loaded(write(tmp_path / "dev.parquet", large)) == ROWS
    gap = table.set_column(3, "question", pa.array([*table["question"].to_pylist()[:-1], None]))
    assert "dev.parquet: row 5, question: expected str, found NoneType" in refusal(write(tmp_path / "dev.parquet", gap))
    listed = [
        {**row, "answers": [{"text": t, "answer_start": s} for t, s in zip(*row["answers"].values())]} for row in ROWS
    ]
    assert loaded(write(tmp_path / "dev.parquet", parquet(listed))) == ROWS


def test_parquet_text_that_is_not_utf8_is_refused(tmp_path):
    raw = pa.array([row["context"].encode("latin-1", "replace") + b"\xff" for row in ROWS])
    text = pa.Array.from_buffers(pa.string(), len(raw), raw.buffers())
    table = parquet(ROWS).set_column(2, "context", text)
    assert "damaged or not what its name says (ArrowInvalid: " in refusal(write(tmp_path / "dev.parquet", table))


def test_the_checksums_of_parquet_pages_are_looked_at(tmp_path):
    table = pa.Table.from_pylist(ROWS)
    for checked in (True, False):
        path = tmp_path / "dev.parquet"
        pa.parquet.write_table(table, path, compression="none", use_dictionary=False, write_page_checksum=checked)
        content = path.read_bytes()
        at = content.rindex(b"lamp", 0, content.index(b"What did the lamp"))
        path.write_bytes(content[:at] + b"damp" + content[at + 4 :])
        if checked:
            assert "CRC checksum verification failed" in refusal(path)
        else:
            assert any("damp" in row["context"] for row in loaded(path)), "nothing tells that this was another text"


def test_parquet_and_json_under_another_name_are_recognised(tmp_path):
    write(tmp_path / "dev.parquet", parquet(ROWS)).rename(tmp_path / "dev")
    assert loaded(tmp_path / "dev") == ROWS
    assert loaded(write(tmp_path / "dev.txt", json.dumps(nested(ROWS)))) == ROWS


def test_saved_datasets_are_mapped_where_they_lie(tmp_path):
    both = DatasetDict(train=rows_to_dataset(ROWS), validation=rows_to_dataset([ONE]))
    both.save_to_disk(tmp_path / "both")
    again = load_squad(tmp_path / "both")
    assert {split: rows.to_list() for split, rows in again.items()} == {"train": ROWS, "validation": [ONE]}
    (file,) = again["train"].cache_files
    assert file["filename"].startswith(str(tmp_path / "both" / "train"))
    for name, split in (("alone", "validation"), ("train-alone", "train")):
        both["train"].save_to_disk(tmp_path / name)
        assert {key: rows.to_list() for key, rows in load_squad(tmp_path / name).items()} == {split: ROWS}


def test_a_saved_dataset_with_other_columns_comes_in_the_courses_schema(tmp_path):
    rows = [{**row, "id": k, "is_impossible": k == 0, "extra": [k]} for k, row in enumerate(ROWS)]
    Dataset.from_list(rows).with_format("numpy").save_to_disk(tmp_path / "own")
    answers = [{"text": [], "answer_start": []}, *(row["answers"] for row in ROWS[1:])]
    rows[3]["is_impossible"] = True
    expected = [{**row, "id": str(k), "answers": own} for k, (row, own) in enumerate(zip(ROWS, answers))]
    assert "row 3, answers: no answer, but is_impossible is false" in refusal(tmp_path / "own")
    Dataset.from_list(rows).with_format("numpy").save_to_disk(tmp_path / "own")
    assert loaded(tmp_path / "own") == expected


def test_a_saved_dataset_with_the_right_schema_still_gives_no_answers_to_impossible_questions(tmp_path):
    impossible = [k in (0, 3) for k in range(len(ROWS))]
    rows_to_dataset(ROWS).add_column("is_impossible", impossible).save_to_disk(tmp_path / "own")
    assert loaded(tmp_path / "own") == [{**ROWS[0], "answers": {"text": [], "answer_start": []}}, *ROWS[1:]]


def test_a_saved_dataset_may_lack_titles(tmp_path):
    Dataset.from_list([{**row, "title": None} for row in ROWS], features=FEATURES).save_to_disk(tmp_path / "own")
    assert loaded(tmp_path / "own") == [{**row, "title": ""} for row in ROWS]


@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_saved_dataset_that_is_not_whole_is_refused(tmp_path, share):
    folder = tmp_path / "own"
    DatasetDict(train=rows_to_dataset(ROWS)).save_to_disk(folder)
    arrow = folder / "train" / "data-00000-of-00001.arrow"
    whole = arrow.read_bytes()
    arrow.unlink()
    assert "own: damaged or not what its name says" in refusal(folder)
    arrow.write_bytes(whole[: int(share * len(whole))])
    assert "own: damaged or not what its name says" in refusal(folder)


def test_one_file_of_a_saved_dataset_is_refused_with_the_remedy(tmp_path):
    rows_to_dataset(ROWS).save_to_disk(tmp_path / "own")
    assert "give the folder that save_to_disk wrote" in refusal(next((tmp_path / "own").glob("*.arrow")))


# Large files, and damaged ones.


def contents(rows) -> dict:
    return {
        "json": json.dumps(nested(rows)),
        "jsonl": as_lines(rows),
        "csv": as_csv(rows, json.dumps),
        "parquet": parquet(rows),
    }


@pytest.mark.parametrize("ending", ["json", "jsonl", "csv", "parquet"])
def test_a_large_file_is_read_once_and_kept_in_the_librarys_cache(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(files, "LARGE", 10)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    path = write(tmp_path / f"train.{ending}", contents(ROWS)[ending])
    first = load_squad(path)["train"]
    assert first.to_list() == ROWS and first.features == FEATURES and first.cache_files
    assert load_squad(path)["train"].cache_files == first.cache_files
    write(path, contents([one_with(id="another"), *ROWS])[ending])
    assert len(loaded(path)) == len(ROWS) + 1, "a changed file is read anew"
    write(path, "no table at all")
    refusal(path)


@pytest.mark.parametrize("ending", ["json", "jsonl", "csv", "parquet"])
def test_a_damaged_file_is_read_right_or_refused_by_name(tmp_path, ending):
    """Cut off, a byte changed, a piece lost or doubled, at 200 places: sound examples, or a ValueError that names it."""
    path = write(tmp_path / f"dev.{ending}", contents(ROWS)[ending])
    whole, chance = path.read_bytes(), random.Random(0)
    read = 0
    for _ in range(200):
        at, length = chance.randrange(len(whole)), chance.randrange(1, 20)
        rest = {
            "cut off": b"",
            "changed": bytes([chance.randrange(256)]) + whole[at + 1 :],
            "lost": whole[at + length :],
            "doubled": whole[at : at + length] + whole[at:],
        }
        path.write_bytes(whole[:at] + rest[chance.choice(list(rest))])
        try:
            rows = load_squad(path)["validation"].to_list()
        except ValueError as error:
            assert path.name in str(error)
        else:
            read += 1
            assert not check_examples(rows)
    assert 0 < read < 200


# The hub.


def test_a_hub_data_set_of_another_schema_is_converted_and_its_rows_are_checked(monkeypatch):
    rows = [{**{k: v for k, v in row.items() if k != "title"}, "id": k} for k, row in enumerate(ROWS)]
    monkeypatch.setattr(hub, "load_dataset", lambda name: DatasetDict(train=Dataset.from_list(rows)))
    assert load_squad("someone/texts")["train"].to_list() == [
        {**row, "id": str(k), "title": ""} for k, row in enumerate(ROWS)
    ]
    rows[4]["answers"] = {"text": ["Ilse Varn"], "answer_start": [3]}
    with pytest.raises(ValueError, match=r"'someone/texts', split 'train': row 4: .* the text does occur at 31"):
        load_squad("someone/texts")


def test_an_error_of_the_hub_without_a_text_is_told_too(monkeypatch):
    def fail(name):
        raise ConnectionError

    monkeypatch.setattr(hub, "load_dataset", fail)
    with pytest.raises(ValueError, match=r"could not be loaded .*\(ConnectionError: \)"):
        load_squad("squad")
