// Connection to the local Discord server: one request per action, one websocket for events.

const base = new URL(".", location.href);
export const locale = { value: localStorage.getItem("locale") || "en-US" };

/** Send an action, with files as a form. Throws an Error with the server's message. */
export async function act(action, body, files = {}) {
  const text = JSON.stringify({ ...body, locale: locale.value });
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: text };
  if (Object.keys(files).length) {
    const form = new FormData();
    form.append("json", text);
    for (const [name, file] of Object.entries(files)) form.append(name, file, file.name);
    options.body = form;
    options.headers = {};
  }
  let response;
  try {
    response = await fetch(new URL(`api/${action}`, base), options);
  } catch {
    throw new Error("The local Discord has stopped. Start genrec again.");
  }
  if (response.status === 413) throw new Error("The files are too large: the limit is 256 MiB. Send smaller files.");
  const isJson = (response.headers.get("Content-Type") || "").includes("json");
  const result = isJson ? await response.json() : { error: await response.text() };
  if (!response.ok) throw new Error(result.error || `The local Discord returned HTTP ${response.status}.`);
  return result;
}

/** Receive events without end; reconnects after a failure and calls `onClose`. */
export function receiveEvents(onEvent, onClose) {
  const address = new URL("live", base);
  address.protocol = "ws:";
  let wait = 500;
  const connect = () => {
    const socket = new WebSocket(address);
    socket.onmessage = (event) => { wait = 500; onEvent(JSON.parse(event.data)); };
    socket.onclose = () => {
      onClose();
      setTimeout(connect, wait);
      wait = Math.min(wait * 2, 8000);
    };
  };
  connect();
}
