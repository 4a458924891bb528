"""The settings: packaged defaults, under a TOML file, under the environment. Read by cli and bootstrap only.

The classes below are the one place where a setting is described: ``settings.toml`` and ``docs/settings.md`` are written
from them (:func:`settings_toml`, :func:`settings_markdown`), and a test holds all three equal.
"""

import json
import os
import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from lockbridge import assets
from lockbridge.clock import use_packaged_time_zones
from lockbridge.domain.messages import WhenNotReady
from lockbridge.domain.pins import PinMode
from lockbridge.messaging.sms import body_template

PREFIX = "LOCKBRIDGE_"
FILE_VARIABLE = "LOCKBRIDGE_SETTINGS"
"""Names the settings file, where no command-line option does."""
HIDDEN = "••••"


class ConfigError(Exception):
    """The settings cannot be used. The message has one line per problem: where, what, and what to do."""


def _public_url(url: str) -> str:
    if url and not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", url):
        msg = "is not an address; write it like https://codes.example.com"
        raise ValueError(msg)
    return url.rstrip("/")


def _clock(text: str) -> str:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
        msg = "is not a time of day; write it like 22:00"
        raise ValueError(msg)
    return text


class Section(BaseModel):
    """A table of the settings file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class DatabaseSettings(Section):
    """Where everything is kept."""

    url: str = Field(
        default="sqlite:///data/lockbridge.sqlite3",
        repr=False,
        description="The database: sqlite:///path/to/file (relative to the working directory), or "
        "postgresql://user:password@host/name.",
    )
    synchronous: Literal["FULL", "NORMAL", "EXTRA"] = Field(
        default="FULL",
        description="SQLite only. FULL: a booking that was acknowledged survives a power cut. NORMAL is faster and may "
        "lose the last ones then.",
    )


class SecretsSettings(Section):
    """The key that PINs, credentials and phone numbers are encrypted with. Keep a copy apart from the database."""

    key_file: Path = Field(
        default=Path("data/lockbridge.key"),
        description="The file with the key ring; made on the first run, readable by its owner only.",
    )
    key: SecretStr = Field(
        default=SecretStr(""),
        description="The key ring itself, instead of a file: best given by the environment. A single key is the base64 "
        "of 32 random bytes.",
    )


class ServerSettings(Section):
    """The HTTP server that booking platforms post to."""

    host: str = Field(
        default="127.0.0.1", description="The address it listens on; 0.0.0.0 for every network of the machine."
    )
    port: int = Field(default=8080, ge=1, le=65535, description="The port it listens on.")
    public_url: Annotated[str, AfterValidator(_public_url)] = Field(
        default="", description="How the internet reaches it, for links and webhook addresses; empty: http://host:port."
    )
    max_body: int = Field(
        default=1_048_576, ge=1024, le=104_857_600, description="The largest webhook that is accepted, in bytes."
    )


class WorkerSettings(Section):
    """The worker that carries codes to the locks."""

    tick_seconds: float = Field(default=1.0, gt=0, le=60, description="How often it looks for work, in seconds.")
    locks_at_once: int = Field(
        default=64, ge=1, le=1024, description="How many locks one process works on at the same time."
    )
    codes_at_once: int = Field(
        default=2000,
        ge=1,
        le=1_000_000,
        description="How many codes may be on the locks it works on at the same time: they are held in memory.",
    )
    account_parallel: int = Field(
        default=4, ge=1, le=64, description="How many calls to one lock-app account may be under way at the same time."
    )
    lease_seconds: int = Field(
        default=120,
        ge=10,
        le=3600,
        description="For how long a process has a lock to itself; after a crash, others take it over that much later.",
    )


class CodesSettings(Section):
    """How codes are made, unless a host or a property says otherwise."""

    pin_mode: PinMode = Field(
        default=PinMode.PHONE,
        description="Where the digits come from: phone (the last digits of the guest's number) or random.",
    )
    pin_length: int = Field(
        default=4, ge=3, le=12, description="How many digits a PIN has, where the locks of a property allow it."
    )
    buffer_before_minutes: int = Field(
        default=0, ge=0, le=2880, description="How much earlier than check-in the code opens, in minutes."
    )
    buffer_after_minutes: int = Field(
        default=0, ge=0, le=2880, description="How much later than check-out the code opens, in minutes."
    )
    backups: bool = Field(
        default=True, description="Whether each lock keeps backup codes for the day its own code fails."
    )
    backups_per_lock: int = Field(default=2, ge=1, le=10, description="How many backup codes each lock keeps.")
    phone_wait_minutes: int = Field(
        default=5,
        ge=0,
        le=1440,
        description="How long a booking without a phone number waits for it before its PIN is random, in minutes.",
    )
    final_check_includes_buffer: bool = Field(
        default=True,
        description="Whether the last check happens when the code should open (true) or at check-in (false).",
    )
    owner_codes: bool = Field(default=False, description="Whether stays of the owner get codes, too.")


class PlanSettings(Section):
    """When a plan for a lock is refused."""

    max_removals: int = Field(
        default=20,
        ge=1,
        le=1000,
        description="How many codes may be removed from one lock at once; more stops and alarms.",
    )


class MessagesSettings(Section):
    """What guests are told, and when."""

    code_hours_before: int = Field(
        default=24, ge=0, le=720, description="How long before check-in the message with the code is sent, in hours."
    )
    when_not_ready: WhenNotReady = Field(
        default=WhenNotReady.HOLD,
        description="When the code is not on the lock by then: hold the message, send the fallback text, or give a "
        "backup code.",
    )
    quiet_from: Annotated[str, AfterValidator(_clock)] = Field(
        default="22:00",
        description="From when on guests are let sleep, on the property's clock: what can wait is sent after it.",
    )
    quiet_until: Annotated[str, AfterValidator(_clock)] = Field(
        default="07:00",
        description="Until when. A message about a code that opens within 12 hours does not wait, nor do corrections "
        "and backup codes. The same time twice: no quiet hours.",
    )
    per_stay_per_hour: int = Field(
        default=6,
        ge=1,
        le=1000,
        description="How many messages one guest gets in an hour; the rest waits. What does not wait for the morning "
        "does not wait for this.",
    )
    from_address: str = Field(
        default="lockbridge <lockbridge@localhost>", description="The sender of e-mails: an address, or Name <address>."
    )


class SmtpSettings(Section):
    """The mail server."""

    host: str = Field(default="", description="Its name; empty: e-mails are not sent but printed, to try things out.")
    port: int = Field(
        default=587, ge=1, le=65535, description="Its port: 587 with starttls, 465 with tls, 25 with none."
    )
    security: Literal["none", "starttls", "tls"] = Field(default="starttls", description="none, starttls or tls.")
    username: str = Field(default="", description="The user name; empty: the mail server asks for none.")
    password: SecretStr = Field(default=SecretStr(""), description="The password: best given by the environment.")
    timeout_seconds: float = Field(default=30.0, gt=0, le=600, description="How long each step may take, in seconds.")


def _gateway_url(url: str) -> str:
    if url and not re.fullmatch(r"https?://[^\s/?#@]+[^\s#@]*", url):
        msg = "is not an address; write it like https://sms.example.com/messages"
        raise ValueError(msg)
    return url.rstrip("/")


def _gateway_body(text: str) -> str:
    body_template(text)
    return text


class SmsSettings(Section):
    """Text messages to guests: through a Twilio account, or through any gateway that takes JSON over HTTP."""

    gateway: Literal["none", "twilio", "http", "print"] = Field(
        default="none", description="none, twilio, http, or print, to try things out."
    )
    sender: str = Field(
        default="",
        description="Whom the texts come from: a phone number or a name; with twilio also a messaging service (MG…).",
    )
    secret: SecretStr = Field(
        default=SecretStr(""),
        description="Best given by the environment. twilio: the account's auth token, or the secret of the API key. "
        "http: the whole value of secret_header, like Bearer and a token.",
    )
    twilio_account: str = Field(default="", description="twilio: the account's SID, AC and 32 digits and letters a-f.")
    twilio_api_key: str = Field(
        default="", description="twilio: the SID of an API key (SK…); empty: the secret is the account's auth token."
    )
    url: Annotated[str, AfterValidator(_gateway_url)] = Field(
        default="", description="http: where texts are posted. twilio: another region's address; empty: the usual one."
    )
    method: Literal["POST", "PUT"] = Field(default="POST", description="http: POST or PUT.")
    body: Annotated[str, AfterValidator(_gateway_body)] = Field(
        default='{"to": "{to}", "text": "{text}", "sender": "{sender}", "key": "{key}"}',
        description="http: the JSON object that is sent; {to}, {text}, {sender}, {key} (the same when a text is sent "
        "again) and {secret} are filled in.",
    )
    secret_header: str = Field(
        default="Authorization",
        pattern="^[A-Za-z0-9-]*$",
        description="http: the header that carries the secret; empty: none does.",
    )
    timeout_seconds: float = Field(default=20.0, gt=0, le=600, description="How long a text may take, in seconds.")

    @model_validator(mode="after")
    def _whole(self) -> "SmsSettings":
        """What the chosen gateway needs is there."""
        needed = {"twilio": ("twilio_account", "secret", "sender"), "http": ("url",)}.get(self.gateway, ())
        missing = [name for name in needed if not shown(name, getattr(self, name))]
        if missing:
            msg = f"gateway {self.gateway} needs {', '.join(missing)}"
            raise ValueError(msg)
        if self.gateway == "twilio" and not re.fullmatch("AC[0-9a-f]{32}", self.twilio_account):
            msg = "twilio_account is AC and 32 digits and letters a-f, as the console shows it"
            raise ValueError(msg)
        return self


class RetentionSettings(Section):
    """How long personal data is kept."""

    pin_days: int = Field(
        default=30, ge=0, le=3650, description="A PIN is erased this many days after its code is gone."
    )
    guest_days: int = Field(
        default=400, ge=0, le=36500, description="A guest's name and contacts are erased this many days after the stay."
    )


class LogSettings(Section):
    """What is logged, to standard error. Secrets never are."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug, info, warning or error."
    )
    format: Literal["console", "json"] = Field(default="console", description="console for people, json for machines.")


