"""The volume grows, loses servers and shrinks while it is in use. Each test goes on with what the last has left."""

import pytest
from volume import (
    ADDRESSES,
    DATA,
    MOUNT,
    Run,
    Uploads,
    bricks,
    host,
    missing,
    mounted_by,
    pending,
    podman,
    shell,
    until,
)
from volume import container as container_of

testinfra_hosts = ["media1"]
BOTH = ("media1", "media2")
CLIENTS = ("app1", "app2")


@pytest.fixture(scope="module")
def kept():
    """Collect all files that were ever acknowledged."""
    return []


@pytest.fixture
def whole(kept):
    """Check that servers and clients have every file."""

    def check(*servers):
        for name in servers:
            assert missing(name, kept, below=DATA) == [], f"{name} lacks copies"
        for name in CLIENTS:
            assert missing(name, kept) == [], f"{name} cannot read all"

    return check


def test_a_second_server_gets_every_file_while_people_upload(kept, whole):
    before = [mounted_by(name) for name in CLIENTS]
    with Uploads() as uploads:
        run = Run(*BOTH)
    assert run.worked, run.output
    assert uploads.failures == []
    kept += uploads.acknowledged
    assert bricks("media1") == set(BOTH)
    whole(*BOTH)
    assert [mounted_by(name) for name in CLIENTS] == before
    for name in CLIENTS:
        assert ADDRESSES["media2"] in host(name).file("/etc/systemd/system/glusterfs-uploads.service").content_string


def test_nothing_is_left_to_do():
    assert Run(*BOTH).changed == set()
    assert Run(*BOTH, check=True).changed == set()


def test_a_host_that_has_vanished_from_the_inventory_keeps_its_copy():
    run = Run("media1")
    assert not run.worked
    assert f"has a copy on {ADDRESSES['media2']}, which is not in glusterfs_servers" in run.output
    assert bricks("media1") == set(BOTH)


def test_uploads_go_on_when_a_server_dies(kept, whole):
    with Uploads() as uploads:
        podman("kill", container_of("media2"))
        refused = Run(*BOTH, volume_hosts="media1:clients")
        absent = Run(*BOTH, volume_hosts="media1:clients", volume_absent=("media2",))
        podman("start", container_of("media2"))
        until(lambda: host("media2").run("systemctl is-active glusterd").rc == 0)
    assert uploads.failures == []
    assert uploads.longest < 3
    assert f"glusterd does not answer at {ADDRESSES['media2']}" in refused.output
    assert absent.worked, absent.output
    assert bricks("media1") == set(BOTH)
    kept += uploads.acknowledged
    until(lambda: not pending("media1"))
    whole(*BOTH)


def test_a_brick_that_has_died_comes_back_with_the_next_run():
    # Of GlusterFS's processes only a brick is called so.
    host("media1").check_output("kill -KILL $(pidof glusterfsd)")
    shell("app1", f"echo new > {MOUNT}/only-on-media2")
    run = Run(*BOTH)
    assert run.worked, run.output
    until(lambda: not pending("media1"))
    assert host("media1").file(f"{DATA}/only-on-media2").content_string == "new\n"
