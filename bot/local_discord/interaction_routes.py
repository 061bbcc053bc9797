"""REST routes of interactions: callback, original response and follow-up messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.local_discord.api_types import ApiError, Files, Json, invalid_body
from bot.local_discord.interactions import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL, Interaction
from bot.local_discord.message_limits import EPHEMERAL
from bot.local_discord.rest import Call, RouteTable

if TYPE_CHECKING:
    from bot.local_discord.server_context import ServerContext
    from bot.local_discord.state import Message

MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATE, CHOICES, FORM = 4, 5, 6, 7, 8, 9
ALLOWED = {
    COMMAND: (MESSAGE, DEFERRED, FORM),
    COMPONENT: (MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATE, FORM),
    AUTOCOMPLETE: (CHOICES,),
    MODAL: (MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATE),
}
MAX_USER_INSTALL_FOLLOWUPS = 5
_WEBHOOK = "/webhooks/{webhook_id}/{webhook_token}"

table = RouteTable()


@table.on("POST", "/interactions/{interaction_id}/{interaction_token}/callback", bot_only=False)
async def callback(call: Call) -> object:
    """Apply the first response to an interaction; return it if ``with_response`` is set."""
    context, params = call.context, call.params
    interaction = context.interactions.for_callback(
        params["interaction_id"], params["interaction_token"]
    )
    kind, data = call.body["type"], call.body.get("data") or {}
    if kind not in ALLOWED[interaction.kind]:
        raise invalid_body(
            "type", f"Response type {kind} does not fit interaction type {interaction.kind}."
        )
    if kind in (UPDATE, DEFERRED_UPDATE) and interaction.source is None:
        raise invalid_body("type", "There is no message to update.")
    if interaction.acked_at is None:
        _apply(context, interaction, kind, data, call.files)
    context.interactions.acknowledge(interaction, kind)
    interaction.record()
    context.state.touch()
    if call.query.get("with_response") not in ("1", "true"):
        return None
    return _with_response(interaction, kind)


def _apply(
    context: ServerContext, interaction: Interaction, kind: int, data: Json, f: Files
) -> None:
    if kind in (MESSAGE, DEFERRED):
        message = _write(context, interaction, data, f, thinking=kind == DEFERRED)
        interaction.original_message = context.state.post(message)
    elif kind in (UPDATE, DEFERRED_UPDATE):
        interaction.original_message = interaction.source
        if kind == UPDATE and interaction.source is not None:
            context.messages.edit(interaction.source, data, f)
    elif kind == CHOICES:
        interaction.choices = data.get("choices") or []
        if len(interaction.choices) > 25:
            raise invalid_body("choices", "Must be 25 or fewer in length.")
    else:
        interaction.modal = data


def _write(
    context: ServerContext, interaction: Interaction, data: Json, files: Files, *, thinking: bool
) -> Message:
    ephemeral = (data.get("flags") or 0) & EPHEMERAL
    message = context.messages.write(
        context.state.bot,
        interaction.channel,
        data,
        files,
        only_for=interaction.user if ephemeral else None,
        thinking=thinking,
        application_id=context.state.bot.id,
        webhook_id=context.state.bot.id,
        interaction_metadata=interaction.metadata(),
    )
    message.data["type"] = 20 if interaction.kind == COMMAND else 0
    return message


def _with_response(interaction: Interaction, kind: int) -> Json:
    about: Json = {"id": interaction.id, "type": interaction.kind}
    if interaction.original_message is None:
        return {"interaction": about}
    about |= {
        "response_message_id": interaction.original_message.id,
        "response_message_loading": interaction.thinking,
        "response_message_ephemeral": interaction.ephemeral,
    }
    # Discord reports a deferral as the type that it will become.
    final_type = MESSAGE if kind in (MESSAGE, DEFERRED) else UPDATE
    return {
        "interaction": about,
        "resource": {"type": final_type, "message": interaction.original_message.data},
    }


def _interaction(call: Call) -> Interaction:
    return call.context.interactions.for_webhook(call.params["webhook_token"])


def _find(call: Call, interaction: Interaction) -> Message:
    message_id = call.params.get("message_id", "@original")
    original = interaction.original_message
    matching = [original] if original and message_id in ("@original", original.id) else []
    matching += [message for message in interaction.follow_ups if message.id == message_id]
    for message in matching:
        if message.id in message.channel.messages:
            return message
    raise ApiError(404, 10008, "Unknown Message")


@table.on("GET", _WEBHOOK + "/messages/{message_id}", bot_only=False)
async def get_response(call: Call) -> object:
    """Return the original response or a follow-up."""
    return _find(call, _interaction(call)).data


@table.on("PATCH", _WEBHOOK + "/messages/{message_id}", bot_only=False)
async def edit_response(call: Call) -> object:
    """Edit the original response or a follow-up, and return it."""
    interaction = _interaction(call)
    message = _find(call, interaction)
    call.context.messages.edit(message, call.body or {}, call.files)
    if message is interaction.original_message:
        interaction.record()
        call.context.state.touch()
    return message.data


@table.on("DELETE", _WEBHOOK + "/messages/{message_id}", bot_only=False)
async def delete_response(call: Call) -> None:
    """Delete the original response or a follow-up."""
    call.context.state.delete(_find(call, _interaction(call)))


@table.on("POST", _WEBHOOK, bot_only=False)
async def follow_up(call: Call) -> object:
    """Post and return a follow-up; the first takes the place of a deferral that is not deleted."""
    context, interaction = call.context, _interaction(call)
    body = call.body or {}
    if interaction.thinking and interaction.original_message is not None:
        context.messages.edit(interaction.original_message, body, call.files)
        interaction.record()
        return interaction.original
    if interaction.user_installed and len(interaction.follow_ups) >= MAX_USER_INSTALL_FOLLOWUPS:
        raise ApiError(400, 40094, "This interaction has reached its maximum of follow-ups.")
    message = _write(context, interaction, body, call.files, thinking=False)
    interaction.follow_ups.append(message)
    posted = context.state.post(message)
    if interaction.response is message:
        interaction.record()
    return posted.data
