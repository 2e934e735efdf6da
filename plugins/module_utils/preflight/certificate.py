"""Problems of a certificate that the user brings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .problem import Problem, listed

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    HAS_CRYPTOGRAPHY = True
except ImportError:
    HAS_CRYPTOGRAPHY = False


def problems(site: Mapping[str, Any], now: datetime | None = None) -> Iterator[Problem]:
    """Find what is wrong with the certificates that the user brings, and their keys.

    :param site: The site's variables by their full names; those without a good value are left out.
    :param now: The time to judge by, with its zone.
    """
    own, media = [site.get("site_domain"), *site.get("site_aliases", [])], [site.get("site_media_domain")]
    if not site.get("site_media_certificate"):
        own += media
    for variable, domains in (("site_certificate", own), ("site_media_certificate", media)):
        names = [domain for domain in domains if domain]
        yield from _pair(site, variable, names, now or datetime.now(timezone.utc))


def _pair(site: Mapping[str, Any], variable: str, domains: list[str], now: datetime) -> Iterator[Problem]:
    certificate, key = (site.get(name, "") for name in (variable, f"{variable}_key"))
    if certificate and not key:
        yield Problem(f"{variable}_key", "a certificate without its key is useless", "Set it to the key's PEM file.")
    if key and not certificate:
        yield Problem(variable, "a key without its certificate is useless", "Set it to the chain's PEM file.")
    pem, pem_key = None, None
    if certificate and key:
        pem, problem = _read(variable, certificate, "certificate", "BEGIN CERTIFICATE")
        yield from problem
        pem_key, problem = _read(f"{variable}_key", key, "private key", "PRIVATE KEY-----")
        yield from problem
    if HAS_CRYPTOGRAPHY and pem:
        yield from _contents(variable, pem, pem_key, domains, now)


def _read(variable: str, name: str, what: str, mark: str) -> tuple[bytes | None, list[Problem]]:
    try:
        content = Path(name).expanduser().read_bytes()
    except OSError as error:
        remedy = "Give the path of a PEM file on this machine."
        return None, [Problem(variable, f"{name} cannot be read ({error.strerror})", remedy)]
    if mark.encode() not in content:
        return None, [Problem(variable, f"{name} holds no {what} in PEM", f"Convert the {what} with openssl to PEM.")]
    return content, []


def _utc(certificate: Any, name: str) -> datetime:
    # cryptography before 42 knows only dates without a zone.
    date = getattr(certificate, f"{name}_utc", None)
    return date or getattr(certificate, name).replace(tzinfo=timezone.utc)


def _covers(name: str, domain: str) -> bool:
    name = name.lower()
    # A star stands for exactly one label.
    return name == domain or (name.startswith("*.") and name[2:] == domain.partition(".")[2])


def _contents(variable: str, pem: bytes, pem_key: bytes | None, domains: list[str], now: datetime) -> Iterator[Problem]:
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError:
        yield Problem(variable, "its first certificate is damaged", "Export the certificate again.")
        return
    if _utc(certificate, "not_valid_after") <= now:
        date = f"{_utc(certificate, 'not_valid_after'):%Y-%m-%d}"
        yield Problem(variable, f"it expired on {date}", "Renew the certificate.")
    elif _utc(certificate, "not_valid_before") > now:
        date = f"{_utc(certificate, 'not_valid_before'):%Y-%m-%d}"
        yield Problem(variable, f"it is not valid before {date}", "Check this machine's clock.")
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = extension.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        names = []
    missing = [domain for domain in domains if not any(_covers(name, domain) for name in names)]
    if missing:
        yield Problem(
            variable,
            f"it does not cover {listed(missing)}",
            "Put the certificate that is issued for all of its domains first in the file.",
        )
    if pem_key:
        yield from _key(variable, certificate, pem_key)


def _key(variable: str, certificate: Any, pem_key: bytes) -> Iterator[Problem]:
    try:
        key = load_pem_private_key(pem_key, password=None)
    except TypeError:
        yield Problem(f"{variable}_key", "it is encrypted", "Decrypt it: nobody types a password on the balancer.")
        return
    except ValueError:
        yield Problem(f"{variable}_key", "it is damaged", "Export the key again.")
        return
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        yield Problem(f"{variable}_key", f"it is not the key of {variable}", "Give the key that belongs to it.")
