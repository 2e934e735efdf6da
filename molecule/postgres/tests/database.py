"""Speak to the databases of the lab, over the network and as their administrator."""

PASSWORDS = {
    "shop_owner": "owner-of-shop-Pw1",
    "shop": "user-of-shop-Pw1",
    "daily-news_owner": "owner-of-news-Pw2",
    "daily-news": "user-of-news-Pw2",
}


def query(host, address, user, sql, database="shop", password=None, tls="verify-full"):
    """Send SQL from the host over the network; return the result of the command."""
    return host.run(
        "PGPASSWORD=%s PGCONNECT_TIMEOUT=5 psql -XAtq --set ON_ERROR_STOP=1 --command %s %s",
        password or PASSWORDS[user],
        sql,
        f"host={address} dbname={database} user={user} sslmode={tls} sslrootcert=/root/database.crt",
    )


def administer(host, sql, database="postgres"):
    """Return the answer that the administrator gets on the database server."""
    return host.check_output("cd / && runuser -u postgres -- psql -XAtq --port 5432 --command %s %s", sql, database)
