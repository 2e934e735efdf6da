"""The role run again, with wrong and with other arguments."""

import pytest
from front import playbook

testinfra_hosts = ["balancer"]
pytestmark = pytest.mark.usefixtures("well")
CONFIG = "/etc/haproxy/haproxy.cfg"


def converge(*arguments, **variables):
    return playbook("converge", "--limit=balancer", *arguments, **variables)


def test_the_role_refuses_what_would_not_work(front, host, inventory):
    before = host.check_output(f"sha256sum {CONFIG} /etc/haproxy/certificates/news.pem")
    broken = converge(haproxy_timeout_client="soon")
    assert broken.returncode != 0
    assert "unexpected character 's' in 'timeout client'" in broken.stdout
    news, shop, club = inventory["haproxy_sites"]
    swapped = converge(haproxy_sites=[{**news, "certificate_key": shop["certificate_key"]}, shop, club])
    assert swapped.returncode != 0
    assert "news.pem was left as it is" in swapped.stdout
    assert "PRIVATE KEY" not in swapped.stdout
    mistaken = converge(
        haproxy_peer_name="nemo",
        haproxy_drained={"news_app/one": "asleep"},
        haproxy_sites=[
            {**news, "media_servers": [], "media_certificate_key": ""},
            {**shop, "aliases": ["News.test"]},
        ],
    )
    assert mistaken.returncode != 0
    for words in (
        'haproxy_peer_name: "nemo" is none of haproxy_peers (balancer, balancer-bookworm)',
        "news.test is used twice",
        "news has a media_domain but no media_servers",
        "news has a media_certificate, which needs media_domain and media_certificate_key",
        'haproxy_drained: news_app/one is "asleep"',
    ):
        assert words in mistaken.stdout.replace("\\", ""), mistaken.stdout
    assert host.check_output(f"sha256sum {CONFIG} /etc/haproxy/certificates/news.pem") == before
    assert front.ask("/").status_code == 200


def test_a_reload_without_effect_is_a_failure_and_not_forgotten(front):
    """The configuration is valid, but the new process cannot have its port: the old one goes on."""
    taken = {"haproxy_stats_listen": "127.0.0.1:22"}
    failed = converge(**taken)
    assert failed.returncode != 0
    assert "HAProxy should run with" in failed.stdout
    assert front.ask("/").status_code == 200
    again = converge("--check", **taken)
    assert "changed=1 " in again.stdout, again.stdout
    healed = converge()
    assert healed.returncode == 0, healed.stdout


def test_without_sites_there_is_nothing_to_see_and_no_secret_is_shown(front, host):
    empty = converge(haproxy_sites=[])
    assert empty.returncode == 0, empty.stdout
    assert host.check_output("ls /etc/haproxy/certificates") == ""
    assert front.ask("/", scheme="http").status_code == 421
    with pytest.raises(OSError, match=r"(?i)alert|unrecognized|reset|handshake"):
        front.ask("/")
    again = converge("--diff", "-vvv")
    assert again.returncode == 0, again.stdout
    assert "PRIVATE KEY" not in again.stdout
    assert host.check_output("ls /etc/haproxy/certificates").split() == [
        "club.pem",
        "news.media.pem",
        "news.pem",
        "shop.pem",
    ]
    assert front.ask("/").status_code == 200
