// The page as a whole: its state, its display, and the connections between its parts.

import { act, receiveEvents, locale } from "./api.js";
import { Commands } from "./commands.js";
import { Composer } from "./composer.js";
import { $, h } from "./dom.js";
import { openForm, openMenu } from "./menu.js";
import { renderMessage } from "./message.js";

const state = {
  you: { id: "", username: "you" },
  names: {},
  groups: { users: {}, roles: {}, channels: {} },
  channels: new Map(),
  current: null,
  dismissed: new Set(),
  menu: showMenu,
  use,
  dismiss,
  notice,
  outcome,
};
const list = $("messages");
const composer = new Composer(state);
const commands = new Commands(state, composer);
composer.commands = commands;

function channel() {
  return state.channels.get(state.current);
}

// Events from the server

function onEvent(event) {
  if (event.type === "snapshot") return onSnapshot(event);
  if (event.type === "status") {
    showStatus(event.online);
    return commands.load();
  }
  const where = state.channels.get(event.message.channel_id);
  if (!where) return undefined;
  const at = where.messages.findIndex((message) => message.id === event.message.id);
  if (event.type === "delete") {
    if (at >= 0) where.messages.splice(at, 1);
  } else if (at >= 0) where.messages[at] = event.message;
  else {
    where.messages.push(event.message);
    if (where.id !== state.current) where.unread = true;
  }
  if (where.id === state.current) update(event.type, event.message);
  else showChannels();
  return undefined;
}

function onSnapshot(event) {
  state.you = event.you;
  state.bot = event.bot;
  state.examples = event.examples;
  state.names = { ...event.users, ...event.roles };
  state.groups = { users: event.users, roles: event.roles, channels: {} };
  state.channels = new Map(event.channels.map((c) => [c.id, { unread: false, ...c }]));
  for (const c of event.channels) {
    if (!c.direct) state.names[c.id] = state.groups.channels[c.id] = c.name;
  }
  $("guild").textContent = event.guild;
  showStatus(event.online);
  open(state.channels.has(state.current) ? state.current : event.channels[0].id);
}

function showStatus(online) {
  const status = $("status");
  status.className = online ? "online" : "offline";
  status.textContent = online ? `${state.bot.username} is online` : `${state.bot.username} is offline`;
}

// Channels

function showChannels() {
  const entry = (c) => h("li", {}, h("button", {
    type: "button",
    class: `${c.id === state.current ? "current" : ""} ${c.unread ? "unread" : ""}`,
    "aria-current": c.id === state.current ? "page" : null,
    onclick: () => { open(c.id); showSide(false); },
  }, h("span", { ariaHidden: "true" }, c.direct ? "@" : "#"), c.name,
  c.unread ? h("span", { class: "dot", title: "New messages" }) : null));
  const all = [...state.channels.values()];
  $("channels").replaceChildren(...all.filter((c) => !c.direct).map(entry));
  $("directs").replaceChildren(...all.filter((c) => c.direct).map(entry));
}

function open(id) {
  state.current = id;
  const here = channel();
  here.unread = false;
  $("title").textContent = `${here.direct ? "@" : "#"} ${here.name}`;
  document.title = `${here.direct ? "@" : "#"}${here.name} · Local Discord`;
  $("topic").textContent = here.topic;
  composer.reset(`Message ${here.direct ? "@" : "#"}${here.name}`);
  showChannels();
  showAll();
  commands.load();
}

function showSide(shown) {
  document.body.classList.toggle("side-open", shown);
  $("shade").hidden = !shown;
  $("open-side").setAttribute("aria-expanded", String(shown));
}

// Messages

const shown = () => channel().messages.filter((message) => !state.dismissed.has(message.id));

function welcome() {
  const here = channel();
  const name = `${here.direct ? "@" : "#"}${here.name}`;
  return h("li", { class: "welcome" }, h("h2", {}, `This is ${name}`),
    h("p", {}, here.topic || "Type / to see the commands, or drop a file anywhere to send it."),
    here.direct || here.name === "music" ? examples(here) : null);
}

/** Return buttons that send an example clip, for a person without a file at hand. */
function examples(here) {
  const send = async (event, example) => {
    const button = event.currentTarget;
    button.disabled = true;
    try {
      await act("try", { channel: here.id, example });
    } catch (error) {
      notice(error.message);
    } finally {
      button.disabled = false;
    }
  };
  return h("div", { class: "examples", role: "group", "aria-label": "Clips to try" },
    h("span", {}, "No clip at hand? Send one of these:"),
    ...state.examples.map((example, at) => h("button", {
      type: "button", class: "button", onclick: (event) => send(event, example),
    }, h("span", { ariaHidden: "true" }, "♪"), `Clip ${at + 1}`)));
}

