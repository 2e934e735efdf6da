"""The WSGI entry: health checks for balancers alone, the project for everybody else."""

from __future__ import annotations

import json

import pytest

READY, ALIVE = "/-/ready", "/-/alive"
CLIENT = """
import io, time
from wsgiref.util import setup_testing_defaults
import tiered_wsgi

def get(path, **environ):
    environ = {"PATH_INFO": path, "REMOTE_ADDR": "10.0.1.7", "HTTP_HOST": "news.example.org",
               "HTTP_X_FORWARDED_PROTO": "https", "wsgi.input": io.BytesIO(), **environ}
    setup_testing_defaults(environ)
    seen = []
    body = tiered_wsgi.application(environ, lambda status, headers, *rest: seen.extend([status, dict(headers)]))
    text = b"".join(body).decode()
    return [int(seen[0].split()[0]), seen[1], text]
"""


@pytest.fixture
def served(site, tmp_path):
    """The site with a database in a file, as no server is at hand here, and a cache that answers."""
    database = f"DATABASES = {{'default': {{'ENGINE': 'django.db.backends.sqlite3', 'NAME': '{tmp_path}/db'}}}}"
    local = "{'BACKEND': 'django.core.cache.backends.locmem.LocMemCache'}"
    site.deploy(django_settings_extra=f"{database}\nCACHES = {{'default': {local}}}", django_served_by_header=True)
    return site


def migrate(site):
    """Apply all migrations."""
    site.run("import django; django.setup(); from django.core.management import call_command; call_command('migrate')")


def get(site, path, **environ):
    """Ask the entry in a process of its own."""
    return site.ask(f"{CLIENT}\nprint(json.dumps(get({path!r}, **{environ!r})))")


def test_ready(served):
    migrate(served)
    status, headers, text = get(served, READY)
    assert status == 200
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == "no-store"
    assert json.loads(text) == {
        "release": "8ac2b1f04d6e-5f0c8ba",
        "server": "app1",
        "database": "ok",
        "cache": "ok",
        "migrations": "applied",
    }


def test_not_ready_without_migrations(served):
    status, _headers, text = get(served, READY)
    assert status == 503
    assert json.loads(text)["migrations"] == "missing"


def test_migrations_that_come_later_are_seen(served):
    assert served.ask(
        f"""
        {CLIENT.replace(chr(10), chr(10) + " " * 8)}
        from django.core.management import call_command
        before = get("{READY}")[0]
        call_command("migrate", verbosity=0)
        print(json.dumps([before, get("{READY}")[0]]))
        """
    ) == [503, 200]


def test_not_ready_without_a_database_but_alive(served, tmp_path):
    served.deploy(django_database={"host": "127.0.0.1", "port": 1, "name": "n", "user": "n", "tls": False})
    status, _headers, text = get(served, READY)
    assert status == 503
    assert json.loads(text)["database"] == "unreachable"
    assert get(served, ALIVE)[0] == 200


def test_a_database_that_never_answers_holds_up_nobody(served):
    migrate(served)
    assert served.ask(
        f"""
        {CLIENT.replace(chr(10), chr(10) + " " * 8)}
        import threading
        tiered_wsgi.CHECK_SECONDS = 0.2
        stuck = threading.Event()
        check = tiered_wsgi.Readiness.check_database
        tiered_wsgi.Readiness.check_database = lambda self: stuck.wait(30) and check(self)
        answers, threads = [], set()
        for turn in range(5):
            start = time.monotonic()
            status, headers, text = get("{READY}")
            answers.append([status, json.loads(text)["database"], time.monotonic() - start < 5])
            threads.add(threading.active_count())
        stuck.set()
        time.sleep(0.2)
        tiered_wsgi.CHECK_SECONDS = 5
        tiered_wsgi.Readiness.check_database = check
        answers.append(get("{READY}")[0])
        print(json.dumps([answers, len(threads)]))
        """
    ) == [[[503, "timeout", True]] * 5 + [200], 1]


