// What both pages share. Everything shown is made of elements and text nodes: words of contacts never become markup.

/** An element with a class, attributes and children; text becomes a text node. */
export function el(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
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
  place.replaceChildren(...[children()].flat());
  return true;
}

/** Asks the API; an error carries the problem's own sentence. */
export async function ask(path, options) {
  const response = await fetch(path, options);
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.detail || `the host answered ${response.status}`);
  return body;
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

/** Counts by state, one row for each kind, and whether they balance. */
export function books(place, kept) {
  show(place, kept, () => {
    const rows = ["webhooks", "events", "runs", "sends"].map((kind) => {
      const states = Object.entries(kept[kind] || {}).filter(([, count]) => count > 0);
      const counts = states.map(([state, count]) => el("span", { class: `badge ${tone(state)}` }, `${count} ${state}`));
      return el("tr", {}, el("th", { scope: "row" }, kind), el("td", {}, counts.length ? counts : el("span", { class: "quiet" }, "none")));
    });
    const wrong = kept.unexplained || [];
    const open = (kept.open || []).length;
    const line = wrong.length
      ? el("p", { class: "trouble" }, `${wrong.length} unexplained: ${wrong.slice(0, 5).join("; ")}`)
      : el("p", { class: "verdict" }, open ? `Balanced. ${open} still open, each with its reason.` : "Balanced. Nothing is open.");
    return [el("table", { class: "books" }, el("tbody", {}, rows)), line];
  });
}

/** What is parked, newest first, each with its reason. */
export function parked(place, items) {
  show(place, items, () => {
    if (!items.length) return el("p", { class: "empty" }, "Nothing is parked.");
    const listed = items.slice(0, 8).map((item) =>
      el("li", {}, el("span", { class: "badge bad" }, item.kind), " ", el("code", {}, item.code), item.reason ? ` ${item.reason.message}` : "", " ",
        el("span", { class: "quiet" }, clock(item.at))));
    const more = items.length - listed.length;
    return [el("ul", { class: "plain" }, listed), more > 0 && el("p", { class: "quiet" }, `and ${more} more`)].filter(Boolean);
  });
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
      } catch (error) {
        health.textContent = "no answer";
        health.className = "badge bad";
        health.title = error.message;
      }
    }
    looking = false;
    soon = Math.max(0, soon - 1);
    timer = setTimeout(turn, soon ? 250 : 1500);
  }
  document.addEventListener("visibilitychange", turn);
  turn();
  return function hurry() {
    soon = 24;
    turn();
  };
}
