// The conversations, newest first, and what was said in the one that is chosen, as the host keeps it.

import { ledger } from "./books.js";
import { ask, badge, clock, el, every, show } from "./parts.js";

const at = (id) => document.getElementById(id);
const empty = [...at("talk").childNodes];

function said(message) {
  const who = message.by === "contact" ? "contact" : "workflow";
  return el("li", {}, el("div", { class: "row-head" }, el("strong", {}, who), badge(message.state || "kept"),
    message.possible_duplicate && el("span", { class: "badge bad" }, "maybe twice"), el("span", { class: "quiet" }, clock(message.at)),
    message.run && el("a", { href: `/runs#${encodeURIComponent(message.run)}` }, "why?")),
    el("p", { class: "words" }, message.text || "(no words)"),
    message.reason && el("p", { class: "trouble" }, message.reason.message || message.reason.code),
    (message.choices || []).length > 0 && el("p", {}, message.choices.map((title) => [el("span", { class: "badge" }, title), " "])));
}

async function look() {
  const chosen = decodeURIComponent(location.hash.slice(1));
  const [list, channels, kept] = await Promise.all([ask("/api/v1/conversations?limit=100"), ask("/api/v1/channels"), ask("/api/v1/books")]);
  ledger(at("ledger"), kept);
  const name = (id) => (channels.find((channel) => channel.id === id) || {}).name || "channel";
  show(at("list"), [chosen, list], () => list.length
    ? el("ul", { class: "rows" }, list.map((talk) => el("li", {}, el("a", {
        class: talk.id === chosen ? "on" : "", href: `#${encodeURIComponent(talk.id)}`, "aria-current": talk.id === chosen ? "true" : null,
      }, el("strong", {}, talk.contact || "somebody"), el("span", { class: "quiet" }, name(talk.channel)),
        (talk.tags || []).map((tag) => el("span", { class: "badge" }, tag)), talk.assigned && el("span", { class: "badge good" }, talk.assigned),
        el("span", { class: "quiet" }, clock(talk.last_at))))))
    : el("p", { class: "empty" }, "Nobody has written yet. Each contact on each channel has a conversation of their own here."));
  if (!chosen) {
    show(at("talk"), "none", () => empty);
    return;
  }
  try {
    const messages = await ask(`/api/v1/conversations/${encodeURIComponent(chosen)}/messages?limit=200`);
    show(at("talk"), messages, () => messages.length ? el("ol", { class: "plain talk" }, messages.map(said)) : el("p", { class: "empty" }, "Nothing was said in it yet."));
  } catch (error) {
    if (error.code !== "id.unknown" && error.code !== "id.invalid") throw error;
    show(at("talk"), error.message, () => el("p", { class: "trouble" }, "There is no such conversation here: choose one from the list."));
  }
}

const hurry = every(look, at("health"));
window.addEventListener("hashchange", hurry);
