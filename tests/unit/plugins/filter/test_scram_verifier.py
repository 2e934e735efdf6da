"""Verifiers as PostgreSQL makes them."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.tiered.django.plugins.filter.scram_verifier import FilterModule

scram_verifier = FilterModule().filters()["scram_verifier"]

# Made by PostgreSQL 17 itself: ALTER ROLE … PASSWORD, then SELECT rolpassword FROM pg_authid.
MADE_BY_POSTGRES = {
    "secret": (
        "SCRAM-SHA-256$4096:xO2L30KYZHsZOkVvWNI9tw==$"
        "xkhW/GaYY6KbKLWDJps09gunBig8CZCIjNAyLAzLXUI=:5NgTVCKM0xKtP8pEVp6baBkuY53qwbxw5rZkUP/bDZ4="
    ),
    "Mañana ½": (
        "SCRAM-SHA-256$4096:ZvBlD8mOnKcELBPrZOegyA==$"
        "JcsbPiXDJX9pB882Y7Lxny2uX8fc5l1mFlpuWp+kwxQ=:YlPc/UI6DObA6pjVzeBWjQHxsCMrwZKfkfwK64YR9As="
    ),
}


@pytest.mark.parametrize("password", MADE_BY_POSTGRES)
def test_what_postgres_made_of_the_password_stays(password):
    assert scram_verifier(password, MADE_BY_POSTGRES[password]) == MADE_BY_POSTGRES[password]


@pytest.mark.parametrize("password", MADE_BY_POSTGRES)
def test_another_password_gets_another_verifier(password):
    present = MADE_BY_POSTGRES[password]
    new = scram_verifier(f"{password}!", present)
    assert new != present
    assert scram_verifier(f"{password}!", new) == new


@pytest.mark.parametrize("present", ["", None, "md5d41d8cd98f00b204e9800998ecf8427e", "SCRAM-SHA-256$4096:c2FsdA==$no"])
def test_anything_but_a_verifier_is_replaced(present):
    assert scram_verifier("secret", present).startswith("SCRAM-SHA-256$4096:")


def test_salt_is_new_each_time():
    assert scram_verifier("secret") != scram_verifier("secret")


@pytest.mark.parametrize("password", ["", None, 12345])
def test_a_password_must_be_text(password):
    with pytest.raises(AnsibleFilterError, match=r"^tiered\.django\.scram_verifier: the password must be a string"):
        scram_verifier(password)
