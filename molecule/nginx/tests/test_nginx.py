"""What browsers, balancers and intruders get from nginx."""

import dataclasses
import http.client
import json
import os
import socket
import ssl

import pytest

testinfra_hosts = ["media_servers"]

# From the host itself, who is not a balancer but says so.
STRANGER = " ".join(
    f"--header '{header}'"
    for header in (
        "Host: news.test",
        "X-Forwarded-For: 203.0.113.7",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: else.test",
    )
)


@dataclasses.dataclass
class Answer:
    """An answer, its headers by their names in lower case."""

    status: int
    headers: dict[str, str]
    body: str


@pytest.fixture(scope="module")
def get(inventory):
    """Return a function that asks nginx from here, which is where it believes the balancer to be."""

    def ask(path, method="GET", name="news.test", **headers):
        connection = http.client.HTTPConnection(inventory["ansible_host"], 8080, timeout=10)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for key, value in {"Host": name, **headers}.items():
            connection.putheader(key.replace("_", "-"), value)
        connection.endheaders()
        response = connection.getresponse()
        body = response.read().decode(errors="replace")
        connection.close()
        names = [key.lower() for key, _value in response.getheaders()]
        assert len(names) == len(set(names)), f"a header is sent twice: {names}"
        return Answer(response.status, {key.lower(): value for key, value in response.getheaders()}, body)

    return ask


def test_comes_back_after_a_reboot(host):
    assert host.service("nginx").is_running
    assert host.service("nginx").is_enabled


def test_listens_only_where_it_is_told(host, inventory):
    listening = {socket for socket in host.socket.get_listening_sockets() if ":8001" not in socket}
    served = {socket for socket in listening if socket.endswith((":80", ":8080"))}
    assert served == {f"tcp://{inventory['ansible_host']}:8080", "tcp://127.0.0.1:8080", "tcp://0.0.0.0:80"}


def test_comes_back_after_its_death(host, get):
    host.check_output("kill -KILL $(cat /run/nginx.pid)")
    host.check_output("timeout 20 sh -c 'until curl -sf http://127.0.0.1:8080/-/alive; do sleep 0.2; done'")
    assert get("/-/alive").status == 200


@pytest.mark.parametrize("name", ["news.test", "www.news.test", "blog.test", "127.0.0.1", "else.test"])
def test_tells_the_balancer_that_it_is_alive(get, name):
    assert get("/-/alive", name=name).status == 200


def test_health_checks_are_not_logged(host, get):
    get("/media/picture.png?logged")
    get("/-/alive?unlogged")
    host.check_output("timeout 15 sh -c 'until grep logged /var/log/nginx/access.log; do sleep 0.5; done'")
    assert "/-/alive" not in host.check_output("cat /var/log/nginx/access.log")


def test_logs_the_client_and_believes_only_the_balancer(host, get):
    get("/media/picture.png?from-balancer", X_Forwarded_For="203.0.113.7")
    host.check_output(f"curl -s -o /dev/null {STRANGER} http://127.0.0.1:8080/media/picture.png?from-stranger")
    host.check_output("timeout 15 sh -c 'until grep from-stranger /var/log/nginx/access.log; do sleep 0.5; done'")
    log = host.check_output("grep -h -E 'from-(balancer|stranger)' /var/log/nginx/access.log").splitlines()
    assert [line.split()[0] for line in log[-2:]] == ["203.0.113.7", "127.0.0.1"]


def test_logs_rotate(host):
    host.check_output("logrotate --force /etc/logrotate.d/nginx")
    assert host.file("/var/log/nginx/access.log.1").exists
    assert host.service("logrotate.timer").is_enabled


@pytest.mark.parametrize("path", ["/", "/media/picture.png", "/static/app.css"])
def test_unknown_names_get_nothing(get, path):
    assert get(path, name="else.test").status == 421


def test_says_little_about_itself(get):
    answer = get("/nothing")
    assert (answer.status, answer.body) == (404, "404\n")
    assert answer.headers["server"] == "nginx"


def test_sites_are_kept_apart(get):
    assert get("/uploads/picture.png", name="blog.test").body == "the picture of the blog"
    assert get("/uploads/picture.png").status == 404
    assert get("/media/picture.png", name="blog.test").status == 404
    assert get("/static/app.css", name="blog.test").status == 404


# Static files


@pytest.mark.parametrize("path", ["app.0123456789ab.css", "app.min.0123456789ab.mjs"])
def test_hashed_names_are_cached_for_ever(get, path):
    assert get(f"/static/{path}").headers["cache-control"] == "public, max-age=31536000, immutable"


def test_other_names_are_cached_for_a_short_time(get):
    assert get("/static/app.css").headers["cache-control"] == "public, max-age=300"


