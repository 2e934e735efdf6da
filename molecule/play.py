"""Run the collection's playbooks on the inventory under test, as an operator does who edits it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[1]
SECONDS = 600
_RECAP = re.compile(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)

# A message of Ansible, up to the empty line after it.
_ERROR = re.compile(r"^(?:fatal: |\[ERROR\]).*?(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)


@dataclass
class Run:
    """What a run of a playbook said."""

    code: int
    output: str

    @property
    def changed(self) -> set[str]:
        """The hosts that were changed."""
        return {host for host, changed, _, _ in _RECAP.findall(self.output) if int(changed)}

    @property
    def failed(self) -> set[str]:
        """The hosts on which something failed, and those that did not answer."""
        return {host for host, _, silent, failed in _RECAP.findall(self.output) if int(silent) or int(failed)}

    @property
    def trouble(self) -> str:
        """What went wrong, and the end of the output."""
        return "\n".join([*_ERROR.findall(self.output), self.output[-3000:]])

    @property
    def text(self) -> str:
        """The output without the line breaks that a terminal's width asks for."""
        return " ".join(self.output.split())


def play(playbook: str, *arguments: str, marks: dict[str, dict[str, Any]] | None = None) -> Run:
    """Run a playbook.

    :param playbook: Its name, for example ``site``.
    :param arguments: Further arguments of ansible-playbook.
    :param marks: Variables of hosts that are put into the inventory for this run.
    """
    inventories = os.environ["ANSIBLE_INVENTORY"].split(",")
    with tempfile.NamedTemporaryFile("w", suffix=".yml", prefix="marks-") as file:
        json.dump({"all": {"hosts": marks or {}}}, file)
        file.flush()
        command = ["ansible-playbook", *(f"--inventory={path.strip()}" for path in [*inventories, file.name])]
        done = subprocess.run(
            [*command, str(TOP / f"playbooks/{playbook}.yml"), *arguments],
            capture_output=True, text=True, check=False, timeout=SECONDS, env=os.environ | {"NO_COLOR": "1"},
        )  # fmt: skip
    return Run(done.returncode, done.stdout + done.stderr)
