"use strict";
// The library map: points on a canvas that one can move, zoom and search. Nothing is loaded: the
// tracks are in the page, deflated. Titles only ever become text, never markup.

const POINT = 3.2, CLOSE = 14, MOST_RESULTS = 50, MOST_NAMES = 30, MAX_ZOOM = 400, STEP = 60;
const MARK = 11, APART = 24, ROUNDS = 200;
const $ = (id) => document.getElementById(id);
const canvas = $("map"), context = canvas.getContext("2d");
const view = { x: 0, y: 0, zoom: 1 };
let data, colouring, chosen = -1, only = -2, found = null, folded = null, waiting = false;
let size = { width: 1, height: 1 };

async function unpack() {
  const packed = Uint8Array.from(atob($("data").textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const scale = () => (0.46 * Math.min(size.width, size.height) * view.zoom);
const across = (i) => size.width / 2 + (data.x[i] - view.x) * scale();
const down = (i) => size.height / 2 - (data.y[i] - view.y) * scale();

function shape(x, y, radius, kind) {
  if (kind === "square") return context.rect(x - .88 * radius, y - .88 * radius, 1.76 * radius, 1.76 * radius);
  if (kind === "disc") { context.moveTo(x + radius, y); return context.arc(x, y, radius, 0, 7); }
  const r = 1.25 * radius;
  const corners = kind === "diamond"
    ? [[x, y - r], [x + r, y], [x, y + r], [x - r, y]]
    : [[x, y - r], [x + r, y + .8 * r], [x - r, y + .8 * r]];
  context.moveTo(...corners[0]);
  for (const corner of corners.slice(1)) context.lineTo(...corner);
  context.closePath();
}

function inside(x, y, margin = 20) {
  return x > -margin && y > -margin && x < size.width + margin && y < size.height + margin;
}

function draw() {
  waiting = false;
  context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  context.clearRect(0, 0, size.width, size.height);
  const count = data.x.length, crowded = count > 5000 ? 0.6 : 1;
  const radius = Math.max(1.2, POINT * crowded) * Math.min(2.2, Math.max(1, Math.sqrt(view.zoom) / 1.6));
  const other = { name: "", colour: css("--other"), shape: "disc" };
  const seen = [];
  for (let group = -1; group < colouring.groups.length; group++) {
    const style = colouring.groups[group] || other;
    context.fillStyle = style.colour;
    for (const faint of [true, false]) {
      context.globalAlpha = faint ? 0.13 : 0.9;
      context.beginPath();
      for (let i = 0; i < count; i++) {
        if (colouring.codes[i] !== group) continue;
        const dim = (only !== -2 && only !== group) || (found !== null && !found.has(i));
        if (dim !== faint) continue;
        const x = across(i), y = down(i);
        if (!inside(x, y)) continue;
        shape(x, y, radius, style.shape);
        if (!dim && seen.length <= MOST_NAMES) seen.push(i);
      }
      context.fill();
    }
  }
  context.globalAlpha = 1;
  context.font = "13px system-ui, sans-serif";
  context.textBaseline = "middle";
  const taken = [];
  if (seen.length <= MOST_NAMES) seen.forEach((i) => name(i, across(i), down(i), radius, taken));
  drawMarks();
  if (chosen >= 0) ring(across(chosen), down(chosen), radius + 6);
}

function name(i, x, y, radius, taken) {
  const text = data.titles[i].length > 40 ? data.titles[i].slice(0, 39) + "…" : data.titles[i];
  const box = { left: x + radius, right: x + radius + 10 + context.measureText(text).width, y };
  const covers = (other) => Math.abs(other.y - box.y) < 15 && other.left < box.right && box.left < other.right;
  if (taken.some(covers)) return; // the point stays, and a click names it
  taken.push(box);
  context.lineWidth = 3;
  context.strokeStyle = css("--back");
  context.fillStyle = css("--ink");
  context.strokeText(text, x + radius + 5, y);
  context.fillText(text, x + radius + 5, y);
}

function ring(x, y, radius) {
  context.lineWidth = 3;
  context.strokeStyle = css("--edge");
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.stroke();
}

// Places of the marks in view, moved so that none covers another, as `spread` of the picture does.
function spreadMarks() {
  const seen = data.marks.map((mark) => ({
    text: mark.text,
    from: [size.width / 2 + (mark.x - view.x) * scale(), size.height / 2 - (mark.y - view.y) * scale()],
  })).filter((mark) => inside(...mark.from, 0));
  // Marks at one place have no direction to move in, so each gets its own.
  seen.forEach((mark, i) => { mark.at = [mark.from[0] + .03 * Math.cos(2.4 * i), mark.from[1] + .03 * Math.sin(2.4 * i)]; });
  for (let round = 0, moved = true; moved && round < ROUNDS; round++) {
    moved = false;
    seen.forEach((one, i) => seen.slice(i + 1).forEach((other) => {
      const dx = one.at[0] - other.at[0], dy = one.at[1] - other.at[1], far = Math.hypot(dx, dy);
      if (far >= APART) return;
      const push = (1.02 * APART - far) / 2 / Math.max(far, 1e-9);
      one.at = within(one.at[0] + dx * push, one.at[1] + dy * push, i);
      other.at = within(other.at[0] - dx * push, other.at[1] - dy * push, i + 1);
      moved = true;
    }));
  }
  return seen;
}

function within(x, y, i) {
  const held = (value, length) => Math.min(length - MARK, Math.max(MARK, value));
  const place = [held(x, size.width), held(y, size.height)];
  // Marks in one corner move along the edge.
  return place[0] === x && place[1] === y ? place : [place[0] + .03 * Math.cos(2.4 * i), place[1] + .03 * Math.sin(2.4 * i)];
}

function drawMarks() {
  const marks = spreadMarks().reverse(); // the first, the asked song, is on top
  for (const { from: [x, y], at } of marks) {
    if (Math.hypot(at[0] - x, at[1] - y) <= MARK) continue;
    context.lineWidth = 1.5;
    context.strokeStyle = context.fillStyle = css("--edge");
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(...at);
    context.stroke();
    context.beginPath();
    context.arc(x, y, 2.5, 0, 7);
    context.fill();
  }
  context.font = "bold 13px system-ui, sans-serif";
  context.textAlign = "center";
  for (const { text, at: [x, y] } of marks) {
    context.fillStyle = css("--edge");
    context.beginPath();
    context.arc(x, y, MARK, 0, 7);
    context.fill();
    context.fillStyle = css("--back");
    context.fillText(text, x, y + .5);
  }
  context.textAlign = "start";
}

function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(draw);
}

function resize() {
  const box = canvas.getBoundingClientRect();
  size = { width: box.width || 1, height: box.height || 1 };
  canvas.width = Math.round(size.width * devicePixelRatio);
  canvas.height = Math.round(size.height * devicePixelRatio);
  redraw();
}

function zoom(factor, x = size.width / 2, y = size.height / 2) {
  const before = scale(), wanted = Math.min(MAX_ZOOM, Math.max(0.5, view.zoom * factor));
  view.zoom = wanted;
  const dx = x - size.width / 2, dy = y - size.height / 2;
  view.x += dx / before - dx / scale();
  view.y -= dy / before - dy / scale();
  redraw();
}

function pan(dx, dy) {
  view.x = Math.min(1.5, Math.max(-1.5, view.x - dx / scale()));
  view.y = Math.min(1.5, Math.max(-1.5, view.y + dy / scale()));
  redraw();
}

function everything() {
  Object.assign(view, { x: 0, y: 0, zoom: 1 });
  redraw();
}

function nearest(x, y) {
  let best = -1, least = CLOSE * CLOSE;
  for (let i = 0; i < data.x.length; i++) {
    const distance = (across(i) - x) ** 2 + (down(i) - y) ** 2;
    if (distance < least) { least = distance; best = i; }
  }
  return best;
}

function address(i) {
  const own = data.links[i];
  if (own) return own;
  if (!data.search) return "";
  const words = encodeURIComponent([data.artists[data.artist[i]], data.titles[i]].filter(Boolean).join(" "));
  return data.search + (data.plus ? words.replaceAll("%20", "+") : words);
}

function show(i) {
  chosen = i;
  const panel = $("shown"), link = panel.querySelector("a");
  panel.hidden = i < 0;
  if (i >= 0) {
    panel.querySelector("strong").textContent = data.titles[i];
    $("artist").textContent = data.artists[data.artist[i]];
    panel.querySelector("small").textContent = data.genres[data.genre[i]];
    const target = address(i);
    link.hidden = !/^https?:\/\//.test(target);
    if (link.hidden) link.removeAttribute("href"); else link.href = target;
    link.textContent = link.hidden ? "" : `${data.texts.open} (${link.hostname})`;
  }
  redraw();
}

function go(i) {
  Object.assign(view, { x: data.x[i], y: data.y[i], zoom: Math.max(view.zoom, 8) });
  show(i);
}

const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

function search() {
  const words = fold($("search").value).split(/\s+/).filter(Boolean);
  $("results").hidden = !words.length;
  found = null;
  if (words.length) {
    folded ||= data.titles.map((title, i) => fold(`${data.artists[data.artist[i]]} ${title}`));
    found = new Set();
    folded.forEach((text, i) => { if (words.every((word) => text.includes(word))) found.add(i); });
    const first = [...found].slice(0, MOST_RESULTS);
    $("count").textContent = found.size ? data.texts.found.replace("{count}", found.size.toLocaleString(data.lang)) : data.texts.none;
    $("list").replaceChildren(...first.map(result));
  }
  redraw();
}

function result(i) {
  const item = document.createElement("li"), button = document.createElement("button");
  button.type = "button";
  button.dir = "auto";
  button.textContent = [data.titles[i], data.artists[data.artist[i]]].filter(Boolean).join(" · ");
  button.addEventListener("click", () => {
    $("results").hidden = size.width < 640; // on a phone the list would cover the track
    go(i);
  });
  item.append(button);
  return item;
}

function legend() {
  const used = new Set(colouring.codes);
  const groups = colouring.groups.map((group, code) => ({ ...group, code }));
  groups.push({ name: data.texts.others, colour: css("--other"), shape: "disc", code: -1 });
  $("legend").replaceChildren(...groups.filter((group) => used.has(group.code)).map(entry));
}

function entry(group) {
  const item = document.createElement("li"), button = document.createElement("button");
  const text = document.createElement("span"), sign = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  sign.setAttribute("width", 14); sign.setAttribute("height", 14); sign.setAttribute("viewBox", "-7 -7 14 14"); sign.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", { disc: "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0", square: "M-4.5 -4.5h9v9h-9z", diamond: "M0 -6L6 0L0 6L-6 0z", triangle: "M0 -6L6 5H-6z" }[group.shape]);
  path.setAttribute("fill", group.colour);
  sign.append(path);
  text.textContent = group.name;
  text.dir = "auto";
  button.type = "button";
  button.setAttribute("aria-pressed", "false");
  button.append(sign, text);
  button.addEventListener("click", () => {
    only = only === group.code ? -2 : group.code;
    for (const each of $("legend").querySelectorAll("button")) each.setAttribute("aria-pressed", String(each === button && only !== -2));
    redraw();
  });
  item.append(button);
  return item;
}

function choose(index) {
  colouring = data.colourings[index];
  only = -2;
  legend();
  redraw();
}

function pointers() {
  const down = new Map();
  let moved = 0, spread = 0;
  const place = (event) => { const box = canvas.getBoundingClientRect(); return { x: event.clientX - box.left, y: event.clientY - box.top }; };
  const distance = () => { const [a, b] = [...down.values()]; return Math.hypot(a.x - b.x, a.y - b.y); };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, place(event));
    if (down.size === 1) moved = 0;
    if (down.size === 2) spread = distance();
    canvas.classList.add("moving");
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    if (!before) return;
    const now = place(event);
    moved += Math.hypot(now.x - before.x, now.y - before.y);
    down.set(event.pointerId, now);
    if (moved > 4 || down.size > 1) pan((now.x - before.x) / down.size, (now.y - before.y) / down.size);
    if (down.size === 2) {
      const wide = distance(), [a, b] = [...down.values()];
      if (spread > 0 && wide > 0) zoom(wide / spread, (a.x + b.x) / 2, (a.y + b.y) / 2);
      spread = wide;
      moved = 99;
    }
  });
  const end = (event) => {
    const last = down.get(event.pointerId);
    down.delete(event.pointerId);
    if (!down.size) canvas.classList.remove("moving");
    if (last && event.type === "pointerup" && !down.size && moved <= 4) show(nearest(last.x, last.y));
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { x, y } = place(event);
    zoom(Math.exp(-Math.max(-300, Math.min(300, event.deltaY)) / 300), x, y);
  }, { passive: false });
}