def test_missing_names_are_not_cached(get):
    answer = get("/static/app.ba9876543210.css")
    assert answer.status == 404
    assert "cache-control" not in answer.headers


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("app.css", "text/css; charset=utf-8"),
        ("large.js", "application/javascript; charset=utf-8"),
        ("app.min.0123456789ab.mjs", "application/javascript; charset=utf-8"),
    ],
)
def test_static_files_have_their_type(get, path, content_type):
    answer = get(f"/static/{path}")
    assert answer.headers["content-type"] == content_type
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("accepted", "sent"), [("gzip, br", "brotli"), ("gzip", "gzip"), ("identity", "body { color: black }")]
)
def test_precompressed_files_go_to_those_who_take_them(get, accepted, sent):
    answer = get("/static/app.0123456789ab.css", Accept_Encoding=accepted)
    assert answer.body == sent
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_other_text_is_compressed_on_the_way(get):
    assert get("/static/large.js", Accept_Encoding="gzip").headers["content-encoding"] == "gzip"


def test_unchanged_files_are_not_sent_again(get):
    tag = get("/static/app.css").headers["etag"]
    answer = get("/static/app.css", If_None_Match=tag)
    assert (answer.status, answer.body) == (304, "")


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/.git/config",
        "/static/../key.txt",
        "/static/..%2fkey.txt",
        "/static../key.txt",
        "/media../key.txt",
    ],
)
def test_static_files_show_nothing_else(get, path):
    answer = get(path)
    assert answer.status in {400, 404}
    assert "key" not in answer.body


# Uploaded files


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("picture.png", "image/png"),
        ("film.mp4", "video/mp4"),
        ("paper.pdf", "application/pdf"),
        ("notes.txt", "text/plain; charset=utf-8"),
    ],
)
def test_harmless_uploads_are_shown(get, path, content_type):
    answer = get(f"/media/{path}")
    assert answer.status == 200
    assert answer.headers["content-type"] == content_type
    assert "content-disposition" not in answer.headers
    assert answer.headers["cache-control"] == "public, max-age=300"


@pytest.mark.parametrize(
    "path", ["page.html", "PAGE.HTML", "script.js", "script.php", "style.css", "feed.xml", "archive.zip", "unknown"]
)
def test_other_uploads_are_saved_as_bytes(get, path):
    answer = get(f"/media/{path}")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment"


def test_drawings_are_shown_in_pages_and_saved_alone(get):
    answer = get("/media/drawing.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert answer.headers["content-disposition"] == "attachment"


@pytest.mark.parametrize("path", ["picture.png", "drawing.svg", "page.html", "script.js", "unknown", "film.mp4"])
def test_uploads_are_sandboxed(get, path):
    headers = get(f"/media/{path}").headers
    assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert "script-src" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_pdf_is_not_sandboxed_but_runs_nothing(get):
    policy = get("/media/paper.pdf").headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy


def test_revalidation_leaves_the_headers_of_the_copy(get):
    tag = get("/media/paper.pdf").headers["etag"]
    answer = get("/media/paper.pdf", If_None_Match=tag)
    assert answer.status == 304
    assert not {"content-security-policy", "content-disposition"} & set(answer.headers)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "MKCOL", "PROPFIND"])
def test_uploads_can_only_be_read(host, get, method):
    answer = get("/media/picture.png", method=method)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert host.file("/srv/news/media/picture.png").size == 1000


def test_heads_are_answered(get):
    answer = get("/media/picture.png", method="HEAD")
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "1000", "")


def test_ranges_are_answered(get):
    answer = get("/media/picture.png", Range="bytes=5-14")
    assert (answer.status, answer.body) == (206, "5678901234")
    assert answer.headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "folder/",
        ".htaccess",
        "folder/../.htaccess",
        "%2ehtaccess",
        "missing",
        "../../../etc/passwd",
        "subscribers/paper.pdf",
        "folder/../subscribers/paper.pdf",
        "/subscribers/paper.pdf",
        "%73ubscribers/paper.pdf",
    ],
)
def test_uploads_show_nothing_else(get, path):
    answer = get(f"/media/{path}")
    assert answer.status in {400, 404}
    assert "listing" not in answer.body


def test_links_lead_nowhere(get):
    answer = get("/media/passwd.txt")
    assert answer.status in {403, 404}
    assert "root" not in answer.body


def test_replaced_and_deleted_uploads_are_noticed_at_once(host, get):
    path = "/srv/news/media/changing.txt"
    host.check_output(f"echo -n one > {path}")
    assert get("/media/changing.txt").body == "one"
    host.check_output(f"echo -n 'number two' > {path}.new && mv {path}.new {path}")
    assert get("/media/changing.txt").body == "number two"
    host.check_output(f"rm {path}")
    assert get("/media/changing.txt").status == 404


# Protected files


def test_the_application_gives_out_protected_files(get):
    answer = get("/subscribers/file/paper.pdf")
    assert (answer.status, answer.body) == (200, "%PDF-1.4 for subscribers")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "x-accel-redirect" not in answer.headers


def test_ranges_of_protected_files_are_answered(get):
    answer = get("/subscribers/file/paper.pdf", Range="bytes=1-3")
    assert (answer.status, answer.body) == (206, "PDF")


def test_heads_of_protected_files_are_answered(get):
    answer = get("/subscribers/file/paper.pdf", method="HEAD")
    assert (answer.status, answer.headers["content-length"]) == (200, "24")


