// Render one message: author, time, content and actions.

import { components, fileCard } from "./components.js";
import { bytes, h, isOurs, safeUrl } from "./dom.js";
import { inline, markdown } from "./markdown.js";

const THINKING = 1 << 7;
const GROUPED_MS = 5 * 60 * 1000;

/** Render a message; `state` has the names and the actions press, select, menu and dismiss. */
export function renderMessage(message, previous, state) {
  const lead = header(message, state);
  const grouped = !lead && previous && sameRun(previous, message);
  const item = h("li", {
    id: `m${message.id}`,
    class: ["message", grouped ? "grouped" : "", message.ephemeral ? "ephemeral" : "",
      mentionsYou(message, state) ? "mentions-you" : ""].join(" "),
    oncontextmenu: (event) => {
      if (event.target.closest("a, audio, video, img")) return;
      event.preventDefault();
      state.menu(message, event.clientX, event.clientY);
    },
  }, lead);
  const body = h("div", { class: "body" });
  if (!grouped) {
    item.append(avatar(message.author));
    body.append(h("p", { class: "who" },
      h("strong", { class: message.author.bot ? "bot-name" : "" }, message.author.username),
      message.author.bot ? h("span", { class: "tag" }, "APP") : null,
      clock(message.timestamp)));
  }
  body.append(...content(message, state));
  item.append(body, tools(message, state));
  return item;
}

function sameRun(previous, message) {
  const near = Date.parse(message.timestamp) - Date.parse(previous.timestamp) < GROUPED_MS;
  return near && previous.author.id === message.author.id && !message.message_reference
    && Boolean(previous.ephemeral) === Boolean(message.ephemeral);
}

function mentionsYou(message, state) {
  return message.mention_everyone || message.mentions.some((user) => user.id === state.you.id);
}

function avatar(user) {
  if (user.bot) return h("img", { class: "avatar", src: "icon.svg", alt: "" });
  const hue = [...user.username].reduce((sum, letter) => sum + letter.codePointAt(0) * 47, 0) % 360;
  const circle = h("span", { class: "avatar", ariaHidden: "true" }, user.username[0].toUpperCase());
  circle.style.setProperty("--hue", hue);
  return circle;
}

function clock(timestamp) {
  const date = new Date(timestamp);
  const text = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return h("time", { dateTime: timestamp, title: date.toLocaleString() }, text);
}

function header(message, state) {
  if (message.interaction_metadata?.type === 2) {
    const { user, name } = message.interaction_metadata;
    return h("p", { class: "lead" }, h("b", {}, user.username), " used ",
      h("b", { class: "mention" }, /^[a-z0-9_ -]+$/.test(name) ? `/${name}` : name));
  }
  const replied = message.referenced_message;
  if (!replied) return null;
  const about = replied.content || replied.attachments.map((a) => a.filename).join(", ") || "a message";
  return h("p", { class: "lead" }, "↪ ", h("b", {}, replied.author.username), " ",
    h("span", {}, inline(about.split("\n")[0].slice(0, 120), state.names)));
}

function content(message, state) {
  if (message.flags & THINKING) {
    return [h("p", { class: "thinking", role: "status" }, h("span", { class: "dots", ariaHidden: "true" },
      h("i"), h("i"), h("i")), `${message.author.username} is thinking…`), ephemeralNote(message, state)];
  }
  const forwarded = (message.message_snapshots || []).map(({ message: original }) =>
    h("blockquote", {}, h("p", { class: "lead" }, "↪ Forwarded"),
      content({ reactions: [], author: message.author, ...original }, state)));
  const parts = message.content ? [h("div", { class: "text" }, markdown(message.content, state.names))] : [];
  if (message.edited_timestamp && message.content && !message.interaction_metadata) {
    parts.push(h("small", { class: "edited" }, "(edited)"));
  }
  const v2 = message.flags & (1 << 15);
  if (!v2) parts.push(...message.attachments.map(attachment));
  parts.push(...message.embeds.map((embed) => embedCard(embed, state)));
  parts.push(...components(message.components, state,
    (component, values, element) => state.use(message, component, values, element)));
  parts.push(...forwarded, ...reactions(message), ephemeralNote(message, state));
  return parts.filter(Boolean);
}

function ephemeralNote(message, state) {
  if (!message.ephemeral) return null;
  return h("p", { class: "only-you" }, "👁 Only you can see this · ",
    h("button", { type: "button", class: "plain", onclick: () => state.dismiss(message) }, "Dismiss message"));
}

function reactions(message) {
  const all = message.reactions || [];
  if (!all.length) return [];
  return [h("p", { class: "reactions" }, all.map((r) => h("span", {}, `${r.emoji.name} ${r.count}`)))];
}

function attachment(file) {
  const kind = file.content_type || "";
  if (!isOurs(file.url)) return fileCard(file.filename, file.size, file.url);
  if (kind.startsWith("image/") && kind !== "image/svg+xml") {
    const alt = file.description || file.filename;
    return h("a", { class: "picture", href: file.url, target: "_blank", rel: "noopener" },
      h("img", { src: file.url, alt, title: alt, width: file.width, height: file.height }));
  }
  if (kind.startsWith("audio/")) {
    return h("figure", { class: "sound" },
      h("figcaption", {}, "♪ ", h("strong", {}, file.filename), h("small", {}, bytes(file.size))),
      h("audio", { src: file.url, controls: true, preload: "none", "aria-label": `Play ${file.filename}` }));
  }
  if (kind.startsWith("video/")) {
    return h("video", { class: "picture", src: file.url, controls: true, preload: "none",
      "aria-label": `Play ${file.filename}` });
  }
  return fileCard(file.filename, file.size, file.url);
}

function embedCard(embed, state) {
  const card = h("div", { class: "container accented embed" });
  if (embed.color) card.style.setProperty("--accent", `#${embed.color.toString(16).padStart(6, "0")}`);
  const href = embed.url && safeUrl(embed.url);
  if (embed.author) card.append(h("p", { class: "small" }, embed.author.name));
  if (embed.title) {
    const title = inline(embed.title, state.names);
    card.append(h("h3", {}, href ? h("a", { href, target: "_blank", rel: "noopener noreferrer" }, title) : title));
  }
  if (embed.description) card.append(h("div", { class: "text" }, markdown(embed.description, state.names)));
  for (const field of embed.fields || []) {
    card.append(h("div", { class: "field" }, h("b", {}, inline(field.name, state.names)),
      h("div", { class: "text" }, markdown(field.value, state.names))));
  }
  if (embed.footer) card.append(h("p", { class: "small" }, embed.footer.text));
  return card;
}

function tools(message, state) {
  return h("button", {
    type: "button", class: "more", title: "Apps and more",
    "aria-label": `Apps and more for the message of ${message.author.username}`, "aria-haspopup": "menu",
    onclick: (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      state.menu(message, box.right - 220, box.bottom + 4);
    },
  }, "⋯");
}
