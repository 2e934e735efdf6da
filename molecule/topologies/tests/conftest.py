"""The deployed site, for tests that hold in more than one topology."""

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
from site_client import Site, reachable


@pytest.fixture(scope="session")
def site():
    """The site under test with the example's first edition and an editor's account."""
    site = Site.from_inventory()
    site.credentials = (f"editor-{secrets.token_hex(4)}", secrets.token_hex(16))
    name, password = site.credentials
    account = ("--username", name, "--email", f"{name}@{site.domain}")
    site.manage("createsuperuser", "--noinput", *account, environment={"DJANGO_SUPERUSER_PASSWORD": password})
    site.manage("first_edition")
    return site


@pytest.fixture
def reader(site):
    """Somebody whom the site has never seen before."""
    with site.reader() as reader:
        yield reader


@pytest.fixture(scope="session")
def editor(site):
    """Somebody who has logged in to the admin."""
    with site.editor() as editor:
        yield editor


@pytest.fixture
def article(editor):
    """An article of this test's own."""
    return editor.publish(f"Extra {secrets.token_hex(4)}")


@pytest.fixture(scope="session")
def open_to_this_machine():
    """The ports of an address that this machine, which is no part of the site, can open."""
    ports = (22, 80, 111, 443, 5432, 8001, 8080, 8404, 11211, 24007, 49152, 49153)

    def knock(address):
        with ThreadPoolExecutor(len(ports)) as hands:
            answers = hands.map(lambda port: reachable(address, port), ports)
            return {port for port, answered in zip(ports, answers, strict=True) if answered}

    return knock