class InboxSettings(Section):
    """The webhooks that came in."""

    max_attempts: int = Field(
        default=8,
        ge=1,
        le=100,
        description="How often processing one is tried before it is set aside for a person to look at.",
    )


class _Environment(PydanticBaseSettingsSource):
    """``LOCKBRIDGE_SECTION__NAME`` for every setting there is. An empty variable counts as none."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The variables of one section, by setting."""
        names = _section(field).model_fields
        found = {name: os.environ.get(variable(f"{field_name}.{name}")) for name in names}
        return {name: value for name, value in found.items() if value}, field_name, False

    def __call__(self) -> dict[str, Any]:
        """The variables of every section that has one."""
        sections = {name: self.get_field_value(field, name)[0] for name, field in Settings.model_fields.items()}
        return {name: values for name, values in sections.items() if values}


class Settings(BaseSettings):
    """Every setting of lockbridge, checked. Its ``repr`` shows no secret."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    database: DatabaseSettings = DatabaseSettings()
    secrets: SecretsSettings = SecretsSettings()
    server: ServerSettings = ServerSettings()
    worker: WorkerSettings = WorkerSettings()
    codes: CodesSettings = CodesSettings()
    plan: PlanSettings = PlanSettings()
    messages: MessagesSettings = MessagesSettings()
    smtp: SmtpSettings = SmtpSettings()
    sms: SmsSettings = SmsSettings()
    retention: RetentionSettings = RetentionSettings()
    inbox: InboxSettings = InboxSettings()
    log: LogSettings = LogSettings()

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over what the file said."""
        return _Environment(settings_cls), init_settings