function keys() {
  const moves = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (moves[event.key]) pan(...moves[event.key]);
    else if (event.key === "+" || event.key === "=") zoom(1.4);
    else if (event.key === "-") zoom(1 / 1.4);
    else if (event.key === "0") everything();
    else if (event.key === "Enter") show(nearestToMiddle());
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") show(-1);
    if (event.key === "/" && document.activeElement !== $("search")) { event.preventDefault(); $("search").focus(); }
  });
  $("search").addEventListener("keydown", (event) => { if (event.key === "Enter" && found?.size) go([...found][0]); });
}

function nearestToMiddle() {
  let best = -1, least = Infinity;
  for (let i = 0; i < data.x.length; i++) {
    const distance = (data.x[i] - view.x) ** 2 + (data.y[i] - view.y) ** 2;
    if (distance < least) { least = distance; best = i; }
  }
  return best;
}

function label() {
  const texts = data.texts;
  $("find").firstElementChild.textContent = texts.search;
  $("by").firstElementChild.textContent = texts.colour;
  $("keys").textContent = texts.keys;
  canvas.setAttribute("aria-label", data.alt);
  for (const [id, key] of [["in", "zoom_in"], ["out", "zoom_out"], ["all", "all"], ["close", "close"]]) {
    $(id).title = texts[key];
    $(id).setAttribute("aria-label", texts[key]);
  }
  $("colour").replaceChildren(...data.colourings.map((each, i) => new Option(each.name, i)));
}

async function start() {
  data = await unpack();
  for (const axis of ["x", "y"]) data[axis] = Float32Array.from(data[axis], (value) => value / 32767);
  label();
  choose(0);
  $("search").addEventListener("input", search);
  $("colour").addEventListener("change", () => choose(Number($("colour").value)));
  $("in").addEventListener("click", () => zoom(1.6));
  $("out").addEventListener("click", () => zoom(1 / 1.6));
  $("all").addEventListener("click", everything);
  $("close").addEventListener("click", () => show(-1));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { legend(); redraw(); });
  new ResizeObserver(resize).observe(canvas);
  pointers();
  keys();
  resize();
  document.documentElement.dataset.ready = "yes";
}

start();
