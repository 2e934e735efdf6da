"""Every kind of bad inventory is reported, and nothing else is."""

from __future__ import annotations

import datetime
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.tiered.django.plugins.module_utils.preflight import (
    Unresolved,
    capacity,
    certificate,
    find_problems,
    report,
    site,
    source,
)
from ansible_collections.tiered.django.plugins.module_utils.preflight import (
    inventory as shape,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ROOT = Path(__file__).resolve().parents[4]
GIT = "https://git.example.org/newsroom.git"
REMOVED = object()


@dataclass
class Inventory:
    """A good inventory of a load balanced site, to be spoilt by a test."""

    project: Path
    site: dict[str, Any] = field(default_factory=dict)
    tiers: dict[str, Any] = field(default_factory=dict)
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    ports: dict[str, Any] = field(default_factory=dict)

    def problems(self):
        """Return what preflight finds; the repository GIT has a branch, a tag and nothing else."""
        groups = {**self.tiers, **self.groups, "all": list(self.hosts), "ungrouped": []}
        groups = {name: members for name, members in groups.items() if isinstance(members, list)}
        return find_problems(self.site, self.tiers, self.hosts, groups, self.ports, self.ls_remote)

    @staticmethod
    def ls_remote(url):
        """Answer for git."""
        if "empty" in url:
            return set()
        if url not in (GIT, "ssh://git@git.example.org/newsroom.git", "git@git.example.org:newsroom.git"):
            raise source.SourceError("fatal: repository not found")
        return {"HEAD", "refs/heads/main", "main", "refs/tags/1.0", "1.0"}

    def file(self, name, content=""):
        """Write a file beside the project and return its path."""
        path = self.project.parent / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)


@pytest.fixture
def inventory(tmp_path):
    project = tmp_path / "project"
    (project / "newsroom" / "settings").mkdir(parents=True)
    for name in ("manage.py", "requirements.txt", "newsroom/settings/__init__.py", "newsroom/settings/live.py"):
        (project / name).touch()
    return Inventory(
        project=project,
        site={
            "site_name": "newsroom",
            "site_domain": "news.example.org",
            "site_aliases": ["www.news.example.org"],
            "site_source": str(project),
            "site_settings_module": "newsroom.settings",
            "site_version": "",
            "site_secrets_dir": str(tmp_path / "secrets"),
            "site_media_backend": "glusterfs",
            "site_media_s3": {},
            "site_uid": 8100,
            "site_hsts_seconds": 0,
            "site_static_url": "/static/",
            "site_media_url": "/media/",
            "site_protected_paths": ["/archive/originals/"],
            "site_admins": ["desk@example.org"],
            "site_email_url": "smtp+tls://desk:p%40ss@mail.example.org:587",
            "site_settings_extra": "LANGUAGE_CODE = 'de'\n",
            "site_environment": {"SENTRY_DSN": "https://key@sentry.example.org/1"},
            "site_keep_releases": 3,
        },
        tiers={
            "balancers": ["lb1"],
            "app_servers": ["app1", "app2"],
            "media_servers": ["media1"],
            "cache_servers": ["app1", "app2"],
            "database_servers": ["db1"],
        },
        hosts={
            "lb1": {"ansible_host": "192.0.2.1", "private_address": "10.0.0.1"},
            "app1": {"ansible_host": "192.0.2.2", "private_address": "10.0.0.2"},
            "app2": {"ansible_host": "10.0.0.3"},
            "media1": {"ansible_host": "media1.example.org", "private_address": "10.0.0.4"},
            "db1": {"ansible_facts": {"default_ipv4": {"address": "10.0.0.5"}}, "postgres_max_connections": 100},
        },
        ports={"app": 8001, "media": 8080, "cache": 11211, "database": 5432},
    )


def one_server(inventory):
    inventory.tiers = {tier: ["www"] for tier in inventory.tiers}
    inventory.hosts = {"www": {}}


def set_site(**values):
    def change(inventory):
        for name, value in values.items():
            if value is REMOVED:
                del inventory.site[f"site_{name}"]
            else:
                inventory.site[f"site_{name}"] = value

    return change


def set_tier(tier, *hosts):
    return lambda inventory: inventory.tiers.update({tier: list(hosts)})


def set_host(host, **values):
    return lambda inventory: inventory.hosts.setdefault(host, {}).update(values)


def set_everywhere(**values):
    def change(inventory):
        for variables in inventory.hosts.values():
            variables.update(values)

    return change


def set_port(part, port):
    return lambda inventory: inventory.ports.update({part: port})


def add_group(name, *hosts):
    return lambda inventory: inventory.groups.update({name: list(hosts)})


def without_file(name):
    return lambda inventory: (inventory.project / name).unlink()


def both(*changes):
    def change(inventory):
        for one in changes:
            one(inventory)

    return change


