// A run as a timeline: what each step gave, what it decided, what went wrong.

import { ask, badge, clock, el, show } from "./parts.js";

const TEXT = 600;

function short(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return text.length > TEXT ? `${text.slice(0, TEXT)} …` : text;
}

function given(label, value) {
  if (value === null || value === undefined) return null;
  const line = JSON.stringify(value);
  if (line.length <= 160) return el("p", { class: "gave" }, el("span", { class: "quiet" }, `${label} `), el("code", {}, line));
  return el("details", { class: "gave" }, el("summary", {}, label), el("pre", {}, short(value)));
}

/** The words of an effect: its kind and what it says. */
function effect(decided) {
  const wish = decided.effect || {};
  const kind = typeof wish === "string" ? wish : Object.keys(wish)[0] || "effect";
  const what = wish[kind];
  let words = what;
  if (kind === "reply" || kind === "draft") words = (what && what.text) || "attachment";
  else if (kind === "template") words = what && what.name;
  else if (kind === "set") words = what && `${what.name} = ${JSON.stringify(what.value)}`;
  else if (kind === "state") words = what && `${what.scope} ${what.key} = ${JSON.stringify(what.value)}`;
  else if (kind === "emit") words = what && what.name;
  if (typeof words !== "string") words = JSON.stringify(words);
  const buttons = kind === "reply" && what && what.choices ? what.choices : [];
  return el("li", { class: `effect ${kind}` },
    el("span", { class: "kind" }, kind), el("span", {}, short(words ?? "")),
    buttons.map((choice) => el("span", { class: "badge" }, choice.title)),
    decided.marked && el("span", { class: "badge", title: "Words from outside had a part in it" }, "outside words"));
}

/** What a step did, in a word: as told, else by what it decided. */
function verb(step) {
  if (step.plugin || step.verb) return step.plugin || step.verb;
  const first = (step.effects || [])[0];
  if (first && /^\d+$/.test(String(step.path).split(".").pop())) return Object.keys(first.effect || {})[0];
  return null;
}

function dot(kind, title, ...body) {
  return el("li", { class: `step ${kind}` }, el("div", { class: "step-head" }, title), body);
}

function name(step) {
  const word = verb(step);
  const again = step.attempt > 1 && el("span", { class: "badge calm" }, `attempt ${step.attempt}`);
  return [el("strong", {}, word || step.path), word && el("span", { class: "quiet" }, `at ${step.path}`), again];
}

function step(entry) {
  switch (entry.entry) {
    case "started":
      return dot("began", [el("strong", {}, "began"), el("span", { class: "quiet" }, clock(entry.at))],
        (entry.plugins || []).length > 0 && el("p", { class: "quiet" }, `pinned: ${entry.plugins.map(([id, digest]) => `${id}@${String(digest).slice(0, 8)}`).join(", ")}`));
    case "step_done":
      return dot("done", name(entry), given("gave", entry.output),
        (entry.effects || []).length > 0 && el("ul", { class: "effects" }, entry.effects.map(effect)));
    case "step_failed": {
      const error = entry.error || {};
      return dot("failed", name(entry), el("p", { class: "trouble" }, el("code", {}, error.code || "error"), ` ${error.message || ""}`));
    }
    case "call_done":
      return dot("done", [el("strong", {}, entry.name), el("span", { class: "quiet" }, `in ${entry.path}`)], given("answer", entry.result));
    case "waiting":
      return dot("waits", [el("strong", {}, `waits: ${entry.kind}`), el("span", { class: "quiet" }, entry.until ? `until ${clock(entry.until)}` : "")]);
    case "resumed":
      return dot("began", [el("strong", {}, "goes on"), el("span", { class: "quiet" }, `by ${entry.by}`)]);
    case "cancelled":
      return dot("failed", [el("strong", {}, "ended from outside")], el("p", {}, entry.reason));
    case "finished":
      return dot("end", [el("strong", {}, "finished")], given("result", entry.result));
    default:
      return dot("done", [el("strong", {}, entry.entry || "entry")], given("entry", entry));
  }
}

function timeline(run) {
  const reason = run.reason && el("p", { class: "trouble" }, el("code", {}, run.reason.code), ` ${run.reason.message}`);
  return [
    el("p", { class: "run-head" }, el("strong", {}, run.workflow || "workflow"), badge(run.state),
      el("span", { class: "quiet" }, `run ${run.id}, version ${String(run.version || "").slice(0, 12)}`)),
    reason,
    el("ol", { class: "timeline" }, (run.steps || []).map(step)),
  ].filter(Boolean);
}

function acts(run) {
  return (run.steps || []).reduce((sum, entry) => sum + (entry.effects || []).length, 0);
}

/** The runs of a page: chips for choosing one, and the chosen one's steps. */
export class Runs {
  constructor(chips, place) {
    this.chips = chips;
    this.place = place;
    this.empty = [...place.childNodes];
    this.kept = new Map();
    this.chosen = null;
  }

  /** Forgets the choice: the newest run counts again. */
  follow() {
    this.chosen = null;
  }

  choose(id) {
    this.chosen = id;
    if (this.list) this.draw(this.list).catch(() => {});
  }

  async detail(run) {
    const known = this.kept.get(run.id);
    if (known && known.state === run.state && !["queued", "running", "waiting"].includes(run.state)) return known;
    const fresh = await ask(`/api/v1/runs/${encodeURIComponent(run.id)}`);
    this.kept.set(run.id, fresh);
    if (this.kept.size > 200) this.kept.delete(this.kept.keys().next().value);
    return fresh;
  }

  async draw(list) {
    this.list = list;
    if (!list.length) {
      show(this.chips, [], () => []);
      show(this.place, "none", () => this.empty);
      return;
    }
    // One message may start several runs. Of the newest message's, the one that did something is the one to look at.
    const newest = list.filter((run) => run.event === list[0].event).slice(0, 8);
    const details = await Promise.all(newest.map((run) => this.detail(run)));
    const best = details.reduce((a, b) => (acts(b) > acts(a) ? b : a));
    let chosen = best;
    if (this.chosen) {
      const run = list.find((row) => row.id === this.chosen) || { id: this.chosen };
      chosen = await this.detail(run).catch(() => best);
    }
    const chips = list.slice(0, 8);
    show(this.chips, [chosen.id, chips], () => chips.map((run) => el("button", {
      type: "button", class: `chip ${run.id === chosen.id ? "on" : ""}`, "aria-pressed": run.id === chosen.id ? "true" : "false",
      on: { click: () => this.choose(run.id) },
    }, run.workflow || "workflow", " ", badge(run.state))));
    show(this.place, chosen, () => timeline(chosen));
  }
}
