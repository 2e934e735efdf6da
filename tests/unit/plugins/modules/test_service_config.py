"""When a service has read its files."""

from __future__ import annotations

import pytest
from ansible_collections.tiered.django.plugins.modules.service_config import seconds_since_epoch, why_stale

STARTED = "Sat 2026-11-21 01:00:00.000000 UTC"
RELOADED = "Sat 2026-11-21 02:00:00.500000 UTC"
GOOD = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "UnitFileState": "enabled",
    "NeedDaemonReload": "no",
    "ConditionResult": "yes",
    "ConditionTimestamp": STARTED,
    "ReloadResult": "success",
    "ActiveEnterTimestamp": STARTED,
    "StateChangeTimestamp": RELOADED,
}


def stale(applied_by="reload", newest=0.0, **state):
    return why_stale("x.service", {**GOOD, **state}, applied_by, newest)


def test_timestamps_are_read_to_the_microsecond():
    assert seconds_since_epoch(RELOADED) - seconds_since_epoch(STARTED) == 3600.5


def test_an_event_that_never_happened_is_older_than_any_file():
    assert seconds_since_epoch("") == 0.0


def test_a_service_that_was_reloaded_after_its_files_were_written_is_fresh():
    assert stale(newest=seconds_since_epoch(RELOADED) - 0.1) == ""


def test_a_service_that_was_reloaded_before_is_not():
    assert "has not read its files" in stale(newest=seconds_since_epoch(RELOADED) + 0.1)


def test_a_reload_does_not_count_where_a_restart_is_needed():
    newest = seconds_since_epoch(STARTED) + 1
    assert stale("reload", newest) == ""
    assert "has not read its files" in stale("restart", newest)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"LoadState": "not-found"}, "is not there yet"),
        ({"UnitFileState": "disabled"}, "is not enabled"),
        ({"UnitFileState": "masked"}, "is not enabled"),
        ({"NeedDaemonReload": "yes"}, "systemd has not read"),
        ({"ActiveState": "failed"}, "is failed"),
        ({"ActiveState": "inactive"}, "is inactive"),
        ({"ReloadResult": "exit-code"}, "the last reload of x.service failed"),
        ({"ActiveState": "inactive", "ConditionResult": "no", "ConditionTimestamp": ""}, "is inactive"),
    ],
)
def test_reasons(state, reason):
    assert reason in stale(**state)


def test_a_unit_whose_start_condition_does_not_hold_is_as_it_should_be():
    assert stale(ActiveState="inactive", ConditionResult="no") == ""
