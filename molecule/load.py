"""Readers by the handful: bounded load, every answer checked, while something happens to the site.

with Load(site, {"/": "The Prairie Courier"}) as load:
    disturb()
assert not load.failures, load.report()
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

import requests


class Load:
    """Ask for every page in turn until the block ends, the time is over or the count is reached."""

    def __init__(
        self,
        reader: Callable[[], requests.Session],
        pages: Mapping[str, str],
        *,
        readers: int = 4,
        pause: float = 0.05,
        timeout: float = 20,
        most_seconds: float = 120,
        most_requests: int = 20_000,
    ) -> None:
        """Load by so many readers at a time; `pages` says what the answer to each path must contain."""
        self.failures: list[str] = []
        self.failed_at: list[float] = []
        self.seconds: list[float] = []
        self.served_by: Counter[str] = Counter()
        self._reader = reader
        self._pause = pause
        self._timeout = timeout
        self._most_seconds = most_seconds
        self._turns = iter(list(itertools.islice(itertools.cycle(pages.items()), most_requests)))
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._read, daemon=True) for _ in range(readers)]

    def __enter__(self) -> Load:
        """Send the readers off and wait for their first answers."""
        self._started = time.monotonic()
        for thread in self._threads:
            thread.start()
        self.wait_for(len(self._threads))
        return self

    def __exit__(self, *_exception: object) -> None:
        """Let the readers finish the page that they are at."""
        self._over.set()
        for thread in self._threads:
            thread.join(self._timeout + 5)
            if thread.is_alive():
                self.failures.append(f"a reader still waits after {self._timeout + 5} s")
        logging.getLogger(__name__).info(self.report())

    @property
    def count(self) -> int:
        """Requests answered so far, well or badly."""
        return len(self.seconds)

    def wait_for(self, more: int, seconds: float = 30) -> None:
        """Come back when so many more requests have been answered."""
        enough, end = self.count + more, time.monotonic() + seconds
        while self.count < enough:
            if time.monotonic() > end:
                raise TimeoutError(f"fewer than {more} answers in {seconds} s. {self.report()}")
            time.sleep(0.05)

    def failures_since(self, moment: float) -> list[str]:
        """Failures of requests that were begun after a moment of the monotonic clock."""
        return [failure for failure, begun in zip(self.failures, self.failed_at, strict=False) if begun > moment]

    def percentile(self, share: float) -> float:
        """Seconds within which this share of the requests was answered."""
        times = sorted(self.seconds)
        return times[min(len(times) - 1, int(share * len(times)))] if times else 0.0

    def report(self) -> str:
        """All that happened, in a few lines."""
        lines = [
            f"{self.count} requests, {len(self.failures)} failed, p50 {self.percentile(0.5) * 1000:.0f} ms, "
            f"p99 {self.percentile(0.99) * 1000:.0f} ms, served by {dict(self.served_by)}"
        ]
        return "\n".join(lines + self.failures[:20])

    def _read(self) -> None:
        while not self._over.is_set() and time.monotonic() - self._started < self._most_seconds:
            with self._lock:
                path, content = next(self._turns, (None, None))
            if path is None:
                return
            begun = time.monotonic()
            failure, server = self._ask(path, content)
            ended = time.monotonic()
            with self._lock:
                self.seconds.append(ended - begun)
                if server:
                    self.served_by[server] += 1
                if failure:
                    when = f"after {begun - self._started:.1f} s, {ended - begun:.1f} s long"
                    self.failures.append(f"{when}: {path}: {failure}")
                    self.failed_at.append(begun)
            self._over.wait(self._pause)

    def _ask(self, path: str, content: str) -> tuple[str, str]:
        """Say what is wrong with the answer, and who gave it. Each request has a connection of its own."""
        with self._reader() as session:
            try:
                answer = session.get(path, timeout=self._timeout, allow_redirects=False)
            except requests.RequestException as error:
                return repr(error), ""
        server = answer.headers.get("X-Served-By", "")
        if answer.status_code != requests.codes.ok:
            return f"status {answer.status_code}", server
        if content not in answer.text:
            return f"no {content!r} in {answer.text[:200]!r}", server
        return "", server
