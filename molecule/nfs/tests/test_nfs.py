"""A server and a client share a directory, whatever happens to one of them."""

import re
import shlex

import pytest
from share import DATA, DJANGO, MOUNT, UNIT, Run, Upload, boot_id, host, mounted, reboot, until, up

SOURCE = "10.89.140.10:/srv/nfs/uploads/data"


@pytest.fixture(scope="module")
def server():
    return host("server")


@pytest.fixture(scope="module")
def client():
    return host("client")


def write(machine, name, content, user=DJANGO):
    """Write a file into the share, and tell whether that worked."""
    return machine.run(f"{user} timeout 30 sh -c 'echo -n {content} > {MOUNT}/{name}'").rc == 0


def property_of(machine, unit, name):
    """Return what systemd knows of a unit."""
    return machine.check_output(f"systemctl show --property={name} --value {unit}")


def test_the_share_is_mounted_on_both(server, client):
    source, kind, options = client.check_output(f"findmnt -n -o SOURCE,FSTYPE,OPTIONS {MOUNT}").split()
    assert (source, kind) == (SOURCE, "nfs4")
    wanted = {"vers=4.2", "hard", "proto=tcp", "nosuid", "nodev", "noexec", "lookupcache=pos"}
    assert wanted <= set(options.split(","))
    # Through the network the server could lock itself up.
    assert server.check_output(f"findmnt -n -o FSTYPE {MOUNT}") == "ext4"
    assert {"nosuid", "nodev", "noexec"} <= set(server.check_output(f"findmnt -n -o VFS-OPTIONS {MOUNT}").split(","))
    for machine in (server, client):
        assert machine.check_output(f"stat -c '%u %g %a' {MOUNT}") == "8100 33 2750"
        assert machine.service(UNIT).is_enabled
        assert machine.service(UNIT).is_running
    assert server.service("nfs-server").is_enabled


def test_nothing_listens_but_the_port_of_version_4_on_the_servers_address(server, client):
    listeners = [line.split() for line in server.check_output("ss -Hlntu").splitlines()]
    assert {(kind, local) for kind, _, _, _, local, *_ in listeners if not local.endswith(":22")} == {
        ("tcp", "10.89.140.10:2049")
    }
    assert [line for line in client.check_output("ss -Hlntu").splitlines() if not re.search(r":22\s", line)] == []
    assert server.check_output("cat /proc/fs/nfsd/versions") == "-3 +4 -4.0 +4.1 +4.2"


@pytest.mark.parametrize(("writer", "reader"), [("server", "client"), ("client", "server")])
def test_what_one_writes_the_other_reads_and_it_belongs_to_the_writer(server, writer, reader):
    name = f"from-{writer}"
    assert write(host(writer), name, "first")
    assert host(reader).check_output(f"{DJANGO} cat {MOUNT}/{name}") == "first"
    assert server.check_output(f"stat -c '%u %g' {DATA}/{name}") == "8100 33"
    host(writer).check_output(f"{DJANGO} sh -c 'echo -n second > {MOUNT}/new && mv {MOUNT}/new {MOUNT}/{name}'")
    host(reader).check_output(f"{DJANGO} rm {MOUNT}/{name}")
    assert host(writer).run(f"{DJANGO} stat {MOUNT}/{name}").rc != 0


def test_a_file_is_there_for_who_has_looked_for_it_before(server, client):
    assert write(client, "here", "x")
    # lookupcache=positive promises that; without it, it depends on what else the client has looked at.
    command = f"{DJANGO} stat {MOUNT}/later"
    assert client.run(command).rc != 0
    assert write(server, "later", "x")
    assert client.run(command).rc == 0


def test_groups_of_the_client_count_and_not_those_of_an_account_on_the_server(server, client):
    server.check_output("getent passwd 8101 || echo other:x:8101:8101::/:/bin/false >> /etc/passwd")
    assert write(client, "group", "x")
    client.check_output(f"{DJANGO} chmod 0640 {MOUNT}/group")
    assert client.run(f"setpriv --reuid 8101 --regid 8101 --groups 33 cat {MOUNT}/group").stdout == "x"
    assert client.run(f"setpriv --reuid 8101 --regid 8101 --clear-groups cat {MOUNT}/group").rc != 0


