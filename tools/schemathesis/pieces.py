"""Notes what became of the pieces of a long run of Schemathesis, so that it can be stopped and gone on with.

Several processes may share the work: each takes the pieces that no other is at.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

from parleyserver import BINARY, CACHE, ROOT

STATEFUL = "stateful"  # the piece, and the phase, that follows links


def digest(*files: pathlib.Path) -> str:
    """Returns a short hash of what files hold."""
    sum_ = hashlib.sha256()
    for file in files:
        sum_.update(file.read_bytes())
    return sum_.hexdigest()[:12]


class Report:
    """What became of each piece, kept in a file over many runs."""

    def __init__(self, rules: pathlib.Path, examples: int, seed: int) -> None:
        self.folder = CACHE / "contract"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = self.folder / "report.json"
        self.begun = time.time()
        self.now = {
            "document": digest(ROOT / "gen" / "openapi.json"),
            "rules": digest(rules / "schemathesis.toml", rules / "hooks.py", rules / "requirements.txt"),
            "program": digest(BINARY),
            "examples": examples,
            "seed": seed,
        }

    @property
    def pieces(self) -> dict[str, dict[str, Any]]:
        """Returns what was noted of each piece so far, by whatever process."""
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    @contextlib.contextmanager
    def taken(self, run: str, surface: str) -> Iterator[bool]:
        """Tells whether the piece is this process's to make: none other is at it, or has made it since this one began."""
        with (self.folder / f"{run}-{surface}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield self.pieces.get(f"{run} {surface}", {}).get("ended", 0) < self.begun

    def passed(self, run: str, surface: str) -> bool:
        """Tells whether a piece passed on this document and program, by these rules, with as many examples."""
        before = self.pieces.get(f"{run} {surface}", {})
        same = all(before.get(name) == self.now[name] for name in ("document", "rules", "program"))
        return same and before.get("status") == 0 and before["examples"] >= self.now["examples"]

    def recorder(self, run: str, surface: str) -> Callable[..., int]:
        """Returns what runs a command, keeps its output, shows it when it fails, notes what became of the piece and returns the exit status."""

        def execute(command: list[Any], **options: Any) -> int:
            log, summary = (self.folder / f"{run}-{surface}.{kind}" for kind in ("log", "json"))
            summary.unlink(missing_ok=True)
            command = [*command, "--report=json", f"--report-json-path={summary}"]
            begun = time.monotonic()
            with log.open("w") as kept:
                child = subprocess.Popen(command, stdout=kept, stderr=subprocess.STDOUT, **options)
                try:
                    _, status, used = os.wait4(child.pid, 0)
                except BaseException:
                    child.terminate()
                    child.wait()
                    raise
            child.returncode = os.waitstatus_to_exitcode(status)
            measured = {
                "status": child.returncode,
                "seconds": round(time.monotonic() - begun),
                "cpu_seconds": round(used.ru_utime + used.ru_stime),
            }
            self.note(f"{run} {surface}", json.loads(summary.read_text()) if summary.exists() else {}, measured)
            print(log.read_text() if child.returncode else self.table(f"{run} {surface}"), flush=True)
            return child.returncode

        return execute

    def note(self, piece: str, summary: dict[str, Any], measured: dict[str, Any]) -> None:
        """Keeps what Schemathesis sums up of a piece."""
        cases = summary.get("test_cases", {})
        counts = {
            "operations": (summary.get("operations") or {}).get("tested", 0),
            "cases": cases.get("generated", 0),
            "failures": cases.get("unique_failures", 0) + cases.get("errored", 0),
        }
        with (self.folder / "report.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            noted = self.pieces | {piece: self.now | counts | measured | {"ended": time.time()}}
            temporary = self.file.with_suffix(".new")
            temporary.write_text(json.dumps(noted, indent=1))
            temporary.replace(self.file)

    def table(self, only: str = "") -> str:
        """Returns all pieces that were ever made, or one, each in a line."""
        lines = [f"{'piece':22}{'operations':>11}{'examples':>9}{'cases':>8}{'failures':>9}{'result':>8}{'s':>6}{'CPU s':>6}  document, rules, program"]
        for name, p in self.pieces.items():
            if only not in ("", name):
                continue
            lines.append(
                f"{name:22}{p['operations']:>11}{p['examples']:>9}{p['cases']:>8}{p['failures']:>9}{'failed' if p['status'] else 'passed':>8}"
                f"{p['seconds']:>6}{p['cpu_seconds']:>6}  {p['document']}, {p['rules']}, {p['program']}"
            )
        return "\n".join(lines)
