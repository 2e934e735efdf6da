"""Write all files of a service and tell whether the running service has read them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_config
short_description: Write all files of a service and tell whether the running service has read them
version_added: 0.1.0
author: tiered.django contributors
description:
  - Writes the complete set of files that one service is configured by, in one step, each file atomically.
  - With O(unit) it also compares the files with the running unit. The result is C(changed) when the unit is not
    enabled, not active, waits for a daemon reload, or was last (re)started or reloaded before the newest of the files
    was written. A handler that a failed run has lost is therefore notified again by the next run.
  - It never starts, stops or reloads anything. That is the notified handler's work.
options:
  directories:
    description: Directories to make, before the files are written.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Path of the directory.
        type: path
        required: true
      owner:
        description: Name or numeric id of the owner.
        type: str
        default: root
      group:
        description: Name or numeric id of the group.
        type: str
        default: root
      mode:
        description: Permissions, as an octal string.
        type: str
        default: "0755"
  files:
    description: Files to write, after O(secret_files). Their differences are shown with C(--diff).
    type: list
    elements: dict
    default: []
    suboptions: &file
      dest:
        description: Path of the file.
        type: path
        required: true
      content:
        description: The whole content of the file.
        type: str
        required: true
      owner:
        description: Name or numeric id of the owner.
        type: str
        default: root
      group:
        description: Name or numeric id of the group.
        type: str
        default: root
      mode:
        description: Permissions, as an octal string. The default is V(0644), and V(0600) for O(secret_files).
        type: str
      validate:
        description:
          - Command that checks the new content before it takes the place of the old. C(%s) stands for the path of the
            new content. The command is split into words, no shell is involved.
          - In check mode a missing program is not an error, for it may not be installed yet.
        type: str
  secret_files:
    description: As O(files), for content that must never be shown in output, logs or differences.
    type: list
    elements: dict
    default: []
    suboptions: *file
  absent:
    description: Files that must not exist.
    type: list
    elements: path
    default: []
  unit:
    description: The systemd unit that reads the files.
    type: str
  applied_by:
    description: What makes the unit read its files.
    type: str
    choices: [reload, restart]
    default: reload
attributes:
  check_mode:
    description: Can run in check mode and return changed status without changing anything.
    support: full
  diff_mode:
    description: Shows the differences of O(files), and only the names of O(secret_files).
    support: full
notes:
  - M(ansible.builtin.template) takes two executions on the host for each file and cannot tell whether a service has
    read it. This module takes one execution for all files of a service and for the state of the unit.
"""

EXAMPLES = r"""
- name: Configure memcached
  tiered.django.service_config:
    unit: memcached.service
    applied_by: restart
    files:
      - dest: /etc/memcached.conf
        content: "{{ lookup('ansible.builtin.template', 'memcached.conf.j2') }}"
  notify: Restart memcached
"""

RETURN = r"""
changed_files:
  description: Paths of the files and directories that were made, changed or removed.
  type: list
  elements: str
  returned: success
  sample: [/etc/memcached.conf]
stale:
  description: Why the running unit does not yet run with these files, empty when it does.
  type: str
  returned: success
  sample: memcached.service is not enabled
"""

import datetime
import grp
import os
import pwd
import shlex
import tempfile

from ansible.module_utils.basic import AnsibleModule

# What `systemctl is-enabled` calls a unit that comes back by itself after a reboot.
ENABLED = frozenset({"alias", "enabled", "enabled-runtime", "generated", "indirect", "linked", "static"})
PROPERTIES = (
    "LoadState",
    "ActiveState",
    "UnitFileState",
    "NeedDaemonReload",
    "ConditionResult",
    "ConditionTimestamp",
    "ReloadResult",
    "ActiveEnterTimestamp",
    "StateChangeTimestamp",
)


def seconds_since_epoch(timestamp: str) -> float:
    """Convert a time as printed by ``systemctl show --timestamp=us+utc``.

    :param timestamp: For example ``Sat 2026-11-21 01:31:03.123456 UTC``; empty when the event never happened.
    :returns: Seconds since the epoch, 0 when the event never happened.
    """
    if not timestamp.strip():
        return 0.0
    _weekday, date, time, _zone = timestamp.split()
    moment = datetime.datetime.strptime(f"{date} {time}", "%Y-%m-%d %H:%M:%S.%f")
    return moment.replace(tzinfo=datetime.timezone.utc).timestamp()


