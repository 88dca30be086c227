"""Tables: CSV cell by cell, Parquet, folders that ``save_to_disk`` wrote, and data sets of the hub."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet
import pytest
from conftest import make_example
from datasets import Dataset, DatasetDict
from file_seeds import ROWS, as_csv, nested
from test_files import ONE, loaded, parquet, refusal, write

import qa_helpers.data as data
from qa_helpers import load_squad
from qa_helpers.data import FEATURES, rows_to_dataset

# CSV alone.


@pytest.mark.parametrize(("text", "words"), [
    ("\n", "columns missing: ['id', 'context', 'question']"),
    ("id,context,question\n1,a,b", "columns missing: ['answers']"),
    ("id,question,answers\n1,a,b", "columns missing: ['context']; SQuAD has them. Found: 'id, question, answers'"),
    ("id,context,question,id,answers\n", "the column 'id' occurs twice"),
    ("id,context,question,answers\n1,a, b,c,[]", "row 0 (line 2): 5 cells where the header has 4"),
    ("id,context,question,answers\n1,a,b", "row 0 (line 2): 3 cells where the header has 4"),
    ('id,context,question,answers\n1,"a,b,[]\n', "not valid CSV at line 2 (unexpected end of data)"),
    ('id,context,question,answers\n1,"a"b,c,[]\n', "not valid CSV at line 2 (',' expected after '\"')"),
    ("id,context,question,answers\n\n1,a,b,[\n", "row 0 (line 3), answers: not valid JSON"),
    ("id,context,question,answers\n1,a,b,__import__('os')\n", "answers: not valid JSON"),
    ("id,context,question,answers\n1,a,b,\n", "answers: nothing there"),
    ("id,context,question,answers\n1,a,b,7\n", "answers: expected list or dict, found int"),
    ('id,context,question,answers\n1,a,b,"{\'text\': [], \'text\': [], \'answer_start\': []}"\n', "answers: not valid JSON"),
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


def test_a_cell_may_be_longer_than_pythons_csv_allows_and_its_limit_is_put_back(tmp_path):
    limit = csv.field_size_limit()
    row = make_example("long", "lamp " * 100_000 + "Ilse", "Who?", "Ilse")
    assert len(row["context"]) > limit
    assert loaded(write(tmp_path / "dev.csv", as_csv([row], json.dumps))) == [row]
    assert csv.field_size_limit() == limit


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
    assert "rows 0 to 5: damaged (ArrowInvalid: " in refusal(write(tmp_path / "dev.parquet", table))


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


def test_a_saved_dataset_that_is_not_whole_is_refused(tmp_path):
    folder = tmp_path / "own"
    DatasetDict(train=rows_to_dataset(ROWS)).save_to_disk(folder)
    arrow, state = folder / "train" / "data-00000-of-00001.arrow", folder / "train" / "state.json"
    whole, told = arrow.read_bytes(), state.read_text()
    for size in (0, 7, len(whole) - 8, len(whole) - 1):
        arrow.unlink()
        arrow.write_bytes(whole[:size])
        assert "own/train/data-00000-of-00001.arrow: cut off" in refusal(folder)
    second = whole.index(b"\xff\xff\xff\xff", 8)  # where the table's rows begin, after its schema
    arrow.unlink()
    arrow.write_bytes(whole[:second] + bytes(8) + whole[second + 8 :])
    assert f"its table ends at byte {second + 4} of {len(whole)}" in refusal(folder)
    arrow.unlink()
    assert "own/train/data-00000-of-00001.arrow is missing" in refusal(folder)
    arrow.write_bytes(whole)
    outside = write(tmp_path / "outside.arrow", whole)
    state.write_text(told.replace(arrow.name, f"../../{outside.name}"))
    assert "own/train/state.json: '../../outside.arrow' is no name of something in this folder" in refusal(folder)
    other = write(folder / "train" / "data-00001-of-00002.arrow", whole)
    state.write_text(told)
    assert "own/train/state.json: it lists 'data-00000-of-00001.arrow', but the folder holds" in refusal(folder)
    other.unlink()
    state.write_text("{}")
    assert "own/train/state.json: damaged" in refusal(folder)
    state.unlink()
    assert "own/train/state.json is missing" in refusal(folder)
    (folder / "dataset_dict.json").write_text('{"splits": ["../own/train"]}')
    assert "own/dataset_dict.json: '../own/train' is no name" in refusal(folder)
    assert "give the folder that save_to_disk wrote" in refusal(arrow)


# The hub.


def test_a_hub_data_set_of_another_schema_is_converted_and_its_rows_are_checked(monkeypatch):
    rows = [{**{k: v for k, v in row.items() if k != "title"}, "id": k} for k, row in enumerate(ROWS)]
    monkeypatch.setattr(data, "load_dataset", lambda name: DatasetDict(train=Dataset.from_list(rows)))
    assert load_squad("someone/texts")["train"].to_list() == [
        {**row, "id": str(k), "title": ""} for k, row in enumerate(ROWS)
    ]
    rows[4]["answers"] = {"text": ["Ilse Varn"], "answer_start": [3]}
    with pytest.raises(ValueError, match=r"'someone/texts', split 'train': row 4: .* the text does occur at 31"):
        load_squad("someone/texts")


def test_an_error_of_the_hub_without_a_text_is_told_too(monkeypatch):
    def fail(name):
        raise ConnectionError

    monkeypatch.setattr(data, "load_dataset", fail)
    with pytest.raises(ValueError, match=r"could not be loaded .*\(ConnectionError: \)"):
        load_squad("squad")
