// The status page: channels, workflows, books, what is parked, and the newest runs.

import { ask, badge, books, el, every, parked, show } from "./parts.js";
import { Runs } from "./run.js";

const at = (id) => document.getElementById(id);
const runs = new Runs(at("runs"), at("run"));

function channels(list) {
  show(at("channels"), list, () => list.length
    ? el("ul", { class: "plain" }, list.map((channel) => el("li", {},
        el("strong", {}, channel.name || channel.id), " ", badge(channel.state), " ", el("span", { class: "quiet" }, channel.plugin),
        el("br"), el("code", {}, channel.hook_url))))
    : el("p", { class: "empty" }, "No channel yet: pointsman channel add whatsapp"));
}

function workflows(list) {
  show(at("workflows"), list, () => list.length
    ? el("ul", { class: "plain" }, list.map((flow) => el("li", {},
        el("strong", {}, flow.name), " ", el("code", {}, String(flow.hash).slice(0, 12)), flow.description && el("div", { class: "quiet" }, flow.description))))
    : el("p", { class: "empty" }, "No workflow yet: pointsman publish FOLDER"));
}

async function look() {
  const [c, w, b, p, r] = await Promise.all(["channels", "workflows", "books", "parked", "runs?limit=20"].map((what) => ask(`/api/v1/${what}`)));
  channels(c);
  workflows(w);
  books(at("books"), b);
  parked(at("parked"), p);
  await runs.draw(r);
}

every(look, at("health"));