def why_stale(unit: str, state: dict[str, str], applied_by: str, newest: float) -> str:
    """Tell why a unit does not run with the files that are on the disk.

    :param unit: Name of the unit.
    :param state: Properties of the unit, as in ``PROPERTIES``.
    :param applied_by: ``reload`` or ``restart``: what makes the unit read its files.
    :param newest: When the newest of the files was written, in seconds since the epoch.
    :returns: The reason in words, empty when the unit runs with the files.
    """
    if state.get("LoadState") != "loaded":
        return f"{unit} is not there yet"
    if state["UnitFileState"] not in ENABLED:
        return f"{unit} is not enabled"
    if state["NeedDaemonReload"] == "yes":
        return f"systemd has not read the files of {unit} since they changed"
    if state["ActiveState"] != "active":
        # A unit whose start condition was tried and does not hold (the clock in a container) is as it should be.
        if state["ActiveState"] == "inactive" and state["ConditionTimestamp"] and state["ConditionResult"] == "no":
            return ""
        return f"{unit} is {state['ActiveState']}"
    if state.get("ReloadResult", "success") != "success":
        return f"the last reload of {unit} failed"
    since = "ActiveEnterTimestamp" if applied_by == "restart" else "StateChangeTimestamp"
    if seconds_since_epoch(state[since]) < newest:
        return f"{unit} has not read its files since they changed"
    return ""


class QuietModule(AnsibleModule):
    """A module that keeps its arguments out of the host's journal."""

    def _log_invocation(self) -> None:
        """Log nothing: a secret with quotes or line breaks is escaped there, and no_log does not recognize it."""