def archive(*names):
    """Make the source an archive that holds these files."""

    def change(inventory):
        path = inventory.project.parent / "newsroom.tar.gz"
        with tarfile.open(path, "w:gz") as opened:
            for name in names:
                opened.add(inventory.project / "manage.py", arcname=name)
        inventory.site["site_source"] = str(path)

    return change


def secrets_inside(inventory):
    inventory.site["site_secrets_dir"] = str(inventory.project / "deploy" / "secrets")


def secrets_on_a_file(inventory):
    inventory.site["site_secrets_dir"] = inventory.file("occupied") + "/secrets"


def own_certificate(*names, days=90, begins=-1, key_of_another=False, password=None, spoil=None):
    """Bring a certificate for these names that is valid for so many days."""

    def change(inventory):
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now + datetime.timedelta(days=begins))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
            .sign(key, hashes.SHA256())
        )
        if key_of_another:
            key = ec.generate_private_key(ec.SECP256R1())
        protection = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        pem_key = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
        if spoil == "certificate":
            pem = pem[:100] + b"!" + pem[140:]
        if spoil == "key":
            pem_key = pem_key[:50] + pem_key[60:]
        inventory.site["site_certificate"] = inventory.file("site.crt", pem)
        inventory.site["site_certificate_key"] = inventory.file("site.key", pem_key)

    return change


def certificate_in_der(inventory):
    own_certificate("news.example.org", "www.news.example.org")(inventory)
    inventory.file("site.crt", b"\x30\x82\x01")


def key_is_gone(inventory):
    own_certificate("news.example.org", "www.news.example.org")(inventory)
    Path(inventory.site["site_certificate_key"]).unlink()


def only_the_key(inventory):
    inventory.site["site_certificate_key"] = inventory.file("site.key", "-----BEGIN PRIVATE KEY-----")


def store(**values):
    """Have uploads in a store, as site_media_s3 describes it; none of them are protected."""
    described = {"bucket": "uploads", "endpoint_url": "https://s3.example.org", **values}
    described = {key: value for key, value in described.items() if value is not REMOVED}
    return set_site(media_backend="s3", media_s3=described, protected_paths=[])


BOTH_NAMES = ("news.example.org", "www.news.example.org")

GOOD = {
    "load balanced": lambda inventory: None,
    "one server without any address": both(one_server, set_site(media_backend="local")),
    "one server that is the controller": both(
        one_server, set_host("www", ansible_connection="local"), set_site(media_backend="local")
    ),
    "groups of groups": add_group("app_servers_frankfurt", "app1"),
    "a group of another kind": add_group("printers", "printer1"),
    "another name for hosts that are placed well": add_group("web", "app1", "app2"),
    "an alias of a tier": add_group("appservers", "app1", "app2"),
    "numbers as text": set_site(uid="8100", keep_releases="3", served_by_header="True"),
    "a generated certificate's variables": set_site(certificate="", certificate_key=""),
    "own certificate": own_certificate(*BOTH_NAMES),
    "wildcard certificate": own_certificate("news.example.org", "*.news.example.org"),
    "git": set_site(source=GIT),
    "git by ssh": set_site(source="git@git.example.org:newsroom.git"),
    "git branch": set_site(source=GIT, version="main"),
    "git tag": set_site(source=GIT, version="1.0"),
    "git commit": set_site(source=GIT, version="0123456789abcdef0123456789abcdef01234567"),
    "archive": archive("manage.py", "requirements.txt", "newsroom/settings.py"),
    "archive with a directory": archive("n-1/manage.py", "n-1/requirements.txt", "n-1/newsroom/settings.py"),
    "requirements at the top": both(
        archive("src/manage.py", "requirements.txt", "src/newsroom/settings.py"), set_site(project_directory="src")
    ),
    "settings in a package": set_site(settings_module="newsroom.settings.live"),
    "enough connections": both(
        set_host("app1", uwsgi_processes=10, uwsgi_threads=5), set_host("app2", uwsgi_processes=8, uwsgi_threads=5)
    ),
    "no limit on connections": set_host("app1", uwsgi_max_requests=0),
    "good secrets": set_site(
        secret_key="correct-horse-" * 4, database_password="correct horse", database_owner_password="battery staple"
    ),
    "protected paths below each other": set_site(protected_paths=["/archive/", "/archive/originals/"]),
    "protected uploads": set_site(protected_paths=["/media/", "/media/originals/"]),
    "a store": store(),
    "a store at Amazon's, with the hosts' own rights": store(endpoint_url=REMOVED, region="eu-central-1"),
    "a store with everything": both(
        store(
            region="eu",
            prefix="newsroom/uploads/",
            url="https://cdn.example.org/",
            options={"querystring_auth": False, "querystring_expire": 600, "object_parameters": {"CacheControl": "x"}},
        ),
        set_site(media_s3_access_key="desk", media_s3_secret_key="correct horse"),
    ),
    "a store on the private network": store(endpoint_url="http://10.0.0.9:9000"),
    "a store beside empty variables of the others": both(store(), set_site(media_nfs="", media_s3_access_key="")),
    "an export of the first media server": set_site(media_backend="nfs"),
    "an export that is there": set_site(media_backend="nfs", media_nfs="files.internal:/export/newsroom"),
    "an export at an IPv6 address": set_site(media_backend="nfs", media_nfs="[2001:db8::9]:/export"),
    "what only a later play knows": set_host("app1", uwsgi_processes=Unresolved(), private_address=Unresolved()),
    "IPv6": set_host("db1", private_address="2001:db8::5"),
    "NAT": both(
        set_host("app1", ansible_host="192.0.2.9", ansible_port=2201),
        set_host("app2", ansible_host="192.0.2.9", ansible_port=2202, private_address="10.0.0.3"),
    ),
}


