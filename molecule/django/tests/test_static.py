"""Static files: collected once, named by their content, and there before anybody asks for them."""

import json

import release

testinfra_hosts = ["media_servers"]
STATIC = f"{release.ROOT}/static"


def manifest(host, name):
    """Return the static files of a release on an app server, by their plain names."""
    directory = host.check_output(f"readlink -e {release.ROOT}/{name}")
    return json.loads(host.file(f"{directory}/static/staticfiles.json").content_string)["paths"]


def test_every_file_of_the_current_release_is_published(host):
    app1, app2 = release.reach("app1"), release.reach("app2")
    paths = manifest(app1, "current")
    assert paths == manifest(app2, "current")
    assert "admin/css/base.css" in paths
    missing = host.check_output(f"cd {STATIC}; for f in {' '.join(paths.values())}; do test -s $f || echo $f; done")
    assert missing == ""


def test_pages_refer_to_what_is_published(host):
    code = "from django.templatetags.static import static; print(json.dumps(static('articles/courier.css')))"
    url = release.ask_django(release.reach("app2"), code)
    assert url != "/static/articles/courier.css"
    text = host.file(f"{STATIC}/{url.removeprefix('/static/')}").content_string
    assert "second edition" in text


def test_files_of_former_releases_stay(host):
    app1 = release.reach("app1")
    names = {manifest(app1, name)["articles/courier.css"] for name in ("current", "previous")}
    assert len(names) == 2
    assert all(host.file(f"{STATIC}/{name}").exists for name in names)


def test_compressed_variants_hold_the_same(host):
    path = f"{STATIC}/{manifest(release.reach('app1'), 'current')['admin/css/base.css']}"
    for program, suffix in (("gzip", ".gz"), ("brotli", ".br")):
        done = host.run(f"{program} --decompress --stdout {path}{suffix} | cmp - {path}")
        assert done.succeeded, done.stderr
        assert host.file(f"{path}{suffix}").size < host.file(path).size


def test_nobody_but_root_can_change_them(host):
    assert host.check_output(f"find {STATIC} ! -user root -o -perm /022 ! -type l") == ""
    host.check_output(f"setpriv --reuid=65534 --regid=65534 --clear-groups cat {STATIC}/articles/courier.css")
