"""What the checks by other people's tools share: tools in a cache folder and a server of their own.

Everything is temporary or below `.cache/`, which git ignores; nothing is installed globally.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
BINARY = pathlib.Path(os.environ.get("PARLEY_BINARY", ROOT / "bin" / "parley"))
START_SECONDS = 60
STOP_SECONDS = 40  # the server gives streams 30 s

# A terminated check must stop its servers too: the exception unwinds the context managers.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def venv(name: str, requirements: pathlib.Path) -> pathlib.Path:
    """Returns the bin folder of a virtual environment that holds exactly `requirements`.

    The folder's name carries the file's hash, so that a changed pin makes a new environment. Of checks that run at the same
    time one makes it, and the others wait.
    """
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = CACHE / f"{name}-{digest}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            install = [folder / "bin" / "pip", "install", "--quiet", "--no-deps", "--requirement", requirements]
            subprocess.run(install, check=True)
            (folder / ".complete").touch()
    return folder / "bin"


@contextlib.contextmanager
def process(command: list[Any], log: pathlib.Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Runs `command` with its standard error in `log` and stops it at the end, by force if it must."""
    with log.open("w") as errors:
        child = subprocess.Popen(command, stderr=errors, text=True, start_new_session=True, **options)
        try:
            yield child
        finally:
            child.terminate()  # what a shell starts in the background ignores SIGINT
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                raise


class Server:
    """A running server: its address, the link that sets it up, its log, and the command line beside it."""

    def __init__(self, url: str, set_up: str, data: pathlib.Path, log: pathlib.Path) -> None:
        self.url, self.set_up, self.data, self.log = url, set_up, data, log

    def command(self, *arguments: str) -> dict[str, Any]:
        """Runs a command of the binary on the server's data and returns what it prints as JSON."""
        done = subprocess.run(
            [BINARY, *arguments, "--json", "--data", self.data], check=True, text=True, stdout=subprocess.PIPE
        )
        return json.loads(done.stdout)

    def make_key(self, name: str, account: str | None = None, scopes: str | None = None) -> dict[str, Any]:
        """Makes an unlimited key, of the first account unless another is named, and returns it as printed."""
        owner = ["--account", account] if account else []
        may = ["--scopes", scopes] if scopes else []
        return self.command("keys", "create", "--name", name, "--plan", "unlimited", *owner, *may)

    def key(self, name: str, account: str | None = None) -> str:
        """Makes an unlimited key as make_key does and returns its text."""
        return self.make_key(name, account)["key"]

    @property
    def database(self) -> str:
        """Returns how another server reaches this one's embedded Postgres."""
        socket = (self.data / "postgres.lock").read_text().split("\n")[1]
        return f"host='{socket}' port=5432 user=parley dbname=postgres sslmode=disable"

    def call(self, method: str, path: str, key: str, body: Any = None) -> tuple[int, str]:
        """Sends a JSON request and returns status and body; a stream is read to its end."""
        request = urllib.request.Request(self.url + path, method=method, headers={"Authorization": f"Bearer {key}"})
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as failure:
            return failure.code, failure.read().decode()

    def get(self, path: str, key: str) -> Any:
        """Reads a JSON resource; any status but 200 is an error."""
        status, body = self.call("GET", path, key)
        if status != 200:
            raise AssertionError(f"GET {path}: {status} {body}")
        return json.loads(body)


@contextlib.contextmanager
def serve(**environment: str) -> Iterator[Server]:
    """Runs the built server on a free port and a temporary data folder; `environment` configures it."""
    if not BINARY.exists():
        raise SystemExit(f"{BINARY} is missing: run `make build` first")
    with tempfile.TemporaryDirectory(prefix="parley-check-") as folder:
        with _serve(pathlib.Path(folder, "data"), pathlib.Path(folder, "server.log"), environment) as server:
            yield server


@contextlib.contextmanager
def beside(server: Server, **environment: str) -> Iterator[Server]:
    """Runs another server on the data of a running one."""
    with _serve(server.data, server.log.with_name("beside.log"), environment | {"DATABASE_URL": server.database}) as second:
        yield second


@contextlib.contextmanager
def _serve(data: pathlib.Path, log: pathlib.Path, environment: dict[str, str]) -> Iterator[Server]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PARLEY_") and k != "DATABASE_URL"}
    listen = environment.get("PARLEY_LISTEN", "127.0.0.1:0")
    command = [BINARY, "serve", "--data", data, "--listen", listen]
    with process(command, log, stdout=subprocess.PIPE, env=inherited | environment) as child:
        yield Server(*_addresses(child, log), data, log)


def _addresses(child: subprocess.Popen[str], log: pathlib.Path) -> tuple[str, str]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        # The first line is the address; a server without people then prints the link that sets it up. What
        # follows stays in the pipe, which holds far more.
        if select.select([child.stdout], [], [], 0.2)[0]:
            line = child.stdout.readline()
            if found := re.search(r"https?://\S+", line):
                link = re.search(r"https?://\S+/set-up\S+", "".join(child.stdout.readline() for _ in range(4)))
                return found.group(), link.group() if link else ""
    raise SystemExit(f"the server did not start:\n{log.read_text()}")
