"""Steps of ``genrec setup``: token, intents, invites, music folder and service file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bot.config import PREFIX, Settings
from bot.errors import SettingsError
from bot.setup.account import (
    PORTAL,
    BotAccount,
    DiscordUnavailable,
    ServerAccess,
    read_account,
    token_mistake,
)
from bot.setup.env_file import changed, is_open_to_others, names_in, read_env, write_env
from bot.setup.service_file import has_systemd, service_file
from bot.setup.terminal import Terminal
from bot.systemd.units import SYSTEM_UNIT
from bot.ui.invites import invites
from db.ingest.scan import open_folder, scan_folder
from genrec.errors import FileMissing, GenrecError

TOKEN, LIBRARY = f"{PREFIX}DISCORD_TOKEN", f"{PREFIX}LIBRARY"
_TRIES = 3
_CLICKS = (
    f"Open {PORTAL} and log in.",
    "Press 'New Application', type a name such as genrec, accept the terms and press 'Create'.",
    "Choose the page 'Bot' on the left. Turn on 'Message Content Intent', and 'Save Changes'.",
    "On the same page press 'Reset Token', then 'Yes, do it!', and press 'Copy'.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupOptions:
    """Options of the command; None in ``index`` and ``service`` asks, or means no in a script."""

    index: bool | None = None
    service: bool | None = None
    turn_on_intent: bool = False


class Wizard:
    """One run of the wizard; each step writes ``.env`` as soon as its value is checked."""

    def __init__(
        self,
        *,
        terminal: Terminal,
        settings: Settings,
        env_file: Path,
        options: SetupOptions,
        index: Callable[[Path], None],
    ) -> None:
        self._terminal = terminal
        self._settings = settings
        self._env_file = env_file
        self._options = options
        self._index = index
        self._saved: list[str] = []
        self._used = ""

    def kept(self) -> str:
        """Return what an interrupted run has kept."""
        if not self._saved:
            return f"{self._env_file} is as it was."
        return f"Saved: {', '.join(self._saved)}. Run genrec setup for the rest."

    def run(self) -> Path | None:
        """Make all steps; return the path of the service file, None without one.

        Raises
        ------
        SettingsError
            There is no usable token, or a setting cannot be used.
        DiscordUnavailable
            Discord cannot be reached, and the token is not saved without a check.
        """
        self._terminal.say(f"Settings are kept in {self._env_file.absolute()}.")
        self._protect_env()
        account = self._token()
        if account is not None:
            self._intents(account)
            self._invite(account)
        folder = self._library()
        unit = self._service(folder)
        if folder is not None:
            self._index_folder(folder, unit)
        return unit

    def _protect_env(self) -> None:
        if is_open_to_others(self._env_file):
            write_env(self._env_file, read_env(self._env_file))
            self._terminal.say(f"{self._env_file} is now readable for you alone (mode 0600).")

    def _save(self, name: str, value: str, what: str) -> None:
        text = read_env(self._env_file)
        new = changed(text, {name: value})
        if new != text:
            write_env(self._env_file, new)
            self._saved.append(what)
            self._terminal.say(f"Saved {what} in {self._env_file}.")

    # Token

    def _token(self) -> BotAccount | None:
        """Return the account of the token; None to go on without Discord."""
        self._terminal.heading("1. The bot's token")
        token = self._settings.token
        if token is None and not self._terminal.asks:
            raise SettingsError(
                f"There is no token: set {TOKEN}, or run genrec setup at a terminal. Without one"
                " genrec runs on the local Discord."
            )
        if token is None:
            self._terminal.say("A token lets genrec act as your bot on Discord. To get one:")
            self._terminal.steps(_CLICKS)
            return self._ask_token()
        self._terminal.say("There is a token already. Asking Discord whose it is ...")
        try:
            account = self._checked(token)
        except SettingsError as error:
            if not self._terminal.asks or self._settings.discord_token_file is not None:
                raise
            self._terminal.warn(str(error))
            self._terminal.steps(_CLICKS[-1:])
            return self._ask_token()
        self._save_token(token)
        return account

    def _ask_token(self) -> BotAccount | None:
        for _ in range(_TRIES):
            token = self._terminal.ask_secret(
                "Paste the token; it is not shown (Enter alone: go on without Discord)"
            )
            if not token:
                self._terminal.say("Without a token `genrec run` opens a local page to try it.")
                return None
            try:
                account = self._checked(token)
            except SettingsError as error:
                self._terminal.warn(str(error))
                continue
            self._save_token(token)
            return account
        raise SettingsError(f"No usable token after {_TRIES} tries: run genrec setup again.")

    def _checked(self, token: str) -> BotAccount | None:
        """Return a token's account, or None if it is to be saved without a check."""
        if mistake := token_mistake(token):
            raise SettingsError(mistake)
        while True:
            try:
                account = asyncio.run(read_account(token))
            except DiscordUnavailable as error:
                if not self._terminal.asks:
                    raise
                self._terminal.warn(str(error))
                if self._terminal.confirm("Try again?", default=True):
                    continue
                if self._terminal.confirm("Save the token without a check?", default=False):
                    return None
                raise
            self._terminal.say(
                f"Discord knows the bot as {account.name} (id {account.id}). It belongs to"
                f" {account.owner}."
            )
            return account

    def _save_token(self, token: str) -> None:
        """Save a token that is new, or that only the environment has."""
        self._used = token
        if token != self._settings.token:
            self._save(TOKEN, token, "the token")
            return
        known = TOKEN in names_in(read_env(self._env_file))
        if known or self._settings.discord_token_file is not None:
            return
        question = f"{TOKEN} comes from the environment. Save it in {self._env_file} too?"
        if self._terminal.confirm(question, default=True, unasked=True):
            self._save(TOKEN, token, "the token")

    # Intents and invites

    def _intents(self, account: BotAccount) -> None:
        self._terminal.heading("2. What Discord sends to the bot")
        for fault in account.faults:
            self._terminal.warn(fault)
        if account.message_content:
            self._terminal.say("Message Content Intent is on: genrec can answer uploads.")
            return
        self._terminal.warn(
            "Message Content Intent is off, so genrec answers commands, menus, mentions and direct"
            " messages, and no other uploads."
        )
        wanted = self._terminal.confirm(
            "Turn it on now?", default=True, unasked=self._options.turn_on_intent
        )
        page = f"{PORTAL}/{account.id}/bot"
        if wanted and self._turn_on():
            self._terminal.say("Message Content Intent is on now.")
        else:
            self._terminal.say(f"You can turn it on later at {page}.")

    def _turn_on(self) -> bool:
        try:
            account = asyncio.run(read_account(self._used, turn_on_message_content=True))
        except GenrecError as error:
            self._terminal.warn(str(error))
            return False
        return account.message_content

    def _invite(self, account: BotAccount) -> None:
        self._terminal.heading("3. Invite the bot")
        addresses = invites(account.id)
        self._terminal.say("To a server, with the permissions that answers need and no others:")
        self._terminal.line(addresses.server)
        self._terminal.say("To your own account, for its commands everywhere:")
        self._terminal.line(addresses.account)
        servers = self._invited(account)
        count = "1 server" if len(servers) == 1 else f"{len(servers)} servers"
        self._terminal.say(f"The bot is in {count} now.")
        for server in servers:
            if server.lacking:
                self._terminal.warn(
                    f"On {server.name} its roles lack permissions: open the first address again,"
                    " and choose that server."
                )

    def _invited(self, account: BotAccount) -> tuple[ServerAccess, ...]:
        """Return the bot's servers; while there is none, offer to look again."""
        question = "The bot is in no server. Open the first address; look again?"
        while not account.servers and self._terminal.confirm(question, default=True):
            try:
                account = asyncio.run(read_account(self._used))
            except GenrecError as error:
                self._terminal.warn(str(error))
                break
        return account.servers

    # Music

    def _library(self) -> Path | None:
        """Return the music folder; None for none."""
        self._terminal.heading("4. Your music")
        known = self._settings.library
        if not self._terminal.asks:
            return self._accepted(known) if known is not None else None
        self._terminal.say(
            "genrec recommends tracks of your music folder, and until it is indexed those of the"
            " starter catalogue. Files are only read."
        )
        while True:
            default = "" if known is None else str(known)
            answer = self._terminal.ask("Music folder (Enter alone: none)", default=default)
            if not answer:
                return None
            try:
                found = self._accepted(Path(answer).expanduser())
            except FileMissing as error:
                self._terminal.warn(str(error))
            else:
                if found is not None:
                    return found
            known = None

    def _accepted(self, folder: Path) -> Path | None:
        """Save a folder that has music, and return its absolute path; None for one without."""
        found = open_folder(folder)
        files = len(scan_folder(found).files)
        if not files:
            self._terminal.warn(f"There is no music in {found}: name a folder with sound files.")
            return None
        self._terminal.say(f"{found} has {files:,} sound {'file' if files == 1 else 'files'}.")
        self._save(LIBRARY, str(found), "the music folder")
        return found

    # Service file and index

    def _service(self, music: Path | None) -> Path | None:
        """Write the service file if that is wanted, and return its path."""
        wanted = self._options.service
        if wanted is False or (wanted is None and not (self._terminal.asks and has_systemd())):
            return None
        self._terminal.heading("5. Start with the machine")
        try:
            unit = service_file(self._env_file, music=music)
            question = f"Write a service file of systemd to {unit.path}?"
            if not unit.is_new():
                question = f"{unit.path} has other content. Replace it?"
            if wanted is None and not self._terminal.confirm(question, default=unit.is_new()):
                return None
            kept = unit.write()
        except GenrecError as error:
            if wanted:
                raise
            self._terminal.warn(str(error))
            return None
        self._saved.append("the service file")
        if kept is not None:
            self._terminal.warn(f"{unit.path} had other content, which is now in {kept}.")
        if not has_systemd():
            self._terminal.warn("systemd does not run here: start the service where it does.")
        self._terminal.say(f"Saved {unit.path}. These commands start the service:")
        for command in unit.commands:
            self._terminal.line(command)
        return unit.path

    def _index_folder(self, folder: Path, unit: Path | None) -> None:
        wanted = self._options.index
        if wanted is None and unit == SYSTEM_UNIT:  # that service has a database of its own
            self._terminal.say("Once the service runs, index the folder with /reindex on Discord.")
            return
        if wanted is None:
            wanted = self._terminal.confirm("Index it now? It can be stopped", default=True)
        if wanted and unit == SYSTEM_UNIT:
            self._terminal.warn(
                "The service has a database of its own, which this index does not fill: run"
                " /reindex on Discord once it runs."
            )
        if wanted:
            self._index(folder)
        else:
            self._terminal.say("Later: genrec index")