def test_ready_without_a_cache(served, tmp_path):
    pytest.importorskip("pymemcache")
    database = f"DATABASES = {{'default': {{'ENGINE': 'django.db.backends.sqlite3', 'NAME': '{tmp_path}/db'}}}}"
    served.deploy(__django_cache_locations=["127.0.0.1:1"], django_settings_extra=database)
    migrate(served)
    status, _headers, text = get(served, READY)
    assert status == 200
    assert json.loads(text)["cache"] == "unreachable"


@pytest.mark.parametrize(
    "environ",
    [
        {"REMOTE_ADDR": "10.0.2.7"},
        {"REMOTE_ADDR": ""},
        {"HTTP_X_FORWARDED_FOR": "10.0.1.7"},
        {"HTTP_X_FORWARDED_FOR": ""},
    ],
)
@pytest.mark.parametrize("path", [READY, ALIVE])
def test_nobody_else_gets_an_answer(served, path, environ):
    status, _headers, text = get(served, path, **environ)
    assert status == 404
    assert "release" not in text


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:10.0.1.7"])
def test_addresses_of_balancers(served, address):
    assert get(served, ALIVE, REMOTE_ADDR=address)[0] == 200


def test_the_rest_is_the_projects(served):
    status, headers, text = get(served, "/")
    assert (status, text) == (200, "https://news.example.org/")
    assert (headers["X-Served-By"], headers["X-Release"]) == ("app1", "8ac2b1f04d6e-5f0c8ba")


def test_no_header_unless_asked_for(served):
    served.deploy(django_served_by_header=False)
    assert "X-Served-By" not in get(served, "/")[1]


def test_the_projects_own_wsgi_application_is_used(served):
    (served.code / "newsroom" / "wsgi.py").write_text(
        "import os\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'newsroom.settings'\n"
        "from django.core.wsgi import get_wsgi_application\n"
        "inner = get_wsgi_application()\n"
        "def application(environ, start_response):\n"
        "    return inner({**environ, 'HTTP_HOST': 'www.news.example.org'}, start_response)\n"
    )
    assert get(served, "/")[2] == "https://www.news.example.org/"


def test_a_project_without_wsgi_application(served):
    served.project("WSGI_APPLICATION = None")
    assert get(served, "/")[2] == "https://news.example.org/"


class TestMigrate:
    def run(self, site, *arguments):
        code = f"import sys, tiered_migrate; sys.argv += {list(arguments)!r}; tiered_migrate.main()"
        done = site.run(code, check=False)
        return done.returncode, json.loads(done.stdout or "null"), done.stderr

    def test_once(self, served):
        code, report, error = self.run(served)
        assert code == 0, error
        assert "auth.0001_initial" in report["applied"]
        assert report["destructive"] == [], "nothing is in use in an empty database"
        assert self.run(served)[1] == {"applied": [], "destructive": []}

    def test_what_takes_away_is_named_or_refused(self, served):
        app = served.code / "articles" / "migrations"
        app.mkdir(parents=True)
        for directory in (app, app.parent):
            (directory / "__init__.py").write_text("")
        head = "from django.db import migrations, models\nclass Migration(migrations.Migration):\n"
        (app / "0001_initial.py").write_text(
            f"{head}    operations = [migrations.CreateModel('Article', [('id', models.AutoField(primary_key=True)),"
            " ('headline', models.TextField())])]\n"
        )
        served.project("INSTALLED_APPS.append('articles')")
        assert self.run(served)[0] == 0
        (app / "0002_remove.py").write_text(
            f"{head}    dependencies = [('articles', '0001_initial')]\n"
            "    operations = [migrations.RemoveField('Article', 'headline')]\n"
        )
        code, report, error = self.run(served, "--refuse-destructive")
        assert code != 0
        assert report is None
        assert "articles.0002_remove (Remove field headline from Article)" in error
        code, report, error = self.run(served)
        assert code == 0
        assert report["applied"] == ["articles.0002_remove"]
        assert len(report["destructive"]) == 1
