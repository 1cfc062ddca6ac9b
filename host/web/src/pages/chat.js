// A contact's phone. What it shows is what the provider has: its own list of what both sides said, and beside each message
// how it stands with the host.

import { ask, clock, el, show } from "./parts.js";

const IDEAS = ["hello", "what are your hours?", "order 2 loaves", "this is terrible service", "menu"];

const TICKS = {
  sent: ["✓", "sent"],
  delivered: ["✓✓", "delivered"],
  read: ["✓✓", "read"],
};

/** States of a send that the provider may know nothing of. */
const ON_THE_WAY = {
  ready: "waits to be sent",
  sending: "is being sent",
  unknown: "no receipt came; waiting for an echo",
  parked: "parked",
};

export class Phone {
  /** `acts.press` is told who wrote; `acts.run` which run to show. */
  constructor(place, acts) {
    this.place = place;
    this.acts = acts;
    this.word = place.dataset.word;
    this.title = place.dataset.title;
    this.channel = place.dataset.id;
    this.contact = place.querySelector(".contact");
    this.chat = place.querySelector(".chat");
    this.trouble = place.querySelector(".trouble");
    this.known = [];
    const form = place.querySelector(".say");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.say(form.elements.text.value);
      form.elements.text.value = "";
      form.elements.text.focus();
    });
    this.contact.addEventListener("change", () => {
      this.known = [];
      this.acts.chosen(this);
    });
    place.addEventListener("focusin", () => this.acts.chosen(this));
    place.addEventListener("pointerdown", () => this.acts.chosen(this));
    const ideas = this.word === "telegram" ? ["/start", ...IDEAS.slice(1, 4), "/menu"] : IDEAS;
    place.querySelector(".ideas").replaceChildren(...ideas.map((text) =>
      el("button", { type: "button", class: "chip", on: { click: () => this.say(text) } }, text)));
  }

  name() {
    return this.contact.selectedOptions[0].textContent;
  }

  async send(what, body) {
    this.trouble.hidden = true;
    this.acts.chosen(this);
    this.acts.hurry();
    try {
      await ask(`/demo/${this.word}/${what}`, body);
    } catch (error) {
      this.trouble.textContent = `Not sent: ${error.message}`;
      this.trouble.hidden = false;
    }
    this.acts.hurry();
  }

  say(text) {
    const words = text.trim();
    if (words) this.send("say", { from: this.contact.value, name: this.name(), text: words });
  }

  /** `lines`: the provider's list. `kept`: the host's, or null while it is down: then what was known last still holds. */
  draw(lines, kept) {
    if (kept) this.known = kept;
    const known = this.known;
    const inbound = new Set(known.filter((m) => m.by === "contact").map((m) => m.provider_id));
    const oldest = known.length ? known[0].at : Infinity;
    const sends = known.filter((m) => m.by === "bot");
    const rows = lines.map((line) => {
      if (line.by === "contact") {
        // A press is known to the host by the id of its query alone.
        const id = line.provider_id.replace(/^press-/, "");
        return { line, state: inbound.has(id) || line.at < oldest ? "kept" : "open" };
      }
      const send = sends.find((m) => (m.provider_ids || []).includes(line.provider_id) || (line.key && m.key === line.key));
      return { line, send };
    });
    const seen = new Set(rows.map((row) => row.send && row.send.id));
    const ghosts = sends.filter((m) => !seen.has(m.id) && ON_THE_WAY[m.state] && m.state !== "unknown");
    const low = this.chat.scrollHeight - this.chat.scrollTop - this.chat.clientHeight < 90;
    const draw = () => rows.length + ghosts.length
      ? [...rows.map((row) => this.bubble(row, rows)), ...ghosts.map((m) => this.ghost(m))]
      : el("li", { class: "empty" }, `${this.name()} has not written on ${this.title} yet. Type below, or take one of the suggestions.`);
    if (show(this.chat, [rows, ghosts, this.contact.value], draw) && low) this.chat.scrollTop = this.chat.scrollHeight;
  }

  bubble({ line, state, send }, rows) {
    if (line.by === "contact") {
      const words = state === "kept" ? "kept by the host" : "not kept yet; the provider delivers it again";
      return el("li", { class: `bubble mine ${line.kind === "press" ? "press" : ""}`, "data-id": line.provider_id, "data-state": state },
        el("p", {}, line.text || `(${line.kind})`),
        el("span", { class: "meta" }, clock(line.at), " ", el("span", { class: "ticks", title: words, "aria-label": words }, state === "kept" ? "✓✓" : "◷")));
    }
    const [sign, words] = TICKS[line.status] || ["", ""];
    const pressed = rows.some((row) => row.line.kind === "press" && row.line.reply_to === line.provider_id);
    const unknown = send && send.state === "unknown";
    return el("li", { class: "item", "data-id": line.provider_id },
      el("div", { class: "bubble theirs" },
        el("p", {}, line.text || `(${line.kind})`),
        el("span", { class: "meta" },
          unknown && el("span", { class: "badge", title: ON_THE_WAY.unknown }, "unknown"), unknown && " ",
          send && send.possible_duplicate && el("span", { class: "badge", title: "The host says so itself: it may have been sent twice" }, "maybe twice"), " ",
          send && send.run && el("button", { type: "button", class: "link", title: "Show the run that said this", on: { click: () => this.acts.run(this, send.run) } }, "why?"),
          " ", clock(line.at), " ", sign && el("span", { class: `ticks ${line.status}`, title: words, "aria-label": words }, sign))),
      (line.buttons || []).length > 0 && el("div", { class: "keys" }, line.buttons.map((button) => el("button", {
        type: "button", class: pressed ? "pressed" : "", disabled: !button.payload,
        on: { click: () => this.send("press", { from: this.contact.value, message: line.provider_id, payload: button.payload }) },
      }, button.title))));
  }

  ghost(send) {
    const why = send.reason ? send.reason.message || send.reason.code : ON_THE_WAY[send.state];
    return el("li", { class: "item" }, el("div", { class: `bubble theirs ghost ${send.state}` },
      el("p", {}, send.text || "(attachment)"), el("span", { class: "meta" }, `${send.state}: ${why}`)));
  }
}
