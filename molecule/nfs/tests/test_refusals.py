"""A wrong argument gets one clear error, before anything is done."""

import pytest
from share import Run


@pytest.mark.parametrize(
    ("machine", "arguments", "error"),
    [
        ("client", {"nfs_name": "server"}, 'nfs_name ("server") must'),
        ("client", {"nfs_name": "up loads"}, 'nfs_name ("up loads") must'),
        ("client", {"nfs_mount": "media"}, 'nfs_mount ("media") must be an absolute path'),
        ("client", {"nfs_mount": "/srv/%n"}, 'nfs_mount ("/srv/%n") must be an absolute path'),
        ("client", {"nfs_source": ""}, 'nfs_source ("") must'),
        ("client", {"nfs_source": "10.89.140.10"}, 'nfs_source ("10.89.140.10") must'),
        ("client", {"nfs_source": "fd00::1:/data"}, 'nfs_source ("fd00::1:/data") must'),
        ("client", {"nfs_source": "127.0.0.1:/data"}, "nfs_source (127.0.0.1:/data) is this host itself"),
        ("client", {"nfs_options": "hard, soft"}, 'nfs_options ("hard, soft") must'),
        ("server", {"nfs_directory": "data"}, 'nfs_directory ("data") must be an absolute path'),
        ("server", {"nfs_mount": "/srv/nfs/uploads/data"}, "must not lie in each other"),
        ("server", {"nfs_directory": "/srv/site/my-media/disk"}, "must not lie in each other"),
        ("server", {"nfs_address": ""}, 'nfs_address ("") of a server must'),
        ("server", {"nfs_address": "127.0.0.1"}, 'nfs_address ("127.0.0.1") of a server must'),
        ("server", {"nfs_clients": [{"name": "all", "address": "*"}]}, 'the address of all ("*") must'),
        (
            "server",
            {"nfs_clients": [{"name": "net", "address": "10.0.0.0/8"}]},
            'the address of net ("10.0.0.0/8") must',
        ),
    ],
)
def test_a_wrong_argument_is_refused(machine, arguments, error):
    run = Run(limit=machine, **arguments)
    assert not run.worked
    assert error in run.output.replace('\\"', '"')
    assert run.changed == set()
