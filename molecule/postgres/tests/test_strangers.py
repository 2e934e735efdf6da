"""What a host sees that is not named as a client."""

import database
import pytest

testinfra_hosts = ["strangers"]


@pytest.mark.parametrize("server", [0, 1], ids=["trixie", "bookworm"])
@pytest.mark.parametrize("user", ["shop", "shop_owner"])
def test_strangers_are_refused_with_the_right_password(host, inventory, server, user):
    refused = database.query(host, inventory["database_addresses"][server], user, "SELECT 1")
    assert refused.rc == 2
    assert "no pg_hba.conf entry" in refused.stderr