@pytest.mark.parametrize("change", GOOD.values(), ids=GOOD)
def test_a_good_inventory_has_no_problem(inventory, change):
    change(inventory)
    assert inventory.problems() == []


# What is done to the good inventory: the subject of the one problem, and what its remedy says.
BAD = [
    # Tiers and groups
    (set_tier("balancers"), "balancers", "all five groups hold the same host"),
    (set_tier("cache_servers"), "cache_servers", "Put a host into it"),
    (lambda i: i.tiers.pop("media_servers"), "media_servers", "Put a host into it"),
    (both(set_tier("app_servers"), add_group("app_server", "app1")), "app_servers", "by the group app_server?"),
    (both(set_tier("app_servers"), add_group("web", "app1")), "app_servers", "by the group web?"),
    (both(set_tier("database_servers"), add_group("db", "db1")), "database_servers", "by the group db?"),
    (add_group("appservers", "app1", "app3"), "appservers", "Did you mean app_servers?"),
    (add_group("database-server", "db2"), "database-server", "Did you mean database_servers?"),
    (set_tier("cache_servers", "app1", "cache7"), "cache7", "Add the host to the inventory"),
    # A domain of its own for files
    (set_site(media_domain="https://media.example.org"), "site_media_domain", "without scheme"),
    (set_site(media_domain="www.news.example.org"), "site_media_domain", "Choose another"),
    (set_site(media_direct=True), "site_media_direct", "Set site_media_domain"),
    (
        both(set_site(media_domain="media.example.org", media_direct="yes"), set_tier("balancers", "lb1", "media1")),
        "site_media_direct",
        "the balancer serves the media domain",
    ),
    (set_site(media_domain="media.example.org", media_certificate_key="/k"), "site_media_certificate", "chain's PEM"),
    # Marks of hosts
    (
        set_host("app1", topology_leaving=["media_servers"]),
        "topology_leaving of app1",
        "some of app_servers, cache_servers",
    ),
    (set_host("app1", topology_leaving="app"), "topology_leaving of app1", "gone when it cannot be reached"),
    (set_host("media1", topology_leaving=True), "topology_leaving of media1", "at least one host of the tier"),
    (
        both(
            set_tier("media_servers", "media1", "app1"),
            set_host("media1", topology_leaving=True),
            set_host("app1", topology_absent=True),
        ),
        "topology_absent of app1",
        "Bring one of them back",
    ),
    (set_host("lb1", topology_leaving="gone"), "topology_leaving of lb1", "at least one host of the tier"),
    (set_host("lb1", topology_absent=True), "topology_absent of lb1", "Bring one of them back"),
    (
        both(
            set_tier("media_servers", "media1", "app1"),
            set_site(media_backend="nfs"),
            set_host("media1", topology_leaving=["media_servers"]),
        ),
        "topology_leaving of media1",
        "name that in site_media_nfs",
    ),
    (
        both(
            set_tier("media_servers", "media1", "app1"),
            set_site(media_backend="nfs"),
            set_host("media1", topology_absent=True),
        ),
        "topology_absent of media1",
        "Bring it back",
    ),
    (lambda i: i.tiers.update(app_servers=Unresolved("x")), "topology_app_servers", "correct the spelling"),
    # Addresses and machines
    (set_host("db1", ansible_facts={}), "db1", "Set private_address"),
    (set_host("db1", private_address="db1.internal"), "private_address of db1", "IP address"),
    (set_host("db1", private_address=""), "private_address of db1", "IP address"),
    (set_host("db1", private_address="127.0.0.1"), "private_address of db1", "at which the other hosts reach"),
    (set_host("db1", private_address="0.0.0.0"), "private_address of db1", "at which the other hosts reach"),
    (set_host("db1", private_address="fe80::1"), "private_address of db1", "at which the other hosts reach"),
    (set_host("app2", ansible_host="127.0.0.1", ansible_port=2222), "app2", "Set private_address to the IP"),
    (set_host("db1", private_address="10.0.0.2"), "app1, db1", "its own private_address"),
    (set_host("db1", ansible_host="192.0.2.2"), "app1, db1", "Give a machine one name"),
    (
        both(set_host("lb1", ansible_connection="local"), set_host("db1", ansible_connection="local")),
        "lb1, db1",
        "Give a machine one name",
    ),
    (
        both(set_tier("balancers", "localhost"), lambda i: i.hosts.update(localhost=i.hosts.pop("lb1"))),
        "localhost",
        "a name of its own",
    ),
    (set_host("db1", private_address=Unresolved("'x' is undefined")), "private_address of db1", "correct the spelling"),
    # The site's own variables
    (set_site(name=REMOVED), "site_name", "in group_vars/all"),
    (set_site(domain=""), "site_domain", "in group_vars/all"),
    (set_site(source=None), "site_source", "in group_vars/all"),
    (set_site(settings_module=REMOVED), "site_settings_module", "in group_vars/all"),
    (set_site(domain=Unresolved("'zone' is undefined")), "site_domain", "Define what it refers to"),
    (set_site(name="News-Room"), "site_name", "lower case"),
    (set_site(name="n" * 32), "site_name", "at most 30"),
    (set_site(name="newsroom\n"), "site_name", "lower case"),
    (set_site(name="news"), "site_name", "news_site"),
    (set_site(name="template0"), "site_name", "Choose another name"),
    (set_site(name="pg_newsroom"), "site_name", "Choose another name"),
    (set_site(domain="https://news.example.org"), "site_domain", "without scheme"),
    (set_site(domain="news.example.org:8443"), "site_domain", "without a port"),
    (set_site(domain="news.example.org/desk"), "site_domain", "path"),
    (set_site(domain="News.example.org"), "site_domain", "news.example.org"),
    (set_site(domain="192.0.2.1"), "site_domain", "Use a name"),
    (set_site(domain="zürich.example.org"), "site_domain", "xn--"),
    (set_site(domain="news_room.example.org"), "site_domain", "hyphens"),
    (set_site(aliases="www.news.example.org"), "site_aliases", "a list"),
    (set_site(aliases=["news.example.org"]), "site_aliases", "Remove it"),
    (set_site(aliases=["a.example.org", "a.example.org"]), "site_aliases", "Remove one"),
    (set_site(aliases=["*.example.org"]), "site_aliases", "letters, digits"),
    (set_site(settings_module="newsroom/settings.py"), "site_settings_module", "Write newsroom.settings."),
    (set_site(settings_module="newsroom.settings.py"), "site_settings_module", "Write newsroom.settings."),
    (set_site(settings_module="news-room.settings"), "site_settings_module", "as in import"),
    (set_site(settings_extra="DEBUG = ("), "site_settings_extra", "Correct it"),
    (set_site(media_backend="ceph"), "site_media_backend", "local, glusterfs, nfs, s3"),
    (set_site(media_backend="local"), "site_media_backend", "glusterfs"),
    (set_site(media_backend="local"), "site_media_backend", "or to nfs or s3"),
    (set_site(media_nfs="files:/export"), "site_media_nfs", "Set site_media_backend to nfs"),
    (both(store(), set_site(media_nfs="files:/export")), "site_media_nfs", "or remove the variable"),
    (set_site(media_backend="nfs", media_nfs="/export"), "site_media_nfs", "HOST:/path"),
    (set_site(media_backend="nfs", media_nfs="files:export"), "site_media_nfs", "HOST:/path"),
    (set_site(media_backend="nfs", media_nfs="files:/"), "site_media_nfs", "HOST:/path"),
    (set_site(media_backend="nfs", media_nfs="files:/a/../b"), "site_media_nfs", "HOST:/path"),
    (set_site(media_s3={"bucket": "uploads"}), "site_media_s3", "Set site_media_backend to s3"),
    (set_site(media_s3_access_key="desk"), "site_media_s3_access_key", "Set site_media_backend to s3"),
    (set_site(media_s3_secret_key="x"), "site_media_s3_secret_key", "or remove the variable"),
    (set_site(media_s3="uploads"), "site_media_s3", "a mapping"),
    (both(store(), set_site(media_s3={})), "site_media_s3", "Give it bucket"),
    (both(store(), set_site(media_s3=REMOVED)), "site_media_s3", "Give it bucket"),
    (store(bucket=REMOVED), "site_media_s3", "Give it bucket"),
    (store(bucket="s3://uploads"), "site_media_s3", "the name alone"),
    (store(bucket=7), "site_media_s3", "text in quotes"),
    (store(endpoint="https://s3.example.org"), "site_media_s3", "Did you mean endpoint_url?"),
    (store(colour="green"), "site_media_s3", "Its keys are bucket, endpoint_url"),
    (store(endpoint_url="s3.example.org"), "site_media_s3", "https://HOST[:PORT]"),
    (store(endpoint_url="https://s3.example.org:port"), "site_media_s3", "https://HOST[:PORT]"),
    (store(endpoint_url="https://desk:x@s3.example.org"), "site_media_s3", "site_media_s3_secret_key"),
    (store(url="cdn.example.org"), "site_media_s3", "https://HOST/"),
    (store(url="http://cdn.example.org"), "site_media_s3", "browsers refuse"),
    (store(url="https://cdn.example.org/?v=1"), "site_media_s3", "https://HOST/"),
    (store(prefix="/uploads"), "site_media_s3", "newsroom/uploads"),
    (store(prefix="a/../b"), "site_media_s3", "newsroom/uploads"),
    (store(options=["gzip"]), "site_media_s3", "options with their values"),
    (store(options={"location": "uploads"}), "site_media_s3", "prefix of site_media_s3"),
    (store(options={"secret_key": "x"}), "site_media_s3", "site_media_s3_secret_key"),
    (store(options={"file_overwrite": True}), "site_media_s3", "never replaces another"),
    (store(options={"querystring_expires": 60}), "site_media_s3", "Did you mean querystring_expire?"),
    (store(options={"cloudfront_key": "x"}), "site_media_s3", "site_settings_extra"),
    (store(options={"querystring_auth": "no"}), "site_media_s3", "true or false"),
    (store(options={"querystring_expire": True}), "site_media_s3", "a whole number"),
    (both(store(), set_site(media_s3_access_key="desk")), "site_media_s3_secret_key", "Set both"),
    (both(store(), set_site(media_s3_secret_key="x")), "site_media_s3_access_key", "or neither"),
    (both(store(), set_site(protected_paths=["/archive/"])), "site_protected_paths", "links to uploads are signed"),
    (
        both(set_site(media_backend="local"), set_tier("app_servers", "app1")),
        "site_media_backend",
        "share one volume",
    ),
    (set_site(check_fail_level="error"), "site_check_fail_level", "ERROR"),
    (set_site(static_url="static/"), "site_static_url", "slash"),
    (set_site(media_url="/media"), "site_media_url", "slash"),
    (set_site(static_url="https://cdn.example.org/static/"), "site_static_url", "without scheme"),
    (set_site(media_url="/"), "site_media_url", "a path of its own"),
    (set_site(media_url="/static/"), "site_media_url", "outside of the others"),
    (set_site(media_url="/static/media/"), "site_media_url", "outside of the others"),
    (set_site(static_url="/-/static/"), "site_static_url", "outside of the others"),
    (set_site(protected_paths=["originals"]), "site_protected_paths", "slash"),
    (set_site(protected_paths=["/static/originals/"]), "site_protected_paths", "outside of the others"),
    (set_site(protected_paths=["/-/protected/"]), "site_protected_paths", "outside of the others"),
    (set_site(protected_paths=["/a/"], media_url="/a/media/"), "site_protected_paths", "outside of the others"),
    (set_site(uid=33), "site_uid", "from 1000 to 60000"),
    (set_site(uid="news"), "site_uid", "a whole number"),
    (set_site(hsts_seconds=-1), "site_hsts_seconds", "of at least 0"),
    (set_site(hsts_seconds="1 year"), "site_hsts_seconds", "a whole number"),
    (set_site(keep_releases=0), "site_keep_releases", "of at least 1"),
    (set_site(max_upload_mb=0.5), "site_max_upload_mb", "a whole number"),
    (set_site(served_by_header="maybe"), "site_served_by_header", "true or false"),
    (set_site(version=1.1), "site_version", "text in quotes"),
    (set_site(admins=["the desk"]), "site_admins", "name@example.org"),
    (set_site(admins=[{"name": "desk"}]), "site_admins", "a list"),
    (set_site(email_url="mail.example.org"), "site_email_url", "smtp+tls"),
    (set_site(email_url="smtp://mail.example.org:port"), "site_email_url", "smtp+tls"),
    (set_site(environment={"SENTRY-DSN": "x"}), "site_environment", "letters, digits and _"),
    (set_site(environment={"HOSTS": ["a"]}), "site_environment", "in quotes"),
    (set_site(python_packages=["--index-url=x"]), "site_python_packages", "not options"),
    (set_site(secret_key="abc"), "site_secret_key", "to have one generated"),
    (set_site(secret_key="x" * 60), "site_secret_key", "random"),
    (set_site(database_password=""), "site_database_password", "to have one generated"),
    (set_site(database_owner_password="secret"), "site_database_owner_password", "to have one generated"),
    (
        set_site(database_password="correct horse", database_owner_password="correct horse"),
        "site_database_owner_password",
        "another one",
    ),
    (secrets_inside, "site_secrets_dir", "outside of the project"),
    (secrets_on_a_file, "site_secrets_dir", "another directory"),
    (set_everywhere(site_domian="x"), "site_domian", "Did you mean site_domain?"),
    (set_site(colour="green"), "site_colour", "Remove or rename it"),
    (set_host("app1", site_uid=8200), "site_uid", "group_vars/all"),
    (both(set_everywhere(site_uid=8100), set_host("db1", site_uid=8101)), "site_uid", "Set it once"),
    # The source
    (set_site(source="/nowhere/newsroom"), "site_source", "Give a git URL"),
    (set_site(source="--upload-pack=touch x"), "site_source", "Give a git URL"),
    (set_site(source="ext::sh -c x"), "site_source", "Give a git URL"),
    (set_site(source="https://git.example.org/gone.git"), "site_source", "Check the URL"),
    (set_site(source="https://git.example.org/empty.git"), "site_source", "Push the project"),
    (set_site(source=GIT, version="2.0"), "site_version", "Name one that was pushed"),
    (set_site(source=GIT, version="--exec=x"), "site_version", "a branch, a tag"),
    (set_site(version="main"), "site_version", "Remove site_version"),
    (without_file("manage.py"), "site_source", "Set site_project_directory"),
    (set_site(project_directory="src"), "site_project_directory", "holds manage.py"),
    (set_site(project_directory="../other"), "site_project_directory", "without '..'"),
    (set_site(project_directory="/srv"), "site_project_directory", "relative"),
    (without_file("requirements.txt"), "site_requirements", "requirements file"),
    (set_site(requirements="requirements/live.txt"), "site_requirements", "relative to"),
    (set_site(settings_module="newsroom.production"), "site_settings_module", "as manage.py does"),
    (archive("README"), "site_source", "Set site_project_directory"),
    (lambda i: i.site.update(site_source=i.file("n.zip", "no zip")), "site_source", "archive on this machine"),
    # The certificate
    (lambda i: i.site.update(site_certificate=i.file("c.pem")), "site_certificate_key", "the key's PEM file"),
    (only_the_key, "site_certificate", "the chain's PEM file"),
    (key_is_gone, "site_certificate_key", "path of a PEM file"),
    (certificate_in_der, "site_certificate", "Convert the certificate"),
    (own_certificate(*BOTH_NAMES, spoil="certificate"), "site_certificate", "Export the certificate again"),
    (own_certificate(*BOTH_NAMES, spoil="key"), "site_certificate_key", "Export the key again"),
    (own_certificate(*BOTH_NAMES, password=b"x"), "site_certificate_key", "Decrypt it"),
    (own_certificate(*BOTH_NAMES, key_of_another=True), "site_certificate_key", "belongs to it"),
    (own_certificate(*BOTH_NAMES, begins=-30, days=-2), "site_certificate", "Renew"),
    (own_certificate(*BOTH_NAMES, begins=3), "site_certificate", "clock"),
    (own_certificate("news.example.org"), "site_certificate", "for all of its domains"),
    (own_certificate("*.example.org"), "site_certificate", "for all of its domains"),
    # Ports and sizes
    (both(set_tier("media_servers", "app1"), set_port("media", 8001)), "topology_media_port", "another port"),
    (set_port("database", 22), "topology_database_port", "another port"),
    (both(set_tier("balancers", "app1"), set_port("app", 443)), "topology_app_port", "another port"),
    (set_port("cache", 70000), "topology_cache_port", "from 1 to 65535"),
    (set_port("cache", Unresolved("x")), "topology_cache_port", "correct the spelling"),
    (set_host("app1", uwsgi_processes=0), "uwsgi_processes of app1", "at least 1"),
    (
        both(set_host("app1", uwsgi_threads="two"), set_host("app2", uwsgi_threads="two")),
        "uwsgi_threads of app1, app2",
        "whole number",
    ),
    (set_host("db1", postgres_max_connections=-1), "postgres_max_connections of db1", "at least 1"),
    (
        both(lambda i: i.hosts["db1"].pop("postgres_max_connections"), set_host("app1", uwsgi_processes=91)),
        "postgres_max_connections of db1",
        "at least 101",
    ),
    (
        both(
            set_host("app1", uwsgi_processes=10, uwsgi_threads=5), set_host("app2", uwsgi_processes=10, uwsgi_threads=5)
        ),
        "postgres_max_connections of db1",
        "at least 110",
    ),
]


