// Helpers for elements; text is always text, never HTML.

/** Make an element: h("button", { class: "x", onclick: fn }, "label", child). */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && key !== "list") element[key] = value;
    else element.setAttribute(key === "class" ? "class" : key, value === true ? "" : value);
  }
  if (props.class) element.className = props.class;
  element.append(...children.flat(Infinity).filter((child) => child || child === 0));
  return element;
}

/** Find an element of the page by its id. */
export const $ = (id) => document.getElementById(id);

/** Format a number of bytes. */
export function bytes(count) {
  if (count < 1024) return `${count} B`;
  const units = ["KiB", "MiB", "GiB"];
  let unit = -1;
  do { count /= 1024; unit += 1; } while (count >= 1024 && unit < 2);
  return `${count.toFixed(1)} ${units[unit]}`;
}

/** Return an http or https URL, or null for any other. */
export function safeUrl(url) {
  try {
    const parsed = new URL(url, location.href);
    return ["http:", "https:"].includes(parsed.protocol) ? parsed.href : null;
  } catch {
    return null;
  }
}

/** Return true for URLs of this server; the page shows no external images or sounds. */
export const isOurs = (url) => url.startsWith(`${location.origin}/cdn/`);
