"""Fixtures of the browser tests: one JupyterLab and one Chromium for all of them, and a page per notebook.

Run by ``make test-browser``; ``make test`` leaves this folder out, since the lessons run here once more. Pictures of the
widgets and the times they took are kept in ``build/screenshots`` (another folder: ``QA_SCREENSHOTS``).
"""

import json
import os
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
import workshop
from lab import ROOT, Lab, find_chromium

TIMES = pytest.StashKey[dict]()


@pytest.fixture(scope="session")
def browser():
    from playwright import sync_api

    program = find_chromium()
    if program is None:
        pytest.skip("Chromium is not here: install it (Debian: apt-get install chromium) to run the browser tests")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program)
        sync_api.expect.set_options(timeout=60_000)
        yield started
        started.close()


@pytest.fixture(scope="session")
def built(browser, tmp_path_factory) -> tuple[Path, list]:
    """The site in a folder, without PDFs, and its pages."""
    import build_site

    folder = tmp_path_factory.mktemp("site") / "site"
    return folder, build_site.build(folder)


@pytest.fixture(scope="session")
def site(built) -> Path:
    return built[0]


@pytest.fixture
def tab(browser):
    """A page in a fresh, offline context; it must not have made an error in the end, nor asked for anything elsewhere."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light", offline=True)
    made, errors, requests = context.new_page(), [], []
    made.set_default_timeout(120_000)  # a machine that does other work as well may be slow
    made.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: errors.append(str(error)))
    made.expected = []  # parts of messages that a test provokes
    made.on("request", lambda request: requests.append(request.url))
    yield made
    context.close()
    assert [error for error in errors if not any(part in error for part in made.expected)] == []
    assert {url.split(":")[0] for url in requests} <= {"file", "data", "blob"}, "the site asks for something elsewhere"


@pytest.fixture(scope="session")
def lab(browser, tmp_path_factory):
    running = Lab(tmp_path_factory.mktemp("lab"))
    try:
        running.wait()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def pictures() -> Path:
    folder = Path(os.environ.get("QA_SCREENSHOTS") or ROOT / "build" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def open_desk(browser, lab) -> Callable:
    """``with open_desk("02_….ipynb") as desk:`` a notebook in a fresh page; its kernel ends with it."""
    from desk import Desk

    @contextmanager
    def opened(notebook: str):
        page = browser.new_page(viewport={"width": 1400, "height": 1200})
        page.set_default_timeout(60_000)
        try:
            yield Desk(page, lab, notebook)
        finally:
            page.close()
            lab.stop_kernels()

    return opened


@pytest.fixture(scope="session")
def run_lesson(open_desk) -> Callable:
    """``with run_lesson("02_…") as desk:`` a notebook of which every cell has run; at the end, no complaint of the page."""

    @contextmanager
    def ran(name: str):
        with open_desk(f"{name}.ipynb") as desk:
            desk.run_all()
            problems = desk.problems()
            assert not problems, "\n".join(problems)
            yield desk
            assert not desk.complaints, "the page complains:\n" + "\n".join(desk.complaints)

    return ran


@pytest.fixture(scope="session")
def plain_time(run_lesson, lab, note_time) -> float:
    """What the plainest slider and text take in this browser: the way to the kernel and back."""
    nbformat.write(workshop.plain(), lab.notebooks / "plain.ipynb")
    with run_lesson("plain") as desk:
        time = desk.widget("plain").answer_time("plain")
    note_time("a bare slider and a text", time)
    return time


@pytest.fixture(scope="session")
def note_time(request, pictures) -> Callable[[str, float], None]:
    """Keep a measured time (milliseconds) for the summary and for ``times.json`` beside the pictures."""
    times = request.config.stash.setdefault(TIMES, {})

    def note(name: str, value: float) -> None:
        times[name] = round(value, 1)
        (pictures / "times.json").write_text(json.dumps(times, indent=1), encoding="utf-8")

    return note


def pytest_terminal_summary(terminalreporter, config):
    times = config.stash.get(TIMES, {})
    if times:
        terminalreporter.section(f"from a key on a slider to the new view, median of 20, {os.cpu_count()} cores")
        for name, value in times.items():
            terminalreporter.write_line(f"{value:7.1f} ms  {name}")