def test_root_of_a_client_is_nobody(client):
    assert not write(client, "root", "x", user="")
    assert client.run(f"{DJANGO} ls {MOUNT}/root").rc != 0


def test_only_named_clients_can_mount(client):
    command = f"timeout 60 mount -t nfs4 -o nfsvers=4.2,retry=0 {SOURCE} /mnt"
    try:
        client.check_output("systemctl stop nfs-uploads")
        client.check_output(
            "ip addr add 10.89.140.66/24 dev eth1 && ip route change 10.89.140.0/24 dev eth1 src 10.89.140.66"
        )
        refused = client.run(command)
        client.check_output("ip route change 10.89.140.0/24 dev eth1 src 10.89.140.20")
        client.check_output(f"{command} && umount /mnt")
    finally:
        client.run("ip route change 10.89.140.0/24 dev eth1 src 10.89.140.20; ip addr del 10.89.140.66/24 dev eth1")
        client.check_output("systemctl start nfs-uploads")
    assert refused.rc != 0
    assert re.search("access denied|No such file|not permitted", refused.stderr)


def test_no_file_gets_below_the_mount(server, client):
    for machine in (client, server):
        try:
            machine.check_output(f"systemctl stop {UNIT}")
            assert machine.run(f"findmnt --mountpoint {MOUNT}").rc != 0
            for user in (DJANGO, ""):
                assert not write(machine, "below", "x", user=user)
            assert machine.check_output(f"ls -A {MOUNT}") == ""
        finally:
            machine.check_output(f"systemctl start {UNIT}")
        assert machine.run(f"findmnt --mountpoint {MOUNT}").rc == 0


def test_a_mount_that_somebody_takes_away_comes_back(client):
    client.check_output(f"umount {MOUNT}")
    until(lambda: mounted("client"), 20)


def test_another_list_of_clients_interrupts_nobody(server, client):
    before = [property_of(server, "nfs-server", "ActiveEnterTimestamp"), property_of(client, UNIT, "MainPID")]
    clients = [{"name": "client", "address": "10.89.140.20"}, {"name": "more", "address": "10.89.140.66"}]
    with Upload() as upload:
        run = Run(nfs_clients=clients)
        assert run.worked, run.output
        assert run.changed == {"server"}
        assert set(re.findall(r"10\.89\.140\.\d+", server.check_output("exportfs -s"))) == {
            "10.89.140.20",
            "10.89.140.66",
        }
        assert [
            property_of(server, "nfs-server", "ActiveEnterTimestamp"),
            property_of(client, UNIT, "MainPID"),
        ] == before
        upload.goes_on()
    assert upload.failures == []


def test_without_clients_nobody_can_mount(server, client):
    try:
        assert Run(limit="server", nfs_clients=[]).worked
        assert server.check_output("exportfs -s") == ""
        assert client.run(f"timeout 60 mount -t nfs4 -o nfsvers=4.2,retry=0 {SOURCE} /mnt").rc != 0
    finally:
        assert Run(limit="server").worked
    until(lambda: client.run(f"{DJANGO} ls {MOUNT}").rc == 0)


def test_other_options_reach_the_mount_and_nobody_loses_a_file(client):
    with Upload() as upload:
        run = Run(limit="client", nfs_options="hard,nfsvers=4.2,proto=tcp,timeo=70,retrans=2,lookupcache=positive")
        assert run.worked, run.output
        assert "timeo=70" in client.check_output(f"findmnt -n -o OPTIONS {MOUNT}")
        assert Run(limit="client").worked
        assert "timeo=50" in client.check_output(f"findmnt -n -o OPTIONS {MOUNT}")
    assert upload.missing("server") == []


def test_a_client_waits_for_a_server_that_is_stopped_and_goes_on(server):
    with Upload() as upload:
        server.check_output("systemctl stop nfs-server && sleep 20 && systemctl start nfs-server")
        upload.goes_on(60)
    assert upload.failures == []
    assert upload.slowest > 15
    assert upload.missing("server") == upload.missing("client") == []


def test_a_server_that_loses_its_power_has_every_file_that_it_has_acknowledged(server):
    before = boot_id("server")
    with Upload() as upload:
        reboot("server", "echo b > /proc/sysrq-trigger")
        until(lambda: boot_id("server") not in ("", before), 240)
        upload.goes_on(240)
    assert upload.failures == []
    assert upload.missing("server") == upload.missing("client") == []
    assert host("server").run(f"findmnt --mountpoint {MOUNT}").rc == 0


