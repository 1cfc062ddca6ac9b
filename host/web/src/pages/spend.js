// The spend ledger: what models and paid templates cost against the caps. Every sum is the host's; here it is only drawn.

import { ledger } from "./books.js";
import { ask, badge, el, every, show, track } from "./parts.js";

const at = (id) => document.getElementById(id);
const SCOPES = { day: "workspace, today", month: "workspace, this month", workflow: "workflow, today", contact: "contact, today" };

/** A table that moves sideways, by keys too, where it is wider than its window. The first cell names the row. */
function table(name, heads, rows) {
  return el("div", { class: "wide", role: "region", "aria-label": name, tabindex: 0 }, el("table", { class: "figures" },
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows.map(([first, ...rest]) => el("tr", {}, el("th", { scope: "row" }, first), rest.map((cell) => el("td", {}, cell)))))));
}

/** A part of the page that is there when there is something to show. */
function part(id, list, draw) {
  at(id).closest("section").hidden = !list.length;
  show(at(id), list, () => list.length > 0 && draw());
}

function tokens(row) {
  return `${row.input_tokens} + ${row.output_tokens}`;
}

function total(row) {
  return [row.calls, tokens(row), row.amount];
}

function sum(one) {
  const name = SCOPES[one.scope];
  const left = one.cap === null ? "-" : [one.left, " ", track(name, Number(one.spent), Number(one.cap))];
  const refused = one.refused > 0 ? el("span", { class: "badge bad" }, one.refused) : one.refused;
  return [[name, " ", one.of && el("code", {}, one.of)], one.spent, one.reserved, one.cap ?? "no cap", left, refused];
}

function sums(told) {
  show(at("sums"), [told.day, told.sums, told.more, told.unsettled], () => {
    if (!told.sums.length) {
      return el("p", { class: "empty" }, "Nothing was spent this month: what models are asked (pointsman model add) and templates with a price are counted here.");
    }
    const open = told.unsettled;
    return [
      table("Spent against the caps", ["Whose", "Spent", "Of it reserved", "Cap", "Left", "Calls refused"], told.sums.map(sum)),
      told.more > 0 && el("p", { class: "quiet" }, `and ${told.more} smaller ones: pointsman spend`),
      open.calls > 0 && el("p", {}, `${open.calls} calls are under way, or were begun by a host that ended: ${open.amount} counts as spent until they are settled.`),
      el("p", { class: "quiet" }, `In the currency of your prices. Days and months are those of UTC: today is ${told.day}.`),
    ];
  });
}

function call(row) {
  const when = new Date(row.at).toISOString().slice(0, 16).replace("T", " ");
  const why = row.run === "0" ? row.workflow : el("a", { href: `/runs#${encodeURIComponent(row.run)}` }, row.workflow);
  return [when, row.model, why, badge(row.state), tokens(row), row.amount, row.no_training || "-"];
}

async function look() {
  const [told, kept] = await Promise.all([ask("/api/v1/spend"), ask("/api/v1/books")]);
  ledger(at("ledger"), kept);
  sums(told);
  part("models", told.models, () => table("Today by model", ["Model", "Calls", "Tokens", "Cost"], told.models.map((row) => [row.model, ...total(row)])));
  part("calls", told.calls, () => [
    table("Newest calls", ["When (UTC)", "Model", "Workflow", "State", "Tokens", "Cost", "Sent against training"], told.calls.map(call)),
    el("p", { class: "quiet" }, "reserved: not settled yet; whole: nobody knows what it cost, so all that was reserved counts."),
  ]);
  part("months", told.months, () => table("Older months", ["Month", "Model", "Calls", "Tokens", "Cost"], told.months.map((row) => [row.month, row.model, ...total(row)])));
}

every(look, at("health"));
