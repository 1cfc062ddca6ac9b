// The demo page: a phone that writes as a contact, and beside it what the host did with the words.

import { ask, books, clock, el, every, parked, show } from "./parts.js";
import { Runs } from "./run.js";

const at = (id) => document.getElementById(id);
const runs = new Runs(at("runs"), at("run"));
const contact = at("contact");
const chat = at("chat");

/** What was typed and has not come back from the host yet. */
let sending = [];
/** Messages that were recognised as something typed here. */
const recognised = new Set();
let seen = "";

const TICKS = {
  ready: ["◷", "waits to be sent"],
  sending: ["◷", "is being sent"],
  unknown: ["?", "the provider's answer never came; it is being settled"],
  sent: ["✓", "sent"],
  delivered: ["✓✓", "delivered"],
  read: ["✓✓", "read"],
  parked: ["!", "parked"],
  dropped: ["×", "dropped"],
};

function name() {
  return contact.selectedOptions[0].textContent;
}

function ticks(message) {
  const [sign, words] = TICKS[message.state] || ["", message.state || ""];
  const why = message.reason ? `${words}: ${message.reason.message || message.reason.code}` : words;
  return el("span", { class: `ticks ${message.state || ""}`, title: why, "aria-label": why }, sign);
}

function bubble(message) {
  const mine = message.by === "contact";
  const choices = message.choices || [];
  const failed = message.state === "parked" && message.reason;
  return el("li", { class: `bubble ${mine ? "mine" : "theirs"}`, "data-id": message.id },
    el("p", {}, message.text || "(attachment)"),
    failed && el("p", { class: "trouble" }, message.reason.message || message.reason.code),
    choices.length > 0 && el("div", { class: "buttons" }, choices.map((title) =>
      el("button", { type: "button", class: "chip", on: { click: () => say(title) } }, title))),
    el("span", { class: "meta" },
      message.possible_duplicate && el("span", { title: "It may have been sent twice" }, "maybe twice "),
      !mine && message.run && el("button", { type: "button", class: "link", title: "Show the run that said this", on: { click: () => runs.choose(message.run) } }, "why?"),
      " ", clock(message.at), " ", mine ? (message.pending ? "◷" : "✓") : ticks(message)));
}

function draw(messages) {
  // Words that came back are no longer on their way.
  sending = sending.filter((mine) => {
    if (mine.from !== contact.value) return true;
    const back = messages.find((m) => m.by === "contact" && m.text === mine.text && m.at > mine.at - 2000 && !recognised.has(m.id));
    if (back) recognised.add(back.id);
    return !back && Date.now() - mine.at < 20000;
  });
  const waiting = sending.filter((mine) => mine.from === contact.value);
  const all = [...messages, ...waiting.map((mine) => ({ by: "contact", text: mine.text, at: mine.at, pending: true }))];
  const low = chat.scrollHeight - chat.scrollTop - chat.clientHeight < 80;
  if (show(chat, all, () => all.map(bubble)) && low) chat.scrollTop = chat.scrollHeight;
}

const IDEAS = ["what are your hours?", "how much is a loaf?", "order 2 loaves", "this is terrible service"];
at("ideas").replaceChildren(...IDEAS.map((text) => el("button", { type: "button", class: "chip", on: { click: () => say(text) } }, text)));

async function look() {
  const of = contact.value;
  const [talks, kept, aside] = await Promise.all([ask("/api/v1/conversations?limit=50"), ask("/api/v1/books"), ask("/api/v1/parked")]);
  books(at("books"), kept);
  parked(at("parked"), aside);
  const talk = talks.find((row) => row.contact === name());
  const [messages, list] = talk
    ? await Promise.all([
        ask(`/api/v1/conversations/${encodeURIComponent(talk.id)}/messages?limit=100`),
        ask(`/api/v1/runs?limit=20&conversation=${encodeURIComponent(talk.id)}`),
      ])
    : [[], []];
  if (of !== contact.value) return;
  draw(messages);
  // A new message: look at what it does, whatever was chosen before.
  const newest = list.length ? list[0].event : "";
  if (newest !== seen) runs.follow();
  seen = newest;
  await runs.draw(list);
}

async function say(text) {
  const words = text.trim();
  if (!words) return;
  const mine = { from: contact.value, text: words, at: Date.now() };
  sending.push(mine);
  const trouble = at("trouble");
  trouble.hidden = true;
  hurry();
  try {
    const answer = await ask("/demo/say", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ from: mine.from, name: name(), text: words }),
    });
    if (answer.status >= 300) throw new Error(`the host answered the webhook with ${answer.status}`);
  } catch (error) {
    sending = sending.filter((other) => other !== mine);
    trouble.textContent = `Not sent: ${error.message}`;
    trouble.hidden = false;
  }
  hurry();
}

function number() {
  at("number").textContent = `+${contact.value}`;
}

at("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = at("text");
  say(field.value);
  field.value = "";
  field.focus();
});
contact.addEventListener("change", () => {
  number();
  seen = "";
  runs.follow();
  hurry();
});
number();
const hurry = every(look, at("health"));
