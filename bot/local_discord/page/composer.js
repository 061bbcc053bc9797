// The message composer: text, files by button, paste or drop, and replies.

import { act } from "./api.js";
import { $, bytes, h } from "./dom.js";

export class Composer {
  constructor(state) {
    this.state = state;
    this.files = [];
    this.reply = null;
    this.text = $("text");
    $("attach").onclick = () => $("file").click();
    $("file").onchange = (event) => { this.add([...event.target.files]); event.target.value = ""; };
    $("slash").onclick = () => { this.text.value = "/"; this.text.focus(); this.commands.suggest(); };
    $("composer").onsubmit = (event) => { event.preventDefault(); this.send(); };
    this.text.oninput = () => { this.grow(); this.commands.suggest(); };
    this.text.onkeydown = (event) => this.key(event);
    this.text.onpaste = (event) => {
      if (event.clipboardData.files.length) { event.preventDefault(); this.add([...event.clipboardData.files]); }
    };
    this.listenForDrops();
  }

  reset(placeholder) {
    this.text.placeholder = placeholder;
    this.text.setAttribute("aria-label", placeholder);
    this.files = [];
    this.reply = null;
    this.show();
  }

  key(event) {
    if (event.isComposing || this.commands.key(event)) return;
    if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); this.send(); }
    if (event.key === "Escape" && this.reply) { this.reply = null; this.show(); }
  }

  grow() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight, 200)}px`;
  }

  add(files) {
    this.files.push(...files.slice(0, 10 - this.files.length));
    this.show();
    this.text.focus();
  }

  replyTo(message) {
    this.reply = message;
    this.show();
    this.text.focus();
  }

  show() {
    $("files").replaceChildren(...this.files.map((file, at) => h("li", {},
      h("span", { ariaHidden: "true" }, file.type.startsWith("audio/") ? "♪" : "📄"),
      h("span", { class: "name" }, file.name), h("small", {}, bytes(file.size)),
      h("button", {
        type: "button", "aria-label": `Remove ${file.name}`,
        onclick: () => { this.files.splice(at, 1); this.show(); },
      }, "×"))));
    $("replying").hidden = !this.reply;
    $("replying").replaceChildren(...(this.reply ? [
      "Replying to ", h("b", {}, this.reply.author.username),
      h("button", { type: "button", class: "plain", onclick: () => { this.reply = null; this.show(); } }, "Cancel"),
    ] : []));
  }

  /** Replace @name by a mention, as Discord does: @genrec becomes <@id>. */
  mentions(text) {
    return text.replace(/@(\w[\w-]*)/g, (whole, name) => {
      const found = Object.entries(this.state.names).find(([id, known]) => known === name
        && !this.state.channels.has(id));
      return found ? `<@${found[0]}>` : whole;
    });
  }

  async send() {
    const content = this.text.value.trim();
    if (!content && !this.files.length) return;
    const files = Object.fromEntries(this.files.map((file, at) => [`file${at}`, file]));
    const body = { channel: this.state.current, content: this.mentions(content), reply_to: this.reply?.id };
    const draft = { text: this.text.value, files: this.files, reply: this.reply };
    this.text.value = "";
    this.grow();
    this.files = [];
    this.reply = null;
    this.show();
    try {
      await act("say", body, files);
    } catch (error) {
      this.text.value = draft.text;
      this.files = draft.files;
      this.reply = draft.reply;
      this.show();
      this.state.notice(error.message);
    }
  }

  listenForDrops() {
    let inside = 0;
    const carries = (event) => event.dataTransfer?.types.includes("Files");
    const hint = (shown) => { $("drop").hidden = !shown; };
    document.addEventListener("dragenter", (event) => {
      if (carries(event)) { inside += 1; hint(true); }
    });
    document.addEventListener("dragleave", () => { inside = Math.max(0, inside - 1); hint(inside > 0); });
    document.addEventListener("dragover", (event) => { if (carries(event)) event.preventDefault(); });
    document.addEventListener("drop", (event) => {
      if (!carries(event)) return;
      event.preventDefault();
      inside = 0;
      hint(false);
      const files = [...event.dataTransfer.files];
      if (!this.commands.takeFile(files[0])) this.add(files);
    });
  }
}