def _section(field: FieldInfo) -> type[Section]:
    kind = field.annotation
    if not (isinstance(kind, type) and issubclass(kind, Section)):
        raise TypeError(kind)
    return kind


def every_setting() -> Iterator[tuple[str, FieldInfo]]:
    """``section.name`` and the description of every setting, in the order of the file."""
    for section, field in Settings.model_fields.items():
        for name, setting in _section(field).model_fields.items():
            yield f"{section}.{name}", setting


def variable(setting: str) -> str:
    """The environment variable of a setting: ``LOCKBRIDGE_SERVER__PORT`` for ``server.port``."""
    return PREFIX + setting.replace(".", "__").upper()


# ------------------------------------------------------------------------------------------------------------- loading


def load(path: Path | None = None) -> Settings:
    """The settings of this process. Raises :class:`ConfigError`.

    The file is ``path``, else the one that ``LOCKBRIDGE_SETTINGS`` names – a named file must exist – else the packaged
    one, which holds the defaults. Time-zone rules are taken from the ``tzdata`` package from here on.
    """
    use_packaged_time_zones()
    named = path or (Path(os.environ[FILE_VARIABLE]) if os.environ.get(FILE_VARIABLE) else None)
    file = named or assets.settings_file()
    written = _read(file)
    try:
        settings = Settings(**written)
    except ValidationError as error:
        raise ConfigError("\n".join(_problem(dict(found), file) for found in error.errors())) from None
    settings._origins.update(_origins(settings, written, file))  # noqa: SLF001 - ours
    return settings


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        msg = f"the settings file {file} does not exist: name one that does, or none to use the defaults"
    except (OSError, UnicodeDecodeError) as error:
        msg = f"the settings file {file} cannot be read: {error}"
    except tomllib.TOMLDecodeError as error:
        msg = f"the settings file {file} is not TOML: {error}"
    raise ConfigError(msg)


