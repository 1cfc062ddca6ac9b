// The books: the strip in the head of every page, and the whole of them.

import { clock, el, show, tone } from "./parts.js";

const KINDS = ["webhooks", "events", "runs", "sends"];

function sum(counts, states) {
  return states.reduce((total, state) => total + ((counts || {})[state] || 0), 0);
}

/** The strip: every webhook that was kept has ended, is parked, or is open. */
export function ledger(place, kept) {
  const webhooks = kept.webhooks || {};
  const all = Object.values(webhooks).reduce((total, count) => total + count, 0);
  const parked = sum(webhooks, ["parked"]);
  const open = sum(webhooks, ["kept", "unread"]);
  const ended = sum(webhooks, ["done", "ignored"]);
  const wrong = (kept.unexplained || []).length;
  const balanced = wrong === 0 && all === ended + parked + open;
  const part = (count, word) => el("span", { class: "sum" }, el("b", {}, count), ` ${word}`);
  place.dataset.balanced = balanced;
  place.dataset.kept = all;
  place.dataset.open = (kept.open || []).length;
  show(place, [all, ended, parked, open, wrong], () => [
    el("span", { class: "quiet" }, "Books"),
    part(all, "kept"), el("i", {}, "="), part(ended, "ended"), el("i", {}, "+"), part(parked, "parked"), el("i", {}, "+"), part(open, "open"),
    el("span", { class: `badge ${balanced ? "good" : "bad"}` }, balanced ? "balanced" : `${wrong} unexplained`),
  ]);
}

/** Counts by state, one row for each kind, and whether they balance. */
export function books(place, kept) {
  show(place, kept, () => {
    const rows = KINDS.map((kind) => {
      const states = Object.entries(kept[kind] || {}).filter(([, count]) => count > 0);
      const counts = states.map(([state, count]) => el("span", { class: `badge ${tone(state)}` }, `${count} ${state}`));
      return el("tr", {}, el("th", { scope: "row" }, kind), el("td", {}, counts.length ? counts : el("span", { class: "quiet" }, "none yet")));
    });
    const wrong = kept.unexplained || [];
    const open = kept.open || [];
    const line = wrong.length
      ? el("p", { class: "trouble" }, `${wrong.length} unexplained: ${wrong.slice(0, 5).join("; ")}`)
      : el("p", { class: "quiet" }, open.length ? `Balanced. ${open.length} still open, each with its reason.` : "Balanced. Nothing is open.");
    const waits = open.slice(0, 5).map((item) => el("li", {}, `${item.kind} waits for ${item.waits_for}`));
    return [el("table", { class: "books" }, el("tbody", {}, rows)), line, waits.length > 0 && el("ul", { class: "plain quiet" }, waits)];
  });
}

/** What is parked, newest first, each with its reason. */
export function parked(place, items) {
  show(place, items, () => {
    if (!items.length) return el("p", { class: "empty" }, "Nothing is parked: everything that came in could be dealt with.");
    const listed = items.slice(0, 8).map((item) =>
      el("li", {}, el("span", { class: "badge bad" }, item.kind), " ", el("code", {}, item.code), item.reason ? ` ${item.reason.message}` : "", " ",
        el("span", { class: "quiet" }, clock(item.at))));
    const more = items.length - listed.length;
    return [el("ul", { class: "plain" }, listed), more > 0 && el("p", { class: "quiet" }, `and ${more} more: pointsman park list`)];
  });
}
