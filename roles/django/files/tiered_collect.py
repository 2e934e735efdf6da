"""Collect the static files of a release, and compress what compresses well, once for all servers."""

import gzip
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import django
from django.apps import apps
from django.conf import settings
from django.core.management import call_command

os.environ["DJANGO_SETTINGS_MODULE"] = "tiered_settings"

COMPRESSIBLE = frozenset(
    [
        ".css",
        ".csv",
        ".eot",
        ".geojson",
        ".html",
        ".ico",
        ".js",
        ".json",
        ".map",
        ".md",
        ".mjs",
        ".otf",
        ".rtf",
        ".svg",
        ".ttf",
        ".txt",
        ".wasm",
        ".webmanifest",
        ".xml",
    ]
)
# What fits into one packet gains nothing.
SMALLEST = 1000


def compress(path):
    """Write a .gz and, where the program is there, a .br beside a file; only if it is worth it."""
    data = path.read_bytes()
    small = gzip.compress(data, 9, mtime=0)
    if len(small) > len(data) * 0.95:
        return
    Path(f"{path}.gz").write_bytes(small)
    if shutil.which("brotli"):
        subprocess.run(["brotli", "--best", "--no-copy-stat", "--force", "--", str(path)], check=True)


def main():
    """Collect and compress."""
    django.setup()
    root = Path(settings.STATIC_ROOT)
    root.mkdir(exist_ok=True)
    if not apps.is_installed("django.contrib.staticfiles"):
        print("the project has no static files")
        return
    call_command("collectstatic", interactive=False, verbosity=1, stdout=sys.stdout)
    files = [path for path in root.rglob("*") if path.suffix in COMPRESSIBLE and path.stat().st_size >= SMALLEST]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compress, files))


if __name__ == "__main__":
    main()
