import tomllib
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from lockbridge import assets
from lockbridge.config import (
    ConfigError,
    Origin,
    Settings,
    every_setting,
    load,
    origins,
    settings_markdown,
    settings_toml,
    unknown_variables,
    variable,
)

DOCS = Path(assets.__file__).parents[1] / "docs"


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch):
    for name in ("LOCKBRIDGE_SETTINGS", *(variable(setting) for setting, _ in every_setting())):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def settings_file(tmp_path):
    def write(text):
        file = tmp_path / "mine.toml"
        file.write_text(text)
        return file

    return write


def origin(settings, name):
    return next(found for found in origins(settings) if found.setting == name)


# ------------------------------------------------------------------------------------------ one truth in three places


def test_the_packaged_file_is_what_the_program_would_write():
    assert assets.settings_file().read_text() == settings_toml()


def test_the_packaged_file_holds_every_default_and_nothing_else():
    written = tomllib.loads(assets.settings_file().read_text())
    assert [f"{section}.{name}" for section, values in written.items() for name in values] == [
        name for name, _ in every_setting()
    ]
    assert Settings(**written) == Settings() == load()


def test_every_setting_in_the_packaged_file_stands_below_a_comment():
    lines = assets.settings_file().read_text().splitlines()
    assert all(before.startswith("# ") for before, line in pairwise(lines) if " = " in line[:40])


def test_the_documentation_is_what_the_program_would_write():
    assert (DOCS / "settings.md").read_text() == settings_markdown()


@pytest.mark.parametrize("name", [name for name, _ in every_setting()])
def test_every_setting_is_documented_with_its_variable(name):
    assert f"`{variable(name)}`" in settings_markdown()


# ------------------------------------------------------------------------------------------------------------- sources


def test_a_file_overrides_defaults_and_the_environment_overrides_the_file(settings_file, monkeypatch):
    monkeypatch.setenv("LOCKBRIDGE_SERVER__PORT", "9001")
    settings = load(settings_file('[server]\nport = 9000\nhost = "0.0.0.0"\n'))
    assert (settings.server.port, settings.server.host, settings.server.max_body) == (9001, "0.0.0.0", 1_048_576)  # noqa: S104 - a setting


def test_a_file_can_be_named_by_the_environment(settings_file, monkeypatch):
    monkeypatch.setenv("LOCKBRIDGE_SETTINGS", str(settings_file("[codes]\nbackups = false\n")))
    assert not load().codes.backups


def test_an_empty_variable_counts_as_none(monkeypatch):
    monkeypatch.setenv("LOCKBRIDGE_SERVER__PORT", "")
    assert load().server.port == 8080


def test_a_named_file_that_does_not_exist_is_an_error(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"nowhere\.toml does not exist"):
        load(tmp_path / "nowhere.toml")
    monkeypatch.setenv("LOCKBRIDGE_SETTINGS", str(tmp_path / "neither.toml"))
    with pytest.raises(ConfigError, match=r"neither\.toml does not exist"):
        load()


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server", "is not TOML"),
        ("[server]\nprot = 1", r"there is no setting server\.prot; did you mean server\.port\?"),
        ("[sever]\nport = 1", r"there is no setting sever; did you mean server\?"),
        ("server = 1", "mine.toml: server: "),
        ("[server]\nport = 70000", r"mine\.toml: server\.port: input should be less than or equal to 65535"),
        ('[server]\npublic_url = "example.com"', r"server\.public_url: is not an address; write it like https://"),
        ('[codes]\npin_mode = "guess"', "input should be 'phone' or 'random'"),
        ("[plan]\nmax_removals = true\n[inbox]\nmax_attempts = 0", "(?s)max_attempts: input should be"),
    ],
)
def test_a_mistake_in_the_file_says_where_what_and_what_to_do(settings_file, text, words):
    with pytest.raises(ConfigError, match=words):
        load(settings_file(text))


def test_every_mistake_is_told_at_once(settings_file):
    with pytest.raises(ConfigError) as error:
        load(settings_file("[server]\nport = 0\n[inbox]\nmax_attempts = 0\n"))
    assert len(str(error.value).splitlines()) == 2


def test_a_mistake_in_the_environment_names_the_variable_but_not_its_value(monkeypatch):
    monkeypatch.setenv("LOCKBRIDGE_SMTP__TIMEOUT_SECONDS", "s3cret")
    with pytest.raises(ConfigError, match="environment variable LOCKBRIDGE_SMTP__TIMEOUT_SECONDS: ") as error:
        load()
    assert "s3cret" not in str(error.value)


def test_unknown_variables_are_told_with_the_one_that_may_have_been_meant():
    environ = {
        "LOCKBRIDGE_SERVER__PROT": "1",
        "LOCKBRIDGE_SERVER_HOST": "1",
        "LOCKBRIDGE_QQQ": "1",
        "LOCKBRIDGE_SERVER__PORT": "1",
        "LOCKBRIDGE_SETTINGS": "x",
        "HOME": "/",
    }
    assert unknown_variables(environ) == [
        "LOCKBRIDGE_QQQ is not a setting and has no effect",
        "LOCKBRIDGE_SERVER_HOST is not a setting and has no effect; did you mean LOCKBRIDGE_SERVER__HOST?",
        "LOCKBRIDGE_SERVER__PROT is not a setting and has no effect; did you mean LOCKBRIDGE_SERVER__PORT?",
    ]


def test_a_trailing_slash_of_the_public_url_is_dropped(settings_file):
    assert load(settings_file('[server]\npublic_url = "https://x.example/"')).server.public_url == "https://x.example"


# ------------------------------------------------------------------------------------------------------------- origins


def test_each_setting_knows_where_its_value_comes_from(settings_file, monkeypatch):
    file = settings_file("[server]\nport = 9000\n[inbox]\nmax_attempts = 8\n")
    monkeypatch.setenv("LOCKBRIDGE_WORKER__LOCKS_AT_ONCE", "8")
    settings = load(file)
    assert origin(settings, "server.port") == Origin("server.port", "9000", str(file))
    assert origin(settings, "worker.locks_at_once").origin == "LOCKBRIDGE_WORKER__LOCKS_AT_ONCE"
    assert origin(settings, "inbox.max_attempts").origin == "default"
    assert origin(settings, "codes.backups") == Origin("codes.backups", "true", "default")


def test_secrets_are_hidden_wherever_settings_are_shown(settings_file):
    settings = load(
        settings_file(
            '[secrets]\nkey = "s3cret"\n[smtp]\npassword = "s3cret"\n'
            '[database]\nurl = "postgresql://me:s3cret@db.example/lockbridge"\n'
        )
    )
    assert settings.smtp.password == SecretStr("s3cret")
    assert "s3cret" not in repr(settings) + str(settings) + str(origins(settings))
    assert origin(settings, "smtp.password").value == "••••"
    assert origin(settings, "database.url").value == "postgresql://me:••••@db.example/lockbridge"
    assert origin(load(), "smtp.password").value == ""


def test_loading_the_settings_takes_time_zones_from_the_package():
    load()
    assert ZoneInfo("America/Vancouver").key == "America/Vancouver"
