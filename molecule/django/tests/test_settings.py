"""The settings and secrets, as Django sees them and as nobody else does."""

import shlex

import pytest
import release

testinfra_hosts = ["app_servers"]


def test_django_sees_production(host, inventory):
    code = (
        "from django.conf import settings as s;"
        "print(json.dumps([s.DEBUG, s.ALLOWED_HOSTS, s.SESSION_ENGINE, s.STORAGES['staticfiles']['BACKEND'],"
        " str(s.MEDIA_ROOT), s.SECRET_KEY]))"
    )
    assert release.ask_django(host, code) == [
        False,
        ["news.example.org", "www.news.example.org"],
        "django.contrib.sessions.backends.cached_db",
        "tiered_storage.HashedStaticFilesStorage",
        "/srv/newsroom/media",
        inventory["django_secret_key"],
    ]


def test_the_deployment_check_has_nothing_to_say(host):
    done = host.run("newsroom-manage check --deploy --fail-level WARNING")
    assert done.succeeded, done.stderr
    assert "no issues" in done.stdout


def test_the_project_gets_its_environment_and_no_root(host):
    code = "import os; print(json.dumps([os.environ['NEWS_TOKEN'], os.getuid(), os.getgid(), os.getgroups()]))"
    assert release.ask_django(host, code) == ['token-$0-"x"', 8100, 8100, [8100]]


def test_the_way_to_the_database_is_encrypted_and_verified(host):
    code = (
        "from django.db import connection as c; k = c.cursor();"
        "k.execute('SELECT ssl, current_user FROM pg_stat_ssl WHERE pid = pg_backend_pid()');"
        "print(json.dumps([*k.fetchone(), c.settings_dict['OPTIONS']['sslmode']]))"
    )
    assert release.ask_django(host, code) == [True, "newsroom", "verify-full"]


def test_the_site_cannot_change_the_schema(host):
    code = "from django.db import connection; connection.cursor().execute('CREATE TABLE public.mine (id int)')"
    done = host.run("newsroom-manage shell -c %s", code)
    assert done.failed
    assert "permission denied" in done.stderr


def test_only_the_leader_knows_the_owner(host, inventory):
    assert host.file("/etc/django/newsroom/owner.env").exists == inventory["django_leader"]
    done = host.run("newsroom-manage migrate --plan")
    assert done.succeeded == inventory["django_leader"], done.stderr


def test_sessions_are_written_to_the_cache_and_the_database(host):
    code = (
        "from importlib import import_module; from django.conf import settings; from django.core.cache import cache;"
        "S = import_module(settings.SESSION_ENGINE).SessionStore; s = S(); s['a'] = 1; s.save();"
        "from django.contrib.sessions.models import Session;"
        "print(json.dumps([cache.get(s.cache_key) == {'a': 1}, Session.objects.filter(pk=s.session_key).count()]))"
    )
    assert release.ask_django(host, code) == [True, 1]


def test_a_missing_migration_would_be_seen_on_every_host(host):
    assert "[ ]" not in host.check_output("newsroom-manage showmigrations")


@pytest.fixture
def marks(inventory):
    """Parts by which each secret is recognized, whatever quoting has made of the rest."""
    names = (
        "django_secret_key",
        "django_database_password",
        "django_database_owner_password",
        "django_media_s3_access_key",
        "django_media_s3_secret_key",
    )
    return [inventory[name][:8] for name in names] + [inventory["django_secret_key"][-20:]]


def test_secrets_are_roots_alone(host, marks):
    for path in ("secrets.env", "owner.env", "build.env"):
        file = host.file(f"/etc/django/newsroom/{path}")
        if file.exists:
            assert (file.user, file.mode) == ("root", 0o600)
    places = "/srv/newsroom /etc/django /usr/local/bin /var/log /var/cache/newsroom-build /root /tmp"
    patterns = " ".join(f"-e {shlex.quote(mark)}" for mark in marks)
    found = host.run(f"grep -rlF {patterns} {places}").stdout.split()
    assert "/etc/django/newsroom/secrets.env" in found
    assert set(found) <= {f"/etc/django/newsroom/{name}.env" for name in ("secrets", "owner")}


def test_secrets_are_in_no_log(host, marks):
    journal = host.check_output("journalctl --no-pager --output=cat")
    assert "Invoked with" in journal, "Ansible logs what modules are called with, secrets included"
    assert not any(mark in journal for mark in marks)


def test_secrets_are_on_no_command_line(host, marks):
    # The command reads all command lines, its own one and those of its parents included, while Django runs.
    code = (
        "import glob; print(json.dumps([open(p, errors='replace').read() for p in glob.glob('/proc/[0-9]*/cmdline')]))"
    )
    lines = release.ask_django(host, code)
    assert any("newsroom-manage" in line or "manage.py" in line for line in lines)
    assert not any(mark in line for mark in marks for line in lines)
