// Form fields for slash command options; value() is undefined for an empty field.

import { bytes, h } from "./dom.js";

const STRING = 3, INTEGER = 4, BOOLEAN = 5, USER = 6, CHANNEL = 7, ROLE = 8, NUMBER = 10, ATTACHMENT = 11;

/** Create the field of an option: { option, element, value, set, focus }. */
export function field(option, context) {
  const make = option.type === ATTACHMENT ? fileField
    : option.choices?.length || [BOOLEAN, USER, CHANNEL, ROLE].includes(option.type) ? choiceField
      : option.autocomplete ? completedField : textField;
  const inner = make(option, context);
  const label = h("span", { class: "label" }, context.nameOf(option),
    option.required ? h("b", { title: "required" }, " *") : h("small", {}, " optional"));
  const element = h("label", { class: `field ${option.type === ATTACHMENT ? "file-field" : ""}` },
    label, inner.element, h("small", { class: "about" }, context.describe(option)));
  return { option, element, value: inner.value, set: inner.set, focus: () => inner.input.focus() };
}

const GROUPS = { [USER]: "users", [CHANNEL]: "channels", [ROLE]: "roles" };
const numeric = (option) => option.type === INTEGER || option.type === NUMBER;

function typed(option, text) {
  if (text === "") return undefined;
  return numeric(option) ? Number(text) : text;
}

function textField(option) {
  const input = h("input", {
    type: numeric(option) ? "number" : "text",
    min: option.min_value ?? "", max: option.max_value ?? "",
    step: option.type === NUMBER ? "any" : undefined,
    required: option.required, autocomplete: "off",
  });
  if (option.max_length) input.maxLength = option.max_length;
  if (numeric(option) && option.min_value !== undefined && option.max_value !== undefined) {
    input.placeholder = `${option.min_value} to ${option.max_value}`;
  }
  return { input, element: input, value: () => typed(option, input.value.trim()) };
}

function choiceField(option, context) {
  const offered = option.choices?.map((c) => [String(c.value), context.nameOf(c)])
    || (option.type === BOOLEAN ? [["true", "True"], ["false", "False"]]
      : Object.entries(context.groups[GROUPS[option.type]]));
  const input = h("select", {}, h("option", { value: "" }, "—"),
    offered.map(([value, label]) => h("option", { value }, label)));
  const value = () => {
    if (input.value === "") return undefined;
    return option.type === BOOLEAN ? input.value === "true" : typed(option, input.value);
  };
  return { input, element: input, value };
}

function completedField(option, context) {
  const id = `list-${option.name}`;
  const list = h("ul", { class: "completions", id, role: "listbox", hidden: true });
  const input = h("input", {
    type: "text", autocomplete: "off", required: option.required, role: "combobox",
    "aria-expanded": "false", "aria-controls": id,
  });
  let chosen = null, found = [], at = -1, timer = 0, requests = 0;
  const hide = () => { list.hidden = true; at = -1; input.setAttribute("aria-expanded", "false"); };
  const choose = (choice) => { chosen = choice; input.value = choice.name; hide(); };
  const mark = () => [...list.children].forEach((item, n) => { item.ariaSelected = String(n === at); });
  const complete = async () => {
    const number = (requests += 1);
    let result;
    try { result = await context.complete(option, input.value); } catch { result = { choices: [] }; }
    if (number !== requests || document.activeElement !== input) return;
    found = result.choices;
    list.replaceChildren(...found.map((choice) => h("li", {
      role: "option", onpointerdown: (event) => { event.preventDefault(); choose(choice); },
    }, context.nameOf(choice))));
    list.hidden = !found.length;
    const box = input.getBoundingClientRect(); // fixed position, because the scrolling form would clip it
    list.style.cssText = `left:${box.left}px;width:${box.width}px;bottom:${innerHeight - box.top + 4}px`;
    input.setAttribute("aria-expanded", String(!list.hidden));
  };
  const later = () => { clearTimeout(timer); timer = setTimeout(complete, 150); };
  input.oninput = () => { chosen = null; later(); };
  input.onfocus = later;
  input.onblur = hide;
  input.onkeydown = (event) => {
    if (list.hidden) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { at = (at + step + found.length) % found.length; mark(); }
    else if (event.key === "Enter" && at >= 0) choose(found[at]);
    else if (event.key === "Escape") hide();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const value = () => (chosen ? chosen.value : typed(option, input.value.trim()));
  return { input, element: h("span", { class: "completed" }, input, list), value };
}

function fileField(option) {
  let file;
  const name = h("span", { class: "chosen" }, "Choose or drop a file");
  const input = h("input", { type: "file" });
  const set = (given) => {
    file = given;
    name.textContent = file ? `${file.name} · ${bytes(file.size)}` : "Choose or drop a file";
    name.classList.toggle("has-file", Boolean(file));
  };
  input.onchange = () => set(input.files[0]);
  return { input, element: h("span", { class: "pick-file" }, input, name), value: () => file, set };
}
