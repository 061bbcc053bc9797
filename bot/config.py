"""Settings of genrec, read from the environment and ``.env`` by this module alone."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    Field,
    InstanceOf,
    IPvAnyAddress,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    SettingsConfigDict,
)

from bot.errors import SettingsError
from bot.locations import IN_CLONE, default_database
from bot.secret_files import open_files, with_secrets
from bot.setting_names import unknown_names
from bot.ui.track_links import DEFAULT_SITE, SITES, TEMPLATE_FAULTS, template_fault
from bot.value_faults import plain_fault
from db.address import PostgresAddress, database_place, is_address
from genrec.errors import CatalogueError
from genrec.types import MAX_ANALYZED_S, Runtime

PREFIX = "GENREC_"
# Variables that are removed from the environment once they are read.
_TOKEN_VARIABLES = tuple(
    f"{PREFIX}{name}"
    for name in (
        "DATABASE", "DISCORD_TOKEN", "HTTP_API_TOKEN", "SUBSONIC_PASSWORD", "SUBSONIC_API_KEY",
    )
)  # fmt: skip
# Each may also be in the file of NAME_file.
SECRETS = ("discord_token", "link_proxy", "http_api_token", "subsonic_password", "subsonic_api_key")
LOOPBACK = IPv4Address("127.0.0.1")
LEAST_TOKEN_CHARS = 16
_SCOPE = re.compile(r"starter|library|guild:[1-9][0-9]{0,19}")
# Old name of a setting to its new one; the old name works until 0.2.0.
RENAMED = {"heard_s": "analyzed_s", "sandbox_port": "local_discord_port"}


class Settings(BaseSettings):
    """The operator's settings; docs/settings.md lists the description of each field."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    discord_token: SecretStr | None = Field(
        None, description="The bot's token; without it genrec runs on the local Discord."
    )
    discord_token_file: Path | None = Field(
        None,
        description="File with the bot's token, in place of GENREC_DISCORD_TOKEN; only you should"
        " be able to read it.",
    )
    preset: Path = Field(Path("models/resnet50"), description="Folder of the preset.")
    database: Path | InstanceOf[PostgresAddress] = Field(
        IN_CLONE,
        description="SQLite file for tracks, guild settings and votes; an installed package keeps"
        " it in the user's data folder. Or the address of a PostgreSQL database, which several bots"
        " may share: postgresql://user:password@host/database?sslmode=verify-full.",
    )
    library: Path | None = Field(
        None,
        description="Music folder that /reindex indexes; without it /reindex of the library is "
        "declined.",
    )
    keep_non_music: bool = Field(
        False,
        description="Whether `genrec index` and /reindex also index files that seem to contain no "
        "music.",
    )

    starter: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Whether tracks of the starter catalogue are recommended: `auto` leaves them "
        "out as soon as there are enough own tracks, see docs/library.md; `always` or `never`.",
    )

    workers: int = Field(
        0, ge=0, le=64, description="Worker processes; 0 starts one per processor, at most four."
    )
    queue: int = Field(
        64,
        ge=1,
        le=1000,
        description="Clips, of requests and of indexing, that may wait for a worker.",
    )
    runtime: Runtime = Field(
        "auto",
        description="Library that runs the network: `litert`, `onnxruntime` (the extra of that"
        " name), or `auto`, which takes the second if it is installed and the processor lacks VNNI,"
        " see docs/performance.md.",
    )
    analyzed_s: float = Field(
        MAX_ANALYZED_S,
        ge=5,
        le=300,
        description="Seconds analysed of a longer clip or file, from its middle. A change does not "
        "affect stored analyses.",
    )
    cluster: str = Field(
        "",
        description="Address of a Dask scheduler whose workers `genrec index` and /reindex use,"
        " tls://host:8786, see docs/cluster.md; plain tcp:// only on this machine. Empty: the local"
        " worker processes.",
    )
    analysis_timeout_s: float = Field(
        30.0,
        gt=0,
        le=600,
        description="Seconds after which an analysis is stopped and its worker killed.",
    )
    max_upload_mb: float = Field(
        25.0, gt=0, le=500, description="Largest clip or link download, in MiB."
    )
    max_clip_minutes: float = Field(
        20.0, gt=0, le=600, description="Longest recording behind a link, in minutes."
    )
    fetch_timeout_s: float = Field(
        60.0, gt=0, le=600, description="Seconds that the fetch of one clip may take."
    )

    cooldown_s: float = Field(
        5.0, ge=0, le=3600, description="Seconds that a user waits between two requests."
    )
    waiting_per_user: int = Field(
        2,
        ge=0,
        le=10,
        description="Further requests of a user that wait for their turn, for 5 minutes at most; 0"
        " declines them.",
    )
    jobs_per_server: int = Field(
        10, ge=1, le=1000, description="Requests of one server that may run or wait."
    )
    jobs_in_direct_messages: int = Field(
        10,
        ge=1,
        le=1000,
        description="Requests of all direct messages together that may run or wait.",
    )
    jobs_in_all: int = Field(
        40, ge=1, le=10_000, description="Requests that may run or wait in total."
    )

    link_share: float = Field(
        0.75,
        gt=0,
        le=0.9,
        description="Part of the limits on requests and of GENREC_CLIP_DISK_MB that links may use; "
        "the rest is for uploads.",
    )
    min_rate_kb_s: float = Field(
        16.0,
        gt=0,
        le=1000,
        description="Slowest download that is accepted, in KiB per second over ten seconds.",
    )

    sites: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Sites whose pages are fetched, by their names in docs/links.md, separated by "
        "commas; empty means all sites but YouTube, `off` means none.",
    )
    youtube: bool = Field(
        False,
        description="Fetch YouTube links; docs/links.md lists the requirements.",
    )
    link_lookup: bool = Field(
        True,
        description="Look up songs of links whose sound is not fetched by their names, as of "
        "Spotify; docs/links.md lists the requests.",
    )
    clip_disk_mb: float = Field(
        512.0,
        gt=0,
        le=100_000,
        description="Disk space for all clips that are fetched at the same time, in MiB; at least "
        "three times GENREC_MAX_UPLOAD_MB.",
    )
    ytdlp_dir: Path | None = Field(
        None, description="Folder with a yt-dlp that replaces the installed one."
    )
    ytdlp_plugins: bool = Field(False, description="Whether yt-dlp may load plugins.")
    ytdlp_max_age_days: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Warn if yt-dlp is older than this many days; 0 turns it off.",
    )
    js_runtime: Path | None = Field(
        None,
        description="Deno program that YouTube needs; by default the one beside Python or on the "
        "PATH.",
    )
    cookies_file: Path | None = Field(
        None, description="Cookies in Netscape format, for YouTube only."
    )
    link_proxy: str = Field("", description="HTTP proxy for pages, as http://host:port.")
    link_proxy_file: Path | None = Field(
        None, description="File with the proxy's address, in place of GENREC_LINK_PROXY."
    )
    message_content: bool = Field(
        True,
        description="Request the Message Content intent, which uploads without a mention need.",
    )
    shards: int = Field(
        1,
        ge=0,
        le=1000,
        description="Gateway connections in all; 0 uses Discord's recommendation.",
    )
    shards_here: int = Field(
        0,
        ge=0,
        le=1000,
        description="Most shards that this process takes of those in all; 0 means all. Only with"
        " PostgreSQL, where several processes share them.",
    )
    development_server: int | None = Field(
        None,
        ge=1,
        description="Id of a server on which commands are registered immediately; for development.",
    )
    admin_servers: Annotated[tuple[int, ...], NoDecode] = Field(
        (),
        description="Ids of the servers, separated by commas, whose admins may also re-index the "
        "operator's library; empty means only the owner or team of the bot's application may.",
    )
    compact: bool = Field(
        True,
        description="Whether answers on servers are short, with the rest behind *Details*; a server"
        " chooses with `/settings layout`. Direct messages and /genre have full answers.",
    )
    support_url: str = Field("", description="Address for problem reports; shown in /help.")

    track_links: str = Field(
        DEFAULT_SITE,
        description="Where titles of tracks link to: a search page by its name in docs/admins.md,"
        " `off`, or an own address with {artist}, {title}, {isrc}, {mbid} or {path}. A server may"
        " choose another one.",
    )
    path_root: Path | None = Field(
        None,
        description="Folder that {path} and the paths of playlists are relative to; without it no"
        " path is shown on Discord.",
    )

    excerpts: bool = Field(
        False,
        description="Whether answers have a Listen button, which sends up to 15 s of the indexed"
        " files to the person who presses it. Check that you may do so.",
    )

    without_sandbox: Literal["refuse-links", "refuse-all", "allow"] = Field(
        "refuse-links",
        description="Requests that are refused if `genrec doctor` reports an incomplete sandbox:"
        " `refuse-links`, `refuse-all` (links and uploads), or `allow` (none).",
    )
    http_host: IPvAnyAddress = Field(
        LOOPBACK,
        description="Address on which /healthz, /readyz and /metrics listen; `0.0.0.0` means all"
        " of the machine or container.",
    )
    http_port: int = Field(
        9090,
        ge=0,
        le=65535,
        description="Port of /healthz, /readyz and /metrics; 0 turns them off.",
    )
    http_api_host: IPvAnyAddress = Field(
        LOOPBACK,
        description="Address on which the HTTP interface listens; another than a loopback address"
        " needs GENREC_HTTP_API_TOKEN.",
    )
    http_api_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port of the HTTP interface for other programs, see docs/http.md; 0 turns it"
        " off.",
    )
    http_api_token: SecretStr | None = Field(
        None,
        description="Token that programs send to the HTTP interface, of at least"
        f" {LEAST_TOKEN_CHARS} characters; without one every program of this machine may use it.",
    )
    http_api_token_file: Path | None = Field(
        None, description="File with that token, in place of GENREC_HTTP_API_TOKEN."
    )
    http_api_scopes: Annotated[tuple[str, ...], NoDecode] = Field(
        ("starter", "library"),
        description="Tracks that the HTTP interface may name, separated by commas: `starter`,"
        " `library`, and `guild:ID` for the own tracks of a Discord server.",
    )
    http_api_per_minute: int = Field(
        60,
        ge=1,
        le=100_000,
        description="Requests a minute that the HTTP interface accepts from one address.",
    )
    subsonic_user: str = Field(
        "genrec",
        min_length=1,
        max_length=100,
        description="User name of music players at the OpenSubsonic interface, see"
        " docs/opensubsonic.md.",
    )
    subsonic_password: SecretStr | None = Field(
        None,
        description=f"Password of that user, of at least {LEAST_TOKEN_CHARS} characters; with it or"
        " the API key, the HTTP interface also serves OpenSubsonic.",
    )
    subsonic_password_file: Path | None = Field(
        None, description="File with that password, in place of GENREC_SUBSONIC_PASSWORD."
    )
    subsonic_api_key: SecretStr | None = Field(
        None,
        description=f"API key of music players, of at least {LEAST_TOKEN_CHARS} characters; better"
        " than the password, where a player supports it.",
    )
    subsonic_api_key_file: Path | None = Field(
        None, description="File with that key, in place of GENREC_SUBSONIC_API_KEY."
    )
    subsonic_starter: bool = Field(
        False,
        description="Whether music players also see the starter catalogue, whose songs have no"
        " files.",
    )
    local_discord_host: IPvAnyAddress = Field(
        LOOPBACK,
        description="Address on which the local Discord listens: a loopback address, or `0.0.0.0`"
        " in a container.",
    )
    local_discord_port: int = Field(
        8080,
        ge=0,
        le=65535,
        description="Port of the local Discord; 0 takes any free port.",
    )
    log_format: Literal["text", "json"] = Field("text", description="`text` or `json`.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe level in the log: `DEBUG`, `INFO`, `WARNING` or `ERROR`."
    )
    heard_s: float | None = Field(None, ge=5, le=300, description="Use analyzed_s.")
    sandbox_port: int | None = Field(None, ge=0, le=65535, description="Use local_discord_port.")

    @model_validator(mode="before")
    @classmethod
    def _take_old_names(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Copy a setting from its old name where the new name is not set."""
        copied = {RENAMED[old]: values[old] for old in RENAMED if old in values}
        return copied | values

    @model_validator(mode="before")
    @classmethod
    def _read_secrets(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Read each secret whose file is set."""
        return with_secrets(values, SECRETS, PREFIX)

    @field_validator("local_discord_host")
    @classmethod
    def _reachable_as_loopback(cls, value: IPvAnyAddress) -> IPvAnyAddress:
        if not value.is_loopback and not value.is_unspecified:
            raise ValueError(f"is {value}: the bot itself must reach it; set 127.0.0.1 or 0.0.0.0")
        return value

    @field_validator(
        "discord_token", "discord_token_file", "link_proxy_file", "library", "development_server",
        "ytdlp_dir", "js_runtime", "cookies_file", "path_root", "http_api_token",
        "http_api_token_file", "subsonic_password", "subsonic_password_file", "subsonic_api_key",
        "subsonic_api_key_file",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("admin_servers", "sites", "http_api_scopes", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return [part.strip() for part in value.split(",") if part.strip()]

    @field_validator("database", mode="before")
    @classmethod
    def _path_or_address(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return database_place(value)
        except CatalogueError as error:
            raise ValueError(str(error)) from None

    @field_validator("support_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if value and not value.startswith("https://"):
            raise ValueError(f"is {value!r} and must start with https://")
        return value

    @field_validator("cluster")
    @classmethod
    def _encrypted_or_local(cls, value: str) -> str:
        value = value.strip()
        if value and (fault := cluster_fault(value)):
            raise ValueError(f"is {value!r}: {fault}")
        return value

    @field_validator("track_links")
    @classmethod
    def _site_or_template(cls, value: str) -> str:
        value = value.strip() or DEFAULT_SITE
        fault = None if value in SITES else template_fault(value)
        if fault == "scheme" and "://" not in value:
            raise ValueError(f"is {value!r}: name one of {', '.join(SITES)}, or an own address")
        if fault is not None:
            raise ValueError(f"is {value!r}: {TEMPLATE_FAULTS[fault]}")
        return value

    @field_validator("path_root")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().resolve()

    @field_validator("http_api_token", "subsonic_password", "subsonic_api_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        token = value.get_secret_value().strip()
        if len(token) < LEAST_TOKEN_CHARS or not token.isascii() or len(token.split()) > 1:
            raise ValueError(
                f"has {len(token)} characters; expected at least {LEAST_TOKEN_CHARS} of ASCII"
                " without spaces, as `openssl rand -hex 32` prints"
            )
        return SecretStr(token)

    @field_validator("http_api_scopes")
    @classmethod
    def _scopes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [scope for scope in value if not _SCOPE.fullmatch(scope)]
        if wrong or not value:
            named = f"names {wrong[0]!r}" if wrong else "is empty"
            raise ValueError(f"{named}: expected some of starter, library and guild:ID")
        return value

    @model_validator(mode="after")
    def _paths_need_a_root(self) -> Settings:
        """Refuse a template with paths that nothing could fill."""
        template, paths = self.track_links, self.path_root is not None
        if template not in SITES and template_fault(template, paths=paths) == "path":
            raise ValueError(f"{PREFIX}TRACK_LINKS is {template!r}: {TEMPLATE_FAULTS['path']}")
        return self

    @model_validator(mode="after")
    def _network_needs_token(self) -> Settings:
        """Refuse an HTTP interface that the network may use without a token."""
        host = self.http_api_host
        if not host.is_loopback and self.http_api_token is None:
            raise ValueError(
                f"{PREFIX}HTTP_API_HOST is {host}, which other machines reach: set"
                f" {PREFIX}HTTP_API_TOKEN, or {PREFIX}HTTP_API_HOST to {LOOPBACK}"
            )
        return self

    @property
    def database_file(self) -> Path | None:
        """The SQLite file; None if the database is on a PostgreSQL server."""
        return self.database if isinstance(self.database, Path) else None

    @property
    def api_token(self) -> str | None:
        """The token of the HTTP interface in plain text."""
        return plain(self.http_api_token) or None

    @property
    def token(self) -> str | None:
        """The bot's token in plain text."""
        return self.discord_token.get_secret_value().strip() if self.discord_token else None

    @property
    def secrets(self) -> list[str]:
        """The secrets that no log line may show: tokens, and passwords of proxy and database."""
        subsonic = (plain(self.subsonic_password), plain(self.subsonic_api_key))
        database = self.database.secrets if isinstance(self.database, PostgresAddress) else ()
        found = (self.token, self.api_token, _password(self.link_proxy), *subsonic, *database)
        return [secret for secret in found if secret]

    @property
    def max_upload_bytes(self) -> int:
        """``max_upload_mb`` in bytes."""
        return int(self.max_upload_mb * (1 << 20))

    @property
    def clip_disk_bytes(self) -> int:
        """``clip_disk_mb`` in bytes."""
        return int(self.clip_disk_mb * (1 << 20))


@dataclass(frozen=True, slots=True)
class ServiceManagerAddress:
    """The socket of systemd, "" without one, and the seconds after which silence is a hang."""

    socket: str = ""
    watchdog_s: float = 0.0


def service_manager_address() -> ServiceManagerAddress:
    """Return what systemd says in the environment of a service of type ``notify``."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    watchdog_s = int(microseconds) / 1e6 if microseconds.isdecimal() else 0.0
    return ServiceManagerAddress(os.environ.get("NOTIFY_SOCKET", ""), watchdog_s)


def load_settings(
    *, env_file: Path | None = Path(".env"), http_api_port: int | None = None
) -> Settings:
    """Read the settings; ``http_api_port`` replaces the setting of that name.

    Raises
    ------
    SettingsError
        A setting cannot be used; the sentence names its variable.
    """
    options: dict[str, Any] = {"_env_file": env_file}
    if http_api_port is not None:
        options["http_api_port"] = http_api_port
    try:
        settings = Settings(**options)
    except ValidationError as error:
        faults = "; ".join(_faults(error))
        # The cause would print the values, and the token is one of them.
        raise SettingsError(f"A setting cannot be used: {faults}.") from None
    except ValueError as error:
        raise SettingsError(f"The settings cannot be read: {error}.") from None
    if "database" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"database": default_database()})


def dask_environment() -> dict[str, str]:
    """Return Dask's variables of the environment, for the programs of a cluster."""
    return {name: value for name, value in os.environ.items() if name.startswith("DASK_")}


def cluster_fault(address: str) -> str:
    """Return why a scheduler's address cannot be used, or ""."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in ("tls", "tcp") or not host or not port or parts.path or parts.query:
        return "expected tls://host:port, such as tls://scheduler.example:8786"
    if parts.username is not None:
        return "expected no user or password: TLS certificates protect a cluster"
    if parts.scheme == "tcp" and not _is_loopback(host):
        return f"tcp:// is not encrypted; use tls://{host}:{port}, or a scheduler on 127.0.0.1"
    return ""


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def remove_token_from_environment() -> None:
    """Remove the tokens from the environment, which would show them as long as the bot runs.

    The strings behind /proc/PID/environ are those that the process started with, so each token
    is also overwritten there.
    """
    names = [
        name
        for name, value in os.environ.items()
        if name.upper() in _TOKEN_VARIABLES
        and (name.upper() != f"{PREFIX}DATABASE" or is_address(value))
    ]
    if names and sys.platform == "linux":
        environ = ctypes.POINTER(ctypes.c_void_p).in_dll(ctypes.CDLL(None), "environ")
        index = 0
        while address := environ[index]:
            name, _, value = ctypes.string_at(address).partition(b"=")
            if name.decode(errors="replace") in names:
                ctypes.memset(address + len(name) + 1, 0, len(value))
            index += 1
    for variable in names:
        del os.environ[variable]


def plain(secret: SecretStr | None) -> str:
    """Return a secret in plain text, "" if it is not set."""
    return secret.get_secret_value() if secret else ""


def _password(address: str) -> str | None:
    """Return the password in an address; one that cannot be read has none."""
    try:
        return urlsplit(address).password
    except ValueError:
        return None


def _faults(error: ValidationError) -> Iterator[str]:
    """Yield each fault with its variable; that of several variables names them itself."""
    for detail in error.errors(include_input=False, include_url=False):
        message = plain_fault(detail["msg"])
        name = "".join(f"{PREFIX}{str(place).upper()}: " for place in detail["loc"][:1])
        yield f"{name}{message}"


def open_secrets(settings: Settings, *, env_file: Path = Path(".env")) -> list[str]:
    """Return a warning for each file with a secret that other users of the machine can open."""
    files = {f"{PREFIX}{name.upper()}_FILE": getattr(settings, f"{name}_file") for name in SECRETS}
    secret = {name: getattr(settings, name) for name in SECRETS}
    secret["link_proxy"] = _password(settings.link_proxy)
    database = settings.database
    if (isinstance(database, PostgresAddress) and database.secrets) or any(
        value and not getattr(settings, f"{name}_file") for name, value in secret.items()
    ):
        files["the secrets' settings"] = env_file
    return list(open_files(files))


def installed_version() -> str:
    """Return genrec's version, or "from source" where the package is not installed."""
    try:
        return version("genrec")
    except PackageNotFoundError:
        return "from source"


def renamed_settings(settings: Settings) -> list[str]:
    """Return a warning for each setting that is set under its old name."""
    used = [name for name in RENAMED if name in settings.model_fields_set]
    return [
        f"{PREFIX}{name.upper()} is now called {PREFIX}{RENAMED[name].upper()}. Rename it: the old"
        " name will stop working in genrec 0.2.0."
        for name in used
    ]


def unknown_settings(*, env_file: Path | None = Path(".env")) -> list[str]:
    """Return a warning for each variable that begins with GENREC_ and is no setting."""
    try:
        in_file = DotEnvSettingsSource(Settings, env_file=env_file).env_vars
    except ValueError:  # `load_settings` reports it
        in_file = {}
    given = {name.upper() for name in (*os.environ, *in_file)}
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    return unknown_names((name for name in given if name.startswith(PREFIX)), known)
