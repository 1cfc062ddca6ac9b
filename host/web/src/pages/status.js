// The status page: channels, workflows, books, and what is parked.

import { books, ledger, parked } from "./books.js";
import { ask, badge, el, every, show } from "./parts.js";

const at = (id) => document.getElementById(id);

function channels(list) {
  show(at("channels"), list, () => list.length
    ? el("ul", { class: "plain" }, list.map((channel) => el("li", {},
        el("strong", {}, channel.name || channel.id), " ", badge(channel.state), " ", el("span", { class: "quiet" }, channel.plugin),
        el("br"), el("code", {}, channel.hook_url))))
    : el("p", { class: "empty" }, "No channel is connected yet: pointsman channel add --help"));
}

function workflows(list) {
  show(at("workflows"), list, () => list.length
    ? el("ul", { class: "plain" }, list.map((flow) => el("li", {},
        el("strong", {}, flow.name), " ", el("code", {}, String(flow.hash).slice(0, 12)), flow.description && el("div", { class: "quiet" }, flow.description))))
    : el("p", { class: "empty" }, "No workflow is published yet: pointsman publish FOLDER"));
}

async function look() {
  const [c, w, b, p] = await Promise.all(["channels", "workflows", "books", "parked"].map((what) => ask(`/api/v1/${what}`)));
  channels(c);
  workflows(w);
  books(at("books"), b);
  ledger(at("ledger"), b);
  parked(at("parked"), p);
}

every(look, at("health"));
