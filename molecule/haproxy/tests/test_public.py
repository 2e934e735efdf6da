"""What the world sees and does not see."""

import socket
import ssl
import time

import pytest
from front import at_once

testinfra_hosts = ["balancers"]
PAGE = "The newsroom is closed"


@pytest.mark.usefixtures("well")
def test_both_application_servers_answer(front):
    assert {front.ask("/").request["server"] for _ in range(4)} == {"one", "two"}


@pytest.mark.parametrize("path", ["/static/site.css", "/media/photographs/1.jpg", "/private/draft.pdf"])
def test_files_come_from_the_media_servers(front, path):
    asked = [front.ask(path).request for _ in range(4)]
    assert {each["port"] for each in asked} == {8080}
    assert {each["path"] for each in asked} == {path}


@pytest.mark.parametrize("path", ["/", "/articles/static/", "/staticfiles", "/privateer/"])
def test_everything_else_comes_from_the_application(front, path):
    assert front.ask(path).request["port"] == 8001


def test_two_sites_share_a_balancer_but_neither_servers_nor_certificates(front):
    assert front.ask("/", host="news.test").request["port"] == 8001
    assert front.ask("/", host="shop.test").request["port"] == 8002
    assert front.ask("/static/x", host="shop.test").request["port"] == 8002  # it has no media servers
    for name in ("news.test", "shop.test"):
        assert dict(each[0] for each in front.connect(name).getpeercert()["subject"])["commonName"] == name


@pytest.mark.parametrize(
    ("scheme", "called"),
    [("http", "news.test"), ("http", "www.news.test"), ("https", "www.news.test"), ("https", "news.example")],
)
def test_every_way_leads_to_the_canonical_name_in_one_step(front, scheme, called):
    answer = front.ask("/a%20page/?q=1&r=%2F", scheme=scheme, host=called)
    assert (answer.status_code, answer.headers["Location"]) == (301, "https://news.test/a%20page/?q=1&r=%2F")
    answer = front.ask("/form", scheme=scheme, host=called, method="POST", body=b"x=1")
    assert (answer.status_code, answer.headers["Location"]) == (308, "https://news.test/form")


@pytest.mark.parametrize("path", ["/static/site.css", "/media/photographs/1.jpg"])
def test_files_have_a_domain_of_their_own(front, path):
    answer = front.ask(path, host="media.news.test")
    assert (answer.request["port"], answer.seen("host")) == (8080, ["media.news.test"])
    assert answer.headers["Access-Control-Allow-Origin"] == "https://news.test"
    assert answer.headers["Strict-Transport-Security"] == "max-age=3600"
    assert front.ask(path, host="media.news.test", method="HEAD").status_code == 200
    own = front.ask(path)
    assert (own.request["port"], own.headers["Access-Control-Allow-Origin"]) == (8080, None)


def test_what_the_media_server_allows_itself_is_kept(front):
    answer = front.ask("/static/font.woff2?origin=https://partner.test", host="media.news.test")
    assert answer.headers.get_all("Access-Control-Allow-Origin") == ["https://partner.test"]


@pytest.mark.parametrize(
    "path", ["/", "/articles/1", "/staticfiles", "/private/draft.pdf", "/media/drafts/1.pdf", "/-/alive"]
)
def test_the_media_domain_has_nothing_else(front, path):
    assert front.ask(path, host="media.news.test").status_code == 404


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "PUT", "DELETE"])
def test_the_media_domain_is_for_reading(front, method):
    answer = front.ask("/media/1.jpg", host="media.news.test", method=method, body=b"")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_the_way_to_the_media_domain_is_encrypted_too(front):
    answer = front.ask("/static/a?b", scheme="http", host="Media.News.Test")
    assert (answer.status_code, answer.headers["Location"]) == (301, "https://media.news.test/static/a?b")
    assert front.ask("/static/a", scheme="http", host="media.news.test", method="POST", body=b"").status_code == 308


def test_a_media_domain_has_its_certificate_or_shares_that_of_the_site(front):
    for called, name in (("media.news.test", "media.news.test"), ("media.club.test", "club.test")):
        assert dict(each[0] for each in front.connect(called).getpeercert()["subject"])["commonName"] == name


