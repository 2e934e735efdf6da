"""The example does everything that it does on a developer's machine."""

import re

import requests
from waiting import until


def printed(page):
    """When the front page was made."""
    return re.search(r"<time>([\d:.]+)</time>", page.text)[1]


def rename(site, article, headline):
    """Change an article behind the back of every cache."""
    update = f"Article.objects.filter(slug={article.slug!r}).update(headline={headline!r})"
    site.manage("shell", "--command", f"from articles.models import Article; {update}")


def test_front_page_names_its_server_and_release(site, reader):
    page = reader.get("/")
    assert page.status_code == requests.codes.ok
    assert "The Prairie Courier" in page.text
    assert page.headers["X-Served-By"] in site.groups["app_servers"]
    assert page.headers["X-Release"]


def test_every_app_server_serves_the_same_release(site, reader):
    pages = site.from_each_server(lambda: reader.get("/search/"))
    assert len({page.headers["X-Release"] for page in pages.values()}) == 1


def test_article_from_the_admin_is_published_with_its_photograph(reader, article):
    assert article.headline in reader.get(article.path).text
    photograph = reader.photograph(article.path)
    assert photograph.headers["Content-Type"] == "image/png"
    assert photograph.content == article.photograph


def test_front_page_comes_from_memcached(site, reader, article):
    site.memcached("flush_all")
    first = reader.get("/")
    hits = memcached_hits(site)
    rename(site, article, f"{article.headline} revised")
    again = site.from_each_server(lambda: reader.get("/"))
    assert {printed(page) for page in again.values()} == {printed(first)}
    assert memcached_hits(site) >= hits + len(again)
    site.memcached("flush_all")
    assert printed(reader.get("/")) != printed(first)


def memcached_hits(site):
    """How many questions all cache servers have had an answer to."""
    return sum(int(count) for count in re.findall(r"STAT get_hits (\d+)", site.memcached("stats")))


def put_aside(reader, article):
    """Save an article for later, with the button on its page."""
    button = re.search(r'action="(/reading-list/\d+/)"', reader.get(article.path).text)[1]
    return reader.submit(article.path, form=button)


def test_search_reads_the_database(site, reader, article):
    assert article.path in reader.get("/search/", params={"q": article.headline}).text
    rename(site, article, "Renamed since")
    assert article.path not in reader.get("/search/", params={"q": article.headline}).text


def test_reading_list_outlives_the_cache(site, reader, article):
    assert put_aside(reader, article).headers["Location"] == "/reading-list/"
    site.memcached("flush_all")
    lists = site.from_each_server(lambda: reader.get("/reading-list/"))
    assert all(article.headline in page.text for page in lists.values())
    with site.reader() as somebody_else:
        assert article.headline not in somebody_else.get("/reading-list/").text


def test_losing_the_cache_loses_no_page(site, reader, article):
    caches = [site.host(name) for name in site.groups["cache_servers"]]
    put_aside(reader, article)
    try:
        for cache in caches:
            cache.check_output("systemctl stop memcached.service")
        for path, content in {
            "/": "Courier",
            article.path: article.headline,
            "/reading-list/": article.headline,
        }.items():
            pages = site.from_each_server(lambda path=path: reader.get(path))
            assert all(page.ok and content in page.text for page in pages.values()), path
    finally:
        for cache in caches:
            cache.check_output("systemctl start memcached.service")


def test_cookies_are_for_https_only(reader, article):
    reader.get(article.path)
    assert reader.cookies
    assert all(cookie.secure for cookie in reader.cookies)


def test_deployment_checks_find_nothing(site):
    for name in site.groups["app_servers"]:
        site.manage("check", "--deploy", "--fail-level", "WARNING", on=name)


def test_migrations_ran_once(site):
    site.manage("migrate", "--check")
    recorded = site.manage(
        "shell",
        "--no-imports",
        "--command",
        "from django.db.migrations.recorder import MigrationRecorder as R; "
        "print(*R.Migration.objects.values_list('app', 'name'), sep='\\n')",
    ).splitlines()
    assert len([line for line in recorded if line.startswith("('articles'")]) == 1
    assert len(recorded) == len(set(recorded))


def test_site_cannot_change_its_own_tables(site):
    attempt = "from django.db import connection; connection.cursor().execute({!r})"
    for statement in (
        "CREATE TABLE mine (id int)",
        "DROP TABLE articles_article",
        "ALTER TABLE articles_article ADD mine int",
    ):
        command = f"{site.name}-manage shell --no-imports --command %s"
        done = site.app_server().run(command, attempt.format(statement))
        assert done.rc != 0
        assert "permission denied" in done.stderr or "must be owner" in done.stderr


def test_service_stopped_and_started_rejoins_by_itself(site, reader):
    for name in site.groups["app_servers"]:
        server = site.host(name)
        server.check_output(f"systemctl stop {site.name}.socket {site.name}.service")
        server.check_output(f"systemctl start {site.name}.socket {site.name}.service")
    served = set()

    def all_serve():
        served.add(reader.get("/search/").headers.get("X-Served-By"))
        return set(site.groups["app_servers"]) <= served

    until(all_serve, 30, "every application server serves again")
