"""What both programs share: settings, the order of the steps, and how each says that it passed."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import parse_qs, urlsplit

URL, KEY = os.environ["PARLEY_URL"], os.environ["PARLEY_KEY"]
POOR_KEY, LIMITED_KEY = os.environ["PARLEY_POOR_KEY"], os.environ["PARLEY_LIMITED_KEY"]
ORDER = ("agent", "conversation", "stream", "pages", "401", "402", "404", "429", "upload")
ATTEMPTS = 8  # the limited key may ask five times a minute
FILE = b"Dogs are welcome on deck."


def expect(what: str, got: object, want: object) -> None:
    """Fails unless the two are equal."""
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def run(steps: dict[str, Callable[[], str]]) -> None:
    """Takes every step; each returns `yes` when the generated code did it, `hand` when it had to be helped."""
    for name in ORDER:
        print(f"step {name} {steps[name]()}", flush=True)


def next_cursor(link: str | None) -> str | None:
    """Returns the cursor of the next page from a Link header (RFC 8288)."""
    found = re.search(r'<([^>]*)>; rel="next"', link or "")
    return parse_qs(urlsplit(found[1]).query)["cursor"][0] if found else None


def events(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Cuts a stream of lines into events: their names and data."""
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ").rstrip("\n")
        if line.startswith("data: "):
            yield name, line.removeprefix("data: ").rstrip("\n")
