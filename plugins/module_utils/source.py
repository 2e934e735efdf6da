"""Turn a git repository, a directory or an archive into one immutable, reproducible release."""

from __future__ import annotations

import dataclasses
import fnmatch
import gzip
import hashlib
import io
import json
import os
import posixpath
import re
import stat
import subprocess
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# What no release carries, wherever it comes from: history, bytecode, caches and virtual environments.
LITTER_DIRECTORIES = frozenset(
    {
        ".bzr",
        ".git",
        ".hg",
        ".svn",
        ".idea",
        ".mypy_cache",
        ".nox",
        ".pytest_cache",
        ".ruff_cache",
        ".tox",
        ".venv",
        ".vscode",
        "__pycache__",
        "node_modules",
    }
)
LITTER_FILES = ("*.py[cod]", ".DS_Store", ".coverage", ".git")
# Releases that nobody has made for so long are made again when they are wanted.
KEEP_DAYS = 90
ARCHIVE_NAMES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")
# 1980-01-01: the files of equal releases are equal to the last bit, and even zip can write the date.
TIMESTAMP = 315532800
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
GIT_URL = re.compile(r"(git\+)?(https?|ssh|git|file)://.|[\w.-]+@[\w.-]+:.")
REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*(?=[@<>=!~;]|$)")


class SourceError(ValueError):
    """The source cannot be made into a release; the message says what to do."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One file or link of a tree."""

    path: str
    content: bytes = b""
    executable: bool = False
    link: str = ""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What, beside its source, a release is made from.

    :ivar directory: The project's directory inside the tree.
    :ivar requirements: The requirements file, looked for in the project's directory, then at the top.
    :ivar packages: Requirements that are always added.
    :ivar fallbacks: ``{"package": requirement, "unless": [names]}``: added where the project names none of these.
    :ivar exclude: Patterns of what a working directory holds beside the project.
    :ivar revision: Any text; another text makes another release.
    """

    directory: str = ""
    requirements: str = "requirements.txt"
    packages: tuple[str, ...] = ()
    fallbacks: tuple[dict[str, Any], ...] = ()
    exclude: tuple[str, ...] = ()
    revision: str = ""


def digest(*parts: str | bytes) -> str:
    """Hash texts so that no two different lists of texts give the same digest."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(b"%d:" % len(data) + data)
    return total.hexdigest()


def kind_of(source: str, version: str = "") -> str:
    """Tell what a source is.

    :param source: A git URL, a directory or an archive.
    :param version: The wanted git ref; with one, a local directory is taken as a git repository.
    :returns: ``git``, ``directory`` or ``archive``.
    """
    if source.startswith("-") or version.startswith("-"):
        raise SourceError(f"neither a source nor a version may begin with a dash: {source} {version}".rstrip())
    if "::" in source.split("/", 1)[0]:
        raise SourceError(f"{source} uses a git remote helper, which could run any program: use https or ssh")
    if GIT_URL.match(source):
        if source.startswith("http") and source.lower().endswith(ARCHIVE_NAMES):
            raise SourceError(f"{source} is an archive: download it and give the path of the file")
        return "git"
    path = Path(source).expanduser()
    if path.is_dir():
        bare = (path / "HEAD").is_file() and (path / "objects").is_dir()
        return "git" if version or bare else "directory"
    if path.is_file():
        if not path.name.lower().endswith(ARCHIVE_NAMES):
            raise SourceError(f"{source} is no archive: its name must end with one of {', '.join(ARCHIVE_NAMES)}")
        if version:
            raise SourceError(f"{source} is an archive, which has no versions: leave the version {version} out")
        return "archive"
    raise SourceError(f"{source} is neither a git URL nor a directory or archive on this machine")


def check_inside(path: str, link: str = "") -> None:
    """Refuse a path, or a link at this path, that leaves the tree.

    :param path: Path relative to the top of the tree.
    :param link: Where the link at this path points to.
    """
    if path.startswith("/") or ".." in path.split("/") or "\\" in path or "\0" in path:
        raise SourceError(f"the source holds {path!r}, which would lie outside of the release")
    if not link:
        return
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
    if link.startswith("/") or target.split("/")[0] == "..":
        raise SourceError(f"the link {path} points to {link}, which is not in the release: replace it by the file")


def is_litter(path: str) -> bool:
    """Tell whether no release carries this path."""
    *directories, name = path.split("/")
    if any(directory in LITTER_DIRECTORIES for directory in directories):
        return True
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in LITTER_FILES)


