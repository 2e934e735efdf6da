#!/usr/bin/env python3
"""Boot two virtual machines, run the role on them, test it, and shut them down.

The kernel's NFS serves and mounts nothing in a container. Without hardware help, that is with an emulated processor, a
machine boots in a minute.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
CACHE = TOP / ".cache/nfs"
# Their names, and the last byte of their addresses.
MACHINES = {"server": 10, "client": 20}


def free_port(kind: socket.SocketKind) -> int:
    """Return a port of this machine that nobody uses."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Lab:
    """The two machines, from the beginning of the block to its end."""

    def __init__(self, directory: Path) -> None:
        """Keep everything that belongs to them in the directory."""
        self.directory = directory
        self.processes: list[subprocess.Popen] = []
        self.ports = {name: free_port(socket.SOCK_STREAM) for name in MACHINES}
        self.wires = {name: free_port(socket.SOCK_DGRAM) for name in MACHINES}

    def __enter__(self) -> Lab:
        """Boot them."""
        key = self.directory / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        config = "".join(
            f"Host {name}\n  HostName 127.0.0.1\n  Port {port}\n  User root\n  IdentityFile {key}\n"
            "  IdentitiesOnly yes\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n"
            "  ConnectTimeout 10\n  ServerAliveInterval 5\n  ServerAliveCountMax 6\n"
            for name, port in self.ports.items()
        )
        (self.directory / "ssh_config").write_text(config)
        hosts = "".join(
            f"{name} ansible_host={name} ansible_ssh_common_args='-F {self.directory}/ssh_config' "
            f"address=10.89.140.{number}\n"
            for name, number in MACHINES.items()
        )
        (self.directory / "inventory").write_text(hosts)
        try:
            for name in MACHINES:
                self.start(name)
            for name in MACHINES:
                self.wait(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        """Switch them off. Nothing on their disks is needed any more."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait(timeout=30)

    def start(self, name: str) -> None:
        """Switch a machine on, with a disk of its own."""
        disk = self.directory / f"{name}.disk"
        subprocess.run(["cp", "--sparse=always", str(CACHE / "disk"), str(disk)], check=True)
        write = f"write {self.directory}/key.pub /root/.ssh/authorized_keys"
        subprocess.run(["debugfs", "-w", "-R", write, str(disk)], check=True, capture_output=True)
        (other,) = MACHINES.keys() - {name}
        number = MACHINES[name]
        arguments = {
            "accel": ["tcg,thread=multi"],
            "cpu": ["max"],
            "m": ["1024"],
            "display": ["none"],
            "serial": [f"file:{self.directory}/{name}.log"],
            "kernel": [f"{CACHE}/kernel"],
            "initrd": [f"{CACHE}/initrd"],
            "append": [f"root=/dev/vda rw quiet console=ttyS0 net.ifnames=0 mitigations=off panic=1 vm={number}"],
            "drive": [f"file={disk},format=raw,if=virtio,cache=unsafe"],
            "netdev": [
                f"user,id=outside,hostfwd=tcp:127.0.0.1:{self.ports[name]}-:22",
                f"socket,id=between,udp=127.0.0.1:{self.wires[other]},localaddr=127.0.0.1:{self.wires[name]}",
            ],
            "device": [
                "virtio-net-pci,netdev=outside",
                f"virtio-net-pci,netdev=between,mac=52:54:00:00:00:{number}",
                "virtio-rng-pci",
            ],
        }
        words = [word for option, values in arguments.items() for value in values for word in (f"-{option}", value)]
        command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", *words]
        self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))

    def wait(self, name: str, seconds: float = 240) -> None:
        """Wait until a machine lets us in."""
        command = ["ssh", "-F", str(self.directory / "ssh_config"), name, "true"]
        end = time.monotonic() + seconds
        while subprocess.run(command, check=False, capture_output=True, timeout=60).returncode:
            if time.monotonic() > end:
                log = (self.directory / f"{name}.log").read_text(errors="replace")
                raise TimeoutError(f"{name} is not there after {seconds} s.\n{log[-3000:]}")
            time.sleep(1)

    @property
    def environment(self) -> dict[str, str]:
        """Return what playbooks and tests need to know."""
        return os.environ | {
            "ANSIBLE_CONFIG": f"{TOP}/ansible.cfg",
            "ANSIBLE_FORCE_COLOR": "false",
            "ANSIBLE_INVENTORY": f"{self.directory}/inventory",
            "NFS_LAB": str(self.directory),
        }


def converge(lab: Lab, *arguments: str, changes: bool) -> None:
    """Run the role, and see whether it changes what it should."""
    command = ["ansible-playbook", "--diff", str(HERE / "converge.yml"), *arguments]
    started = time.monotonic()
    done = subprocess.run(
        command,
        env=lab.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=600,
    )
    changed = {int(number) > 0 for number in re.findall(r"changed=(\d+)", done.stdout)}
    if done.returncode or changed != {changes}:
        sys.exit(f"{done.stdout}\n{' '.join(command)}: status {done.returncode}, changes {changed}, wanted {changes}")
    print(f"{' '.join(arguments) or 'converge'}: {time.monotonic() - started:.0f} s", flush=True)


def main() -> int:
    """Do all of it."""
    # Who is told to stop takes the machines with him.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    CACHE.mkdir(parents=True, exist_ok=True)
    subprocess.run([str(HERE / "image"), str(CACHE)], check=True, timeout=900)
    with tempfile.TemporaryDirectory(prefix="tiered-nfs-") as directory:
        started = time.monotonic()
        with Lab(Path(directory)) as lab:
            print(f"boot: {time.monotonic() - started:.0f} s", flush=True)
            converge(lab, "--check", changes=True)
            converge(lab, changes=True)
            converge(lab, changes=False)
            converge(lab, "--check", changes=False)
            command = [
                "pytest",
                "-p",
                "no:cacheprovider",
                "-v",
                "--durations=0",
                "--durations-min=5",
                str(HERE / "tests"),
            ]
            return subprocess.run([*command, *sys.argv[1:]], env=lab.environment, check=False, timeout=3000).returncode


if __name__ == "__main__":
    sys.exit(main())