class ServiceConfig:
    """One run of the module."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.changed_files: list[str] = []
        self.diff: list[dict[str, str]] = []
        self.newest = 0.0

    def run(self) -> dict:
        """Bring the host to the wanted state and return the result of the module."""
        parameters = self.module.params
        for directory in parameters["directories"]:
            self.make_directory(directory)
        for wanted in parameters["secret_files"]:
            self.write_file(wanted, mode="0600", secret=True)
        for wanted in parameters["files"]:
            self.write_file(wanted, mode="0644", secret=False)
        for path in parameters["absent"]:
            self.remove_file(path)
        stale = ""
        if parameters["unit"]:
            state = self.unit_state(parameters["unit"])
            stale = why_stale(parameters["unit"], state, parameters["applied_by"], self.newest)
        if stale:
            self.diff.append({"prepared": f"{stale}\n"})
        return {
            "changed": bool(self.changed_files or stale),
            "changed_files": self.changed_files,
            "stale": stale,
            "diff": self.diff,
        }

    def make_directory(self, wanted: dict) -> None:
        """Make a directory with its parents and give it its owner and mode."""
        path = wanted["path"]
        if os.path.lexists(path) and not os.path.isdir(path):
            self.module.fail_json(msg=f"{path} must be a directory, but something else is there. Move it away.")
        if not os.path.isdir(path):
            self.note(path, before="absent\n", after="directory\n")
            if self.module.check_mode:
                return
            os.makedirs(path, exist_ok=True)
        self.set_attributes(path, wanted, wanted["mode"])

    def write_file(self, wanted: dict, mode: str, secret: bool) -> None:
        """Give a file its content, owner and mode."""
        path, content = wanted["dest"], wanted["content"].encode("utf-8", "surrogateescape")
        if os.path.isdir(path):
            self.module.fail_json(msg=f"{path} must be a file, but a directory is there. Move it away.")
        mode = wanted["mode"] or mode
        before = None
        if os.path.exists(path):
            with open(path, "rb") as file:
                before = file.read()
        if before != content:
            shown = ("<secret>\n", "<new secret>\n") if secret else (self.text(before), self.text(content))
            self.note(path, before=shown[0], after=shown[1])
            self.replace(wanted, content, mode)
        if os.path.exists(path):
            self.set_attributes(path, wanted, mode)
            self.newest = max(self.newest, os.stat(path).st_mtime)

    def replace(self, wanted: dict, content: bytes, mode: str) -> None:
        """Check the new content and put it in the place of the old, in one atomic step."""
        directory, name = os.path.split(wanted["dest"])
        if not os.path.isdir(directory) and not self.module.check_mode:
            self.module.fail_json(msg=f"{wanted['dest']} cannot be written: the directory {directory} is not there.")
        staging = self.module.tmpdir if self.module.check_mode else directory
        handle, new = tempfile.mkstemp(dir=staging, prefix=".", suffix=os.path.splitext(name)[1])
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            if wanted["validate"]:
                self.check(wanted["dest"], wanted["validate"], new)
            if self.module.check_mode:
                return
            # The owner and the mode go first, so that a secret is never readable for a moment.
            uid, gid = self.ids(wanted)
            os.chown(new, uid, gid)
            os.chmod(new, int(mode, 8))
            os.replace(new, wanted["dest"])
        finally:
            if os.path.exists(new):
                os.unlink(new)

    def check(self, path: str, command: str, new: str) -> None:
        """Run the checker of a file on its new content."""
        words = shlex.split(command)
        if self.module.get_bin_path(words[0]) is None and self.module.check_mode:
            return
        words = [new if word == "%s" else word.replace("%s", new) for word in words]
        code, out, err = self.module.run_command(words)
        if code != 0:
            self.module.fail_json(
                msg=f"{path} was left as it is, because its new content is not valid: {(err or out).strip()}",
                rc=code,
                stdout=out,
                stderr=err,
            )

    def remove_file(self, path: str) -> None:
        """Remove a file or a link."""
        if not os.path.lexists(path):
            return
        self.note(path, before="present\n", after="absent\n")
        if not self.module.check_mode:
            os.unlink(path)

    def set_attributes(self, path: str, wanted: dict, mode: str) -> None:
        """Give a path its owner, group and mode."""
        now = os.stat(path)
        uid, gid = self.ids(wanted)
        if (now.st_uid, now.st_gid, now.st_mode & 0o7777) == (uid, gid, int(mode, 8)):
            return
        self.note(
            path,
            before=f"owner {now.st_uid}, group {now.st_gid}, mode {now.st_mode & 0o7777:04o}\n",
            after=f"owner {uid}, group {gid}, mode {int(mode, 8):04o}\n",
        )
        if not self.module.check_mode:
            os.chown(path, uid, gid)
            os.chmod(path, int(mode, 8))

    def ids(self, wanted: dict) -> tuple[int, int]:
        """Look up the numeric ids of owner and group; in check mode they may not exist yet."""
        found = []
        for kind, name, look_up in (("user", wanted["owner"], pwd.getpwnam), ("group", wanted["group"], grp.getgrnam)):
            try:
                found.append(int(name) if name.isdigit() else look_up(name)[2])
            except KeyError:
                if not self.module.check_mode:
                    path = wanted.get("dest", wanted.get("path"))
                    self.module.fail_json(msg=f"{path} is to belong to the {kind} {name}, which is not on this host.")
                found.append(-1)
        return found[0], found[1]

    def unit_state(self, unit: str) -> dict[str, str]:
        """Read the properties of a unit."""
        systemctl = self.module.get_bin_path("systemctl", required=True)
        command = [systemctl, "show", "--timestamp=us+utc", f"--property={','.join(PROPERTIES)}", "--", unit]
        _code, out, _err = self.module.run_command(command, check_rc=True)
        return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)

    def note(self, path: str, before: str, after: str) -> None:
        """Remember a change."""
        if path not in self.changed_files:
            self.changed_files.append(path)
        self.diff.append({"before_header": path, "after_header": path, "before": before, "after": after})

    @staticmethod
    def text(content: bytes | None) -> str:
        """Show content as text."""
        return "" if content is None else content.decode("utf-8", "replace")


def file_options(secret: bool) -> dict:
    """Return the argument spec of a file; the content of a secret one is kept out of every log."""
    return {
        "type": "list",
        "elements": "dict",
        "default": [],
        "no_log": False,
        "options": {
            "dest": {"type": "path", "required": True},
            "content": {"type": "str", "required": True, "no_log": secret},
            "owner": {"type": "str", "default": "root"},
            "group": {"type": "str", "default": "root"},
            "mode": {"type": "str"},
            "validate": {"type": "str"},
        },
    }


def main() -> None:
    """Run the module."""
    module = QuietModule(
        argument_spec={
            "directories": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "path", "required": True},
                    "owner": {"type": "str", "default": "root"},
                    "group": {"type": "str", "default": "root"},
                    "mode": {"type": "str", "default": "0755"},
                },
            },
            "files": file_options(secret=False),
            "secret_files": file_options(secret=True),
            "absent": {"type": "list", "elements": "path", "default": []},
            "unit": {"type": "str"},
            "applied_by": {"type": "str", "choices": ["reload", "restart"], "default": "reload"},
        },
        supports_check_mode=True,
    )
    module.exit_json(**ServiceConfig(module).run())


if __name__ == "__main__":
    main()
