"""Ask a host how it is, and take silence for an answer."""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """The controller's side of ``tiered.django.host_status``; its options are documented with the module."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module, and compare the host's clock with this one."""
        result = super().run(tmp, task_vars)
        result["changed"] = False
        before = time.time()
        try:
            answer = self._execute_module(task_vars=task_vars)
        # A connection that fails, a user who may not become root, a host without Python.
        except AnsibleError as error:
            answer = {"failed": True, "msg": str(error)}
        after = time.time()
        if answer.get("failed") or answer.get("unreachable"):
            words = " ".join(str(answer.get(key) or "") for key in ("msg", "module_stderr"))
            return {**result, "silent": " ".join(words.split())[:300] or "it does not say why"}
        # The answer was made at some time between the two.
        clock = answer.pop("clock")
        answer["clock_off"] = round(max(clock - after, 0) + min(clock - before, 0), 1)
        return {**result, **answer}
