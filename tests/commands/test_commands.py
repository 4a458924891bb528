"""What each command does and says, on both databases."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from lockbridge.commands.session import make_ready
from lockbridge.config import load
from lockbridge.storage.database import Database
from tests.commands.conftest import Command


def test_the_first_host_makes_the_database_and_the_key_and_says_so(lockbridge: Command, tmp_path: Path):
    said = lockbridge("host", "add", "Ana", "ana@example.com")
    assert said.code == 0
    assert "made a new database: data/lockbridge.sqlite3" in said.err
    assert "keep a copy" in said.err
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data/lockbridge.key").stat().st_mode & 0o777 == 0o600
    again = lockbridge("host", "add", "Ben", "ben@example.com")
    assert (again.code, again.err) == (0, "")


def test_a_database_of_another_program_is_left_alone(lockbridge: Command, tmp_path: Path, monkeypatch):
    file = tmp_path / "other.sqlite3"
    other = Database(f"sqlite:///{file}", read_threads=0)
    with other.write() as connection:
        connection.exec_driver_sql("CREATE TABLE recipes (id INTEGER)")
    other.dispose()
    monkeypatch.setenv("LOCKBRIDGE_DATABASE__URL", f"sqlite:///{file}")
    said = lockbridge("host", "add", "Ana", "ana@example.com")
    assert said.code == 1
    assert "tables of another program (recipes)" in said.err


def test_a_postgresql_database_is_not_migrated_unasked(monkeypatch, empty_database_url):
    monkeypatch.setenv("LOCKBRIDGE_DATABASE__URL", empty_database_url("postgresql"))
    with pytest.raises(Exception, match="run 'lockbridge migrate'"):
        make_ready(load(), print)


def test_migrate_makes_the_tables_once(lockbridge: Command):
    assert "applied 0001" in lockbridge("migrate").out
    assert "nothing to do" in lockbridge("migrate").out


def test_a_database_of_a_newer_version_is_refused(lockbridge: Command, sqlite_url, monkeypatch):
    database = Database(sqlite_url, read_threads=0)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.dispose()
    monkeypatch.setenv("LOCKBRIDGE_DATABASE__URL", sqlite_url)
    for command in (["host", "list"], ["host", "add", "A", "a@b.c"], ["serve"], ["worker"], ["migrate"]):
        said = lockbridge(*command)
        assert said.code == 1
        assert "newer version of lockbridge" in said.err


def test_a_host_need_not_be_named_while_there_is_only_one(lockbridge: Command, stored):
    assert "there is no host yet" in lockbridge("property", "list").err
    lockbridge("host", "add", "Ana", "ana@example.com")
    assert lockbridge("property", "list").code == 0
    lockbridge("host", "add", "Ben", "ben@example.com")
    said = lockbridge("property", "list")
    assert (said.code, "say which with --host (1 Ana, 2 Ben)" in said.err) == (2, True)
    assert lockbridge("property", "list", "--host", 2).code == 0
    assert "there is no host 3" in lockbridge("property", "list", "--host", 3).err


def test_a_host_never_reaches_anothers_things(connected: Command):
    connected("host", "add", "Ben", "ben@example.com")
    for command in (
        ["property", "match", 1, 1],
        ["property", "match", 1, 1, "--preview"],
        ["property", "unmatch", 1, 1],
        ["property", "set", 1, "backups=false"],
        ["lock", "preview", 1],
        ["lock", "resync", 1],
        ["lock-app", "test", 1],
        ["stay", "show", 1],
        ["staff", "revoke", 1],
        ["inbox", "replay", 1],
    ):
        said = connected(*command, "--host", 2)
        assert said.code == 2, command
        assert "this host has no" in said.err


def test_bad_hosts_and_properties_are_refused_plainly(lockbridge: Command, stored):
    assert "is no e-mail address" in lockbridge("host", "add", "Ana", "nowhere").err
    lockbridge("host", "add", "Ana", "ana@example.com")
    assert "is no time zone" in lockbridge("property", "add", "X", "--zone", "Mars/Phobos").err
    assert "is no time of day" in lockbridge("property", "add", "X", "--zone", "UTC", "--check-in", "noon").err
    said = lockbridge("property", "add", "x" * 500, "--zone", "UTC")
    assert (said.code, "1 to 200 characters" in said.err) == (2, True)


def test_a_lock_app_that_does_not_let_us_in_is_not_stored(lockbridge: Command, stored, lock_app):
    lockbridge("host", "add", "Ana", "ana@example.com")
    add = ["lock-app", "add", "simulator", "--set", f"url={lock_app}"]
    assert lockbridge(*add, "--set", "token=wrong").code == 1
    assert lockbridge("lock-app", "add", "simulator", "--set", "url=http://127.0.0.1:1", "--set", "token=x").code == 3
    assert lockbridge("lock-app", "list", "--json").json == []


def test_a_secret_comes_from_standard_input_or_the_environment_and_is_never_shown(
    lockbridge: Command, stored, lock_app, monkeypatch, tmp_path
):
    lockbridge("host", "add", "Ana", "ana@example.com")
    (tmp_path / "secret").write_text("simulator\n")
    with (tmp_path / "secret").open() as file:
        monkeypatch.setattr("sys.stdin", file)
        said = lockbridge("lock-app", "add", "simulator", "One", "--set", f"url={lock_app}")
    assert (said.code, "with 5 locks" in said.out) == (0, True)
    monkeypatch.setenv("MY_TOKEN", "simulator")
    said = lockbridge("lock-app", "change", 1, "--from-env", "token=MY_TOKEN")
    assert said.code == 0
    assert "One is connected, with 5 locks" in said.out


def test_a_lock_app_that_was_refused_is_connected_again_by_another_password(connected: Command, lock_app):
    control = {"authorization": "Bearer control"}
    httpx.post(f"{lock_app}/control/accounts/main/disconnect", headers=control)
    assert connected("lock-app", "test", 1).code == 1
    (row,) = connected("lock-app", "list", "--json").json
    assert row["state"] == "needs_person"
    assert connected("lock-app", "change", 1, "--set", "token=wrong").code == 1
    httpx.post(f"{lock_app}/control/accounts", headers=control, json={"key": "other", "token": "better"})
    assert connected("lock-app", "change", 1, "--set", "token=better").code == 0
    assert connected("lock-app", "list", "--json").json[0]["state"] == "connected"


def test_lists_are_plain_lines_for_people_and_json_for_programs(connected: Command):
    for command in (
        ["host", "list"],
        ["property", "list"],
        ["lock-app", "list"],
        ["lock-app", "kinds"],
        ["lock", "list"],
        ["platform", "list"],
        ["code", "list"],
    ):
        told, rows = connected(*command).out.splitlines(), connected(*command, "--json").json
        assert len(told) == len(rows) + 1
        assert all(name == name.lower() and "-" not in name for row in rows for name in row)
    assert {row["class"] for row in connected("lock", "list", "--json").json} == {"A", "B", "C"}
    assert connected("property", "list", "--json").json[0]["locks"] == ["1 Front door", "5 Cellar"]


def test_r47_a_preview_shows_what_a_match_would_do_and_does_nothing(connected: Command):
    before = connected("code", "list", "--json").json
    said = connected("property", "match", 1, 2, "--preview")
    assert said.code == 0
    assert said.out.count("a backup code is kept ready on the lock") == 2
    gone = connected("property", "unmatch", 1, 1, "--preview").out
    assert "comes off: unmatched" in gone
    assert connected("code", "list", "--json").json == before
    assert len(connected("property", "list", "--json").json[0]["locks"]) == 2
    assert connected("property", "match", 99, 1, "--preview").code == 2
    assert connected("property", "match", 1, 99, "--preview").code == 2


def test_matching_twice_and_unmatching_twice_is_harmless_and_said(connected: Command):
    assert "already" in connected("property", "match", 1, 1).out
    assert "no more" in connected("property", "unmatch", 1, 1).out
    assert "did not open" in connected("property", "unmatch", 1, 1).out


def test_r32_resync_reports_and_leaves_with_3_when_a_lock_cannot_be_read(connected: Command, lock_app):
    rows = connected("lock", "resync", "--all", "--json").json
    assert {row["name"]: row["pushed"] for row in rows if row["pushed"]} == {"Front door": 2, "Cellar": 2}
    httpx.post(f"{lock_app}/control/locks/cellar/offline", headers={"authorization": "Bearer control"}, json={})
    said = connected("lock", "resync", 1, 5)
    assert said.code == 3
    assert "cannot be reached" in said.out
    assert connected("lock", "preview", 5).code == 3
    assert "nothing to do" in connected("lock", "preview", 1).out
    assert connected("lock", "preview", 1, "--json").json["actions"] == []


def test_a_property_has_settings_of_its_own(connected: Command):
    assert "backups=False" in connected("property", "set", 1, "backups=false").out
    assert connected("property", "list", "--json").json[0]["settings"] == ["backups=False"]
    assert "the usual settings" in connected("property", "set", 1).out


def test_r42_a_staff_code_is_shown_once_and_taken_off_again(connected: Command):
    made = connected("staff", "add", "Maria", "--lock", 1, "--json").json
    assert made["pin"].isdecimal()
    listed = connected("code", "list").out
    assert "Maria" in listed
    assert made["pin"] not in listed
    assert made["pin"] in connected("code", "list", "--lock", 1, "--reveal").out
    assert connected("staff", "revoke", made["code"]).code == 0
    assert connected("staff", "add", "Maria", "--lock", 99).code == 2


def test_an_address_is_made_with_a_secret_of_ours_or_of_the_platform(connected: Command, monkeypatch):
    monkeypatch.setenv("LOCKBRIDGE_SERVER__PUBLIC_URL", "https://codes.example.com")
    made = connected("platform", "connect", "generic", "--json").json
    assert made["url"].startswith("https://codes.example.com/webhooks/generic/")
    assert made["secret"].startswith("whsec_")
    monkeypatch.setenv("SECRET_OF_OTHERS", "their words")
    said = connected("platform", "connect", "hospitable", "--webhooks-only", "--secret-env", "SECRET_OF_OTHERS")
    assert said.code == 0
    assert "their words" not in said.out + said.err
    monkeypatch.setenv("SECRET_OF_OTHERS", "too short")
    assert connected("platform", "connect", "generic", "--secret-env", "SECRET_OF_OTHERS").code == 2
    assert "webhook address 1" in connected("platform", "list").out


def test_the_health_check_can_be_run_by_hand(connected: Command):
    said = connected("healthcheck", "run")
    assert said.code == 0
    assert connected("healthcheck", "run", "--json").json["hosts_told"] == 0


def test_doctor_finds_nothing_wrong_and_shows_where_settings_come_from(connected: Command, monkeypatch):
    monkeypatch.setenv("LOCKBRIDGE_SMTP__PASSWORD", "hush-hush")
    monkeypatch.setenv("LOCKBRIDGE_DATABSE__URL", "x")
    said = connected("doctor")
    assert said.code == 0, said.out
    assert "hush-hush" not in said.out
    assert "did you mean LOCKBRIDGE_DATABASE__URL" in said.out
    report = connected("doctor", "--json").json
    origins = {row["setting"]: row["origin"] for row in report["settings"]}
    assert origins["smtp.password"] == "LOCKBRIDGE_SMTP__PASSWORD"
    assert {check["what"]: check["verdict"] for check in report["checks"]} == {
        "environment": "note",
        "time zones": "ok",
        "database": "ok",
        "key": "ok",
        "mail": "note",
        "text messages": "note",
        "daily check": "note",
        "work": "ok",
        "lock app 1": "ok",
    }


def test_doctor_says_what_is_wrong_with_mail_lock_apps_and_webhooks(connected: Command, monkeypatch, lock_app):
    monkeypatch.setenv("LOCKBRIDGE_SMTP__HOST", "127.0.0.1")
    monkeypatch.setenv("LOCKBRIDGE_SMTP__PORT", "1")
    httpx.post(f"{lock_app}/control/accounts/main/disconnect", headers={"authorization": "Bearer control"})
    said = connected("doctor", "--json")
    assert said.code == 1
    wrong = {check["what"]: check["words"] for check in said.json["checks"] if check["verdict"] == "wrong"}
    assert set(wrong) == {"mail", "lock app 1"}
    assert "cannot be reached" in wrong["mail"]


def test_doctor_without_a_database_says_what_to_run(lockbridge: Command):
    said = lockbridge("doctor")
    assert said.code == 1
    assert "run 'lockbridge migrate'" in said.out


def test_doctor_notices_that_no_worker_runs(connected: Command, monkeypatch):
    old = datetime.now(UTC) - timedelta(days=3)
    from lockbridge.storage import journal  # noqa: PLC0415 - only here

    database = Database(load().database.url, read_threads=0)
    with database.write() as connection:
        journal.take_run(connection, "healthcheck", old, old)
    database.dispose()
    said = connected("doctor")
    assert said.code == 1
    assert "no worker runs" in said.out


def test_demo_runs_the_story_and_leaves_with_its_code(lockbridge: Command, monkeypatch):
    monkeypatch.setattr("lockbridge.demo.run", lambda _console: 1)
    assert lockbridge("demo").code == 1
