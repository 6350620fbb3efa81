"""What the checks of generated clients share: the served document, a generator, a server to talk to, and the steps to pass.

Every client runs the same steps and prints a line `step NAME HOW` for each: HOW is `yes` when the generated code did it, `hand` when
the program had to help it, `part` when something cannot be had, as the README says. The row of the generator in its table must say the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "checks"))
from parleyserver import CACHE, ROOT, Server, serve, venv  # noqa: E402

STEPS = ("agent", "conversation", "stream", "pages", "401", "402", "404", "429", "upload")
MARKS = {"yes": "✓", "hand": "by hand", "part": "in part"}
GENERATOR = "openapi-generator " + (HERE / "openapi-generator.txt").read_text().split("==")[1].strip()
GENERATE_SECONDS = 600
RUN_SECONDS = 300


@contextlib.contextmanager
def world() -> Iterator[tuple[pathlib.Path, dict[str, str]]]:
    """Yields the document as the built server serves it, and the environment of a client's program."""
    with serve() as server:
        document = CACHE / "sdk-document" / "openapi.json"
        document.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(server.url + "/openapi.json", timeout=60) as served:
            fresh = document.with_suffix(f".{os.getpid()}")
            fresh.write_bytes(served.read())
            fresh.replace(document)
        yield document, os.environ | _keys(server) | {"PARLEY_URL": server.url}


def _keys(server: Server) -> dict[str, str]:
    """Makes a key that may do everything, one whose account has no money, and one that may ask five times a minute."""
    server.command("models", "set-price", "parley-builtin", "--input", "1", "--output", "2")
    server.command("accounts", "top-up", "1000")
    server.command("accounts", "create", "--name", "poor", "--plan", "unlimited")
    limited = server.command("keys", "create", "--name", "limited", "--plan", "free")
    return {"PARLEY_KEY": server.key("sdk"), "PARLEY_POOR_KEY": server.key("poor", "poor"), "PARLEY_LIMITED_KEY": limited["key"]}


def generate(folder: pathlib.Path, document: pathlib.Path, how: object, make: Callable[[pathlib.Path], None]) -> None:
    """Lets `make` fill a new `folder`, unless the same document went through the same generator (`how`) before."""
    digest = hashlib.sha256(document.read_bytes() + repr(how).encode()).hexdigest()
    stamp = folder.with_name(folder.name + ".made")
    if stamp.exists() and stamp.read_text() == digest:
        return
    stamp.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    make(folder)
    stamp.write_text(digest)


def openapi_generator(folder: pathlib.Path, document: pathlib.Path, name: str, **properties: str) -> None:
    """Generates a client by openapi-generator, whose program a PyPI package carries."""
    python = venv("openapi-generator", HERE / "openapi-generator.txt")
    jar = next(python.parent.glob("lib/python*/site-packages/openapi_generator_cli/openapi-generator.jar"))
    extra = ",".join(f"{key}={value}" for key, value in properties.items())
    command = ["java", "-jar", jar, "generate", "--generator-name", name, "--input-spec", document,
               # swagger-parser takes only text for the body of a link, where OpenAPI 3.0 allows any value.
               "--skip-validate-spec",
               "--global-property", "models,apis,supportingFiles,apiTests=false,modelTests=false,apiDocs=false,modelDocs=false,skipFormModel=false",
               "--additional-properties", extra]

    def make(out: pathlib.Path) -> None:
        run([*command, "--output", out], timeout=GENERATE_SECONDS)

    generate(folder, document, [*command, jar.stat().st_size], make)


def run(command: list[Any], **options: Any) -> None:
    """Runs a tool that is only heard when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode != 0:
        raise SystemExit(f"{done.stdout[-8000:]}\n{command[0]} failed with {done.returncode}")


def scenario(generator: str, command: list[Any], environment: dict[str, str], **options: Any) -> None:
    """Runs a client's program, which must pass every step, and holds its row of the README's table against it."""
    begun = time.monotonic()
    done = subprocess.run(command, env=environment, timeout=RUN_SECONDS, stdout=subprocess.PIPE, text=True, check=False, **options)
    passed = dict(re.findall(r"^step (\S+) (yes|hand|part)$", done.stdout, re.MULTILINE))
    missing = [step for step in STEPS if step not in passed]
    if done.returncode != 0 or missing:
        raise SystemExit(f"{done.stdout}\n{generator}: exit status {done.returncode}, steps that did not pass: {' '.join(missing) or 'none'}")
    row = f"| {generator} | {' | '.join(MARKS[passed[step]] for step in STEPS)} |"
    print(f"{row} {time.monotonic() - begun:.1f} s", flush=True)
    if row not in (ROOT / "README.md").read_text():
        raise SystemExit(f"README.md does not say so: {row}")
