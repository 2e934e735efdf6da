"""Uploads in a store, through nothing but Django's default storage."""

import pytest
import release

testinfra_hosts = ["app_servers"]
ENDPOINT = "http://10.89.105.20:5000/uploads"
STORAGE = (
    "from django.core.files.storage import default_storage as s; from django.core.files.base import ContentFile as C; "
)


def ask_storage(host, code):
    """Run code with the default storage "s", and return the JSON that it prints."""
    return release.ask_django(host, STORAGE + code)


def fetch(host, url):
    """Return status and body of an answer of the store, to somebody without a key."""
    body, status = host.check_output(f"curl --silent --write-out ' %{{http_code}}' '{url}'").rsplit(" ", 1)
    return int(status), body


@pytest.fixture
def uploads(host):
    """Save two files under one name, and return the names and URLs under which they are kept."""
    name = f"desk/{host.check_output('hostname')}.txt"
    saved = ask_storage(
        host,
        f"names = [s.save('{name}', C(text)) for text in (b'first', b'second')];"
        " print(json.dumps([names, [s.url(name) for name in names]]))",
    )
    yield saved
    ask_storage(host, f"[s.delete(name) for name in {saved[0]}]; print(1)")


def test_an_upload_never_replaces_another(host, uploads):
    names, _ = uploads
    assert names[0] == f"desk/{host.check_output('hostname')}.txt"
    assert names[1] != names[0]
    assert ask_storage(host, f"print(json.dumps([s.open(name).read().decode() for name in {names}]))") == [
        "first",
        "second",
    ]


def test_uploads_are_in_the_bucket_and_nowhere_else(host, uploads):
    _, urls = uploads
    assert [url.split("?")[0] for url in urls] == [f"{ENDPOINT}/newsroom/{name}" for name in uploads[0]]
    assert [fetch(host, url) for url in urls] == [(200, "first"), (200, "second")]
    # A bucket is nobody else's, unless its owner says so.
    assert [fetch(host, url.split("?")[0]) for url in urls] == [(403, ""), (403, "")]
    assert not host.file("/srv/newsroom/media/desk").exists


def test_every_app_server_has_them(host, uploads):
    other = release.reach("app1" if host.check_output("hostname") == "app2" else "app2")
    assert ask_storage(other, f"print(json.dumps([s.size(name) for name in {uploads[0]}]))") == [5, 6]
    listed = ask_storage(other, "print(json.dumps(s.listdir('desk')[1]))")
    assert {f"desk/{name}" for name in listed} >= {*uploads[0]}


def test_what_is_deleted_is_gone(host, uploads):
    name = uploads[0][0]
    assert ask_storage(host, f"s.delete('{name}'); print(json.dumps(s.exists('{name}')))") is False
    assert fetch(host, f"{ENDPOINT}/newsroom/{name}")[0] == 404


def test_links_are_signed_with_the_key(inventory, uploads):
    _, urls = uploads
    assert f"X-Amz-Credential={inventory['django_media_s3_access_key']}%2F" in urls[0]
    assert "%2Feu-north-1%2Fs3%2F" in urls[0]
    assert "X-Amz-Expires=3600" in urls[0]


def test_the_key_is_as_it_was_given(host, inventory):
    keys = ask_storage(host, "print(json.dumps([s.access_key, s.secret_key]))")
    assert keys == [inventory["django_media_s3_access_key"], inventory["django_media_s3_secret_key"]]


@pytest.fixture
def planted(host):
    """What any user of the host could leave for the site's management commands."""
    host.check_output(
        "setpriv --reuid=65534 --regid=65534 --clear-groups sh -euc %s",
        "mkdir /tmp/.aws; for f in config credentials; do printf '[default]\\nregion = x\\n' > /tmp/.aws/$f; done",
    )
    yield
    host.check_output("rm -rf /tmp/.aws")


@pytest.mark.usefixtures("planted")
def test_nobody_else_configures_the_client(host):
    code = "import botocore.session as b; print(json.dumps(list(b.Session().full_config['profiles'])))"
    assert release.ask_django(host, code) == []


def test_a_silent_store_holds_no_worker_for_long(host):
    code = (
        "c = s.connection.meta.client.meta.config;"
        " print(json.dumps([c.connect_timeout, c.read_timeout, c.retries['total_max_attempts']]))"
    )
    connect, read, attempts = ask_storage(host, code)
    assert attempts * max(connect, read) <= 30
