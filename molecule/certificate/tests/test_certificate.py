"""The authority and its certificates, as TLS clients and the next run of the role see them."""

import json
import os
import shutil
import ssl
import stat
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pytest
from cryptography import x509

testinfra_hosts = ["one"]
CONVERGE = Path(__file__).parents[1] / "converge.yml"
CONVERGED = Path(os.environ["LAB_CACHE"], os.environ["LAB_NAME"], "secrets", "certificates")


def request(name, *names):
    return {"name": name, "common_name": names[0], "alternative_names": [f"DNS:{each}" for each in names]}


def play(directory, *requests, arguments=(), environment=None, **variables):
    variables = {"certificate_directory": str(directory), "certificate_requests": requests, **variables}
    return subprocess.run(
        ["ansible-playbook", CONVERGE, "--extra-vars", json.dumps(variables), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, "ANSIBLE_FORCE_COLOR": "false", **(environment or {})},
    )


def issue(directory, *requests, **variables):
    run = play(directory, *requests, **variables)
    assert run.returncode == 0, run.stdout
    return run.stdout


def load(directory, name):
    return x509.load_pem_x509_certificate(Path(directory, f"{name}.crt").read_bytes())


def shake_hands(directory, name, called, authority=None):
    """Let a client that trusts the authority connect, in memory, to a server with the certificate."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(Path(directory, f"{name}.crt"), Path(directory, f"{name}.key"))
    client = ssl.create_default_context(cafile=authority or Path(directory, "ca.crt"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, to_server, server_hostname=called)
    there = server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [here, there]
    while waiting:
        for side in list(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)


@pytest.fixture(scope="module")
def issued(tmp_path_factory):
    """Return a directory with an authority and one certificate, and what was shown when they were made."""
    directory = tmp_path_factory.mktemp("issued") / "certificates"
    return directory, issue(directory, request("shop", "shop.test"), arguments=["--diff", "-vvv"])


@pytest.fixture
def directory(issued, tmp_path):
    """Return a copy of it."""
    return Path(shutil.copytree(issued[0], tmp_path / "certificates"))


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("shop", "shop.test"),
        ("shop", "www.shop.test"),
        ("database", "database"),
        ("database", "192.0.2.7"),
        ("database", "2001:db8::7"),
    ],
)
def test_clients_that_trust_the_authority_accept_each_name(name, called):
    shake_hands(CONVERGED, name, called)


def test_clients_refuse_other_names():
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake_hands(CONVERGED, "shop", "database")


def test_a_certificate_cannot_issue_others():
    constraints = load(CONVERGED, "shop").extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not constraints.ca


def test_validity():
    days = {
        name: (load(CONVERGED, name).not_valid_after_utc - load(CONVERGED, name).not_valid_before_utc).days
        for name in ("ca", "shop")
    }
    assert days["ca"] > 3649
    assert days["shop"] == 397


def test_nobody_else_on_the_controller_can_read_a_key():
    keys = list(CONVERGED.glob("*.key"))
    assert len(keys) == 3
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert stat.S_IMODE(CONVERGED.stat().st_mode) == 0o700


def test_adding_a_certificate_leaves_the_authority_and_the_others_alone(directory):
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in directory.iterdir()}
    issue(directory, request("shop", "shop.test"), request("news", "news.test"))
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before
    shake_hands(directory, "news", "news.test")


def test_other_names_are_issued_anew_under_the_same_authority(directory, issued):
    issue(directory, request("shop", "shop.test", "www.shop.test"))
    shake_hands(directory, "shop", "www.shop.test", authority=issued[0] / "ca.crt")


def test_what_ends_soon_is_renewed_in_time(directory):
    issue(directory, request("shop", "shop.test"), certificate_days=1200, certificate_renew_days=390)
    assert (load(directory, "shop").not_valid_after_utc - datetime.now(timezone.utc)).days <= 396
    issue(directory, request("shop", "shop.test"), certificate_days=1200, certificate_renew_days=400)
    assert (load(directory, "shop").not_valid_after_utc - datetime.now(timezone.utc)).days > 1190


def test_a_short_validity_does_not_mean_a_renewal_with_every_run(directory):
    issue(directory, request("short", "short.test"), certificate_days=20)
    assert "changed=0" in issue(directory, request("short", "short.test"), certificate_days=20)


def test_a_lost_key_is_replaced(directory):
    (directory / "shop.key").unlink()
    issue(directory, request("shop", "shop.test"))
    shake_hands(directory, "shop", "shop.test")


def test_a_lost_authority_key_is_an_error_not_a_new_authority(directory, issued):
    (directory / "ca.key").unlink()
    assert "changed=0" in issue(directory, request("shop", "shop.test"))
    run = play(directory, request("shop", "shop.test"), request("news", "news.test"))
    assert run.returncode != 0
    assert "from your backup" in run.stdout
    assert (directory / "ca.crt").read_bytes() == (issued[0] / "ca.crt").read_bytes()
    assert not (directory / "ca.key").exists()


def test_a_certificate_cannot_take_the_place_of_the_authority(directory, issued):
    run = play(directory, request("ca", "shop.test"))
    assert run.returncode != 0
    assert (directory / "ca.crt").read_bytes() == (issued[0] / "ca.crt").read_bytes()


def test_check_mode_makes_nothing(tmp_path):
    output = issue(tmp_path / "new", request("shop", "shop.test"), arguments=["--check", "--diff"])
    assert "changed=1" in output
    assert not (tmp_path / "new").exists()


def test_keys_are_never_shown(issued):
    directory, output = issued
    for key in directory.glob("*.key"):
        assert key.read_text().splitlines()[1] not in output
    assert "PRIVATE KEY" not in output


def test_a_controller_without_cryptography_is_told_what_to_install(directory, tmp_path):
    package = tmp_path / "broken" / "cryptography"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('as if it were not there')")
    run = play(directory, request("shop", "shop.test"), environment={"PYTHONPATH": str(package.parent)})
    assert run.returncode != 0
    assert "pip install cryptography" in run.stdout
