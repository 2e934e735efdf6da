"""Turn a password into what PostgreSQL stores of it, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
name: scram_verifier
short_description: Turn a password into what PostgreSQL stores of it
version_added: 0.1.0
author: tiered.django contributors
description:
  - Returns the SCRAM-SHA-256 verifier of a password, as in C(pg_authid.rolpassword).
  - When the server's present verifier is given and belongs to the password, it is returned as it is. Comparing the two
    tells without any connection whether the password must be set. Otherwise a new one with new salt is returned.
  - A server that is given a verifier never sees the password, and neither do its logs.
options:
  _input:
    description: The password.
    type: str
    required: true
  present:
    description: The verifier that the server has, if any.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Set a password that the server never sees
  community.postgresql.postgresql_user:
    name: shop
    password: "{{ shop_password | tiered.django.scram_verifier }}"
"""

RETURN = r"""
_value:
  description: The verifier.
  type: str
  sample: SCRAM-SHA-256$4096:SALT$STOREDKEY:SERVERKEY
"""

import base64
import hashlib
import hmac
import os
import re

from ansible.errors import AnsibleFilterError

# The layout and the iterations of PostgreSQL's src/common/scram-common.c.
VERIFIER = re.compile(r"SCRAM-SHA-256\$(?P<iterations>\d+):(?P<salt>[A-Za-z0-9+/=]+)\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+")
ITERATIONS = 4096
SALT_BYTES = 16


def prepared(password):
    """Return the password's bytes, normalized by RFC 4013 as every client does."""
    if password.isascii():
        return password.encode()
    from ansible_collections.community.postgresql.plugins.module_utils.saslprep import saslprep

    try:
        return saslprep(password).encode()
    except (TypeError, ValueError):
        # PostgreSQL takes a password that the standard forbids as it is.
        return password.encode()


def verifier(password, salt, iterations):
    """Return the verifier of RFC 5803 for the password's bytes."""
    salted = hashlib.pbkdf2_hmac("sha256", password, salt, iterations)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt, stored_key, server_key = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${iterations}:{salt}${stored_key}:{server_key}"


def scram_verifier(password, present=""):
    """Return the present verifier when it belongs to the password, else a new one."""
    if not isinstance(password, str) or not password:
        raise AnsibleFilterError("tiered.django.scram_verifier: the password must be a string that is not empty")
    password = prepared(password)
    parts = VERIFIER.fullmatch(present or "")
    if parts:
        same = verifier(password, base64.b64decode(parts["salt"]), int(parts["iterations"]))
        if hmac.compare_digest(same, present):
            return present
    return verifier(password, os.urandom(SALT_BYTES), ITERATIONS)


class FilterModule:
    """Expose the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"scram_verifier": scram_verifier}
