"""What a site that sets only what it must is given."""

import json
import os
import pathlib
import stat

import pytest


@pytest.fixture
def site(host):
    return json.loads(host.file("/etc/site.json").content_string)


@pytest.fixture
def secrets():
    return pathlib.Path(os.environ["LAB_CACHE"], os.environ["LAB_NAME"], "secrets")


def test_secrets_differ_from_each_other_and_are_long(site):
    key, password, owner_password, _backend = site
    assert len({key, password, owner_password}) == 3
    assert len(key) >= 50
    assert min(len(password), len(owner_password)) >= 32


def test_secrets_are_kept_on_the_controller_for_nobody_else(site, secrets):
    for name, value in zip(("secret_key", "database_password", "database_owner_password"), site[:3], strict=True):
        path = secrets / name
        assert path.read_text().split()[0] == value
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_uploads_stay_local_on_a_single_server(site):
    assert site[3] == "local"
