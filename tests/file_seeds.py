"""Small sound files of every format that is read, to be damaged."""

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet
from conftest import BELLS, BRIDGE, LAMP, make_example
from datasets import Dataset, DatasetDict

CRLF = 'First line.\r\nSecond "line", by Ilse Varn;\nthird \U0001f6b2 line\tand\u2028a rest.'
ROWS = [
    make_example("bridge-who", BRIDGE, "Who built the bridge?", "Ilse Varn"),
    make_example("bridge-when", BRIDGE, "When was it built?", "1874", "in 1874"),
    make_example("lamp-cost", LAMP, "What did the lamp cost?", "€1,250.50"),
    make_example("lamp-none", LAMP, "Who lit it?"),
    make_example("lines", CRLF, "Who wrote the 2nd line, \\ and how?", "Ilse Varn;\nthird \U0001f6b2 line"),
    make_example("17", BELLS, "Whose letters?", ("Oda Brennick", 1)),
]
FLAT = [row for row in ROWS if len(row["answers"]["text"]) < 2]  # what two columns can say


def nested(rows: list[dict], impossible: bool = False, lists: bool = False) -> dict:
    """SQuAD JSON: an article a title, each context once; with the extra keys of 2.0, or with ``answers`` as lists."""
    paragraphs: dict[str, list] = {}
    for row in rows:
        answers = [{"text": t, "answer_start": s} for t, s in zip(*row["answers"].values(), strict=True)]
        qa = {"id": row["id"], "question": row["question"], "answers": row["answers"] if lists else answers}
        if impossible:
            qa["is_impossible"] = not answers
            if not answers:
                qa |= {"plausible_answers": [{"text": "a keeper", "answer_start": 9}]}
        paragraphs.setdefault(row["context"], []).append(qa)
    inner = [{"context": context, "qas": qas} for context, qas in paragraphs.items()]
    return {
        "version": "v2.0",
        "data": [{"title": "Invented", "paragraphs": inner[:2]}, {"title": "Invented", "paragraphs": inner[2:]}],
    }


def as_lines(rows: list[dict]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def as_csv(rows: list[dict], cell=None, delimiter: str = ",") -> str:
    """A table with an ``answers`` column written by ``cell``, or (None) with a column each for text and start."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    names = ["answers"] if cell else ["answer_text", "answer_start"]
    writer.writerow(["id", "title", "context", "question", *names])
    for row in rows:
        flat = [(*values, "")[0] for values in row["answers"].values()]
        last = [cell(row["answers"])] if cell else flat
        writer.writerow([row["id"], row["title"], row["context"], row["question"], *last])
    return out.getvalue()


def text_files() -> dict[str, tuple[str, bytes, list[dict]]]:
    """File name → (format, content, the examples in it)."""
    with_number = json.loads(json.dumps(nested(ROWS, lists=True)).replace('"17"', "17"))
    foreign = {"$schema": "x", **with_number, "meta": {"made": [1.5, None, True]}}
    pandas_text = "".join(_pandas_csv(ROWS))
    files = {
        "train-v1.1.json": ("json", json.dumps(nested(ROWS)), ROWS),
        "dev-v2.0.json": ("json", json.dumps(nested(ROWS, impossible=True), ensure_ascii=False, indent=1), ROWS),
        "dev-foreign.json": ("json", "\ufeff" + json.dumps(foreign, ensure_ascii=False) + "\n", ROWS),
        "rows.json": ("json", json.dumps(ROWS, indent=0), ROWS),
        "lines.json": ("jsonl", as_lines(ROWS), ROWS),
        "train.jsonl": ("jsonl", as_lines(ROWS).replace("\n", "\r\n").rstrip(), ROWS),
        "val.csv": ("csv", as_csv(ROWS, json.dumps), ROWS),
        "val-pandas.csv": ("csv", pandas_text, ROWS),
        "val-python.tsv": ("csv", as_csv(ROWS, repr, "\t"), ROWS),
        "val-columns.csv": ("csv", "\ufeff" + as_csv(FLAT, None, ";"), FLAT),
    }
    return {name: (kind, text.encode(), rows) for name, (kind, text, rows) in files.items()}


def _pandas_csv(rows: list[dict]) -> str:
    import pandas

    frame = Dataset.from_list(rows).to_pandas()  # the answers' lists are numpy arrays there
    frame["is_impossible"] = [not len(answers["text"]) for answers in frame["answers"]]
    return pandas.DataFrame(frame).to_csv()


def parquet_files() -> dict[str, tuple[str, bytes, list[dict]]]:
    """The same for Parquet: as ``datasets`` and the hub write it, checked and unchecked, and from a flat table."""
    from qa_helpers.data import rows_to_dataset

    table = rows_to_dataset(ROWS).data.table
    flat = [{"id": r["id"], "context": r["context"], "question": r["question"], "is_impossible": not r["answers"]["text"],
             "answer_text": (*r["answers"]["text"], None)[0], "answer_start": (*map(float, r["answers"]["answer_start"]), None)[0],
             "title": r["title"]} for r in FLAT]  # fmt: skip
    import pyarrow as pa

    files = {}
    for name, what, rows, options in (
        ("dev-plain.parquet", table, ROWS, {"compression": "none", "use_dictionary": False}),
        ("dev-snappy.parquet", table, ROWS, {"row_group_size": 2}),
        ("dev-checked.parquet", table, ROWS, {"write_page_checksum": True}),
        ("dev-flat.parquet", pa.Table.from_pylist(flat), FLAT, {"compression": "zstd"}),
    ):
        sink = io.BytesIO()
        pyarrow.parquet.write_table(what, sink, **options)
        files[name] = ("parquet", sink.getvalue(), rows)
    return files


def save_dataset(folder: Path) -> None:
    """What ``save_to_disk`` makes of the rows as a DatasetDict with one split, in two files."""
    from qa_helpers.data import rows_to_dataset

    DatasetDict(train=rows_to_dataset(ROWS)).save_to_disk(str(folder), num_shards={"train": 2})
