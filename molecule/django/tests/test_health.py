"""The entry, served by the release's own uWSGI, with secrets as systemd reads them."""

import json
import time

import pytest
import release

testinfra_hosts = ["app2"]
PAGE = "curl --silent --header 'Host: news.example.org' --header 'X-Forwarded-Proto: https' http://127.0.0.1:8001"


@pytest.fixture(scope="module", autouse=True)
def server(host):
    """Serve the current release for as long as these tests run."""
    directory, settings = release.current(host), host.check_output("readlink -e /etc/django/newsroom/current")
    host.check_output(
        "systemd-run --unit=probe --property=User=newsroom --property=EnvironmentFile=/etc/django/newsroom/secrets.env"
        f" --property=WorkingDirectory={directory}/code --setenv=PYTHONPATH={directory}/code:{settings}"
        f" --setenv=TIERED_RELEASE={directory.rsplit('/', 1)[1]}"
        f" {directory}/venv/bin/uwsgi --http-socket=0.0.0.0:8001 --master --processes=2 --threads=2 --enable-threads"
        " --lazy-apps --need-app --single-interpreter --die-on-term --module=tiered_wsgi:application"
    )
    host.check_output("for i in $(seq 100); do curl -sf http://127.0.0.1:8001/-/alive && exit; sleep 0.2; done; exit 1")
    yield
    host.check_output("systemctl stop probe")


def ready(host):
    """Return status and report of the readiness check."""
    out = host.check_output("curl --silent --write-out '\n%{http_code}' http://127.0.0.1:8001/-/ready")
    report, status = out.rsplit("\n", 1)
    return int(status), json.loads(report)


@pytest.fixture
def data():
    """The host of database and cache, whose services are started again after the test."""
    other = release.reach("data")
    yield other
    other.check_output("systemctl start postgresql memcached")


def test_it_is_ready(host):
    status, report = ready(host)
    assert status == 200
    name = release.current(host).rsplit("/", 1)[1]
    assert report == {"release": name, "server": "app2", "database": "ok", "cache": "ok", "migrations": "applied"}


def test_the_page_names_server_and_release(host):
    out = host.check_output(f"{PAGE}/ --include")
    assert out.startswith("HTTP/1.1 200")
    assert "X-Served-By: app2" in out
    assert f"X-Release: {release.current(host).rsplit('/', 1)[1]}" in out


@pytest.mark.parametrize("path", ["/-/ready", "/-/alive"])
def test_strangers_and_those_behind_a_proxy_get_no_answer(host, path):
    own = host.check_output("hostname --all-ip-addresses").split()[0]
    proxied = f"{PAGE}{path} --header 'X-Forwarded-For: 127.0.0.1'"
    for command in (proxied, f"{PAGE}{path}".replace("127.0.0.1", own)):
        out = host.check_output(f"{command} --include")
        assert not out.startswith("HTTP/1.1 200")
        assert '"release"' not in out
    assert '"release"' in host.check_output(f"{PAGE}{path}")


def test_a_dead_cache_is_no_error(host, data):
    data.check_output("systemctl stop memcached")
    status, report = ready(host)
    assert (status, report["cache"]) == (200, "unreachable")
    for _ in range(8):
        assert host.check_output(f"{PAGE}/ --output /dev/null --write-out '%{{http_code}}'") == "200"
    data.check_output("systemctl start memcached")
    deadline = time.monotonic() + 60
    while ready(host)[1]["cache"] != "ok":
        assert time.monotonic() < deadline, "a cache that is back is not used"
        time.sleep(1)


def test_without_a_database_it_is_not_ready_but_comes_back(host, data):
    data.check_output("systemctl stop postgresql@*")
    status, report = ready(host)
    assert (status, report["database"]) == (503, "unreachable")
    assert host.check_output("curl --silent --fail http://127.0.0.1:8001/-/alive")
    data.check_output("systemctl start postgresql")
    data.check_output("for i in $(seq 50); do pg_isready -q && exit; sleep 0.2; done; exit 1")
    assert ready(host)[0] == 200
