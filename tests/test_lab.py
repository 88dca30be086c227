"""`make lab` opens the course to the person at this machine only: JupyterLab runs whatever it is sent."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LISTENING = "0A"  # the state in /proc/net/tcp
LOOPBACK = {"0100007F", "00000000000000000000000001000000"}  # 127.0.0.1 and ::1 as they stand there


def test_the_command_opens_no_doors():
    recipe = re.search(r"(?m)^lab:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8")).group(1)
    assert "jupyter lab" in recipe
    opening = r"token|password|ip=|allow|xsrf|certfile|config"
    assert not re.search(opening, recipe, re.IGNORECASE), f"make lab sets {re.search(opening, recipe, re.I).group()}"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """What JupyterLab, started by `make lab`, says about itself: url, port, token."""
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    folder = tmp_path_factory.mktemp("jupyter")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "MAKE"))}
    for kind in ("CONFIG", "DATA", "RUNTIME"):  # the course's command alone, without this user's own settings
        environment[f"JUPYTER_{kind}_DIR"] = str(folder / kind.lower())
    flags = "--no-browser" + (" --allow-root" if os.geteuid() == 0 else "")
    # -o: the environment that runs the tests is taken as it is, not installed again.
    command = ["make", "-o", f"{sys.prefix}/.ready", f"VENV={sys.prefix}", f"LAB_FLAGS={flags}", "lab"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield wait_for_server(folder, process)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def wait_for_server(folder: Path, process: subprocess.Popen, seconds: float = 60) -> dict:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        for path in folder.glob("runtime/jpserver-*.json"):
            try:
                described = json.loads(path.read_text(encoding="utf-8"))
                urllib.request.urlopen(described["url"] + "api", timeout=5).close()
            except (ValueError, OSError):  # not written to its end, or not listening yet
                continue
            return {**described, "folder": folder}
        time.sleep(0.2)
    pytest.fail("JupyterLab did not start:\n" + (folder / "log").read_text(encoding="utf-8")[-2000:])


def test_the_address_that_opens_is_the_tour(server, tmp_path_factory):
    printed = (server["folder"] / "log").read_text(encoding="utf-8")
    assert f"{server['url']}lab/tree/00_tour.ipynb?token=" in printed
    assert status(server, "api/contents/00_tour.ipynb", Authorization="token " + server["token"]) == 200


def status(server: dict, path: str, **headers: str) -> int:
    """The HTTP status of a request without a cookie."""
    request = urllib.request.Request(server["url"] + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("path", ["api/contents", "api/kernels", "api/terminals"])
def test_nothing_is_given_out_without_the_token(server, path):
    assert status(server, path) == 403


@pytest.mark.parametrize("path", ["lab", "files/00_tour.ipynb"])
def test_pages_and_files_lead_to_the_login(server, path):
    with urllib.request.urlopen(server["url"] + path, timeout=10) as answer:
        assert answer.url.startswith(server["url"] + "login")


def test_a_wrong_token_is_refused_and_the_right_one_accepted(server):
    assert len(server["token"]) >= 32
    assert status(server, "api/contents", Authorization="token " + "0" * len(server["token"])) == 403
    assert status(server, "api/contents", Authorization="token " + server["token"]) == 200


def test_a_page_of_another_name_is_refused(server):
    """A web page could let its own name point to this machine; the server answers to local names only."""
    assert status(server, "api/contents", Authorization="token " + server["token"], Host="example.org") == 403


def test_only_this_machine_is_listened_to(server):
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    if not tables[0].exists():
        pytest.skip("this system has no /proc/net/tcp to read open ports from")
    rows = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    places = {row[1].split(":")[0] for row in rows if row[3] == LISTENING and row[1].endswith(f":{server['port']:04X}")}
    assert places, "the server's port is not among the open ones"
    assert places <= LOOPBACK, f"the server listens on {places - LOOPBACK}, too"
