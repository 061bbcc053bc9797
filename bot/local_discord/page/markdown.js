// Render Discord's markdown: headings, lists, quotes, code, emphasis, links, mentions, times.

import { h, safeUrl } from "./dom.js";

const INLINE = [
  [/^\\([\\*_~`|>#\-[\]()<@:])/, (m) => m[1]],
  [/^``(.+?)``/, (m) => h("code", {}, m[1].trim())],
  [/^`([^`\n]+)`/, (m) => h("code", {}, m[1])],
  [/^\*\*\*(?=\S)([^]+?\S|\S)\*\*\*/, (m, go) => h("strong", {}, h("em", {}, go(m[1])))],
  [/^\*\*(?=\S)([^]+?(?<!\\))\*\*(?!\*)/, (m, go) => h("strong", {}, go(m[1]))],
  [/^__(?=\S)([^]+?(?<!\\))__/, (m, go) => h("u", {}, go(m[1]))],
  [/^~~(?=\S)([^]+?(?<!\\))~~/, (m, go) => h("s", {}, go(m[1]))],
  [/^\|\|([^]+?)\|\|/, (m, go) => spoiler(go(m[1]))],
  [/^\*(?=\S)([^*\n]+?(?<!\\))\*(?!\*)/, (m, go) => h("em", {}, go(m[1]))],
  [/^_(?=\S)([^_\n]+?(?<!\\))_(?!\w)/, (m, go) => h("em", {}, go(m[1]))],
  [/^\[([^\]\n]+)\]\(<?(https?:\/\/[^\s)>]+)>?(?: "[^"]*")?\)/, (m, go) => link(m[2], go(m[1]))],
  [/^<(https?:\/\/[^\s>]+)>/, (m) => link(m[1], m[1])],
  [/^https?:\/\/[^\s<>]*[^\s<>.,:;"')\]]/, (m) => link(m[0], m[0])],
  [/^<@[!&]?(\d+)>/, (m, go, names) => h("span", { class: "mention" }, `@${names[m[1]] || m[1]}`)],
  [/^<#(\d+)>/, (m, go, names) => h("span", { class: "mention" }, `#${names[m[1]] || m[1]}`)],
  [/^<\/([^:>]+):\d+>/, (m) => h("span", { class: "mention" }, `/${m[1]}`)],
  [/^<t:(-?\d+)(?::([tTdDfFR]))?>/, (m) => time(Number(m[1]), m[2] || "f", m[0])],
  [/^<a?:(\w+):\d+>/, (m) => `:${m[1]}:`],
  [/^@(everyone|here)\b/, (m) => h("span", { class: "mention" }, m[0])],
];

function spoiler(children) {
  const show = (event) => event.currentTarget.classList.add("shown");
  return h("span", { class: "spoiler", tabIndex: 0, onclick: show, onkeydown: show }, children);
}

function link(url, children) {
  const href = safeUrl(url);
  return href ? h("a", { href, target: "_blank", rel: "noopener noreferrer" }, children) : children;
}

function time(seconds, style, source) {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return source; // no calendar reaches so far
  const text = style === "R" ? relative(seconds - Date.now() / 1000) : date.toLocaleString();
  return h("time", { dateTime: date.toISOString(), title: date.toLocaleString() }, text);
}

function relative(seconds) {
  const words = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= size) return words.format(Math.round(seconds / size), unit);
  }
  return words.format(Math.round(seconds), "second");
}

/** Render inline markdown as text and elements. */
export function inline(text, names = {}) {
  const out = [];
  let plain = "";
  const go = (inner) => inline(inner, names);
  for (let at = 0; at < text.length;) {
    const rest = text.slice(at);
    const inWord = /\w$/.test(plain) && rest[0] === "_";
    let hit = null;
    if (!inWord) {
      for (const [pattern, make] of INLINE) {
        const match = pattern.exec(rest);
        if (match) { hit = [match, make]; break; }
      }
    }
    if (hit) {
      if (plain) { out.push(plain); plain = ""; }
      out.push(hit[1](hit[0], go, names));
      at += hit[0][0].length;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  if (plain) out.push(plain);
  return out;
}

/** Render a message's text as block elements. */
export function markdown(text, names = {}) {
  const out = [];
  const lines = text.split("\n");
  let paragraph = [];
  const flush = () => {
    if (paragraph.length) out.push(h("p", {}, inline(paragraph.join("\n"), names)));
    paragraph = [];
  };
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at];
    let match;
    if (line.startsWith("```")) {
      flush();
      let end = at + 1;
      while (end < lines.length && !lines[end].startsWith("```")) end += 1;
      out.push(h("pre", {}, h("code", {}, lines.slice(at + 1, end).join("\n"))));
      at = end;
    } else if ((match = /^(#{1,3}) +(.+)$/.exec(line))) {
      flush();
      out.push(h(`h${match[1].length + 2}`, { class: `size${match[1].length}` }, inline(match[2], names)));
    } else if ((match = /^-# +(.+)$/.exec(line))) {
      flush();
      out.push(h("p", { class: "small" }, inline(match[1], names)));
    } else if ((match = /^> ?(.*)$/.exec(line))) {
      flush();
      const quoted = [match[1]];
      while (/^> ?/.test(lines[at + 1] || "")) quoted.push(lines[at += 1].replace(/^> ?/, ""));
      out.push(h("blockquote", {}, markdown(quoted.join("\n"), names)));
    } else if (/^\s*([-*]|\d+\.) +\S/.test(line)) {
      flush();
      const ordered = /^\s*\d/.test(line);
      const shape = ordered ? /^\s*\d+\. +/ : /^\s*[-*] +/;
      const items = [];
      const start = ordered ? Number(/\d+/.exec(line)[0]) : undefined;
      for (; at < lines.length && shape.test(lines[at]); at += 1) {
        items.push(h("li", {}, inline(lines[at].replace(shape, ""), names)));
      }
      at -= 1;
      out.push(ordered ? h("ol", { start }, items) : h("ul", {}, items));
    } else if (line.trim() === "") {
      flush();
    } else {
      paragraph.push(line);
    }
  }
  flush();
  return out;
}