def is_excluded(path: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether a pattern takes out a path; ``/x`` means ``x`` at the top only."""
    name = posixpath.basename(path)
    return any(
        fnmatch.fnmatchcase(path, pattern[1:]) if pattern.startswith("/") else fnmatch.fnmatchcase(name, pattern)
        for pattern in patterns
    )


def walk_directory(top: Path, exclude: tuple[str, ...] = ()) -> Iterator[Entry]:
    """Yield the files of a working directory, without what no release carries."""
    pending = [""]
    while pending:
        directory = pending.pop()
        with os.scandir(top / directory) as items:
            found = sorted(items, key=lambda item: item.name)
        for item in found:
            path = posixpath.join(directory, item.name)
            if is_litter(path) or is_excluded(path, exclude):
                continue
            if item.is_symlink():
                link = os.readlink(item.path)
                check_inside(path, link)
                yield Entry(path, link=link)
            elif item.is_dir(follow_symlinks=False):
                virtual = os.path.exists(os.path.join(item.path, "pyvenv.cfg"))
                if item.name not in LITTER_DIRECTORIES and not virtual:
                    pending.append(path)
            elif item.is_file(follow_symlinks=False):
                executable = bool(item.stat(follow_symlinks=False).st_mode & stat.S_IXUSR)
                yield Entry(path, content=Path(item.path).read_bytes(), executable=executable)


def walk_tar(file: Any) -> Iterator[Entry]:
    """Yield the files of a tar archive."""
    with tarfile.open(fileobj=file) as archive:
        for member in archive:
            path = posixpath.normpath(member.name)
            check_inside(path if member.name[:1] != "/" else member.name, member.linkname if member.issym() else "")
            if member.issym():
                yield Entry(path, link=member.linkname)
            elif member.isfile() or member.islnk():
                # A hard link becomes a file of its own.
                content = archive.extractfile(member)
                if content is None:
                    raise SourceError(f"{path} in the archive cannot be read")
                yield Entry(path, content=content.read(), executable=bool(member.mode & stat.S_IXUSR))
            elif not member.isdir() and member.type != tarfile.XGLTYPE:
                raise SourceError(f"{path} in the archive is neither a file nor a link")


def walk_zip(file: Any) -> Iterator[Entry]:
    """Yield the files of a zip archive."""
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            mode = member.external_attr >> 16
            content = b"" if member.is_dir() else archive.read(member)
            link = content.decode() if stat.S_ISLNK(mode) else ""
            check_inside(member.filename, link)
            path = posixpath.normpath(member.filename)
            if link:
                yield Entry(path, link=link)
            elif not member.is_dir():
                yield Entry(path, content=content, executable=bool(mode & stat.S_IXUSR))


def read_archive(path: Path) -> dict[str, Entry]:
    """Read an archive; a single directory that holds everything, as in downloads, is taken off."""
    try:
        with path.open("rb") as file:
            entries = list(walk_zip(file) if path.name.lower().endswith(".zip") else walk_tar(file))
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, KeyError) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error
    tops = {entry.path.split("/")[0] for entry in entries}
    if len(tops) == 1 and all("/" in entry.path for entry in entries):
        skip = len(tops.pop()) + 1
        entries = [dataclasses.replace(entry, path=entry.path[skip:]) for entry in entries]
    return as_tree(entries)


def as_tree(entries: Iterator[Entry] | list[Entry]) -> dict[str, Entry]:
    """Order entries by path, without what no release carries."""
    tree = {entry.path: entry for entry in entries if not is_litter(entry.path)}
    for entry in tree.values():
        check_inside(entry.path, entry.link)
        for parent in _parents(entry.path):
            # Else extraction would follow the link and write wherever it points to.
            if parent in tree:
                raise SourceError(f"{entry.path} lies below {parent}, which is not a directory")
    return dict(sorted(tree.items()))


def _parents(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def content_hash(tree: dict[str, Entry]) -> str:
    """Hash everything in a tree: names, contents, links and who may be executed."""
    parts: list[str | bytes] = []
    for path, entry in tree.items():
        parts += [path, "link" if entry.link else "run" if entry.executable else "file", entry.link, entry.content]
    return digest(*parts)


def write_archive(tree: dict[str, Entry], path: Path) -> None:
    """Write a .tar.gz that is the same to the last bit whenever its content is the same."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for entry in tree.values():
            member = tarfile.TarInfo(entry.path)
            member.mtime = TIMESTAMP
            member.mode = 0o755 if entry.executable else 0o644
            if entry.link:
                member.type, member.linkname = tarfile.SYMTYPE, entry.link
                archive.addfile(member)
            else:
                member.size = len(entry.content)
                archive.addfile(member, io.BytesIO(entry.content))
    write_file(path, gzip.compress(data.getvalue(), 6, mtime=0))


def write_file(path: Path, content: bytes) -> None:
    """Write a file of the cache in one step, for the user alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, new = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(new, path)
    finally:
        if os.path.exists(new):
            os.unlink(new)


class Git:
    """A git repository and the bare copy of it that is kept in the cache."""

    def __init__(self, source: str, cache: Path) -> None:
        local = Path(source).expanduser()
        url = str(local.resolve()) if local.is_dir() else source.removeprefix("git+")
        self.url = url
        self.copy = cache / "git" / digest(url)[:16]

    def run(self, *arguments: str, text: bool = True) -> Any:
        """Run git; it never asks for a password, for nobody could answer."""
        environment = {
            "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
            **os.environ,
            "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C.UTF-8",
        }
        # The variables of a surrounding git command (a hook) would lead to the wrong repository.
        for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
            environment.pop(name, None)
        try:
            done = subprocess.run(
                ["git", *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=text,
                check=False,
                timeout=600,
            )
        except FileNotFoundError as error:
            raise SourceError("git is not installed on this machine, where the playbook runs") from error
        except subprocess.TimeoutExpired as error:
            raise SourceError(f"git has not answered for ten minutes about {self.shown}") from error
        if done.returncode != 0:
            message = done.stderr if text else done.stderr.decode(errors="replace")
            raise SourceError(
                f"git {arguments[0]} fails for {self.shown}: {message.strip()}".replace(self.url, self.shown)
            )
        return done.stdout

    @property
    def shown(self) -> str:
        """The URL without the password that it may hold."""
        return re.sub(r"(?<=://)[^/@]*:[^/@]*@", "", self.url)

    def resolve(self, version: str) -> tuple[str, str]:
        """Ask the repository which commit a version is.

        :param version: A branch, tag, full ref or commit; empty for the default branch.
        :returns: The commit and the ref that leads to it; the ref is empty when the version is a commit itself.
        """
        if COMMIT.fullmatch(version):
            return version, ""
        wanted = version or "HEAD"
        # The peeled tag comes first: an annotated tag is an object of its own that points to the commit.
        peeled = f"{wanted}^{{}}"
        spellings = [f"refs/tags/{peeled}", f"refs/tags/{wanted}", f"refs/heads/{wanted}", peeled, wanted]
        lines = self.run("ls-remote", "--", self.url, wanted, peeled).splitlines()
        refs = dict(reversed(line.split("\t", 1)) for line in lines if "\t" in line)
        for ref in spellings:
            if ref in refs:
                return refs[ref], ref.removesuffix("^{}")
        if re.fullmatch(r"[0-9a-f]{7,39}", version):
            return self.fetch_abbreviated(version), ""
        raise SourceError(f"{self.shown} has no branch, tag or commit {wanted}")

    def has(self, commit: str) -> bool:
        """Tell whether the copy holds a commit."""
        try:
            self.run("-C", str(self.copy), "cat-file", "-e", f"{commit}^{{commit}}")
        except SourceError:
            return False
        return True

    def prepare(self) -> None:
        """Make the copy, empty at first."""
        if not (self.copy / "HEAD").is_file():
            self.copy.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.run("init", "--quiet", "--bare", str(self.copy))

    def fetch(self, *references: str, depth: bool = True) -> None:
        """Fetch refs or commits into the copy."""
        shallow = ["--depth=1"] if depth else []
        self.run("-C", str(self.copy), "fetch", "--quiet", "--no-tags", *shallow, "--", self.url, *references)

    def fetch_everything(self) -> None:
        """Fetch all branches and tags, for a server that hands out no single commit."""
        unshallow = ["--unshallow"] if (self.copy / "shallow").is_file() else []
        references = ["+refs/heads/*:refs/copy/heads/*", "+refs/tags/*:refs/copy/tags/*"]
        self.run("-C", str(self.copy), "fetch", "--quiet", "--no-tags", *unshallow, "--", self.url, *references)

    def fetch_abbreviated(self, version: str) -> str:
        """Find the commit that an abbreviated hash means."""
        self.prepare()
        for attempt in (False, True):
            if attempt:
                self.fetch_everything()
            try:
                return self.run("-C", str(self.copy), "rev-parse", "--verify", f"{version}^{{commit}}").strip()
            except SourceError:
                continue
        raise SourceError(f"{self.shown} has no branch, tag or commit {version}")

    def tree(self, commit: str, ref: str) -> dict[str, Entry]:
        """Read the files of a commit, which is fetched when the copy does not hold it."""
        self.prepare()
        if not self.has(commit):
            try:
                self.fetch(ref or commit)
            except SourceError:
                if ref:
                    raise
            if not self.has(commit):
                self.fetch_everything()
        if not self.has(commit):
            raise SourceError(f"{self.shown} does not hand out the commit {commit}")
        listing = self.run("-C", str(self.copy), "ls-tree", "-r", commit)
        modules = [line.split("\t", 1)[1] for line in listing.splitlines() if line.startswith("160000 ")]
        if modules:
            raise SourceError(f"git submodules are not fetched ({', '.join(modules)}): give an archive or a directory")
        data = self.run("-C", str(self.copy), "archive", "--format=tar", commit, text=False)
        return as_tree(walk_tar(io.BytesIO(data)))


def normalized(name: str) -> str:
    """Spell the name of a Python package as package indexes do."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclasses.dataclass
class Requirements:
    """What the requirements files of a project say."""

    path: str = ""
    names: list[str] = dataclasses.field(default_factory=list)
    texts: list[str] = dataclasses.field(default_factory=list)
    hashed: bool = False
    local: bool = False
    version_control: list[str] = dataclasses.field(default_factory=list)


def read_requirements(tree: dict[str, Entry], directory: str, name: str) -> Requirements:
    """Read a requirements file and those that it includes.

    :param tree: The files of the source.
    :param directory: The project's directory.
    :param name: Name of the file, in the project's directory or at the top.
    """
    for path in (posixpath.normpath(posixpath.join(directory, name)), posixpath.normpath(name)):
        if path in tree:
            break
    else:
        candidates = [path for path in tree if re.search(r"requirements[^/]*\.txt$|requirements/[^/]*\.txt$", path)]
        hint = f"; it holds {', '.join(candidates)}" if candidates else ""
        raise SourceError(f"the source has no requirements file {name}{hint}")
    found = Requirements(path=path)
    _read_requirements(tree, path, found, set())
    return found


def _read_requirements(tree: dict[str, Entry], path: str, found: Requirements, seen: set[str]) -> None:
    if path in seen:
        return
    seen.add(path)
    if path not in tree:
        raise SourceError(f"the requirements include {path}, which is not in the source")
    entry = tree[path]
    if entry.link:
        _read_requirements(tree, posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.link)), found, seen)
        return
    text = entry.content.decode("utf-8", "replace")
    found.texts.append(text)
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        if not line:
            continue
        found.hashed = found.hashed or "--hash" in line
        if system := re.search(r"\b(git|hg|svn|bzr)\+", line):
            found.version_control.append(system[1])
        if include := re.match(r"(?:-r|--requirement|-c|--constraint)(?:\s+|=)?(\S+)", line):
            if "://" in include[1]:
                continue
            inner = posixpath.normpath(posixpath.join(posixpath.dirname(path), include[1]))
            if line.startswith(("-c", "--constraint")):
                # A constraint names versions, it asks for nothing.
                _read_requirements(tree, inner, aside := Requirements(), seen)
                found.texts += aside.texts
                found.hashed = found.hashed or aside.hashed
            else:
                _read_requirements(tree, inner, found, seen)
        elif egg := re.search(r"#egg=([A-Za-z0-9._-]+)", line):
            found.names.append(normalized(egg[1]))
        elif re.match(r"(-e|--editable)\b|\.|/|file:", line):
            found.local = found.local or "://" not in line
        elif requirement := REQUIREMENT.match(line):
            found.names.append(normalized(requirement[1]))