function showAll() {
  const messages = shown();
  list.replaceChildren(welcome(),
    ...messages.map((message, at) => renderMessage(message, messages[at - 1], state)));
  toEnd();
}

function update(change, message) {
  const stay = following;
  const messages = shown();
  const at = messages.findIndex((m) => m.id === message.id);
  const old = $(`m${message.id}`);
  if (change === "delete" || at < 0) old?.remove();
  else {
    const fresh = renderMessage(message, messages[at - 1], state);
    if (old) {
      const focused = old.contains(document.activeElement)
        && document.activeElement.dataset.customId;
      old.replaceWith(fresh);
      if (focused) fresh.querySelector(`[data-custom-id="${CSS.escape(focused)}"]`)?.focus();
    } else list.append(fresh);
  }
  if (stay || message.author.id === state.you.id) toEnd();
}

let following = true; // true while the list is scrolled to its end
const atEnd = () => list.scrollHeight - list.scrollTop - list.clientHeight < 120;
const toEnd = () => { list.scrollTop = list.scrollHeight; };
list.addEventListener("scroll", () => { following = atEnd(); });
list.addEventListener("load", () => { if (following) toEnd(); }, true);
new ResizeObserver(() => { if (following) toEnd(); }).observe(list);

function dismiss(message) {
  state.dismissed.add(message.id);
  $(`m${message.id}`)?.remove();
}

/** Show a notice below the messages. */
function notice(text) {
  const item = h("li", { class: "notice", role: "alert" }, h("span", {}, text),
    h("button", { type: "button", class: "plain", onclick: () => item.remove() }, "Dismiss"));
  list.append(item);
  toEnd();
}

/** Handle the outcome of an interaction: a failure, a form, or nothing to do. */
function outcome(result) {
  if (result.failed) notice(`${state.bot.username} did not respond in time.`);
  else if (result.form) {
    openForm(result.form, state.names, async (values) => {
      outcome(await act("submit", { form: result.form.form, values }));
    });
  }
}

async function use(message, component, values, element) {
  element.disabled = true;
  element.setAttribute("aria-busy", "true");
  try {
    const body = { message: message.id, custom_id: component.custom_id };
    outcome(await (values ? act("select", { ...body, values }) : act("press", body)));
  } catch (error) {
    notice(error.message);
  } finally {
    element.disabled = false;
    element.removeAttribute("aria-busy");
  }
}

async function showMenu(message, x, y) {
  const where = state.current;
  const known = message.ephemeral ? [] : await commands.messageMenus();
  if (where !== state.current) return;
  const apps = known.map((command) => ({
    label: commands.nameOf(command),
    hint: state.bot.username,
    run: async () => outcome(await act("menu", { name: command.name, message: message.id })),
  }));
  const own = [
    { label: "Reply", run: async () => composer.replyTo(message) },
    { label: "Copy text", run: async () => navigator.clipboard.writeText(message.content) },
  ];
  const forward = [...state.channels.values()].map((c) => ({
    label: `${c.direct ? "@" : "#"}${c.name}`,
    run: async () => act("forward", { message: message.id, channel: c.id }),
  }));
  const groups = [["Message", own], ["Forward to", forward]];
  openMenu(x, y, [["Apps", apps], ...(message.ephemeral ? [] : groups)], notice);
}

// Controls around the messages

$("open-side").onclick = () => showSide(!document.body.classList.contains("side-open"));
$("shade").onclick = () => showSide(false);
document.addEventListener("keydown", (event) => { if (event.key === "Escape") showSide(false); });
$("locale").value = locale.value;
$("locale").onchange = (event) => {
  locale.value = event.target.value;
  localStorage.setItem("locale", locale.value);
  commands.load();
};
const theme = (name) => { if (name) document.documentElement.dataset.theme = name; };
theme(localStorage.getItem("theme"));
$("theme").onclick = () => {
  const dark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  localStorage.setItem("theme", dark ? "light" : "dark");
  theme(dark ? "light" : "dark");
};
receiveEvents(onEvent, () => {
  $("status").className = "offline";
  $("status").textContent = "The local Discord has stopped";
});
