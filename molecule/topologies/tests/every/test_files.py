"""Static and uploaded files: fast, and harmless."""

import gzip
import http.client
import re
import ssl
from urllib.parse import urlsplit

import pytest
import requests
from waiting import until

YEAR = 365 * 24 * 3600


@pytest.fixture
def stylesheet(reader):
    """The address of the newspaper's stylesheet, as its pages give it."""
    return re.search(r'<link rel="stylesheet" href="([^"]+)"', reader.get("/search/").text)[1]


def upload(site, name, content):
    """Save a file as the site itself does, whatever a form would say to it; return its address."""
    script = (
        "from django.core.files.base import ContentFile; from django.core.files.storage import default_storage as s; "
        f"print(s.url(s.save({name!r}, ContentFile({content!r}))))"
    )
    return site.manage("shell", "--no-imports", "--command", script).strip().splitlines()[-1]


def test_stylesheet_is_kept_for_ever(site, reader, stylesheet):
    assert re.fullmatch(re.escape(site.files_url) + r"/static/articles/courier\.[0-9a-f]{12}\.css", stylesheet)
    answer = reader.get(stylesheet)
    assert answer.headers["Content-Type"].startswith("text/css")
    policy = answer.headers["Cache-Control"]
    assert "immutable" in policy
    assert int(re.search(r"max-age=(\d+)", policy)[1]) >= YEAR
    assert re.search(r"url\(\"?wheat\.[0-9a-f]{12}\.svg", answer.text)


def test_the_sites_own_domain_serves_files_wherever_pages_link_to(reader, article, stylesheet):
    for url in (stylesheet, reader.photograph(article.path).url):
        answer = reader.get(urlsplit(url).path)
        assert answer.ok
        assert answer.content == reader.get(url).content


def test_files_may_be_used_by_pages_of_the_site(site, reader, article, stylesheet):
    allowed = site.url.rstrip("/") if site.media_domain else None
    for url in (stylesheet, reader.photograph(article.path).url):
        assert reader.get(url).headers.get("Access-Control-Allow-Origin") == allowed


def test_unhashed_names_are_asked_for_again(reader):
    answer = reader.get("/static/articles/courier.css")
    assert answer.ok
    assert "immutable" not in answer.headers.get("Cache-Control", "")


def test_stylesheet_was_compressed_beforehand(reader, stylesheet):
    plain = reader.get(stylesheet, headers={"Accept-Encoding": "identity"})
    packed = reader.get(stylesheet, headers={"Accept-Encoding": "gzip"}, stream=True)
    body = packed.raw.read(decode_content=False)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["Vary"]
    # What is compressed on the way has no length.
    assert int(packed.headers["Content-Length"]) == len(body) < len(plain.content)
    assert gzip.decompress(body) == plain.content


def test_uploads_of_html_are_downloads(site, reader):
    url = upload(site, "note.html", "<script>alert(1)</script>")
    answer = reader.get(url)
    assert answer.status_code == requests.codes.ok
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_uploads_are_never_executed(site, reader):
    for name in ("run.php", "run.py", "run.cgi"):
        answer = reader.get(upload(site, name, "print('executed')"))
        assert answer.text == "print('executed')"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_photographs_are_shown_in_the_page(reader, article):
    photograph = reader.photograph(article.path)
    assert "attachment" not in photograph.headers.get("Content-Disposition", "")
    assert photograph.headers["X-Content-Type-Options"] == "nosniff"
    assert "X-Served-By" not in photograph.headers or "X-Release" not in photograph.headers


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/articles/",
        "/media/",
        "/media/photographs/",
        "/static/articles/nothing.css",
        "/media/nothing.png",
    ],
)
def test_nothing_is_listed(reader, path):
    assert reader.get(path).status_code in (403, 404)


@pytest.mark.parametrize(
    "path", ["/media/../../../../etc/passwd", "/static/%2e%2e/%2e%2e/etc/passwd", "/media/..%2f..%2fcurrent"]
)
def test_nobody_climbs_out(site, path):
    # http.client sends the path as it is.
    connection = http.client.HTTPSConnection(
        site.domain, timeout=10, context=ssl.create_default_context(cafile=site.authority)
    )
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status in (400, 403, 404)
    assert b"root:" not in answer.read()
    connection.close()


def test_files_do_not_need_the_application(site, reader, article, stylesheet):
    photograph = reader.photograph(article.path).url
    units = f"{site.name}.socket {site.name}.service"
    servers = [site.host(name) for name in site.groups["app_servers"]]
    try:
        for server in servers:
            server.check_output(f"systemctl stop {units}")
        assert reader.get("/").status_code == requests.codes.service_unavailable
        assert reader.get(stylesheet).ok
        assert reader.get(photograph).content == article.photograph
    finally:
        for server in servers:
            server.check_output(f"systemctl start {units}")
    until(lambda: reader.get("/search/").ok, 30, "the site serves again")
