"""Three hosts share one directory, whatever happens to one of them."""

import os
import subprocess

import pytest
import testinfra

testinfra_hosts = ["servers"]

MOUNT = "/srv/site/media"
UNIT = "glusterfs-uploads.service"
DJANGO = "setpriv --reuid 8100 --regid 33 --clear-groups"
NGINX = "setpriv --reuid 33 --regid 33 --clear-groups"


@pytest.fixture(scope="module")
def hosts():
    """Return all hosts by their names."""
    names = ("media1", "app1", "app2", "stranger")
    return {name: testinfra.get_host(f"podman://tiered-{os.environ['LAB_NAME']}-{name}") for name in names}


def write(host, name, content, user=DJANGO):
    """Write a file into the volume, and tell whether that worked."""
    return host.run(f"{user} timeout 30 sh -c 'echo -n {content} > {MOUNT}/{name}'").rc == 0


def read(host, name, user=DJANGO):
    """Return what is in a file of the volume."""
    return host.check_output(f"{user} cat {MOUNT}/{name}")


def until(host, condition, seconds=60):
    """Wait for a condition that the host must fulfil by itself."""
    host.check_output(f"timeout {seconds} sh -c 'until {condition}; do sleep 0.5; done'")


@pytest.mark.parametrize("name", ["media1", "app1", "app2"])
def test_every_host_has_mounted_the_volume(hosts, name):
    assert hosts[name].check_output(f"findmnt -n -o SOURCE,FSTYPE {MOUNT}").split() == [
        "10.89.108.10:/uploads",
        "fuse.glusterfs",
    ]
    assert hosts[name].check_output(f"stat -c '%u %g %a' {MOUNT}") == "8100 33 2750"
    assert hosts[name].service(UNIT).is_enabled


def test_the_server_comes_back_after_a_reboot(hosts):
    assert hosts["media1"].service("glusterd").is_enabled


def test_the_server_listens_only_where_the_firewall_expects_it(hosts):
    sockets = hosts["media1"].check_output("ss -Hlntup").splitlines()
    gluster = [line.split()[4] for line in sockets if "gluster" in line]
    assert {socket.rpartition(":")[0] for socket in gluster} == {"10.89.108.10"}
    ports = sorted(int(socket.rpartition(":")[2]) for socket in gluster)
    assert ports[0] == 24007
    assert len(ports) == 2
    assert 49152 <= ports[1] <= 49251
    assert not [line for line in sockets if line.startswith("udp") and "gluster" in line]


@pytest.mark.parametrize(
    ("writer", "reader"), [("app1", "app2"), ("app2", "app1"), ("media1", "app1"), ("app1", "media1")]
)
def test_what_one_writes_the_others_read(hosts, writer, reader):
    name = f"from-{writer}-to-{reader}"
    assert write(hosts[writer], name, "first")
    assert read(hosts[reader], name) == "first"
    assert write(hosts[writer], f"{name}.new", "and second")
    hosts[writer].check_output(f"mv {MOUNT}/{name}.new {MOUNT}/{name}")
    until(hosts[reader], f'[ "$(cat {MOUNT}/{name})" = "and second" ]', seconds=5)
    hosts[writer].check_output(f"rm {MOUNT}/{name}")
    until(hosts[reader], f"[ ! -e {MOUNT}/{name} ]", seconds=5)


def test_nginx_can_read_what_django_writes_and_cannot_write(hosts):
    hosts["app1"].check_output(f"{DJANGO} sh -c 'umask 022; mkdir -p {MOUNT}/2026/11'")
    assert write(hosts["app1"], "2026/11/picture", "picture")
    assert hosts["media1"].check_output(f"stat -c '%g %a' {MOUNT}/2026/11") == "33 2755"
    assert read(hosts["media1"], "2026/11/picture", user=NGINX) == "picture"
    assert not write(hosts["media1"], "2026/11/picture", "intruder", user=NGINX)


def test_nobody_looks_into_the_brick(hosts):
    assert hosts["media1"].run(f"{DJANGO} ls /srv/gluster/uploads").rc != 0


def test_a_host_that_is_not_a_client_is_refused(hosts):
    mount = "mkdir -p /mnt/try && timeout 30 mount -t glusterfs 10.89.108.10:/uploads /mnt/try && ls /mnt/try"
    assert write(hosts["app1"], "not-for-strangers", "private")
    assert "not-for-strangers" in hosts["app2"].check_output(mount)
    hosts["app2"].check_output("umount /mnt/try")
    # The helper that mounts may be through before the server's refusal arrives, so its exit code says nothing.
    assert "not-for-strangers" not in hosts["stranger"].run(mount).stdout
    until(hosts["stranger"], "! mountpoint -q /mnt/try")


def test_a_dead_mount_comes_back(hosts):
    hosts["app1"].check_output(f"kill -KILL $(systemctl show -p MainPID --value {UNIT})")
    until(hosts["app1"], f"mountpoint -q {MOUNT}")
    assert write(hosts["app1"], "after-death", "alive")
    assert read(hosts["app2"], "after-death") == "alive"


def test_nothing_is_written_below_the_mount(hosts):
    host = hosts["app1"]
    host.check_output(f"systemctl stop {UNIT}")
    try:
        assert host.run(f"mountpoint -q {MOUNT}").rc != 0
        assert not write(host, "lost", "lost")
        assert not write(host, "lost", "lost", user="")
        assert host.check_output(f"ls -A {MOUNT}") == ""
    finally:
        host.check_output(f"systemctl start {UNIT}")
    assert read(host, "after-death") == "alive"


def test_the_hosts_outlive_their_server(hosts):
    hosts["media1"].check_output("systemctl kill --signal=KILL glusterd; systemctl stop glusterd")
    try:
        assert not write(hosts["app1"], "nowhere", "nowhere")
        assert hosts["app1"].check_output(f"findmnt -n -o FSTYPE {MOUNT}") == "fuse.glusterfs"
    finally:
        hosts["media1"].check_output("systemctl reset-failed glusterd; systemctl start glusterd")
    for name in ("app1", "app2", "media1"):
        until(hosts[name], f"echo -n back > {MOUNT}/after-server-{name}")
        assert read(hosts[name], "after-death") == "alive"
    assert read(hosts["media1"], "after-server-app1") == "back"


def test_a_host_that_boots_without_the_server_mounts_later(hosts):
    hosts["media1"].check_output("systemctl stop glusterd")
    try:
        hosts["app1"].run(f"timeout 10 systemctl restart {UNIT}")
        assert hosts["app1"].run(f"mountpoint -q {MOUNT} && ls {MOUNT}").rc != 0
        assert not write(hosts["app1"], "nowhere", "nowhere")
    finally:
        hosts["media1"].check_output("systemctl start glusterd")
    until(hosts["app1"], f"mountpoint -q {MOUNT}")
    assert read(hosts["app1"], "after-death") == "alive"
    assert not hosts["app1"].file(f"{MOUNT}/nowhere").exists


def test_everything_is_there_after_a_reboot(hosts):
    containers = [f"tiered-{os.environ['LAB_NAME']}-{name}" for name in ("app1", "media1")]
    subprocess.run(["podman", "restart", "--time=10", *containers], check=True, capture_output=True)
    for name in ("media1", "app1", "app2"):
        until(hosts[name], f"mountpoint -q {MOUNT}", seconds=150)
        until(hosts[name], f"echo -n back > {MOUNT}/after-reboot-{name}")
        assert read(hosts[name], "after-death") == "alive"
    assert read(hosts["media1"], "after-reboot-app1") == "back"