def test_full_urls_are_routed_by_their_path(front):
    for called in ("club.test", "media.club.test"):
        for path in ("/assets/site.css", "/media/1.jpg"):
            assert front.ask(path, host=called).request["port"] == 8080
    assert front.ask("/static/site.css", host="media.club.test").status_code == 404
    assert front.ask("/static/site.css", host="club.test").request["port"] == 8003


def test_names_are_compared_without_case_and_port(front):
    assert front.ask("/", host="News.Test:443", name="news.test").status_code == 200
    assert front.ask("/p", scheme="http", host="WWW.news.test:80").headers["Location"] == "https://news.test/p"


@pytest.mark.parametrize("called", ["evil.test", "10.89.104.10", "news.test.evil.test", "x.news.test", ""])
def test_other_names_are_not_served(front, called):
    assert front.ask("/", scheme="http", host=called).status_code == 421
    assert front.ask("/", host=called, name="news.test").status_code == 421
    assert front.ask("/", host=called, name=None, verify=False).status_code == 421


def test_the_name_in_an_absolute_address_counts_as_the_host(front):
    assert front.ask("http://evil.test/", scheme="http", host="evil.test").status_code == 421
    answer = front.ask("http://www.news.test/a?b", scheme="http", host="www.news.test")
    assert answer.headers["Location"] == "https://news.test/a?b"


def test_strict_transport_security_is_a_choice_and_only_over_https(front):
    for path, host in (
        ("/", "news.test"),
        ("/", "www.news.test"),
        ("/-/ready", "news.test"),
        ("/static/x", "news.test"),
    ):
        assert front.ask(path, host=host).headers.get_all("Strict-Transport-Security") == ["max-age=3600"]
    assert front.ask("/", scheme="http").headers["Strict-Transport-Security"] is None
    assert front.ask("/", host="shop.test").headers["Strict-Transport-Security"] is None


def test_old_tls_is_refused(front):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection((front.address, 443)) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(plain, server_hostname="news.test")
    assert front.connect().version() == "TLSv1.3"


def test_http_2(host, front):
    assert front.connect(alpn=("h2", "http/1.1")).selected_alpn_protocol() == "h2"
    page = host.check_output(
        "curl --silent --insecure --http2 --resolve news.test:443:127.0.0.1 --write-out ' %{http_version}' "
        "--header 'X-Forwarded-For: 6.6.6.6' --data-binary @/usr/bin/env https://news.test/h2"
    )
    assert page.endswith(" 2")
    assert "6.6.6.6" not in page
    assert '"server"' in page


FORGED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Host": "evil.test",
    "X-Forwarded-Port": "80",
    "X-Forwarded-Server": "evil.test",
    "X-Forwarded-Prefix": "/evil",
    "X-Real-IP": "6.6.6.6",
    "X-Client-IP": "6.6.6.6",
    "Forwarded": "for=6.6.6.6;host=evil.test",
    "Proxy": "evil.test",
    "X_Forwarded_For": "6.6.6.6",
    "X_Forwarded_Proto": "http",
    "X_Forwarded-Host": "evil.test",
}


def test_clients_cannot_forge_who_they_are(front):
    answer = front.ask("/", headers=FORGED)
    assert not [
        each for each in answer.request["headers"] if "6.6.6.6" in each[1] or "evil" in each[1] or "_" in each[0]
    ]
    me = front.connect().getsockname()[0]
    assert {name: answer.seen(name) for name in ("x-forwarded-for", "x-real-ip", "x-forwarded-proto", "host")} == {
        "x-forwarded-for": [me],
        "x-real-ip": [me],
        "x-forwarded-proto": ["https"],
        "host": ["news.test"],
    }
    assert (answer.seen("x-forwarded-host"), answer.seen("x-forwarded-port")) == (["news.test"], ["443"])
    assert answer.seen("forwarded") == [f'for={me};host="news.test";proto=https']


@pytest.mark.parametrize("path", ["/-/ready", "/-/alive", "/-/", "/%2d/ready", "/-%2Fready"])
def test_health_is_not_for_the_world(front, path):
    answer = front.ask(path)
    assert answer.status_code == 404
    assert "This page does not exist" in answer.text


def test_an_upload_larger_than_a_buffer_arrives(front):
    assert front.ask("/upload", method="POST", body=b"x" * 1_900_000).request["length"] == 1_900_000