def _problem(found: dict[str, Any], file: Path) -> str:
    """One complaint of pydantic, for people. Never shows the value, which may be a secret."""
    setting = ".".join(str(part) for part in found["loc"])
    if found["type"] == "extra_forbidden":
        return f"{file}: there is no setting {setting}{_did_you_mean(setting, _names())}"
    where = f"environment variable {variable(setting)}" if os.environ.get(variable(setting)) else f"{file}: {setting}"
    return f"{where}: {_lower(str(found['msg']).removeprefix('Value error, '))}"


def _names() -> list[str]:
    return [*Settings.model_fields, *(name for name, _ in every_setting())]


def _did_you_mean(name: str, known: list[str]) -> str:
    nearest = get_close_matches(name.removeprefix(PREFIX), [other.removeprefix(PREFIX) for other in known], n=1)
    prefix = PREFIX if name.startswith(PREFIX) else ""
    return f"; did you mean {prefix}{nearest[0]}?" if nearest else ""


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def unknown_variables(environ: Mapping[str, str] | None = None) -> list[str]:
    """A warning for each ``LOCKBRIDGE_…`` variable that is no setting, with the one that may have been meant."""
    known = [FILE_VARIABLE, *(variable(name) for name, _ in every_setting())]
    strangers = sorted(
        name for name in (os.environ if environ is None else environ) if name.startswith(PREFIX) and name not in known
    )
    return [f"{name} is not a setting and has no effect{_did_you_mean(name, known)}" for name in strangers]


# --------------------------------------------------------------------------------------------------------- describing


@dataclass(frozen=True, slots=True)
class Origin:
    """A setting, its value as it may be shown, and where the value comes from."""

    setting: str
    value: str
    origin: str


def origins(settings: Settings) -> list[Origin]:
    """Every setting with its value (secrets hidden) and its origin: ``default``, a file, or an environment variable."""
    return [
        Origin(name, shown(name, _value(settings, name)), settings._origins.get(name, "default"))  # noqa: SLF001 - ours
        for name, _ in every_setting()
    ]