@pytest.mark.parametrize(("change", "subject", "remedy"), BAD, ids=[f"{n}-{bad[1]}" for n, bad in enumerate(BAD)])
def test_a_bad_inventory_has_exactly_the_one_problem(inventory, change, subject, remedy):
    change(inventory)
    found = inventory.problems()
    assert [problem.subject for problem in found] == [subject]
    assert remedy in found[0].remedy


@pytest.mark.parametrize("value", [None, 7, 1.5, True, "", "x", [], [None], {}, {"a": None}, {1: 2}])
@pytest.mark.parametrize("key", [*site.STORE, *site.STORE_OPTIONS, 1])
def test_no_description_of_a_store_makes_preflight_itself_fail(inventory, key, value):
    described = {"options": {key: value}} if key in site.STORE_OPTIONS else {key: value}
    store(**{str(name): item for name, item in described.items()})(inventory)
    assert {problem.subject for problem in inventory.problems()} <= {"site_media_s3"}
    inventory.site["site_media_s3"] = described
    assert {problem.subject for problem in inventory.problems()} <= {"site_media_s3"}


def test_the_description_of_a_store_is_that_of_both_roles():
    for role in ("site", "django"):
        specs = yaml.safe_load((ROOT / f"roles/{role}/meta/argument_specs.yml").read_text())
        options = specs["argument_specs"]["main"]["options"][f"{role}_media_s3"]["options"]
        assert [*options] == [*site.STORE]


