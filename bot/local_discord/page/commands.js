// Slash commands: a picker while typing, then a form with one field per option.

import { act, locale } from "./api.js";
import { $, h } from "./dom.js";
import { field } from "./fields.js";

export class Commands {
  constructor(state, composer) {
    this.state = state;
    this.composer = composer;
    this.all = [];
    this.requests = 0;
    this.loaded = undefined;
    this.found = [];
    this.at = 0;
    this.open = null;
  }

  /** Load the commands of the current channel; only the latest request counts. */
  load() {
    this.loaded = this.request(this.state.current);
    return this.loaded;
  }

  async request(channel) {
    if (!channel) return;
    this.requests += 1;
    const number = this.requests;
    const { commands } = await act("commands", { channel }).catch(() => ({}));
    if (number !== this.requests) return;
    this.all = commands || [];
    this.close();
    if ($("picker").hidden === false) this.suggest();
  }

  nameOf(thing) {
    return thing.name_localizations?.[locale.value] || thing.name;
  }

  describe(thing) {
    return thing.description_localizations?.[locale.value] || thing.description;
  }

  /** Return the message commands, once the commands of this channel are loaded. */
  async messageMenus() {
    let waited;
    while (waited !== this.loaded) {
      waited = this.loaded;
      await waited;
    }
    return this.all.filter((command) => command.type === 3);
  }

  /** Return everything that can be typed: each command, or each of its subcommands. */
  paths() {
    const walk = (thing, path, shown) => {
      const inside = (thing.options || []).filter((option) => option.type <= 2);
      if (!inside.length) return [{ path, shown, about: this.describe(thing), options: thing.options || [] }];
      return inside.flatMap((o) => walk(o, `${path} ${o.name}`, `${shown} ${this.nameOf(o)}`));
    };
    return this.all.filter((c) => c.type === 1).flatMap((c) => walk(c, c.name, this.nameOf(c)));
  }

  // The picker

  suggest() {
    const typed = this.composer.text.value;
    if (!typed.startsWith("/") || typed.includes("\n")) return this.hide();
    const words = typed.slice(1).toLowerCase().trim();
    const fits = (c) => c.shown.toLowerCase().includes(words) || c.path.includes(words);
    const leads = (c) => (c.shown.toLowerCase().startsWith(words) || c.path.startsWith(words) ? 0 : 1);
    this.found = this.paths().filter(fits)
      .sort((a, b) => leads(a) - leads(b) || a.shown.localeCompare(b.shown));
    this.at = 0;
    return this.show();
  }

  show() {
    const items = this.found.map((command, at) => h("li", {
      id: `pick${at}`, role: "option", ariaSelected: String(at === this.at),
      onclick: () => this.choose(command),
      onpointermove: () => { if (this.at !== at) { this.at = at; this.mark(); } },
    }, h("b", {}, `/${command.shown}`), h("span", {}, command.about)));
    if (!items.length) {
      const none = this.all.length ? "No matching command." : "The bot has no commands in this channel yet.";
      items.push(h("li", { class: "none" }, none));
    }
    $("picker").replaceChildren(...items);
    $("picker").hidden = false;
    this.composer.text.setAttribute("aria-controls", "picker");
    this.mark();
  }

  mark() {
    [...$("picker").children].forEach((item, at) => { item.ariaSelected = String(at === this.at); });
    $(`pick${this.at}`)?.scrollIntoView({ block: "nearest" });
    this.composer.text.setAttribute("aria-activedescendant", `pick${this.at}`);
  }

  hide() {
    $("picker").hidden = true;
    this.composer.text.removeAttribute("aria-activedescendant");
  }

  /** Handle a key of the text field; return true if the picker used it. */
  key(event) {
    if ($("picker").hidden || !this.found.length) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      this.at = (this.at + step + this.found.length) % this.found.length;
      this.mark();
    } else if (event.key === "Enter" || event.key === "Tab") this.choose(this.found[this.at]);
    else if (event.key === "Escape") this.hide();
    else return false;
    event.preventDefault();
    return true;
  }

  // The form of a chosen command

  choose(command) {
    this.hide();
    this.composer.text.value = "";
    this.composer.grow();
    const context = {
      groups: this.state.groups,
      nameOf: (thing) => this.nameOf(thing),
      describe: (thing) => this.describe(thing),
      complete: (option, typed) => act("autocomplete", {
        path: command.path, option: option.name, typed, channel: this.state.current,
        options: this.values(true),
      }),
    };
    const sorted = [...command.options].sort((a, b) => Number(b.required || 0) - Number(a.required || 0));
    const fields = sorted.map((option) => field(option, context));
    this.open = { command, fields };
    const send = h("button", { type: "submit", class: "button primary" }, "Send");
    const cancel = h("button", { type: "button", class: "button secondary", onclick: () => this.close(true) }, "Cancel");
    $("command").replaceChildren(
      h("p", { class: "head" }, h("b", {}, `/${command.shown}`), h("span", {}, command.about)),
      h("div", { class: "fields" }, fields.map((one) => one.element)),
      h("p", { class: "wrong", role: "alert", hidden: true }),
      h("div", { class: "row" }, cancel, send));
    $("command").hidden = false;
    $("composer").hidden = true;
    $("command").onsubmit = (event) => { event.preventDefault(); this.send(); };
    $("command").onkeydown = (event) => {
      if (event.key === "Escape" && !event.defaultPrevented) this.close(true);
    };
    (fields[0]?.focus || (() => send.focus()))();
  }

  close(focus = false) {
    this.open = null;
    $("command").hidden = true;
    $("composer").hidden = false;
    if (focus) this.composer.text.focus();
  }

  values(withoutFiles) {
    const entries = this.open.fields.map((one) => [one.option.name, one.value(), one.option.type])
      .filter(([, value, type]) => value !== undefined && !(withoutFiles && type === 11));
    return Object.fromEntries(entries.map(([name, value]) => [name, value]));
  }

  /** Pass a dropped file to the open command; return true if it has a free file field. */
  takeFile(file) {
    const taker = this.open?.fields.find((one) => one.option.type === 11 && one.value() === undefined);
    taker?.set(file);
    return Boolean(taker);
  }

  async send() {
    const { command } = this.open;
    const wrong = $("command").querySelector(".wrong");
    const options = this.values(true);
    const files = Object.fromEntries(this.open.fields
      .filter((one) => one.option.type === 11 && one.value()).map((one) => [one.option.name, one.value()]));
    const missing = this.open.fields.filter((one) => one.option.required && one.value() === undefined);
    if (missing.length) {
      wrong.hidden = false;
      wrong.textContent = `Please fill in: ${missing.map((one) => this.nameOf(one.option)).join(", ")}.`;
      missing[0].focus();
      return;
    }
    const button = $("command").querySelector("[type=submit]");
    button.disabled = true;
    try {
      const sent = act("command", { path: command.path, options, channel: this.state.current }, files);
      const early = await Promise.race([sent.then(() => true), new Promise((r) => { setTimeout(r, 400); })]);
      if (!early) this.close(true);
      const result = await sent;
      this.close(true);
      this.state.outcome(result);
    } catch (error) {
      if (this.open) { wrong.hidden = false; wrong.textContent = error.message; } else this.state.notice(error.message);
    } finally {
      button.disabled = false;
    }
  }
}
