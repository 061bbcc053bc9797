// The page's talk with the local Discord: one request per action, one socket for what happens.

const base = new URL(".", location.href);
export const locale = { value: localStorage.getItem("locale") || "en-US" };

/** Ask for an action; files go along as a form. Throws an Error with the server's sentence. */
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
    throw new Error("The local Discord is gone. Start genrec again.");
  }
  if (response.status === 413) throw new Error("That is too large, even for the local Discord.");
  const isJson = (response.headers.get("Content-Type") || "").includes("json");
  const result = isJson ? await response.json() : { error: await response.text() };
  if (!response.ok) throw new Error(result.error || `The local Discord said ${response.status}.`);
  return result;
}

/** Hear what happens, for ever; reconnects by itself. */
export function listen(onEvent, onGone) {
  const address = new URL("live", base);
  address.protocol = "ws:";
  let wait = 500;
  const connect = () => {
    const socket = new WebSocket(address);
    socket.onmessage = (event) => { wait = 500; onEvent(JSON.parse(event.data)); };
    socket.onclose = () => {
      onGone();
      setTimeout(connect, wait);
      wait = Math.min(wait * 2, 8000);
    };
  };
  connect();
}