def test_an_upload_larger_than_the_limit_is_refused_before_it_is_sent(front):
    connection = front.connection()
    connection.putrequest("POST", "/upload", skip_host=True)
    for name, value in {"Host": "news.test", "Content-Length": str(2 * 1024 * 1024 + 1)}.items():
        connection.putheader(name, value)
    connection.endheaders(b"x" * 20_000)
    answer = connection.getresponse()
    assert answer.status == 413
    assert b"larger than the site accepts" in answer.read()


def test_an_upload_of_unknown_length_is_refused(front, host):
    answer = front.ask("/upload", method="POST", body=iter([b"x" * 1000] * 3), chunked=True)
    assert answer.status_code == 411
    status = host.check_output(
        "echo hello | curl --silent --insecure --http2 --resolve news.test:443:127.0.0.1 --output /dev/null "
        "--write-out '%{http_code}' --request POST --upload-file - https://news.test/upload"
    )
    assert status == "411"


@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
def test_methods_that_no_site_needs(front, method):
    assert front.ask("/" if method == "TRACE" else "news.test:443", method=method).status_code in (400, 405)


def dribble(connection, beginning, pieces, pause=0.25):
    """Send a request piece by piece until it is cut; return the seconds and the answer."""
    begun = time.monotonic()
    connection.sendall(beginning)
    answer = b""
    connection.settimeout(pause)
    for _ in range(40):
        try:
            answer = connection.recv(65536)
            break
        except TimeoutError:
            connection.sendall(pieces)
    return time.monotonic() - begun, answer


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_client_that_dribbles_its_headers_is_cut_while_others_are_served(front, scheme):
    slow = front.connect() if scheme == "https" else socket.create_connection((front.address, 80))
    (seconds, cut), *others = at_once(
        lambda: dribble(slow, b"GET / HTTP/1.1\r\nHost: news.test\r\n", b"X-Slow: 1\r\n"),
        *[lambda: front.ask("/")] * 4,
    )
    assert cut.startswith(b"HTTP/1.1 408 ")
    assert 1.5 < seconds < 4
    assert {each.status_code for each in others} == {200}


def test_a_client_that_dribbles_its_body_never_reaches_a_server(front, haproxy):
    before = haproxy.tell("show stat")
    beginning = b"POST /slow-body HTTP/1.1\r\nHost: news.test\r\nContent-Length: 9000\r\n\r\n"
    seconds, cut = dribble(front.connect(), beginning, b"x")
    assert cut.startswith(b"HTTP/1.1 408 ")
    assert 1.5 < seconds < 4

    def requests(table):
        return [line.split(",")[7] for line in table.splitlines() if line.startswith("news_app,BACKEND")]

    assert requests(haproxy.tell("show stat")) == requests(before)


@pytest.mark.usefixtures("well")
def test_errors_have_the_sites_own_pages(front, haproxy):
    for server in ("one", "two"):
        haproxy.tell(f"set server news_app/{server} state maint")
    try:
        answer = front.ask("/")
        assert (answer.status_code, answer.headers["Cache-Control"]) == (503, "no-store")
        assert PAGE in answer.text
        assert "Strict-Transport-Security" in answer.headers
    finally:
        for server in ("one", "two"):
            haproxy.tell(f"set server news_app/{server} state ready")


@pytest.mark.usefixtures("well")
def test_statistics_and_metrics_are_private(front, host):
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((front.address, 8404), timeout=2)
    assert "news_app" in host.check_output("curl --silent --fail http://127.0.0.1:8404/")
    metrics = host.check_output("curl --silent --fail http://127.0.0.1:8404/metrics")
    assert 'haproxy_server_status{proxy="news_app",server="one",state="UP"} 1' in metrics


def test_the_unprivileged_cannot_read_keys_or_give_orders(host):
    for command in (
        "cat /etc/haproxy/certificates/news.pem",
        "/usr/local/sbin/haproxy-runtime show info",
    ):
        assert host.run(command).rc == 0
        assert host.run(f"setpriv --reuid nobody --regid nogroup --clear-groups {command}").rc != 0


def test_requests_are_in_the_journal(front, host):
    front.ask("/find-me-in-the-journal")
    line = host.check_output("journalctl --unit haproxy --no-pager --output cat --grep find-me-in-the-journal")
    assert "{news.test}" in line
    assert "news_app/" in line