def test_no_report_shows_the_keys_that_somebody_put_into_a_url(inventory):
    both(store(endpoint_url="https://desk:hun/ter2@s3.example.org"), set_site(media_s3_access_key="desk"))(inventory)
    text = report(inventory.problems())
    assert "endpoint_url" in text
    assert "ter2" not in text


def test_all_problems_are_reported_at_once(inventory):
    both(
        set_tier("balancers"),
        set_host("db1", private_address="localhost"),
        set_site(name=REMOVED, domain="News", source="/nowhere", media_backend="local", hsts_seconds="x"),
        set_host("app1", uwsgi_processes=0),
    )(inventory)
    found = inventory.problems()
    assert {problem.subject for problem in found} == {
        "balancers",
        "private_address of db1",
        "site_name",
        "site_domain",
        "site_source",
        "site_media_backend",
        "site_hsts_seconds",
        "uwsgi_processes of app1",
    }
    lines = report(found).splitlines()
    assert lines[0] == f"Preflight found {len(found)} problems; no host was touched."
    assert [line.split(".")[0] for line in lines[1:]] == [str(number + 1) for number in range(len(found))]


@pytest.mark.parametrize(
    "change",
    [
        set_tier("media_servers", "media1", "app1"),
        set_tier("database_servers", "db1", "media1"),
        set_host("app1", topology_leaving=True),
        set_host("app1", topology_leaving="gone"),
        set_host("app1", topology_leaving=["app_servers", "cache_servers"]),
        set_host("app1", topology_leaving="app_servers"),
        set_host("app1", topology_leaving=False, topology_absent="no"),
        set_host("app2", topology_absent=True),
        both(set_tier("database_servers", "db1", "media1"), set_host("media1", topology_leaving=["database_servers"])),
        both(set_tier("media_servers", "media1", "app1"), set_host("media1", topology_leaving=True)),
        both(
            set_tier("media_servers", "media1", "app1"),
            set_site(media_backend="nfs", media_nfs="10.0.0.9:/uploads"),
            set_host("media1", topology_leaving=True),
        ),
    ],
)
def test_what_can_be_lost_may_be_many_leave_or_be_absent(inventory, change):
    change(inventory)
    assert inventory.problems() == []


