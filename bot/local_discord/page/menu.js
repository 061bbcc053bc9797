// Overlays: the menu of a message, and the bot's forms (modals).

import { $, h } from "./dom.js";
import { markdown } from "./markdown.js";

// Open the menu under the pointer: releasing a button outside of a popover closes it.
const INSIDE = 4;

/** Open a menu of groups [[title, [{label, hint, run}]]] at a position in the window. */
export function openMenu(x, y, groups, onError) {
  const menu = $("menu");
  const run = async (item) => {
    menu.hidePopover();
    try { await item.run(); } catch (error) { onError(error.message); }
  };
  const full = groups.filter(([, items]) => items.length);
  menu.replaceChildren(...full.flatMap(([title, items]) => [
    h("p", { role: "presentation" }, title),
    ...items.map((item) => h("button", { type: "button", role: "menuitem", onclick: () => run(item) },
      h("span", {}, item.label), item.hint ? h("small", {}, item.hint) : null)),
  ]));
  if (!full.length) menu.append(h("p", {}, "There are no actions for this message."));
  menu.showPopover();
  const { width, height } = menu.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(x - INSIDE, innerWidth - width - 8))}px`;
  menu.style.top = `${Math.max(8, Math.min(y - INSIDE, innerHeight - height - 8))}px`;
  menu.querySelector("button")?.focus();
}

$("menu").addEventListener("keydown", (event) => {
  const items = [...$("menu").querySelectorAll("button")];
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !items.length) return;
  event.preventDefault();
  items[(items.indexOf(document.activeElement) + step + items.length) % items.length].focus();
});

/** Open a form (a modal of the bot); `onSubmit` receives the values by custom_id. */
export function openForm(form, names, onSubmit) {
  const dialog = $("form");
  const inputs = new Map();
  const wrong = h("p", { class: "wrong", role: "alert", hidden: true });
  const body = h("form", { method: "dialog" },
    h("h2", { id: "form-title" }, form.title),
    form.components.map((component) => entry(component, inputs, names)),
    wrong,
    h("div", { class: "row" },
      h("button", { type: "button", class: "button secondary", onclick: () => dialog.close() }, "Cancel"),
      h("button", { type: "submit", class: "button primary" }, "Submit")));
  body.onsubmit = async (event) => {
    event.preventDefault();
    try {
      const values = [...inputs].map(([id, read]) => [id, read()]);
      await onSubmit(Object.fromEntries(values));
      dialog.close();
    } catch (error) {
      wrong.hidden = false;
      wrong.textContent = error.message;
    }
  };
  dialog.replaceChildren(body);
  dialog.showModal();
}

function entry(component, inputs, names) {
  if (component.type === 10) return h("div", { class: "text" }, markdown(component.content, names));
  if (component.type === 1) return component.components.map((inner) => entry(inner, inputs, names));
  const inner = component.component || component;
  const label = component.label || inner.label || "";
  return h("label", { class: "field" }, h("span", { class: "label" }, label), input(inner, inputs),
    component.description ? h("small", { class: "about" }, component.description) : null);
}

function input(component, inputs) {
  if (component.type === 3) {
    const select = h("select", { multiple: (component.max_values ?? 1) > 1 },
      component.options.map((o) => h("option", { value: o.value, selected: o.default }, o.label)));
    inputs.set(component.custom_id, () => [...select.selectedOptions].map((o) => o.value));
    return select;
  }
  const long = component.style === 2;
  const text = h(long ? "textarea" : "input", {
    required: component.required !== false,
    placeholder: component.placeholder || "",
    value: component.value || "",
  });
  if (component.max_length) text.maxLength = component.max_length;
  if (component.min_length) text.minLength = component.min_length;
  inputs.set(component.custom_id, () => text.value);
  return text;
}
