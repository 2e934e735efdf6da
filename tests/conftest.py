"""Make the checkout importable as ansible_collections.tiered.django, wherever it lies."""

from __future__ import annotations

import atexit
import sys
import tempfile
from pathlib import Path

_links = tempfile.TemporaryDirectory()
atexit.register(_links.cleanup)
_link = Path(_links.name, "ansible_collections", "tiered", "django")
_link.parent.mkdir(parents=True)
_link.symlink_to(Path(__file__).resolve().parents[1])
sys.path.insert(0, _links.name)
