"""Imitation of Discord's API on loopback, for an unmodified discord.py client and a browser page.

``genrec run`` uses it without a token, and so do the demo and the tests. It is a test double: bot
and browser reach it over loopback. It imitates REST v10, gateway v10 and attachments with Discord's
rules: 3 s to acknowledge, 15 min to edit, permissions, lengths, Components V2. On request it
imitates faults.

Start it, redirect discord.py to it, and act as a person::

    async with LocalDiscord(port=0) as discord:
        with discord.patch_discord_py():          # Route.BASE, gateway, Asset.BASE; restored after
            task = asyncio.create_task(client.start(discord.token))
            await discord.wait_ready()            # the bot has identified
            you = discord.you                     # the local person: owner and admin
            used = await you.slash("recommend", {"clip": Upload("a.wav", data)})
            await used.wait_ack()                 # seconds until the bot acknowledged
            answer = await used.wait_edited(20)   # the message, no longer "thinking"
            print(visible_text(answer), buttons(answer))

``LocalDiscord(*, host="127.0.0.1", port=0, listen="", token=None, message_content=True,
schema=None, ack_deadline_s=3.0, token_lifetime_s=900.0, heartbeat_s=41.25)``
    ``listen`` is the address that it binds, ``host`` by default. In a container it is 0.0.0.0, and
    the container engine publishes the port on the machine's loopback: the Host header, the page's
    key and the bot's token are checked as ever. ``message_content=False`` is the switch in the
    developer portal: the intent is then refused with close code 4014. ``schema`` is a
    ``bot.local_discord.schema.Schema(path)``, which validates request bodies and responses against
    Discord's OpenAPI description.

    - addresses: ``url``, ``page_url`` (with its key), ``cdn_url``, ``token``
    - state: ``guild`` ("Local Discord"), ``channel("music")``, ``dm(person)``, ``you``,
      ``person("sam", permissions=...)``, ``add_guild(name, with_bot=...)``, ``state``, ``commands``
    - changes of a server's admins: ``edit``, a ``GuildEditor`` with ``channel(name, kind,
      parent=)``, ``thread(name, channel, private=, message=)``, ``role(name, permissions)``,
      ``give(user, role)``, ``overwrite(channel, user_or_role, allow=, deny=)`` and more; each sends
      the bot its events. The flags are in ``bot.local_discord.permissions``
    - waiting: ``await wait_ready(s)``, ``await wait_commands("recommend", ...)``,
      ``await wait_for(test, s)``, ``online``
    - inspection: ``requests``, ``calls(method, path_regex)``, ``cdn.hits``, ``gateway.log``,
      ``violations``, ``assert_clean()`` (rules the bot broke, all at once)
    - injected faults: ``faults.rate_limited``, ``cloudflare_ban``, ``server_error``, ``reset``,
      ``lost_response``, ``late_response`` and ``delay``, each ``(method, path_regex, ...)``;
      ``gateway.reconnect()`` (op 7), ``gateway.invalidate(resumable=)`` (op 9),
      ``gateway.abort()``, ``gateway.close(code)``, ``gateway.repeat_last()``,
      ``with gateway.losing():``, ``gateway.refuse = True``; ``gateway.shards``,
      ``gateway.identify_limit = IdentifyLimit(max_concurrency=1, interval_s=5)`` and
      ``gateway.compression`` may be set before the bot connects
    - shards: several processes may connect, each with shards of its own. A guild's events go to
      shard ``(id >> 22) % shards``, and those of direct messages to shard 0;
      ``gateway.connected_shards`` lists the shards that are online

``Person``: ``slash("library add", {option: value}, channel="music", force=False)``,
``menu(name, message)``, ``autocomplete(name, option, typed, options)``, ``say(text,
uploads=[...], reply_to=None, voice=False)``, ``forward(message, channel)``, ``edit(message,
text)``, ``press(message, label_or_custom_id)``,
``select(message, custom_id, values)``, ``submit(interaction, {custom_id: text})`` (a modal),
``messages(channel)`` (visible ones, oldest first), ``wait_message(test, channel, timeout_s)``.
``channel`` is a name ("dm" is the direct message channel of the bot) or a ``Channel``; ``locale``
is an attribute. ``NotOffered`` is raised for an action that Discord's own client does not offer.

``app("dj").post(channel, text, embeds=[...], components=[...], uploads=[...], reply_to=None)`` is
another bot's message.

``Interaction``: ``wait_ack(s)``, ``wait_edited(s)``, ``wait_until(test, s)``, ``wait_followup(n,
s)``, ``wait_choices(s)``, ``wait_modal(s)``; ``ack_type``, ``failed``, ``original``, ``followups``,
``history``, ``expire()`` (its token is 15 min old at once), ``token``.

``Upload(filename, data, content_type=None, size=None, stream=None, truncate_at=None, status=200,
location=None)``: a file to attach; the arguments after ``content_type`` inject faults.
``bot.local_discord.cdn.endless()`` and ``drip()`` are streams for it.

The function ``patch_discord_py(url)`` is for a bot in another process.
"""

from bot.local_discord.cdn import Upload
from bot.local_discord.commands import NotOffered
from bot.local_discord.discord_py_patch import patch_discord_py
from bot.local_discord.interactions import Interaction
from bot.local_discord.message_components import buttons, selects, visible_text
from bot.local_discord.person import Person
from bot.local_discord.server import LocalDiscord

__all__ = [
    "Interaction",
    "LocalDiscord",
    "NotOffered",
    "Person",
    "Upload",
    "buttons",
    "patch_discord_py",
    "selects",
    "visible_text",
]
