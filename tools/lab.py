"""A JupyterLab of the tests' own: a free port, a token, a copy of the notebooks, none of the user's settings."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = {
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},  # every cell is on the page, in sight or not
    "@jupyterlab/apputils-extension:notification": {"checkForUpdates": False, "fetchNews": "false"},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}


class Lab:
    """A running JupyterLab. ``folder`` holds everything it reads and writes.

    Attributes:
        url: where it answers; token: what it asks for; notebooks: its root folder, a copy of the lessons.
    """

    def __init__(self, folder: Path):
        self.notebooks = folder / "notebooks"
        shutil.copytree(
            ROOT / "notebooks", self.notebooks, ignore=shutil.ignore_patterns("runs", ".ipynb_checkpoints", "solutions")
        )
        overrides = folder / "config" / "labconfig" / "default_setting_overrides.json"
        overrides.parent.mkdir(parents=True)
        overrides.write_text(json.dumps(SETTINGS), encoding="utf-8")
        self.token = secrets.token_hex(16)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
        command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
        command += [f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={self.notebooks}"]
        self._log = folder / "jupyterlab.log"
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                command, cwd=folder, env=environment(folder), stdout=log, stderr=log, start_new_session=True
            )

    def wait(self, seconds: float = 120) -> None:
        """Until the server answers; raises RuntimeError with its log if it does not."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.request("api/status")
                return
            except OSError:  # nobody listens yet
                time.sleep(0.1)
        raise RuntimeError(f"JupyterLab did not start:\n{self._log.read_text(encoding='utf-8')[-4000:]}")

    def request(self, path: str, method: str = "GET"):
        """What the server's API says, read from JSON; None where it says nothing."""
        headers = {"Authorization": f"token {self.token}"}
        with urllib.request.urlopen(
            urllib.request.Request(f"{self.url}/{path}", method=method, headers=headers)
        ) as said:
            return json.loads(said.read() or "null")

    def stop_kernels(self) -> None:
        for kernel in self.request("api/kernels"):
            self.request(f"api/kernels/{kernel['id']}", "DELETE")

    def stop(self) -> None:
        """End the kernels and the server, by force if it must be."""
        with contextlib.suppress(OSError):  # the server has gone, and a kernel without its server ends by itself
            self.stop_kernels()
        for way in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                os.killpg(self._process.pid, way)
                try:
                    self._process.wait(15)
                except subprocess.TimeoutExpired:
                    continue


def environment(folder: Path) -> dict[str, str]:
    """The test's environment, with Jupyter's folders in ``folder`` and the course's default data and checkpoint."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "QA_"))}
    places = {
        "JUPYTER_CONFIG_DIR": folder / "config",
        "JUPYTER_DATA_DIR": folder / "data",
        "JUPYTER_RUNTIME_DIR": folder / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": folder / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces",
        "IPYTHONDIR": folder / "ipython",
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    # One thread, as in the other tests: on a busy machine a small model's threads only wait for each other.
    others = {"PATH": path, "OMP_NUM_THREADS": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1", "QA_BARS": "off"}
    return kept | {name: str(place) for name, place in places.items()} | others


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def find_chromium() -> str | None:
    """The system's Chromium or Chrome."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)
