"""Turn the source of a project into a release, on the controller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.tiered.django.plugins.module_utils.source import (
    Recipe,
    SourceError,
    default_cache,
    resolve,
    resolve_served,
)


class ActionModule(ActionBase):
    """The action behind ``tiered.django.source``; its options are documented with the module."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Resolve the source and return the facts of its release."""
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(
            argument_spec={
                "source": {"type": "str", "required": True},
                "version": {"type": "str", "default": ""},
                "directory": {"type": "str", "default": ""},
                "requirements": {"type": "str", "default": "requirements.txt"},
                "packages": {"type": "list", "elements": "str", "default": []},
                "fallbacks": {
                    "type": "list",
                    "elements": "dict",
                    "default": [],
                    "options": {
                        "package": {"type": "str", "required": True},
                        "unless": {"type": "list", "elements": "str", "required": True},
                    },
                },
                "exclude": {"type": "list", "elements": "str", "default": []},
                "revision": {"type": "str", "default": ""},
                "release": {"type": "str", "default": ""},
                "cache_directory": {"type": "path", "default": ""},
            }
        )
        recipe = Recipe(
            directory=options["directory"].strip("/"),
            requirements=options["requirements"],
            packages=tuple(options["packages"]),
            fallbacks=tuple(options["fallbacks"]),
            exclude=tuple(options["exclude"]),
            revision=options["revision"],
        )
        cache = Path(options["cache_directory"]).expanduser() if options["cache_directory"] else default_cache()
        wanted = (options["source"], options["version"], recipe, cache.absolute())
        try:
            found = resolve_served(*wanted, options["release"]) if options["release"] else resolve(*wanted)
        except SourceError as error:
            raise AnsibleActionFail(f"No release can be made: {error}") from error
        return {**result, "changed": False, **found}