def test_every_run_reminds_of_marked_hosts():
    hosts = {
        "a": {"topology_leaving": "gone"},
        "b": {"topology_absent": True},
        "c": {"topology_leaving": ["app_servers"]},
        "d": {},
    }
    groups = {"app_servers": ["a", "b", "c", "d"], "cache_servers": ["c"]}
    remarks = list(shape.remarks(hosts, groups))
    assert [remark.split()[0] for remark in remarks] == ["a", "b", "c"]
    assert "c leaves app_servers." in remarks[2]
    assert list(shape.remarks({"d": {}}, groups)) == []


def test_secrets_in_the_directory_of_an_inventory_would_become_hosts(tmp_path):
    def problems(directory):
        return list(site.exposed_secrets({"site_secrets_dir": str(directory)}, [str(tmp_path / "mysite")]))

    (tmp_path / "mysite").mkdir()
    (problem,) = problems(tmp_path / "mysite/secrets")
    assert problem.subject == "site_secrets_dir"
    assert f"{tmp_path}/mysite.secrets" in problem.remedy
    assert problems(tmp_path / "mysite.secrets") == []
    assert problems(tmp_path / "mysite/.secrets") == []
    assert list(site.exposed_secrets({"site_secrets_dir": "/a/secrets"}, ["/a/hosts.yml"])) == []


