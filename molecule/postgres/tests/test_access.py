"""Who may do what, seen from an application server."""

import database
import pytest

testinfra_hosts = ["clients"]


@pytest.fixture(scope="module", params=[0, 1], ids=["trixie", "bookworm"])
def address(request, inventory):
    """Return the address of one of the servers."""
    return inventory["database_addresses"][request.param]


@pytest.fixture(scope="module")
def article(host, address):
    """Provide a table that the owner made, as a migration does."""
    sql = "DROP TABLE IF EXISTS article; CREATE TABLE article (id serial PRIMARY KEY, title text)"
    made = database.query(host, address, "shop_owner", sql)
    assert made.rc == 0, made.stderr
    return "article"


def test_connections_are_encrypted(host, address):
    sql = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    assert database.query(host, address, "shop", sql).stdout == "t|TLSv1.3\n"


@pytest.mark.parametrize("user", ["shop", "shop_owner"])
def test_connections_without_encryption_are_refused(host, address, user):
    refused = database.query(host, address, user, "SELECT 1", tls="disable")
    assert refused.rc == 2
    assert "no encryption" in refused.stderr


def test_the_user_works_with_the_data(host, address, article):
    sql = (
        f"INSERT INTO {article} (title) VALUES ('one'), ('two');"
        f"UPDATE {article} SET title = 'three' WHERE title = 'one';"
        f"DELETE FROM {article} WHERE title = 'two';"
        f"SELECT title FROM {article}"
    )
    answer = database.query(host, address, "shop", sql)
    assert (answer.stdout, answer.stderr) == ("three\n", "")


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE article",
        "ALTER TABLE article ADD COLUMN more text",
        "TRUNCATE article",
        "CREATE TABLE other (id int)",
        "CREATE TEMPORARY TABLE other (id int)",
        "CREATE SCHEMA other",
        "CREATE DATABASE other",
        "CREATE ROLE other",
        "SET ROLE shop_owner",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ],
)
def test_the_user_changes_nothing_else(host, address, article, sql):
    refused = database.query(host, address, "shop", sql)
    assert refused.rc == 1
    assert any(reason in refused.stderr for reason in ("permission denied", "must be owner", "must be superuser"))


def test_new_schemas_of_the_owner_are_open_to_the_user(host, address):
    made = database.query(
        host,
        address,
        "shop_owner",
        "DROP SCHEMA IF EXISTS archive CASCADE; CREATE SCHEMA archive; CREATE TABLE archive.old (id serial)",
    )
    assert made.rc == 0, made.stderr
    written = database.query(host, address, "shop", "INSERT INTO archive.old DEFAULT VALUES")
    assert written.rc == 0, written.stderr


@pytest.mark.parametrize("user", ["shop", "shop_owner"])
def test_a_wrong_password_is_refused(host, address, user):
    refused = database.query(host, address, user, "SELECT 1", password="wrong")
    assert refused.rc == 2
    assert "password authentication failed" in refused.stderr


@pytest.mark.parametrize("user", ["shop", "shop_owner"])
@pytest.mark.parametrize("other", ["daily-news", "postgres", "template1"])
def test_the_databases_of_others_are_closed(host, address, user, other):
    refused = database.query(host, address, user, "SELECT 1", database=other)
    assert refused.rc == 2
    assert "no pg_hba.conf entry" in refused.stderr


def test_the_second_site_works_beside_the_first(host, address):
    answer = database.query(host, address, "daily-news", "SELECT current_database()", database="daily-news")
    assert answer.stdout == "daily-news\n"


def test_text_is_unicode_in_code_point_order(host, address):
    sql = "SELECT string_agg(letter, '' ORDER BY letter) || upper('é') FROM unnest(ARRAY['b', 'é', 'a', 'Z']) AS letter"
    assert database.query(host, address, "shop", sql).stdout == "ZabéÉ\n"
