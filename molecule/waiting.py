"""Wait for what hosts do by themselves."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(holds: Callable[[], Any], seconds: float = 60, what: str = "it holds", pause: float = 0.25) -> float:
    """Wait until something is so and return how long that took; fail after so many seconds."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < seconds, f"not within {seconds} s: {what}"
        time.sleep(pause)
    return time.monotonic() - begun