def test_an_empty_inventory_is_reported_and_not_an_error():
    subjects = [problem.subject for problem in find_problems({}, {}, {})]
    assert subjects == [
        "balancers",
        "app_servers",
        "media_servers",
        "cache_servers",
        "database_servers",
        *site.REQUIRED,
    ]


def test_one_failing_template_is_reported_once_for_all_hosts(inventory):
    set_everywhere(private_address=Unresolved("'net' is undefined"))(inventory)
    assert [problem.subject for problem in inventory.problems()] == ["private_address of lb1, app1, app2, media1, db1"]


@pytest.mark.parametrize("value", [None, 7, 1.5, True, "", "x", [], [None], {}, {"a": None}, {1: 2}])
@pytest.mark.parametrize("name", site.KINDS)
def test_no_value_makes_preflight_itself_fail(inventory, name, value):
    inventory.site[name] = value
    subjects = {problem.subject for problem in inventory.problems()}
    assert len(subjects) <= 2


@pytest.mark.parametrize("name", site.SECRETS)
def test_no_report_shows_a_secret(inventory, name):
    secret = "hunter2"
    value = {"TOKEN": [secret]} if name == "site_environment" else secret
    inventory.site[name] = value
    for host, variables in inventory.hosts.items():
        variables[name] = {"TOKEN": [host + secret]} if name == "site_environment" else host + secret
    found = inventory.problems()
    assert name in {problem.subject for problem in found}
    assert secret not in report(found)


