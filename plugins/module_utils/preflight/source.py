"""Problems of the source: whether there is a Django project where the variables say."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ansible_collections.tiered.django.plugins.module_utils.source import SourceError, kind_of, read_archive

from .problem import Problem
from .site import DOTTED_NAME

GIT_TIMEOUT = 20
_COMMIT = re.compile(r"[0-9a-f]{7,64}")

# Takes a URL or the path of a repository, returns the names of its references; raises SourceError.
LsRemote = Callable[[str], Collection[str]]


def without_password(url: str) -> str:
    """Return a URL without the user and password in it."""
    return re.sub(r"://[^/@]*@", "://", url)


def ls_remote(url: str) -> set[str]:
    """Ask a git repository for its references, without ever asking the user for anything.

    :param url: A URL, or the path of a repository.
    :returns: The names of branches and tags, in full (``refs/tags/1.0``) and short (``1.0``), and ``HEAD``.
    :raises SourceError: git is missing, does not answer in time, or refuses.
    """
    environment = {
        "GIT_SSH_COMMAND": f"ssh -o BatchMode=yes -o ConnectTimeout={GIT_TIMEOUT // 2}",
        **os.environ,
        "GIT_TERMINAL_PROMPT": "0",
        # Other transports run whatever program a URL names.
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "LC_ALL": "C.UTF-8",
    }
    # The variables of a surrounding git command (a hook) would lead to the wrong repository.
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        environment.pop(name, None)
    try:
        answer = subprocess.run(
            ["git", "ls-remote", "--", url.removeprefix("git+")],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=GIT_TIMEOUT,
            check=False,
        )
    except FileNotFoundError:
        raise SourceError("git is not installed on this machine") from None
    except subprocess.TimeoutExpired:
        raise SourceError(f"no answer within {GIT_TIMEOUT} seconds") from None
    if answer.returncode != 0:
        # ssh tells its reason before git does.
        reasons = [line.strip() for line in without_password(answer.stderr).splitlines() if line.strip()]
        raise SourceError(reasons[0] if reasons else f"git ends with status {answer.returncode}")
    full = {line.split("\t")[1].removesuffix("^{}") for line in answer.stdout.splitlines() if "\t" in line}
    return full | {re.sub(r"^refs/(heads|tags)/", "", name) for name in full}


def problems(site: Mapping[str, Any], ask: LsRemote = ls_remote) -> Iterator[Problem]:
    """Find what is wrong with the source and with the variables that point into it.

    :param site: The site's variables by their full names; those without a good value are left out.
    :param ask: What answers for git repositories.
    """
    outside = []
    for variable in ("site_project_directory", "site_requirements"):
        path = PurePosixPath(site.get(variable, ""))
        if path.is_absolute() or ".." in path.parts:
            outside.append(variable)
            yield Problem(
                variable, f"{str(path)!r} leads out of the source", "Write it relative to the source, without '..'."
            )
    source, version = site.get("site_source"), site.get("site_version", "")
    if source is None:
        return
    path = Path(source).expanduser()
    try:
        kind = kind_of(source)
        if kind == "git" or (version and kind == "directory" and (path / ".git").exists()):
            yield from _repository(source if kind == "git" else str(path.resolve()), version, ask)
            return
        tree = read_archive(path) if kind == "archive" else None
    except SourceError as error:
        yield Problem(
            "site_source", without_password(str(error)), "Give a git URL, or a directory or archive on this machine."
        )
        return
    if version:
        yield Problem(
            "site_version",
            f"{source} is no git repository, so it has no versions",
            "Remove site_version, or set site_source to the git URL.",
        )
    if outside:
        return
    if tree is None:
        yield from _project(site, lambda name: (path / name).is_file())
    else:
        yield from _project(site, tree.__contains__)


def _repository(url: str, version: str, ask: LsRemote) -> Iterator[Problem]:
    if version.startswith("-"):
        yield Problem("site_version", f"{version!r} looks like an option", "Write a branch, a tag or a commit.")
        return
    shown = without_password(url)
    try:
        references = ask(url)
    except SourceError as error:
        yield Problem(
            "site_source",
            f"{shown} cannot be reached ({error})",
            "Check the URL, and that this machine may read it without being asked for a password.",
        )
        return
    if not references:
        yield Problem("site_source", f"{shown} is an empty repository", "Push the project to it first.")
    elif version and version not in references and not _COMMIT.fullmatch(version):
        yield Problem(
            "site_version", f"{shown} has no branch or tag {version}", "Name one that was pushed, or a commit."
        )


def _project(site: Mapping[str, Any], is_file: Callable[[str], bool]) -> Iterator[Problem]:
    """Look for the parts of a Django project by their names relative to the source."""
    top = PurePosixPath(site.get("site_project_directory", ""))
    if not is_file(str(top / "manage.py")):
        if site.get("site_project_directory"):
            subject, problem = "site_project_directory", f"there is no {top}/manage.py in the source"
        else:
            subject, problem = "site_source", f"{site['site_source']} has no manage.py at its top"
        yield Problem(subject, problem, "Set site_project_directory to the directory that holds manage.py.")
        return
    requirements = site.get("site_requirements", "requirements.txt")
    if not requirements or not any(is_file(str(place / requirements)) for place in (top, PurePosixPath())):
        yield Problem(
            "site_requirements",
            f"there is no file {requirements!r} in the source",
            "Name the project's requirements file, relative to the directory of manage.py.",
        )
    module = site.get("site_settings_module")
    if module and DOTTED_NAME.fullmatch(module) and not module.endswith(".py"):
        path = str(top / module.replace(".", "/"))
        if not is_file(f"{path}.py") and not is_file(f"{path}/__init__.py"):
            yield Problem(
                "site_settings_module",
                f"there is neither {path}.py nor {path}/__init__.py in the source",
                "Name the settings module as manage.py does, relative to its directory.",
            )