def test_a_client_reboots_without_its_server_and_mounts_when_that_is_back(server, client):
    # Systemd must let the users of the share stop before it unmounts.
    unit = "\n".join(
        [
            *["[Unit]", f"After={UNIT}", f"Wants={UNIT}", "[Service]", "Type=oneshot", "RemainAfterExit=yes"],
            *["ExecStart=/bin/true", f"ExecStop=/usr/bin/{DJANGO} sh -c 'sleep 3; echo -n late > {MOUNT}/late'"],
        ]
    )
    path = "/etc/systemd/system/late.service"
    client.check_output(f"echo {shlex.quote(unit)} > {path} && systemctl daemon-reload && systemctl start late")
    before = boot_id("client")
    reboot("client", "systemctl reboot")
    until(lambda: not up("client"), 60)
    until(lambda: server.file(f"{DATA}/late").exists, 30)
    server.check_output("systemctl stop nfs-server")
    try:
        until(lambda: boot_id("client") not in ("", before), 240)
        assert not mounted("client")
        assert not write(client, "below", "x")
    finally:
        server.check_output("systemctl start nfs-server")
    until(lambda: mounted("client"), 120)
    assert client.check_output(f"{DJANGO} cat {MOUNT}/late") == "late"


def test_files_below_the_mount_are_refused_and_stay(client):
    try:
        client.check_output(f"systemctl stop {UNIT} && chattr -i {MOUNT} && touch {MOUNT}/local")
        run = Run(limit="client")
        assert not run.worked
        assert f"{MOUNT} is a local directory with files in it" in run.output
        assert client.file(f"{MOUNT}/local").exists
        assert client.run(f"systemctl start {UNIT}").rc != 0
    finally:
        client.check_output(f"systemctl stop {UNIT}; rm -f {MOUNT}/local; systemctl start {UNIT}")


def test_a_missing_disk_is_an_error_and_not_an_empty_share(server, client):
    try:
        server.check_output(f"mv {DATA} {DATA}.away")
        run = Run(limit="server")
        assert not run.worked
        assert f"{DATA} is exported, but not there" in run.output
        assert not server.file(DATA).exists
        assert server.run(f"systemctl restart {UNIT}").rc != 0
    finally:
        server.check_output(f"mv {DATA}.away {DATA}; systemctl restart {UNIT}; exportfs -r")
    until(lambda: client.run(f"{DJANGO} ls {MOUNT}").rc == 0)


def test_what_is_mounted_by_somebody_else_is_left_alone(client):
    try:
        client.check_output("mkdir -p /srv/other && mount -t tmpfs tmpfs /srv/other")
        run = Run(limit="client", nfs_name="other", nfs_mount="/srv/other")
        assert not run.worked
        assert "/srv/other is the mount point of something else: tmpfs of tmpfs" in run.output
    finally:
        client.check_output("umount /srv/other")


def test_a_mount_that_fails_says_why(client):
    try:
        run = Run(limit="client", nfs_name="other", nfs_mount="/srv/other", nfs_source="10.89.140.10:/nothing")
        assert not run.worked
        assert "/srv/other is not mounted: mount.nfs4:" in run.output
        assert "nfs_source" in run.output
    finally:
        assert Run(limit="client", nfs_name="other", nfs_mount="/srv/other", share_entry="leave").worked


# Last, for afterwards nothing is mounted.
def test_a_server_does_not_leave_before_its_clients(server, client):
    assert write(client, "stays", "x")
    run = Run(limit="server", share_entry="leave")
    assert not run.worked
    assert "10.89.140.20 still mount the share uploads" in run.output

    run = Run(limit="client", share_entry="leave")
    assert run.worked, run.output
    assert not mounted("client")
    assert not client.file(f"/etc/systemd/system/{UNIT}").exists
    assert not write(client, "below", "x")
    assert Run(limit="client", share_entry="leave").changed == set()

    run = Run(limit="server", share_entry="leave")
    assert run.worked, run.output
    assert not mounted("server")
    assert not server.service("nfs-server").is_running
    assert server.check_output("ss -Hlnt 'sport = 2049'") == ""
    assert server.check_output(f"cat {DATA}/stays") == "x"
    assert Run(limit="server", share_entry="leave").changed == set()
