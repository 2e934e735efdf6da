"""What the balancer lets in, sends elsewhere and keeps out."""

import http.client
import socket
import ssl

import pytest
import requests

FORGED = {
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Ssl": "off",
    "X-Forwarded-Host": "elsewhere.example",
    "X-Forwarded-Port": "81",
    "Forwarded": "for=127.0.0.1;proto=http;host=elsewhere.example",
    "X-Real-Ip": "127.0.0.1",
}


def test_plain_http_is_sent_to_https(site, reader):
    answer = reader.get(f"http://{site.domain}/search/?q=river+bridge", allow_redirects=False)
    assert answer.status_code in (301, 308)
    assert answer.headers["Location"] == f"{site.url}search/?q=river+bridge"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_aliases_are_sent_to_the_canonical_name_at_once(site, reader, scheme):
    for alias in site.aliases:
        answer = reader.get(f"{scheme}://{alias}/search/?q=river", allow_redirects=False)
        assert answer.status_code in (301, 308)
        assert answer.headers["Location"] == f"{site.url}search/?q=river"


def test_certificate_is_the_sites_own(reader):
    assert reader.get("/").ok
    with pytest.raises(requests.exceptions.SSLError):
        reader.get("/", verify=True)


def test_http_2_is_spoken(site):
    context = ssl.create_default_context(cafile=site.authority)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection((site.domain, 443), timeout=5) as connection,
        context.wrap_socket(connection, server_hostname=site.domain) as tls,
    ):
        assert tls.selected_alpn_protocol() == "h2"
        tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        settings_frame = 4
        assert tls.recv(9)[3] == settings_frame


def test_other_peoples_names_are_not_served(reader):
    answer = reader.get("/", headers={"Host": "elsewhere.example"}, allow_redirects=False)
    assert answer.status_code in (400, 404, 421)
    assert "Courier" not in answer.text


def test_forged_forwarding_headers_are_not_believed(site, reader, article):
    answer = reader.get(article.path, headers=FORGED, allow_redirects=False)
    assert answer.status_code == requests.codes.ok
    assert f'<link rel="canonical" href="https://{site.domain}{article.path}">' in answer.text
    answer = reader.get(f"http://{site.domain}/", headers={"X-Forwarded-Proto": "https"}, allow_redirects=False)
    assert answer.headers["Location"] == site.url


@pytest.mark.parametrize("path", ["/-/alive", "/-/ready", "/-/", "//-/ready", "/%2d/ready", "/./-/ready"])
@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-For": "127.0.0.1"}], ids=["plain", "forged"])
def test_health_is_nobodys_business(site, path, headers):
    # http.client sends the path as it is.
    connection = http.client.HTTPSConnection(
        site.domain, timeout=10, context=ssl.create_default_context(cafile=site.authority)
    )
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    assert answer.status in (301, 404)
    assert b"migrations" not in answer.read()
    connection.close()


def test_only_the_front_door_is_open(site, open_to_this_machine):
    for name, variables in site.hosts.items():
        public = name in site.groups["balancers"]
        public |= name in site.groups["media_servers"] and variables.get("site_media_direct", False)
        expected = {22, 80, 443} if public else {22}
        assert open_to_this_machine(variables["ansible_host"]) == expected, name
