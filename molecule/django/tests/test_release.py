"""Releases: built once, installed everywhere, and never in the way of the one that is served."""

import release

testinfra_hosts = ["app_servers"]


def test_all_app_servers_run_the_same_files(host):
    other = release.reach("app1" if host.check_output("hostname") == "app2" else "app2")
    assert release.current(host) == release.current(other)
    command = (
        f"cd {release.current(host)} && find code venv static -type f ! -name '*.pyc' ! -path 'venv/bin/*'"
        " ! -name RECORD -exec sha256sum {} + | sort -k2"
    )
    assert host.check_output(command) == other.check_output(command)
    for name in ("requirements.lock", "venv/bin/uwsgi"):
        path = f"{release.current(host)}/{name}"
        assert host.check_output(f"sha256sum {path}") == other.check_output(f"sha256sum {path}")


def test_only_the_leader_builds(host, inventory):
    built = host.run("test -n \"$(find /var/cache/newsroom-build -name 'uwsgi*.whl' 2>/dev/null)\"").succeeded
    assert built == inventory["django_leader"]
    assert host.user("newsroom-build").exists == inventory["django_leader"]


def test_nothing_comes_from_the_system(host):
    python = f"{release.current(host)}/venv/bin/python"
    paths = host.check_output(f"{python} -c 'import django, psycopg2, pymemcache as p; print(p.__file__)'")
    assert paths.startswith(release.current(host))
    # The release brings no pip of its own.
    host.check_output(f"{python} $(echo /usr/share/python-wheels/pip-*.whl)/pip check")


def test_a_tampered_wheel_is_refused(host):
    directory, install = release.current(host), (release.ROLE / "files" / "install.sh").read_text()
    host.check_output(
        f"rm -rf /root/t && mkdir -p /root/t/code /root/t/w && cp {directory}/requirements.lock /root/t"
        f" && tar -xf {directory}/wheels.tar -C /root/t/w && printf x >> $(echo /root/t/w/sqlparse-*.whl)"
        " && tar -cf /root/t/wheels.tar -C /root/t/w ."
    )
    done = host.run("sh -euc %s sh /root/t here", install)
    assert done.failed
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not host.file("/root/t/.installed").exists
    host.check_output("rm -rf /root/t")


def test_hashes_that_the_project_names_are_kept(host):
    directory = release.current(host)
    wanted = host.check_output(f"cat {directory}/code/requirements.txt").splitlines()
    installed = host.check_output(f"cat {directory}/requirements.lock").splitlines()
    assert all("--hash=sha256:" in line for line in wanted)
    assert set(wanted) < set(installed)


def test_the_site_cannot_change_its_own_code(host):
    directory = release.current(host)
    found = host.check_output(f"setpriv --reuid=8100 --regid=8100 --clear-groups find {directory}/ -writable ! -type l")
    assert found == ""


def test_strangers_cannot_read_code_or_settings(host):
    for path in (f"{release.current(host)}/code", "/etc/django/newsroom/current/"):
        assert host.run(f"setpriv --reuid=65534 --regid=65534 --clear-groups ls {path}").failed


def test_the_broken_release_was_never_current(host):
    directory = release.current(host)
    assert "urlpatterns = [broken]" not in host.file(f"{directory}/code/newsroom/urls.py").content_string
    assert "second edition" in host.file(f"{directory}/code/articles/static/articles/courier.css").content_string
    previous = host.check_output(f"readlink -e {release.ROOT}/previous")
    assert "second edition" not in host.file(f"{previous}/code/articles/static/articles/courier.css").content_string


def test_old_releases_go_but_never_the_previous_one(host):
    # One is to be kept: that is the current one, and the previous one stays beside it. The broken one is gone.
    kept = host.check_output(f"ls -d {release.ROOT}/releases/*").split()
    links = [host.check_output(f"readlink -e {release.ROOT}/{name}") for name in ("current", "previous")]
    assert sorted(kept) == sorted(links)


def test_the_current_release_is_marked_by_nothing_half_done(host):
    host.check_output(f"test -f {release.current(host)}/.installed")
    assert host.run(f"ls -d {release.current(host)}/wheels {release.ROOT}/*.new").failed
