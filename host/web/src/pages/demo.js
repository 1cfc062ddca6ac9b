// The demo page: phones that write as contacts, what the host did with the words, and buttons that break things.

import { Acts } from "./acts.js";
import { ledger } from "./books.js";
import { Phone } from "./chat.js";
import { ask, every } from "./parts.js";
import { Runs } from "./run.js";

const at = (id) => document.getElementById(id);
const stage = document.querySelector(".stage");
const runs = new Runs(at("chips"), at("run"));
let hurry = () => {};
let seen = "";

const phones = [...document.querySelectorAll(".phone")].map((place) => new Phone(place, { chosen: choose, run: chooseRun, hurry: () => hurry() }));
const acts = new Acts(document.querySelector(".acts"), at("acts"), at("whom"), () => hurry());
let chosen = phones[0];

/** The conversation that the run view and the buttons are about. */
function choose(phone) {
  const other = phone !== chosen || phone.shownContact !== phone.contact.value;
  chosen = phone;
  phone.shownContact = phone.contact.value;
  for (const one of phones) one.place.classList.toggle("chosen", one === phone);
  acts.aim(phone);
  if (other) {
    seen = "";
    runs.follow();
    hurry();
  }
}

function chooseRun(phone, run) {
  choose(phone);
  runs.choose(run);
  tab("run");
}

/** On a narrow screen one part shows at a time. */
function tab(name) {
  const button = document.querySelector(`.tabs [data-tab="${name}"]`);
  if (!button) return;
  stage.dataset.tab = name;
  for (const one of document.querySelectorAll(".tabs button")) one.setAttribute("aria-pressed", one === button ? "true" : "false");
  const phone = phones.find((one) => one.word === name);
  if (phone) {
    choose(phone);
    phone.chat.scrollTop = phone.chat.scrollHeight;
  }
}

for (const button of document.querySelectorAll(".tabs button")) button.addEventListener("click", () => tab(button.dataset.tab));

function down(host) {
  const notice = at("down");
  notice.hidden = host.state === "up";
  notice.textContent = host.words;
  document.body.dataset.host = host.state;
}

async function look() {
  const state = await ask("/demo/state");
  down(state.host);
  acts.draw(state.acts);
  const lines = await Promise.all(phones.map((phone) => ask(`/demo/${phone.word}/messages?contact=${encodeURIComponent(phone.contact.value)}`)));
  let talks;
  try {
    const [rows, kept] = await Promise.all([ask("/api/v1/conversations?limit=100"), ask("/api/v1/books")]);
    ledger(at("ledger"), kept);
    talks = phones.map((phone) => rows.find((row) => row.channel === phone.channel && row.peer === phone.contact.value));
  } catch (error) {
    // The phones do not need the host: what is written meanwhile shows, and waits.
    phones.forEach((phone, n) => phone.draw(lines[n], null));
    throw error;
  }
  const kept = await Promise.all(talks.map((talk) => talk ? ask(`/api/v1/conversations/${encodeURIComponent(talk.id)}/messages?limit=200`) : []));
  phones.forEach((phone, n) => phone.draw(lines[n], kept[n]));
  const talk = talks[phones.indexOf(chosen)];
  const list = talk ? await ask(`/api/v1/runs?limit=20&conversation=${encodeURIComponent(talk.id)}`) : [];
  // A new message: look at what it does, whatever was chosen before.
  const newest = list.length ? list[0].event : "";
  if (newest !== seen) runs.follow();
  seen = newest;
  await runs.draw(list);
}

hurry = every(look, at("health"));
if (chosen) choose(chosen);
