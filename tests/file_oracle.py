"""What a file says, read a second time by other, simpler code: the examples it holds, or None where it is not sound."""

import ast
import csv
import io
import json
import re
import warnings

import pyarrow as pa
import pyarrow.parquet


class Unsound(Exception):
    pass


def expected_rows(kind: str, data: bytes) -> list[dict] | None:
    """The examples of a file's bytes; None if anything in it is not as it should be."""
    try:
        rows = {"json": _json, "jsonl": _lines, "csv": _csv, "parquet": _parquet, "arrow": _arrow}[kind](data)
    except Exception:  # whatever a plain reading of a damaged file runs into
        return None
    return rows or None


def need(condition) -> None:
    if not condition:
        raise Unsound


def _json(data: bytes):
    content = _load(data.decode("utf-8-sig"))
    if isinstance(content, list):
        return _sound([_row(row, row["context"], row.get("title")) for row in content])
    rows = []
    need("twice" not in content and type(content["data"]) is list)
    for article in content["data"]:
        need("twice" not in article and type(article["paragraphs"]) is list)
        for paragraph in article["paragraphs"]:
            need("twice" not in paragraph and type(paragraph["qas"]) is list)
            rows += [_row(qa, paragraph["context"], article.get("title")) for qa in paragraph["qas"]]
    return _sound(rows)


def _lines(data: bytes):
    data = data.removeprefix(b"\xef\xbb\xbf")
    content = [_load(line.decode("utf-8")) for line in data.split(b"\n") if line.strip(b" \t\r")]
    return _sound([_row(row, row["context"], row.get("title")) for row in content])


def _csv(data: bytes):
    text = data.decode("utf-8-sig")
    mark = next(mark for mark in ",;\t" if mark in text.splitlines()[0])
    limit = csv.field_size_limit(2**31 - 1)
    try:
        header, *body = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    finally:
        csv.field_size_limit(limit)
    header = [name.strip() for name in header]
    need(len(set(header)) == len(header))
    rows = []
    for cells in filter(None, body):
        row = dict(zip(header, cells, strict=True))
        if "is_impossible" in row:
            choice = {"": None, "true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
            row["is_impossible"] = choice[row["is_impossible"].strip().lower()]
        if "answers" in row:
            row["answers"] = _cell(row["answers"]) if row["answers"] else None
        if row.get("answer_start"):
            need(re.fullmatch(r"\s*-?[0-9]+(\.0*)?\s*", row["answer_start"]))
            row["answer_start"] = int(float(row["answer_start"]))
        row |= {name: None for name in ("answer_text", "answer_start") if row.get(name) == ""}
        rows.append(_row(row, row["context"], row.get("title")))
    return _sound(rows)


def _cell(text: str):
    try:
        return _load(text)
    except ValueError:
        bare = re.sub(r"array\((\[[^\]]*\])(?:,\s*dtype=(?:[^\W\d]\w*|'[^']*'))?\)", r"\1", text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Python thinks of damaged backslashes
            return ast.literal_eval(bare.strip())


def _parquet(data: bytes):
    table = pyarrow.parquet.read_table(io.BytesIO(data))
    return _table(table)


def _arrow(data: bytes):
    return _table(pa.ipc.open_stream(io.BytesIO(data)).read_all())


def _table(table: pa.Table):
    table.validate(full=True)
    need(len(set(table.column_names)) == len(table.column_names))
    rows = []
    for row in table.to_pylist():
        if isinstance(row.get("answer_start"), float):
            start = row["answer_start"]
            row["answer_start"] = None if start != start else int(start) if start.is_integer() else start
        rows.append(_row(row, row["context"], row.get("title")))
    return _sound(rows)


def _row(row: dict, context, title):
    need(isinstance(row, dict) and "twice" not in row)
    need(type(row["id"]) in (str, int) and type(row["question"]) is str and type(context) is str)
    need(title is None or type(title) in (str, int))
    impossible, answers = row.get("is_impossible"), row.get("answers")
    need(impossible in (None, True, False) and type(impossible) is not int and type(impossible) is not float)
    if impossible:
        pairs = []
    elif "answers" in row:
        if isinstance(answers, dict):
            need("twice" not in answers and type(answers["text"]) is type(answers["answer_start"]) is list)
            pairs = list(zip(answers["text"], answers["answer_start"], strict=True))
        else:
            need(type(answers) is list and all("twice" not in answer for answer in answers))
            pairs = [(answer["text"], answer["answer_start"]) for answer in answers]
    elif row.get("answer_text") is None and row.get("answer_start") is None:
        need({"answer_text", "answer_start"} & set(row))
        pairs = []
    else:
        pairs = [(row["answer_text"], row["answer_start"])]
    need(pairs or impossible is not False)
    answers = {"text": [text for text, _ in pairs], "answer_start": [start for _, start in pairs]}
    title = "" if title is None else str(title)
    return {"id": str(row["id"]), "title": title, "context": context, "question": row["question"], "answers": answers}


def _sound(rows: list[dict]) -> list[dict]:
    for row in rows:
        need(all(row[name].strip() for name in ("id", "context", "question")))
        json.dumps(row, ensure_ascii=False).encode()  # no half surrogates
        for text, start in zip(row["answers"]["text"], row["answers"]["answer_start"]):
            need(type(text) is str and type(start) is int and text.strip() and start >= 0)
            need(row["context"].startswith(text, start))
    need(len({row["id"] for row in rows}) == len(rows))
    return rows


def _load(text: str):
    def mapping(pairs):
        return dict(pairs) if len(dict(pairs)) == len(pairs) else {**dict(pairs), "twice": True}

    return json.loads(text, object_pairs_hook=mapping)
