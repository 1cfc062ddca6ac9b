// All runs, newest first, and the steps of the one that is chosen. The choice stands in the address, so it can be passed on.

import { ledger } from "./books.js";
import { ask, badge, clock, el, every, show } from "./parts.js";
import { timeline } from "./run.js";

const at = (id) => document.getElementById(id);
const empty = [...at("run").childNodes];

async function look() {
  const chosen = decodeURIComponent(location.hash.slice(1));
  const [list, kept] = await Promise.all([ask("/api/v1/runs?limit=100"), ask("/api/v1/books")]);
  ledger(at("ledger"), kept);
  show(at("list"), [chosen, list.map((run) => [run.id, run.state])], () => list.length
    ? el("ul", { class: "rows" }, list.map((run) => el("li", {}, el("a", {
        class: run.id === chosen ? "on" : "", href: `#${encodeURIComponent(run.id)}`, "aria-current": run.id === chosen ? "true" : null,
      }, el("strong", {}, run.workflow || "workflow"), badge(run.state), el("span", { class: "quiet" }, clock(run.began))))))
    : el("p", { class: "empty" }, "No run yet. When a webhook comes in that a workflow wants, its run appears here."));
  if (!chosen) {
    show(at("run"), "none", () => empty);
    return;
  }
  try {
    const run = await ask(`/api/v1/runs/${encodeURIComponent(chosen)}`);
    show(at("run"), run, () => timeline(run));
  } catch (error) {
    if (error.code !== "id.unknown" && error.code !== "id.invalid") throw error;
    show(at("run"), error.message, () => el("p", { class: "trouble" }, "There is no such run here: choose one from the list."));
  }
}

const hurry = every(look, at("health"));
window.addEventListener("hashchange", hurry);
