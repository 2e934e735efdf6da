"""Sources become releases: reproducible, complete, and never able to write outside of their directory."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from ansible_collections.tiered.django.plugins.module_utils import source
from ansible_collections.tiered.django.plugins.module_utils.source import Recipe, SourceError, resolve

FALLBACKS = (
    {"package": "psycopg2-binary==2.9", "unless": ["psycopg", "psycopg2", "psycopg2-binary"]},
    {"package": "uwsgi==2.0", "unless": ["uwsgi", "pyuwsgi"]},
)


@pytest.fixture(autouse=True)
def git_identity(monkeypatch, tmp_path):
    """Keep the tests away from the user's own git configuration."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "ada@example.org")


@pytest.fixture
def project(tmp_path):
    """A small project, as it lies on a developer's disk."""
    top = tmp_path / "project"
    (top / "news").mkdir(parents=True)
    (top / "manage.py").write_text("#!/usr/bin/env python\n")
    (top / "manage.py").chmod(0o755)
    (top / "news" / "settings.py").write_text("DEBUG = True\n")
    (top / "requirements.txt").write_text("Django>=5.2\n")
    return top


@pytest.fixture
def cache(tmp_path):
    """The cache of the controller."""
    return tmp_path / "cache"


@pytest.fixture
def git(project):
    """Run git in the project, which is made a repository."""

    def run(*arguments):
        done = subprocess.run(["git", *arguments], cwd=project, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    run("init", "-q", "-b", "main")
    run("add", ".")
    run("commit", "-qm", "one")
    return run


def members(result) -> dict[str, tarfile.TarInfo]:
    """Return what the archive of a release holds."""
    with tarfile.open(result["archive"]) as archive:
        return {member.name: member for member in archive}


def make_tar(path: Path, *items: tarfile.TarInfo) -> Path:
    """Write a tar archive with these members and a project."""
    with tarfile.open(path, "w:gz") as archive:
        requirements = tarfile.TarInfo("top/requirements.txt")
        requirements.size = 6
        archive.addfile(requirements, io.BytesIO(b"Django"))
        for item in items:
            archive.addfile(item, io.BytesIO(b"x" * item.size))
    return path


def tar_member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """Make a member of a tar archive."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


class TestDirectory:
    def test_same_content_is_the_same_release_and_archive(self, project, cache, tmp_path):
        first = resolve(str(project), "", Recipe(), cache)
        os.utime(project / "manage.py", (1, 1))
        (project / "news" / "__pycache__").mkdir()
        (project / "news" / "__pycache__" / "settings.cpython-313.pyc").write_bytes(b"\0")
        second = resolve(str(project), "", Recipe(), tmp_path / "other")
        assert second["release"] == first["release"]
        assert Path(second["archive"]).read_bytes() == Path(first["archive"]).read_bytes()

    @pytest.mark.parametrize(
        "change",
        [
            lambda top: (top / "news" / "settings.py").write_text("DEBUG = False\n"),
            lambda top: (top / "news" / "urls.py").write_text(""),
            lambda top: (top / "manage.py").chmod(0o644),
            lambda top: (top / "news" / "settings.py").rename(top / "news" / "base.py"),
        ],
    )
    def test_any_change_makes_another_release(self, project, cache, change):
        first = resolve(str(project), "", Recipe(), cache)["release"]
        change(project)
        assert resolve(str(project), "", Recipe(), cache)["release"] != first

    def test_recipe_makes_another_release(self, project, cache):
        recipes = [Recipe(), Recipe(packages=("gunicorn",)), Recipe(fallbacks=FALLBACKS), Recipe(revision="2")]
        assert len({resolve(str(project), "", recipe, cache)["release"] for recipe in recipes}) == len(recipes)

    def test_litter_stays_behind(self, project, cache):
        for path in (".git/config", "node_modules/a.js", "env/pyvenv.cfg", "env/lib/x.py", ".venv/x", "media/a.jpg"):
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_text("x")
        (project / "news" / "media").mkdir()
        (project / "news" / "media" / "__init__.py").write_text("")
        (project / "db.sqlite3").write_text("x")
        result = resolve(str(project), "", Recipe(exclude=("/media", "*.sqlite3")), cache)
        assert set(members(result)) == {
            "manage.py",
            "news/media/__init__.py",
            "news/settings.py",
            "requirements.txt",
        }

    def test_archive_belongs_to_root_and_keeps_what_is_executable(self, project, cache):
        found = members(resolve(str(project), "", Recipe(), cache))
        assert found["manage.py"].mode == 0o755
        assert found["news/settings.py"].mode == 0o644
        assert {(member.uid, member.gid, member.mtime) for member in found.values()} == {(0, 0, source.TIMESTAMP)}

    def test_archive_is_for_the_user_alone(self, project, cache):
        archive = Path(resolve(str(project), "", Recipe(), cache)["archive"])
        assert archive.stat().st_mode & 0o077 == 0

    def test_links_inside_are_kept(self, project, cache):
        (project / "news" / "again.py").symlink_to("../news/settings.py")
        assert members(resolve(str(project), "", Recipe(), cache))["news/again.py"].linkname == "../news/settings.py"

    @pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "news/../../outside"])
    def test_links_that_leave_are_refused(self, project, cache, target):
        (project / "leak").symlink_to(target)
        with pytest.raises(SourceError, match="leak points to"):
            resolve(str(project), "", Recipe(), cache)

    def test_known_release_is_not_packed_again(self, project, cache, monkeypatch):
        first = resolve(str(project), "", Recipe(), cache)
        monkeypatch.setattr(source, "write_archive", None)
        assert resolve(str(project), "", Recipe(), cache) == first

    def test_old_releases_leave_the_cache(self, project, cache):
        first = Path(resolve(str(project), "", Recipe(), cache)["archive"])
        second = Path(resolve(str(project), "", Recipe(revision="2"), cache)["archive"])
        os.utime(first, (1, 1))
        resolve(str(project), "", Recipe(revision="3"), cache)
        assert not first.exists()
        assert second.exists()
        assert Path(resolve(str(project), "", Recipe(), cache)["archive"]).exists()

    def test_missing_directory_is_named(self, project, cache):
        with pytest.raises(SourceError, match="no directory backend"):
            resolve(str(project), "", Recipe(directory="backend"), cache)


class TestGit:
    def test_head_branch_tag_and_commit(self, project, cache, git):
        first = git("rev-parse", "HEAD")
        git("tag", "-a", "v1", "-m", "annotated")
        git("tag", "light")
        (project / "new.py").write_text("")
        git("add", ".")
        git("commit", "-qm", "two")
        second = git("rev-parse", "HEAD")
        url = f"file://{project}"
        for version, commit in [
            ("", second),
            ("main", second),
            ("refs/heads/main", second),
            ("v1", first),
            ("light", first),
            (first, first),
            (first[:9], first),
        ]:
            found = resolve(url, version, Recipe(), cache)
            assert found["commit"] == commit, version
            assert found["release"].startswith(commit[:12])
            assert ("new.py" in members(found)) == (commit == second)

    def test_only_what_is_committed(self, project, cache, git):
        (project / "draft.py").write_text("")
        assert "draft.py" not in members(resolve(str(project), "main", Recipe(), cache))
        assert "draft.py" in members(resolve(str(project), "", Recipe(), cache))

    def test_unchanged_ref_needs_no_fetch(self, project, cache, git, monkeypatch):
        first = resolve(f"file://{project}", "main", Recipe(), cache)
        run, calls = source.Git.run, []
        monkeypatch.setattr(source.Git, "run", lambda self, *words: calls.append(words[0]) or run(self, *words))
        assert resolve(f"file://{project}", "main", Recipe(), cache) == first
        assert calls == ["ls-remote"]

    def test_known_commit_needs_no_network(self, project, cache, git):
        commit = git("rev-parse", "HEAD")
        first = resolve(f"file://{project}", commit, Recipe(), cache)
        project.rename(project.with_name("gone"))
        assert resolve(f"file://{project}", commit, Recipe(), cache) == first

    def test_tag_wins_over_branch_of_the_same_name(self, project, cache, git):
        tagged = git("rev-parse", "HEAD")
        git("tag", "stable")
        git("checkout", "-qb", "stable")
        git("commit", "-q", "--allow-empty", "-m", "two")
        assert resolve(f"file://{project}", "stable", Recipe(), cache)["commit"] == tagged

    def test_unknown_version_is_named(self, project, cache, git):
        with pytest.raises(SourceError, match="no branch, tag or commit v9"):
            resolve(f"file://{project}", "v9", Recipe(), cache)

    def test_partial_names_do_not_match(self, project, cache, git):
        git("branch", "feature/main2")
        with pytest.raises(SourceError, match="no branch, tag or commit main2"):
            resolve(f"file://{project}", "main2", Recipe(), cache)

    def test_unreachable_repository_hides_the_password(self, cache):
        with pytest.raises(SourceError) as caught:
            resolve("https://ada:lovelace@127.0.0.1:9/x.git", "", Recipe(), cache)
        assert "lovelace" not in str(caught.value)
        assert "127.0.0.1:9" in str(caught.value)

    def test_submodules_are_refused(self, project, cache, git):
        git("update-index", "--add", "--cacheinfo", f"160000,{git('rev-parse', 'HEAD')},theme")
        git("commit", "-qm", "theme")
        with pytest.raises(SourceError, match=r"submodules are not fetched.*theme"):
            resolve(f"file://{project}", "", Recipe(), cache)

    @pytest.mark.parametrize(
        ("url", "version"),
        [
            ("--upload-pack=touch /tmp/x", ""),
            ("ext::sh -c touch% /tmp/x", ""),
            ("https://git.example.org/x.git", "--upload-pack=x"),
            ("https://example.org/x.tar.gz", ""),
            ("/no/such/place", ""),
        ],
    )
    def test_dangerous_or_unknown_sources_are_refused(self, cache, url, version):
        with pytest.raises(SourceError):
            resolve(url, version, Recipe(), cache)


class TestArchive:
    def test_tar_and_zip_of_the_same_tree_are_the_same_release(self, project, cache, tmp_path):
        with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
            archive.add(project, "project-1.0")
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            for path in sorted(project.rglob("*")):
                archive.write(path, path.relative_to(project))
        releases = {
            resolve(str(path), "", Recipe(), cache)["release"]
            for path in (project, tmp_path / "a.tar.gz", tmp_path / "a.zip")
        }
        assert len(releases) == 1

    @pytest.mark.parametrize(
        "bad",
        [
            [tar_member("../evil")],
            [tar_member("/etc/evil")],
            [tar_member("top/a/../../../evil")],
            [tar_member("top/link", tarfile.SYMTYPE, "/etc")],
            [tar_member("top/link", tarfile.SYMTYPE, "../../etc")],
            [tar_member("top/link", tarfile.SYMTYPE, "news"), tar_member("top/link/evil")],
            [tar_member("top/device", tarfile.CHRTYPE)],
        ],
    )
    def test_tar_that_would_write_elsewhere_is_refused(self, cache, tmp_path, bad):
        path = make_tar(tmp_path / "bad.tar.gz", *bad)
        with pytest.raises(SourceError):
            resolve(str(path), "", Recipe(), cache)
        assert not list(cache.rglob("*.tar.gz"))

    def test_zip_that_would_write_elsewhere_is_refused(self, cache, tmp_path):
        with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
            archive.writestr("requirements.txt", "Django")
            archive.writestr("../evil", "x")
        with pytest.raises(SourceError, match="outside"):
            resolve(str(tmp_path / "bad.zip"), "", Recipe(), cache)

    def test_broken_archive_is_named(self, cache, tmp_path):
        (tmp_path / "broken.tar.gz").write_bytes(b"nothing of the kind")
        with pytest.raises(SourceError, match=r"broken\.tar\.gz cannot be read"):
            resolve(str(tmp_path / "broken.tar.gz"), "", Recipe(), cache)

    def test_version_makes_no_sense(self, cache, tmp_path):
        path = make_tar(tmp_path / "a.tar.gz")
        with pytest.raises(SourceError, match="no versions"):
            resolve(str(path), "v1", Recipe(), cache)


class TestRequirements:
    def describe(self, project, cache, text, **more):
        (project / "requirements.txt").write_text(text)
        return resolve(str(project), "", Recipe(fallbacks=FALLBACKS, **more), cache)

    @pytest.mark.parametrize(
        ("text", "added"),
        [
            ("Django", ["psycopg2-binary==2.9", "uwsgi==2.0"]),
            ("Django\npsycopg[binary]>=3.1 ; python_version > '3'", ["uwsgi==2.0"]),
            ("Django\nPsycopg2_Binary==2.9", ["uwsgi==2.0"]),
            ("Django\npyuWSGI", ["psycopg2-binary==2.9"]),
            ("psycopg2 @ git+https://example.org/psycopg2.git", ["uwsgi==2.0"]),
            ("# psycopg2 is not needed\nDjango", ["psycopg2-binary==2.9", "uwsgi==2.0"]),
            ("django-psycopg-extras", ["psycopg2-binary==2.9", "uwsgi==2.0"]),
        ],
    )
    def test_fallbacks_only_where_nothing_like_it_is_named(self, project, cache, text, added):
        assert self.describe(project, cache, text)["packages"] == added

    def test_included_files_count(self, project, cache):
        (project / "base.txt").write_text("Django==5.2\npsycopg==3.2\n")
        (project / "limits.txt").write_text("asgiref==3.8\n")
        first = self.describe(project, cache, "-r base.txt\n-c limits.txt\n")
        assert "django" in first["requirements_names"]
        assert "asgiref" not in first["requirements_names"]
        (project / "limits.txt").write_text("asgiref==3.9\n")
        second = self.describe(project, cache, "-r base.txt\n-c limits.txt\n")
        assert second["requirements_hash"] != first["requirements_hash"]

    def test_code_does_not_change_what_is_installed(self, project, cache):
        first = self.describe(project, cache, "Django\n")
        (project / "news" / "urls.py").write_text("")
        second = self.describe(project, cache, "Django\n")
        assert second["release"] != first["release"]
        assert second["requirements_hash"] == first["requirements_hash"]

    def test_code_counts_when_the_project_installs_itself(self, project, cache):
        first = self.describe(project, cache, "Django\n-e .\n")
        (project / "news" / "urls.py").write_text("")
        assert self.describe(project, cache, "Django\n-e .\n")["requirements_hash"] != first["requirements_hash"]

    def test_hashes_are_seen(self, project, cache):
        assert self.describe(project, cache, "Django==5.2 \\\n    --hash=sha256:aa\n")["requirements_hashed"] is True
        assert self.describe(project, cache, "Django==5.2\n")["requirements_hashed"] is False

    def test_version_control_is_seen(self, project, cache):
        found = self.describe(project, cache, "x @ git+https://example.org/x.git@v1\n")
        assert found["requirements_version_control"] == ["git"]

    def test_missing_file_names_those_that_are_there(self, project, cache):
        with pytest.raises(SourceError, match=r"production\.txt.*holds requirements\.txt"):
            resolve(str(project), "", Recipe(requirements="production.txt"), cache)

    def test_file_at_the_top_serves_a_project_below(self, project, cache):
        (project / "site").mkdir()
        (project / "site" / "manage.py").write_text("")
        assert resolve(str(project), "", Recipe(directory="site"), cache)["requirements"] == "requirements.txt"
        (project / "site" / "requirements.txt").write_text("Django")
        assert resolve(str(project), "", Recipe(directory="site"), cache)["requirements"] == "site/requirements.txt"


def test_served_release_is_found_whatever_the_source_is_now(project, cache):
    first = resolve(str(project), "", Recipe(), cache)
    (project / "news" / "settings.py").write_text("DEBUG = False\n")
    served = source.resolve_served(str(project), "", Recipe(), cache, first["release"])
    assert served == first
    assert resolve(str(project), "", Recipe(), cache)["release"] != first["release"]


def test_served_release_that_is_the_source_is_made_where_it_was_never_made(project, cache, tmp_path):
    first = resolve(str(project), "", Recipe(), cache)
    elsewhere = source.resolve_served(str(project), "", Recipe(), tmp_path / "other", first["release"])
    assert elsewhere["release"] == first["release"]
    assert Path(elsewhere["archive"]).is_file()


def test_served_release_is_made_again_from_its_commit(git, project, cache, tmp_path):
    first = resolve(str(project), "main", Recipe(), cache)
    (project / "news" / "settings.py").write_text("DEBUG = False\n")
    git("commit", "-qam", "two")
    served = source.resolve_served(str(project), "main", Recipe(), tmp_path / "other", first["release"])
    assert (served["release"], served["commit"]) == (first["release"], first["commit"])


def test_served_release_that_nobody_here_can_make_says_who_can(project, cache, tmp_path):
    first = resolve(str(project), "", Recipe(), cache)
    (project / "news" / "settings.py").write_text("DEBUG = False\n")
    with pytest.raises(SourceError, match="without --limit") as error:
        source.resolve_served(str(project), "", Recipe(), tmp_path / "other", first["release"])
    assert first["release"] in str(error.value)
