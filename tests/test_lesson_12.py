"""What lesson 12 writes for one afternoon's server holds under load: nothing lost, mixed up or logged; and its export takes
other shapes, its setup asks for the packages of the extra, its launcher needs no network."""

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
import tomllib
from importlib.util import find_spec

import httpx
import nbformat
import pytest
from conftest import REPOSITORY
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from support import names_of_lesson

LESSON = "12_put_it_to_work"
GIVEN = {
    "asyncio": asyncio, "FastAPI": FastAPI, "TrustedHostMiddleware": TrustedHostMiddleware, "JSONResponse": JSONResponse,
    "RequestValidationError": RequestValidationError, "BaseModel": BaseModel, "Field": Field, "logging": logging,
    "asynccontextmanager": __import__("contextlib").asynccontextmanager,
}  # fmt: skip


class Reader:
    """Stands in for the model: answers with the question's last word, slowly for a batch, and refuses some texts."""

    def __init__(self):
        self.batches, self.threads = [], set()

    def __call__(self, questions):
        self.threads.add(threading.current_thread().name)
        if any("refuse" in each["context"] for each in questions):
            raise ValueError("this context cannot be read")
        self.batches.append(len(questions))
        threading.Event().wait(0.002)
        found = [{"answer": each["question"].split()[-1], "start": len(each["context"])} for each in questions]
        return found if len(found) > 1 else found[0]


@pytest.fixture
def lesson():
    """The lesson's app around a reader, in a namespace of its own."""
    names = names_of_lesson(LESSON, "Asked", "log", "answer_batch", "make_app", **GIVEN)
    names["Asked"].model_rebuild(_types_namespace=names)
    return names


def asked(k, context="text"):
    return {"question": f"What is number {k}", "context": f"{context} {'x' * (k % 7)}"}


def drive(app, requests, base="http://localhost"):
    """All requests at once; their replies in order."""

    async def main():
        transport = httpx.ASGITransport(app=app)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url=base) as http:
            return await asyncio.gather(*(http.post("/answer", json=each) for each in requests))

    return asyncio.run(main())


def test_five_hundred_at_once_get_each_their_own_answer_in_few_batches(lesson):
    reader = Reader()
    replies = drive(lesson["make_app"](reader), [asked(k) for k in range(500)])
    assert [reply.status_code for reply in replies] == [200] * 500
    assert [reply.json() for reply in replies] == [{"answer": str(k), "start": 5 + k % 7} for k in range(500)]
    assert sum(reader.batches) == 500 and max(reader.batches) == 32 and len(reader.batches) < 50
    assert "MainThread" not in reader.threads, "the model must not hold up the server"


def test_one_bad_text_in_a_batch_spoils_no_other(lesson):
    requests = [asked(k, "refuse" if k % 10 == 3 else "text") for k in range(40)]
    for k, reply in enumerate(drive(lesson["make_app"](Reader()), requests)):
        if k % 10 == 3:
            assert (reply.status_code, reply.json()) == (422, {"error": "this context cannot be read"})
        else:
            assert (reply.status_code, reply.json()["answer"]) == (200, str(k))


def test_a_slip_in_the_program_fails_its_batch_and_not_the_queue(lesson, caplog):
    class Slips(Reader):
        def __call__(self, questions):
            if any("slip" in each["context"] for each in questions):
                raise RuntimeError("secret details")
            return super().__call__(questions)

    app = lesson["make_app"](Slips(), largest=1)
    replies = drive(app, [asked(1), asked(2, "slip"), asked(3)])
    assert [reply.status_code for reply in replies] == [200, 500, 200]
    assert replies[1].json() == {"error": "the server failed"}
    assert "a batch failed: RuntimeError" in caplog.text and "secret details" not in caplog.text


def test_limits_and_errors_are_json_that_names_the_field(lesson):
    bad = [
        {"question": "Who?"},
        asked(1, "x" * 20_000),
        {"question": "", "context": "a"},
        [],
        {"question": 7, "context": "a"},
    ]
    replies = drive(lesson["make_app"](Reader()), bad)
    assert [reply.status_code for reply in replies] == [422] * 5
    for reply, field in zip(replies, ("context", "context", "question", "body", "question")):
        assert list(reply.json()) == ["error"] and reply.json()["error"].startswith(f"{field}: ")
        assert len(reply.text) < 200, "no text of the request comes back"