def _origins(settings: Settings, written: dict[str, Any], file: Path) -> dict[str, str]:
    found = {}
    for name, setting in every_setting():
        section, _, key = name.partition(".")
        if os.environ.get(variable(name)):
            found[name] = variable(name)
        elif key in written.get(section, {}) and _value(settings, name) != setting.default:
            found[name] = str(file)
    return found


def _value(settings: Settings, name: str) -> Any:
    section, _, key = name.partition(".")
    return getattr(getattr(settings, section), key)


def shown(name: str, value: Any) -> str:
    """The value for people: secrets hidden, also the password in an address."""
    if isinstance(value, SecretStr):
        return HIDDEN if value.get_secret_value() else ""
    text = str(value.value if isinstance(value, StrEnum) else value)
    if isinstance(value, bool):
        return text.lower()
    return re.sub(r"(?<=://)([^/@:]*):[^/]*@", rf"\1:{HIDDEN}@", text) if name == "database.url" else text


def settings_toml() -> str:
    """The text of ``settings.toml``: every setting at its default, below a comment that says what it is."""
    lines = [
        "# The settings of lockbridge, each at its default. Copy this file, keep what you change, and name the copy",
        f"# with --settings or {FILE_VARIABLE}. Environment variables win: LOCKBRIDGE_SERVER__PORT for port",
        "# in [server].",
    ]
    for section, field in Settings.model_fields.items():
        kind = _section(field)
        lines += ["", *_comment(_doc(kind)), f"[{section}]"]
        for name, setting in kind.model_fields.items():
            lines += [*_comment(setting.description or ""), f"{name} = {_toml(setting.default)}"]
    return "\n".join(lines) + "\n"


def settings_markdown() -> str:
    """The text of ``docs/settings.md``."""
    return (
        "\n".join([_MARKDOWN_HEAD, *(line for section in Settings.model_fields for line in _markdown(section))]) + "\n"
    )


_MARKDOWN_HEAD = f"""\
# Settings

Each setting has a default. A TOML file overrides it – named with `--settings` or the variable `{FILE_VARIABLE}` – and
an environment variable overrides both. [`settings.toml`](../settings.toml) shows every setting at its default.

A named file that does not exist, a setting that does not exist and a value out of its range stop the program with a
message that says where and what. An environment variable that begins with `{PREFIX}` and is no setting is warned about;
an empty one counts as none. `lockbridge doctor` lists every setting with its value and its origin.

This page is written from the program; a test holds it, `settings.toml` and the defaults equal."""


def _markdown(section: str) -> list[str]:
    kind = _section(Settings.model_fields[section])
    rows = [
        f"| `{name}` | `{_toml(setting.default)}` | {_allowed(setting)} | {setting.description} "
        f"| `{variable(f'{section}.{name}')}` |"
        for name, setting in kind.model_fields.items()
    ]
    head = ["| Setting | Default | Allowed | What it is | Environment variable |", "|---|---|---|---|---|"]
    return ["", f"## `[{section}]`", "", _doc(kind), "", *head, *rows]


def _allowed(setting: FieldInfo) -> str:
    """The words of a choice, the limits of a number, nothing else."""
    kind = setting.annotation
    words = get_args(kind) if get_origin(kind) is Literal else ()
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        words = tuple(kind)
    if kind is bool:
        words = ("true", "false")
    return ", ".join(f"`{word}`" for word in words) or _limits(setting)


def _limits(setting: FieldInfo) -> str:
    low = [f"at least {limit.ge}" for limit in setting.metadata if isinstance(limit, Ge)]
    low += [f"more than {limit.gt}" for limit in setting.metadata if isinstance(limit, Gt)]
    high = [f"at most {limit.le}" for limit in setting.metadata if isinstance(limit, Le)]
    return ", ".join(low + high)


def _doc(kind: type[Section]) -> str:
    return " ".join((kind.__doc__ or "").split())


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, 116, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    return json.dumps(str(text), ensure_ascii=False)
