"""Apply the migrations of a release: once, whoever else tries at the same time, and never waiting long for a lock.

Prints one line of JSON: {"applied": [...], "destructive": [...]}. With --refuse-destructive nothing is applied when a
migration takes away what the release that is being served may still use.
"""

import json
import os
import sys
import time
import zlib

import django
from django.core.management import call_command
from django.db import connections
from django.db.migrations import operations
from django.db.migrations.executor import MigrationExecutor

os.environ["DJANGO_SETTINGS_MODULE"] = "tiered_settings"

LOCK_SECONDS = 300
DESTRUCTIVE = (
    operations.DeleteModel,
    operations.RemoveField,
    operations.RenameField,
    operations.RenameModel,
    operations.RunSQL,
)


def plan(connection):
    """Return the migrations that this release needs and the database has not seen."""
    executor = MigrationExecutor(connection)
    found = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return executor.loader.applied_migrations, [migration for migration, _backwards in found]


def destructive(applied, migrations):
    """Name what takes away tables or columns that are there already, in apps that are in use."""
    in_use = {app for app, _name in applied}
    return [
        f"{migration} ({operation.describe()})"
        for migration in migrations
        if migration.app_label in in_use
        for operation in migration.operations
        if isinstance(operation, DESTRUCTIVE)
    ]


def take_lock(connection):
    """Wait until nobody else migrates this database."""
    number = zlib.crc32(b"tiered.django migrate")
    deadline = time.monotonic() + LOCK_SECONDS
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [number])
            if cursor.fetchone()[0]:
                return
            if time.monotonic() > deadline:
                raise SystemExit("somebody else has been migrating this database for five minutes")
            time.sleep(1)


def main():
    """Apply what is missing."""
    django.setup()
    connection = connections["default"]
    guard = connections.create_connection("default") if connection.vendor == "postgresql" else None
    try:
        if guard:
            take_lock(guard)
        applied, missing = plan(connection)
        risky = destructive(applied, missing)
        names = [str(migration) for migration in missing]
        if risky and "--refuse-destructive" in sys.argv:
            raise SystemExit("these migrations take away what is in use: " + ", ".join(risky))
        if names:
            call_command("migrate", interactive=False, verbosity=1, stdout=sys.stderr)
    finally:
        if guard:
            guard.close()
    print(json.dumps({"applied": names, "destructive": risky}))


if __name__ == "__main__":
    main()
