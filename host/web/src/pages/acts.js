// Breaking things on purpose: three buttons, and under them what came of each, with the numbers of both sides.

import { ask, clock, el, show } from "./parts.js";

const TITLES = { kill: "Kill the host", cut: "Cut the line", twice: "Send twice" };

function numbers(act) {
  const n = act.numbers;
  if (!n) return null;
  const row = (what, theirs, ours) => el("tr", {}, el("th", { scope: "row" }, what), el("td", {}, theirs), el("td", {}, ours));
  return el("table", { class: "numbers" },
    el("thead", {}, el("tr", {}, el("td"), el("th", { scope: "col" }, "provider's log"), el("th", { scope: "col" }, "books"))),
    el("tbody", {},
      row("messages of contacts", `${n.wrote} written`, `${n.kept} kept`),
      row("answers", `${n.taken} taken`, n.parked ? `${n.sent} sent, ${n.parked} parked` : `${n.sent} sent`)));
}

function whole(act) {
  return [
    el("div", { class: "row-head" }, el("strong", {}, TITLES[act.act] || act.act), el("span", { class: "quiet" }, `${act.who} · ${clock(act.at)}`)),
    el("p", {}, act.words), act.verdict && el("p", { class: "verdict" }, act.verdict), numbers(act),
  ];
}

/** An older one: its verdict, and the rest on demand. */
function folded(act) {
  return el("details", {}, el("summary", {}, el("strong", {}, TITLES[act.act] || act.act), el("span", { class: "quiet" }, `${act.who} · ${clock(act.at)}`), el("span", { class: "verdict" }, act.verdict || "")),
    el("p", {}, act.words), numbers(act));
}

export class Acts {
  constructor(place, list, whom, hurry) {
    this.list = list;
    this.whom = whom;
    this.buttons = [...place.querySelectorAll("[data-act]")];
    this.phone = null;
    for (const button of this.buttons) {
      button.addEventListener("click", async () => {
        hurry();
        try {
          await ask("/demo/act", { act: button.dataset.act, channel: this.phone.word, contact: this.phone.contact.value });
          this.trouble = null;
        } catch (error) {
          this.trouble = error.message;
        }
        hurry();
      });
    }
  }

  /** Who writes next. */
  aim(phone) {
    this.phone = phone;
    show(this.whom, [phone.word, phone.name()], () => `${phone.name()} on ${phone.title}`);
  }

  draw(acts) {
    const busy = acts.some((act) => act.state === "running");
    for (const button of this.buttons) button.disabled = busy;
    show(this.list, [acts, this.trouble], () => [
      this.trouble && el("li", { class: "outcome bad" }, this.trouble),
      acts.length === 0 && !this.trouble && el("li", { class: "empty" }, "Nothing was broken yet. The numbers of both sides will stand here."),
      ...acts.slice(-4).reverse().map((act, n) => el("li", {
        class: `outcome ${act.state === "running" ? "running" : act.good ? "good" : "bad"}`, "data-act": act.act, "data-state": act.state, "data-good": act.good ? "true" : "false",
      }, n === 0 ? whole(act) : folded(act))),
    ]);
  }
}