def test_no_report_shows_the_password_of_a_url(inventory):
    inventory.site["site_source"] = "https://desk:hunter2@git.example.org/gone.git"
    found = inventory.problems()
    assert [problem.subject for problem in found] == ["site_source"]
    assert "hunter2" not in report(found)


def test_the_variables_are_those_of_the_role():
    kinds = {"str": "text", "path": "text", "list": "list", "int": "number", "dict": "mapping", "bool": "flag"}
    specs = yaml.safe_load((ROOT / "roles/site/meta/argument_specs.yml").read_text())
    options = specs["argument_specs"]["main"]["options"]
    assert {name: kinds[option["type"]] for name, option in options.items()} == site.KINDS
    assert {name for name, option in options.items() if option.get("required")} == set(site.REQUIRED)
    assert {name: tuple(option["choices"]) for name, option in options.items() if "choices" in option} == site.CHOICES
    assert {name for name, option in options.items() if option.get("no_log")} == set(site.SECRETS)


def test_the_default_of_the_database_is_that_of_the_role():
    defaults = yaml.safe_load((ROOT / "roles/postgres/defaults/main.yml").read_text())
    assert defaults["postgres_max_connections"] == capacity.MAX_CONNECTIONS


def test_without_cryptography_a_certificate_is_still_looked_at(inventory, monkeypatch):
    monkeypatch.setattr(certificate, "HAS_CRYPTOGRAPHY", False)
    own_certificate("other.example.org", spoil="key")(inventory)
    assert inventory.problems() == []
    Path(inventory.site["site_certificate"]).write_text("nonsense")
    assert [problem.subject for problem in inventory.problems()] == ["site_certificate"]


class TestLsRemote:
    """The question to git, asked of repositories on this machine."""

    @pytest.fixture
    def repository(self, tmp_path):
        """Return a repository with the branch ``trunk`` and the tag ``1.0``, made of nothing but an empty commit."""
        path = tmp_path / "repository"
        for arguments in (
            ["init", "--quiet", "--initial-branch=trunk", str(path)],
            ["-C", str(path), "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "--allow-empty", "-m", "x"],
            ["-C", str(path), "-c", "user.name=x", "-c", "user.email=x@x", "tag", "-m", "x", "1.0"],
        ):
            subprocess.run(["git", *arguments], check=True)
        return path

    def test_it_answers_with_full_and_short_names(self, repository):
        names = {"HEAD", "trunk", "refs/heads/trunk", "1.0", "refs/tags/1.0"}
        assert source.ls_remote(f"file://{repository}") == source.ls_remote(f"git+file://{repository}") == names

    def test_a_missing_repository_is_told_without_a_question(self, tmp_path):
        with pytest.raises(source.SourceError, match="does not appear to be a git repository"):
            source.ls_remote(f"file://{tmp_path}/nothing")

    def test_a_host_that_does_not_answer_is_told(self):
        with pytest.raises(source.SourceError, match=r"127\.0\.0\.1"):
            source.ls_remote("https://127.0.0.1:1/newsroom.git")

    def test_a_silent_host_does_not_keep_anybody_waiting(self, monkeypatch, tmp_path):
        slow = tmp_path / "git"
        slow.write_text("#!/bin/sh\nexec sleep 5\n")
        slow.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        monkeypatch.setattr(source, "GIT_TIMEOUT", 0.2)
        with pytest.raises(source.SourceError, match=r"no answer within 0\.2 seconds"):
            source.ls_remote(GIT)

    def test_an_option_in_place_of_a_url_does_nothing(self, tmp_path):
        with pytest.raises(source.SourceError):
            source.ls_remote(f"--upload-pack=touch {tmp_path}/owned")
        assert not (tmp_path / "owned").exists()

    def test_no_program_that_a_url_names_is_run(self, tmp_path):
        with pytest.raises(source.SourceError, match="not allowed"):
            source.ls_remote(f"ext::touch {tmp_path}/owned")
        assert not (tmp_path / "owned").exists()

    def test_a_working_directory_with_a_version_is_a_repository(self, repository, inventory):
        inventory.site.update(site_source=str(repository), site_version="trunk")
        inventory.ls_remote = source.ls_remote
        assert inventory.problems() == []
        inventory.site["site_version"] = "2.0"
        assert [problem.subject for problem in inventory.problems()] == ["site_version"]