def find_project(tree: dict[str, Entry], directory: str) -> None:
    """Refuse a source that does not hold the project's directory."""
    prefix = f"{posixpath.normpath(directory)}/" if directory else ""
    if not any(path.startswith(prefix) for path in tree):
        raise SourceError(f"the source holds no directory {directory}" if directory else "the source is empty")
    if directory:
        check_inside(directory)


def describe(tree: dict[str, Entry], recipe: Recipe) -> dict[str, Any]:
    """Work out from the files of a source what has to be installed for it."""
    find_project(tree, recipe.directory)
    requirements = read_requirements(tree, recipe.directory, recipe.requirements)
    named = set(requirements.names)
    packages = list(recipe.packages)
    for fallback in recipe.fallbacks:
        if not named & {normalized(name) for name in fallback["unless"]}:
            packages.append(fallback["package"])
    # A requirement on the project itself makes its wheel depend on all of the source.
    local = content_hash(tree) if requirements.local else ""
    return {
        "requirements": requirements.path,
        "requirements_hash": digest(*requirements.texts, "packages", *packages, local, recipe.revision)[:20],
        "requirements_hashed": requirements.hashed,
        "requirements_names": sorted(named),
        "requirements_version_control": sorted(set(requirements.version_control)),
        "packages": packages,
    }


