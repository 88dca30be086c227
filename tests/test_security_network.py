"""Nothing reaches for the network unless a hub id is asked for; see tools/offline for how that is watched."""

import os
import re
import subprocess
import sys

import closed_sockets
import nbformat
import pytest
from conftest import REPOSITORY

COURSE = """
import sys, time
import closed_sockets
from qa_helpers import cli
import qa_helpers as qa

def run(*words):
    sys.argv = ["qa-helpers", *words]
    cli.app(standalone_mode=False)

out = sys.argv[1]
course = qa.setup()
course.load_data()
run("corpus", "--output-dir", f"{out}/corpus", "--examples", "40", "--validation-examples", "10")
run("train", "--source", f"{out}/corpus", "--output-dir", f"{out}/model", "--max-steps", "2", "--save-every", "1")
run("evaluate", "--source", f"{out}/corpus", "--checkpoint", f"{out}/model", "--predictions", f"{out}/p.json")
run("ask", "Who built it?", "--context", "It was built by Ilse Varn.", "--checkpoint", f"{out}/model")
print("attempts before a hub id:", closed_sockets.attempts)
time.sleep = lambda seconds: None  # the libraries wait before they try again
for load, name in ((qa.load_squad, "squad"), (qa.load_model, "someone/something"), (qa.load_tokenizer, "roberta-base")):
    try:
        load(name)
    except ValueError as error:
        print("refused:", error)
print("attempts for hub ids:", len(closed_sockets.attempts))
"""


def python(*arguments, **environment):
    """Run Python with closed sockets, and without the variables that tell the libraries that they are offline."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
    path = [str(REPOSITORY / "tools" / "offline"), str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    kept |= {"PYTHONPATH": os.pathsep.join(path), **environment}
    return subprocess.run([sys.executable, *arguments], cwd=REPOSITORY, env=kept, capture_output=True, text=True)


def test_corpus_training_evaluation_and_answering_reach_for_nothing_and_a_hub_id_does(tmp_path):
    child = python("-c", COURSE, str(tmp_path), HF_HOME=str(tmp_path / "hub"))
    assert child.returncode == 0, child.stderr
    assert "attempts before a hub id: []" in child.stdout, child.stderr
    assert len(re.findall("refused: .*(?i:without a network|needs a network)", child.stdout)) == 3, child.stdout
    assert int(re.search(r"attempts for hub ids: (\d+)", child.stdout)[1]) > 0, "the sockets are not watched"
    assert (tmp_path / "p.json").is_file()


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.create_connection(('example.org', 80))",
        "socket.socket().connect(('192.0.2.1', 80))",
        "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
        "socket.socket().connect_ex(('192.0.2.1', 80))",
        "urllib.request.urlopen('http://example.org')",
    ],
)
def test_closed_sockets_refuse_and_tell(attempt, no_network, capsys):
    import socket  # noqa: F401
    import urllib.request  # noqa: F401

    with pytest.raises(OSError, match="the sockets are closed in tests"):
        eval(attempt)
    assert len(no_network) == 1 and "something wanted to reach" in capsys.readouterr().err
    no_network.clear()


def test_closed_sockets_reach_this_machine(no_network):
    import socket

    for family, place in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "localhost")):
        with socket.create_server((place, 0), family=family) as server, socket.create_connection(server.getsockname()):
            pass
    assert closed_sockets.is_local("::1") and not closed_sockets.is_local("127.0.0.1.example.org")
    assert not no_network


def test_the_notebooks_are_compared_with_closed_sockets(tmp_path):
    """As `make nbval` does it, with a notebook that reaches for the network and says nothing about it."""
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"(?m)^nbval: \$\(READY\)\n((?:\t.*\n)+)", makefile)[1]
    # Whole paths: a kernel starts in its notebook's folder.
    path = re.search(r'\tPYTHONPATH="\$\(CURDIR\)/(tools/offline)', recipe)[1]
    assert "\nnbval: export NETWORK_LOG = $(CURDIR)/build/network.txt\n" in makefile
    assert re.search("if test -s build/network.txt; then .*exit 1; fi\n$", recipe)
    code = (
        "try:\n    __import__('urllib.request').request.urlopen('http://example.org')\nexcept OSError:\n    print('no')"
    )
    told = [nbformat.v4.new_output("stream", name="stdout", text="no\n")]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code, execution_count=1, outputs=told)])
    nbformat.write(notebook, tmp_path / "reaching.ipynb")
    child = python(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env", str(tmp_path)),
        PYTHONPATH=str(REPOSITORY / path),
        NETWORK_LOG=str(tmp_path / "network.txt"),
    )
    assert child.returncode == 1 and "1 failed" in child.stdout, child.stdout
    assert (tmp_path / "network.txt").read_text() == "example.org\n", "told even where a cell's output is not compared"