def test_unchanged_protected_files_are_not_sent_again(get):
    tag = get("/subscribers/file/paper.pdf").headers["etag"]
    assert get("/subscribers/file/paper.pdf", If_None_Match=tag).status == 304


@pytest.mark.parametrize("verb", ["file", "html"])
def test_protected_pages_are_saved(get, verb):
    answer = get(f"/subscribers/{verb}/page.html")
    assert answer.status == 200
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["content-security-policy"].startswith("sandbox;")


def test_the_application_may_name_the_file(get):
    answer = get("/subscribers/attachment/page.html")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-disposition"] == 'inline; filename="x"'


def test_the_application_refuses_protected_files(get):
    answer = get("/subscribers/refuse")
    assert (answer.status, answer.body) == (403, "for subscribers")


@pytest.mark.parametrize(
    "path",
    ["/-/protected/paper.pdf", "/-/protected/", "/-//protected/paper.pdf", "/%2d/protected/paper.pdf", "/-/error"],
)
def test_nobody_reaches_protected_files_past_the_application(get, path):
    answer = get(path)
    assert answer.status == 404
    assert "subscribers" not in answer.body


def test_protected_files_stay_below_their_directory(get):
    assert get("/subscribers/file/../notes.txt").status in {400, 403, 404}
    assert get("/subscribers/file/%2e%2e/notes.txt").status in {400, 403, 404}


def test_the_application_learns_what_the_balancer_says(get):
    said = {"X_Forwarded_For": "203.0.113.7", "X_Forwarded_Proto": "https"}
    request = json.loads(get("/subscribers/request", **said).body)
    assert request["host"] == "news.test"
    assert request["x-forwarded-for"] == "203.0.113.7"
    assert request["x-forwarded-proto"] == "https"


def test_the_application_does_not_learn_what_a_stranger_says(host):
    request = json.loads(host.check_output(f"curl -s {STRANGER} http://127.0.0.1:8080/subscribers/request"))
    assert request["x-forwarded-for"] == "127.0.0.1"
    assert request["x-forwarded-proto"] == "http"
    assert "x-forwarded-host" not in request


def test_a_dead_application_is_an_error_of_the_gateway(host, get):
    host.check_output("systemctl stop guard")
    try:
        answer = get("/subscribers/file/paper.pdf")
        assert answer.status in {502, 504}
        assert get("/media/picture.png").status == 200
    finally:
        host.check_output("systemctl start guard")


@pytest.fixture(scope="module")
def get_public(inventory):
    """Return a function that asks nginx as the world does, for the domain of the files."""
    certificate = f"{os.environ['LAB_CACHE']}/{os.environ['LAB_NAME']}/secrets/news.crt"

    def ask(path, name="files.news.test", method="GET"):
        trust = ssl.create_default_context(cafile=certificate)
        trust.set_alpn_protocols(["http/1.1"])
        raw = socket.create_connection((inventory["ansible_host"], 443), timeout=10)
        connection = http.client.HTTPConnection(name)
        connection.sock = trust.wrap_socket(raw, server_hostname=name)
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read().decode(errors="replace")
        connection.close()
        return Answer(response.status, {key.lower(): value for key, value in response.getheaders()}, body)

    return ask


def test_everybody_gets_files_at_their_own_domain(get_public):
    sheet = get_public("/static/app.0123456789ab.css")
    assert (sheet.status, sheet.body) == (200, "body { color: black }")
    assert "immutable" in sheet.headers["cache-control"]
    assert get_public("/media/picture.png").status == 200


def test_pages_of_the_site_may_use_them_and_browsers_insist_on_tls(get_public, get):
    for path in ("/static/app.css", "/media/picture.png"):
        headers = get_public(path).headers
        assert headers["access-control-allow-origin"] == "https://news.test"
        assert headers["strict-transport-security"] == "max-age=3600"
        assert get(path).headers["access-control-allow-origin"] == "https://news.test"
        # The balancer says that for its own names.
        assert "strict-transport-security" not in get(path).headers


def test_uploads_are_as_untrusted_there(get_public):
    page = get_public("/media/page.html")
    assert page.headers["content-disposition"] == "attachment"
    assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/media/subscribers/paper.pdf", "/subscribers/paper.pdf", "/-/alive", "/media/"])
def test_nothing_else_is_there(get_public, path):
    assert get_public(path).status == 404


def test_files_are_read_only_there(get_public):
    assert get_public("/static/app.css", method="POST").status == 405


def test_plain_http_is_sent_to_tls(inventory):
    connection = http.client.HTTPConnection(inventory["ansible_host"], 80, timeout=10)
    connection.request("GET", "/media/picture.png?x=1", headers={"Host": "files.news.test"})
    response = connection.getresponse()
    assert response.status == 301
    assert response.getheader("Location") == "https://files.news.test/media/picture.png?x=1"


def test_other_names_get_no_certificate(get_public):
    with pytest.raises(ssl.SSLError):
        get_public("/static/app.css", name="news.test")


def test_the_private_key_is_roots_alone(host):
    directory = host.file("/etc/nginx/certificates")
    assert (directory.mode, directory.user) == (0o700, "root")