def default_cache() -> Path:
    """Return the directory of this user in which sources and wheels are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tiered.django"


def prune(cache: Path) -> None:
    """Remove what belongs to old releases from the cache; the leading app server still has the static files."""
    oldest = time.time() - KEEP_DAYS * 86400
    for directory in (cache / "sources", cache / "static"):
        for path in directory.glob("*"):
            if path.is_file() and path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)


def resolve_served(source: str, version: str, recipe: Recipe, cache: Path, release: str) -> dict[str, Any]:
    """Find the archive of a release that is served already, whatever the source is now.

    :param source: A git URL, a directory or an archive.
    :param version: The git ref.
    :param recipe: What else the release is made from.
    :param cache: Directory in which archives and copies of repositories are kept.
    :param release: Id of the release.
    :returns: The result of the module ``tiered.django.source``.
    :raises SourceError: when this controller does not have it and cannot make it again.
    """
    kept = [
        path for path in sorted((cache / "sources").glob(f"{release}-*.json")) if path.with_suffix(".tar.gz").is_file()
    ]
    if len(kept) == 1:
        return {
            "release": release,
            "archive": str(kept[0].with_suffix(".tar.gz")),
            "cache": str(cache),
            "commit": "",
            "kind": kind_of(source, version),
            "ref": "",
            **json.loads(kept[0].read_text(encoding="utf-8")),
        }
    # A repository still has the commit, and a source that has not changed is the release.
    commit = release.partition("-")[0]
    found = resolve(source, commit if kind_of(source, version) == "git" else version, recipe, cache)
    if found["release"] != release:
        raise SourceError(
            f"release {release} is served, and {source} now makes {found['release']}: this controller has no archive of"
            " the former. Run the playbook without --limit to release the latter everywhere, or from the controller"
            " that has released the former"
        )
    return found


def resolve(source: str, version: str, recipe: Recipe, cache: Path) -> dict[str, Any]:
    """Find out which release a source is now, and have its archive ready.

    :param source: A git URL, a directory or an archive.
    :param version: The git ref.
    :param recipe: What else the release is made from.
    :param cache: Directory in which archives and copies of repositories are kept.
    :returns: The result of the module ``tiered.django.source``.
    """
    kind = kind_of(source, version)
    tree: dict[str, Entry] | None = None
    commit = ref = ""
    if kind == "git":
        repository = Git(source, cache)
        commit, ref = repository.resolve(version)
        identity = commit
    else:
        path = Path(source).expanduser().resolve()
        tree = as_tree(walk_directory(path, recipe.exclude)) if kind == "directory" else read_archive(path)
        identity = content_hash(tree)
    release = f"{identity[:12]}-{digest(json.dumps(dataclasses.asdict(recipe), sort_keys=True))[:7]}"
    # The whole identity is part of the name, so that no two sources ever share an archive.
    name = f"{release}-{digest(identity)[:16]}"
    archive, facts = cache / "sources" / f"{name}.tar.gz", cache / "sources" / f"{name}.json"
    if archive.is_file() and facts.is_file():
        described = json.loads(facts.read_text(encoding="utf-8"))
    else:
        if tree is None:
            tree = repository.tree(commit, ref)
        described = describe(tree, recipe)
        prune(cache)
        write_archive(tree, archive)
        write_file(facts, json.dumps(described, indent=1).encode())
    return {
        "release": release,
        "archive": str(archive),
        "cache": str(cache),
        "commit": commit,
        "kind": kind,
        "ref": ref,
        **described,
    }