def test_requests_for_another_host_are_refused(lesson):
    [reply] = drive(lesson["make_app"](Reader()), [asked(1)], base="http://example.org")
    assert reply.status_code == 400


def test_whoever_goes_away_stops_nobody(lesson):
    app = lesson["make_app"](Reader(), largest=4)

    async def main():
        transport = httpx.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as http,
        ):
            tasks = [asyncio.create_task(http.post("/answer", json=asked(k))) for k in range(40)]
            await asyncio.sleep(0.001)
            for task in tasks[::3]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            return [(k, task.result().json()) for k, task in enumerate(tasks) if not task.cancelled()]

    finished = asyncio.run(main())
    assert len(finished) >= 26 and all(reply["answer"] == str(k) for k, reply in finished)


def test_no_text_of_a_request_is_logged(lesson, caplog):
    caplog.set_level(logging.DEBUG)
    requests = [asked(k, "secret") for k in range(30)] + [asked(7, "refuse secret"), {"question": "secret"}]
    drive(lesson["make_app"](Reader()), requests)
    said = [entry.getMessage() for entry in caplog.records]
    assert any("answered" in line for line in said)
    assert not [line for line in said if "secret" in line or "What is number" in line]


def cells():
    return nbformat.read(REPOSITORY / "notebooks" / f"{LESSON}.ipynb", as_version=4).cells


def test_the_lesson_installs_what_the_extra_names_where_it_is_missing():
    [source] = [cell.source for cell in cells() if cell.cell_type == "code" and "find_spec(name)" in cell.source]
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = project["optional-dependencies"]["serve"]
    metadata = [
        *project["dependencies"],
        *(f'{line}; extra == "serve"' for line in extra),
        'ruff>=0.9; extra == "test"',
    ]
    installed = []

    def execute(find):
        lines = [line.replace("%pip install --quiet {wanted}", "install(wanted)") for line in source.splitlines()]
        code = "\n".join(line for line in lines if not line.startswith("from "))
        exec(code, {"find_spec": find, "requires": lambda _: metadata, "install": installed.append})

    execute(find_spec)
    assert installed == [], "here, nothing is missing"
    execute(lambda name: None if name == "onnxscript" else find_spec(name))
    assert installed == [" ".join(f"'{line}'" for line in extra)]


def test_without_a_name_or_a_token_nothing_is_sent():
    [source] = [cell.source for cell in cells() if cell.cell_type == "code" and "push_to_hub" in cell.source]
    source = source.replace("from huggingface_hub import get_token, upload_folder", "")

    def refuse(*_, **__):
        raise AssertionError("something would have been sent")

    model = type("Model", (), {"push_to_hub": refuse})()
    said = []
    for name, token in (("", "a token"), ("me/my-reader", None)):
        given = {"get_token": lambda token=token: token, "upload_folder": refuse, "model": model, "print": said.append}
        exec(source.replace('my_name = ""', f"my_name = {name!r}"), given)
    assert len(said) == 2 and all(line.startswith("Nothing was sent") for line in said)


def test_two_launched_processes_answer_as_one_does_without_a_network(tmp_path):
    [source] = [cell.source for cell in cells() if "accelerate.commands.launch" in cell.source]
    log = tmp_path / "network.txt"
    environment = os.environ | {"PYTHONPATH": f"{REPOSITORY}/tools/offline:{REPOSITORY}", "NETWORK_LOG": str(log)}
    course = type("Course", (), {"source": "mini"})
    program = f"""
import json, os, pathlib, types
os.environ |= {json.dumps({name: environment[name] for name in ("PYTHONPATH", "NETWORK_LOG")})}
folder = pathlib.Path({str(tmp_path)!r})
course, model_folder = types.SimpleNamespace(source={course.source!r}), "mini-bert-qa"
{source.replace("--limit 50", "--limit 9")}
"""
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("9 answers") and not log.exists()
