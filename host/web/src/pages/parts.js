// What the pages share. Everything shown is made of elements and text nodes: words of contacts never become markup.

/** An element with a class, attributes and children; text becomes a text node. */
export function el(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(2)) {
    if (child === undefined || child === null || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

const shown = new WeakMap();

/** Shows `children` in `place`, but only when `key` changed: what somebody reads or has selected stays as it is. */
export function show(place, key, children) {
  const said = JSON.stringify(key);
  if (shown.get(place) === said) return false;
  shown.set(place, said);
  place.replaceChildren(...[children()].flat(2).filter((child) => child instanceof Node || typeof child === "string"));
  return true;
}

/** Asks a server of ours; an error carries the problem's own sentence and code. */
export async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  };
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw Object.assign(new Error("the server does not answer: is it still running?"), { code: "page.unreachable" });
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw Object.assign(new Error(answer.detail || `the server answered ${response.status}`), { code: answer.code || "" });
  }
  return answer;
}

export function clock(ms) {
  return ms ? new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) : "";
}

const GOOD = ["done", "ended", "sent", "delivered", "read", "active"];
const BAD = ["parked", "failed", "revoked"];

/** The colour of a state. */
export function tone(state) {
  if (BAD.includes(state)) return "bad";
  return GOOD.includes(state) ? "good" : "calm";
}

export function badge(state) {
  return el("span", { class: `badge ${tone(state)}` }, state);
}

/** A bar that shows how much of a limit is used. */
export function track(label, used, limit) {
  const share = Math.min(100, limit ? (used / limit) * 100 : 0);
  const filled = el("span", { class: share > 80 ? "full" : "" });
  filled.style.width = `${share > 0 ? Math.max(share, 4) : 0}%`;
  return el("span", { class: "track", role: "meter", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(share), "aria-label": `${label}, share of the limit` }, filled);
}

/** Calls `look` again and again: often after `hurry()`, rarely otherwise, never while the page is hidden. */
export function every(look, health) {
  let soon = 0;
  let timer;
  let looking = false;
  async function turn() {
    clearTimeout(timer);
    if (looking) return;
    looking = true;
    if (!document.hidden) {
      try {
        await look();
        health.textContent = "live";
        health.className = "badge good";
        health.title = "";
      } catch (error) {
        health.textContent = error.code === "demo.host_down" ? "host is down" : "no answer";
        health.className = "badge bad";
        health.title = error.message;
      }
    }
    looking = false;
    soon = Math.max(0, soon - 1);
    timer = setTimeout(turn, soon ? 200 : 1200);
  }
  document.addEventListener("visibilitychange", turn);
  turn();
  return function hurry() {
    soon = 30;
    turn();
  };
}
