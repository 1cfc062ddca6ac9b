// A run as a timeline: what each step was given, what it gave and decided, what it used, what went wrong.

import { ask, badge, clock, el, show, track } from "./parts.js";

const TEXT = 4000;

function pretty(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return text.length > TEXT ? `${text.slice(0, TEXT)} …` : text;
}

/** One line of what a value holds, for the closed state. */
function gist(value) {
  if (Array.isArray(value)) return `${value.length} ${value.length === 1 ? "item" : "items"}`;
  if (value && typeof value === "object") return Object.keys(value).slice(0, 4).join(", ");
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)} …` : text;
}

function folded(label, value) {
  if (value === null || value === undefined) return null;
  return el("details", { class: "folded" }, el("summary", {}, el("b", {}, label), " ", el("span", { class: "quiet" }, gist(value))), el("pre", {}, pretty(value)));
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
  return el("li", { class: "effect" },
    el("span", { class: "kind" }, kind), el("span", {}, pretty(words ?? "")),
    buttons.map((choice) => el("span", { class: "badge" }, choice.title)),
    decided.marked && el("span", { class: "badge", title: "Words from outside had a part in it" }, "outside words"));
}

function millis(us) {
  if (us >= 1e6) return `${(us / 1e6).toFixed(1)} s`;
  return us >= 1000 ? `${(us / 1000).toFixed(1)} ms` : `${us} µs`;
}

function meter(label, used, limit, words) {
  return el("div", { class: "meter" }, el("span", {}, label), track(label, used, limit), el("span", {}, words));
}

/** What a step used, against what it may. */
function usage(used, limits) {
  if (!used || !limits) return null;
  const cpu = used.ticks * limits.tick_ms;
  const mib = (bytes) => `${(bytes / 1048576).toFixed(bytes < 10485760 ? 1 : 0)} MiB`;
  return el("div", { class: "usage" },
    meter("time", used.wall_us, limits.wall_ms * 1000, `${millis(used.wall_us)} of ${limits.wall_ms / 1000} s`),
    meter("processor", cpu, limits.cpu_ms, `${used.ticks === 0 ? `under ${limits.tick_ms}` : cpu} of ${limits.cpu_ms} ms`),
    meter("memory", used.memory, limits.memory, `${mib(used.memory)} of ${mib(limits.memory)}`));
}

function dot(kind, title, ...body) {
  return el("li", { class: `step ${kind}` }, el("div", { class: "step-head" }, title), body);
}

/** What a step did, in a word: as told, else by what it decided. */
function verb(step) {
  if (step.verb) return step.verb;
  const first = (step.effects || [])[0];
  return first && /^\d+$/.test(String(step.path).split(".").pop()) ? Object.keys(first.effect || {})[0] : null;
}

function name(step) {
  const word = verb(step);
  const again = step.attempt > 1 && el("span", { class: "badge calm" }, `attempt ${step.attempt}`);
  const spent = step.usage && el("span", { class: "quiet spent" }, millis(step.usage.wall_us));
  return [el("strong", {}, word || step.path), word && el("span", { class: "quiet" }, step.path), again, spent];
}

function step(entry, limits) {
  switch (entry.entry) {
    case "started":
      return dot("began", [el("strong", {}, "began"), el("span", { class: "quiet" }, clock(entry.at))],
        (entry.plugins || []).length > 0 && el("p", { class: "quiet" }, `pinned to ${entry.plugins.map(([id, digest]) => `${id}@${String(digest).slice(0, 8)}`).join(", ")}`));
    case "step_done":
      return dot("done", name(entry),
        (entry.effects || []).length > 0 && el("ul", { class: "effects" }, entry.effects.map(effect)),
        folded("input", entry.input), folded("output", entry.output), usage(entry.usage, limits));
    case "step_failed": {
      const error = entry.error || {};
      return dot("failed", name(entry), el("p", { class: "trouble" }, el("code", {}, error.code || "error"), ` ${error.message || ""}`), usage(entry.usage, limits));
    }
    case "call_done":
      return dot("done", [el("strong", {}, entry.name), el("span", { class: "quiet" }, `in ${entry.path}`)], folded("answer", entry.result));
    case "waiting":
      return dot("waits", [el("strong", {}, `waits: ${entry.kind}`), el("span", { class: "quiet" }, entry.until ? `until ${clock(entry.until)}` : "")]);
    case "leg":
      return (entry.effects || []).length > 0 && dot("done", name(entry), el("ul", { class: "effects" }, entry.effects.map(effect)));
    case "each":
      return dot("began", [el("strong", {}, "each"), el("span", { class: "quiet" }, `${entry.path}: ${(entry.items || []).length} items`)]);
    case "told":
      return dot("began", [el("strong", {}, "told by a person")]);
    case "resumed":
      return dot("began", [el("strong", {}, "goes on"), el("span", { class: "quiet" }, `by ${entry.by}`)]);
    case "cancelled":
      return dot("failed", [el("strong", {}, "ended from outside")], el("p", {}, entry.reason));
    case "finished":
      return dot("end", [el("strong", {}, "finished")], folded("result", entry.result));
    default:
      return dot("done", [el("strong", {}, entry.entry || "entry")], folded("entry", entry));
  }
}

/** A whole run. */
export function timeline(run) {
  const reason = run.reason && el("p", { class: "trouble" }, el("code", {}, run.reason.code), ` ${run.reason.message}`);
  return [
    el("p", { class: "run-head" }, el("strong", {}, run.workflow || "a version that is no longer active"), badge(run.state), el("span", { class: "quiet" }, clock(run.began))),
    reason,
    el("ol", { class: "timeline" }, (run.steps || []).map((entry) => step(entry, run.limits))),
    el("p", { class: "quiet ids" }, "run ", el("code", {}, run.id), ", version ", el("code", {}, String(run.version || "").slice(0, 12))),
  ];
}

function acts(run) {
  return (run.steps || []).reduce((total, entry) => total + (entry.effects || []).length, 0);
}

/** The runs of a conversation: chips for choosing one, and the chosen one's steps. */
export class Runs {
  constructor(chips, place) {
    this.chips = chips;
    this.place = place;
    this.empty = [...place.childNodes];
    this.kept = new Map();
    this.chosen = null;
    this.list = [];
  }

  /** Forgets the choice: the newest run counts again. */
  follow() {
    this.chosen = null;
  }

  choose(id) {
    this.chosen = id;
    this.draw(this.list).catch(() => {});
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
    const idle = new Set(details.filter((run) => acts(run) === 0).map((run) => run.id));
    const others = list.some((run) => run.id === chosen.id) ? newest : [chosen, ...newest];
    show(this.chips, [chosen.id, others.map((run) => [run.id, run.state])], () => others.map((run) => el("button", {
      type: "button", class: `chip ${run.id === chosen.id ? "on" : ""} ${idle.has(run.id) ? "idle" : ""}`, "aria-pressed": run.id === chosen.id ? "true" : "false",
      on: { click: () => this.choose(run.id) },
    }, run.workflow || "workflow", " ", badge(run.state))));
    show(this.place, chosen, () => timeline(chosen));
  }
}
