"""What becomes of a release that does not serve."""

import shutil
from pathlib import Path

from play import TOP, play

PROJECT = TOP / "examples/newsroom"
# Passes every check, and fails as soon as uWSGI loads it.
MIDDLEWARE = """
try:
    import uwsgi
except ImportError:
    uwsgi = None


def broken(get_response):
    if uwsgi is not None:
        raise RuntimeError("this release cannot serve")
    return get_response
"""


def test_a_release_that_does_not_serve_is_taken_back(site, reader, tmp_path):
    before = {
        name: page.headers["X-Release"] for name, page in site.from_each_server(lambda: reader.get("/search/")).items()
    }
    project = tmp_path / "newsroom"
    shutil.copytree(PROJECT, project)
    (project / "newsroom/broken.py").write_text(MIDDLEWARE)
    with Path(project / "newsroom/settings.py").open("a") as settings:
        settings.write('\nMIDDLEWARE = [*MIDDLEWARE, "newsroom.broken.broken"]\n')

    run = play("site", "-e", f"site_source={project}", "-e", "uwsgi_ready_timeout=10")
    assert run.code != 0
    # The first one that tried stands again, and no other was touched.
    assert run.failed == {site.groups["app_servers"][0]}, run.output[-4000:]
    assert "RuntimeError: this release cannot serve" in run.text, run.output[-8000:]
    assert f"Release {before[site.groups['app_servers'][0]]} serves there again" in run.text, run.output[-8000:]
    after = {
        name: page.headers["X-Release"] for name, page in site.from_each_server(lambda: reader.get("/search/")).items()
    }
    assert after == before

    # With the project mended, all is as it was.
    mended = play("site")
    assert mended.code == 0, mended.output[-4000:]
    after = {
        name: page.headers["X-Release"] for name, page in site.from_each_server(lambda: reader.get("/search/")).items()
    }
    assert after == before
    assert play("site").changed == set()
