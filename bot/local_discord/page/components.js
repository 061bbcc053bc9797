// Render Components V2 and action rows as elements.

import { bytes, h, isOurs, safeUrl } from "./dom.js";
import { markdown } from "./markdown.js";

const BUTTONS = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link" };

// What each menu of users, roles or channels offers.
const GROUPS = { 5: ["users"], 6: ["roles"], 7: ["users", "roles"], 8: ["channels"] };

/** Render a list of components; `use` is called with (component, values, element). */
export function components(list, state, use) {
  return (list || []).map((component) => render(component, state, use));
}

function render(component, state, use) {
  const inside = () => components(component.components, state, use);
  switch (component.type) {
    case 1: return h("div", { class: "action-row" }, inside());
    case 2: return button(component, use);
    case 3: case 5: case 6: case 7: case 8: return select(component, state.groups, use);
    case 9:
      return h("div", { class: "section" },
        h("div", {}, inside()), render(component.accessory, state, use));
    case 10: return h("div", { class: "text" }, markdown(component.content, state.names));
    case 11: return picture(component, "thumbnail");
    case 12:
      return h("div", { class: `gallery count${Math.min(component.items.length, 4)}` },
        component.items.map((item) => picture(item, "picture")));
    case 13: return fileCard(component.name || "file", component.size, component.file.url);
    case 14:
      return h("hr", {
        class: `${component.divider === false ? "no-line" : ""} ${component.spacing === 2 ? "wide" : ""}`,
      });
    case 17: return container(component, inside());
    default: return h("p", { class: "small" }, `(unsupported component of type ${component.type})`);
  }
}

function container(component, inside) {
  const box = h("div", { class: "container" }, inside);
  if (component.accent_color !== null && component.accent_color !== undefined) {
    box.style.setProperty("--accent", `#${component.accent_color.toString(16).padStart(6, "0")}`);
    box.classList.add("accented");
  }
  if (component.spoiler) box.classList.add("spoiler");
  return box;
}

function emojiOf(component) {
  if (!component.emoji) return null;
  return h("span", { class: "emoji", ariaHidden: component.label ? "true" : null },
    component.emoji.id ? `:${component.emoji.name}:` : component.emoji.name);
}

function button(component, use) {
  const kind = BUTTONS[component.style] || "secondary";
  const label = [emojiOf(component), component.label ? h("span", {}, component.label) : null];
  if (component.style === 5) {
    const href = safeUrl(component.url);
    return h("a", { class: "button link", href, target: "_blank", rel: "noopener noreferrer" },
      label, h("span", { class: "out", ariaHidden: "true" }, "↗"));
  }
  return h("button", {
    type: "button",
    class: `button ${kind}`,
    disabled: component.disabled,
    "data-custom-id": component.custom_id,
    onclick: (event) => use(component, null, event.currentTarget),
  }, label);
}

function select(component, groups, use) {
  const many = (component.max_values ?? 1) > 1;
  const chosen = (component.default_values || []).map((each) => each.id);
  const offered = component.options || GROUPS[component.type].flatMap((group) =>
    Object.entries(groups[group]).map(([value, label]) =>
      ({ value, label, default: chosen.includes(value) })));
  const options = offered.map((option) => h("option", {
    value: option.value, selected: option.default, title: option.description,
  }, option.emoji?.name ? `${option.emoji.name} ` : "", option.label));
  const label = component.placeholder || "Make a selection";
  if (!many) {
    const required = (component.min_values ?? 1) > 0;
    const selected = !offered.some((option) => option.default);
    if (selected || !required) {
      options.unshift(h("option", { value: "", disabled: required, selected, hidden: required }, label));
    }
  }
  return h("select", {
    class: "select",
    multiple: many,
    disabled: component.disabled,
    "aria-label": label,
    onchange: (event) => {
      const values = [...event.currentTarget.selectedOptions].map((option) => option.value)
        .filter((value) => value !== "");
      if (values.length >= (component.min_values ?? 1)) use(component, values, event.currentTarget);
    },
  }, options);
}

function picture(item, kind) {
  const alt = item.description || "";
  if (!isOurs(item.media.url)) {
    const href = safeUrl(item.media.url);
    return h("a", { class: `${kind} outside`, href, target: "_blank", rel: "noopener noreferrer" },
      alt || "External image");
  }
  if ((item.media.content_type || "").startsWith("video/")) {
    return h("video", { class: kind, src: item.media.url, controls: true, "aria-label": alt });
  }
  return h("a", { class: kind, href: item.media.url, target: "_blank", rel: "noopener" },
    h("img", {
      src: item.media.url, alt, title: alt,
      width: item.media.width || undefined, height: item.media.height || undefined,
    }));
}

/** Render a file as a download card. */
export function fileCard(name, size, url) {
  const href = isOurs(url) ? url : null;
  return h("a", { class: "file", href, download: name },
    h("span", { class: "glyph", ariaHidden: "true" }, "📄"),
    h("span", {}, h("strong", {}, name), h("small", {}, bytes(size || 0))));
}
