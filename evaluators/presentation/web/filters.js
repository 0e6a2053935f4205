// Which questions and samples are looked at, and in which order.

import { address, changed } from "./address.js";
import { make } from "./dom.js";
import { VERDICTS } from "./wording.js";

export const SORTS = { "": "as asked", gain: "by gain", loss: "by loss", hard: "hardest first", id: "by name" };

/** Share of right samples among those that are there; null without any. */
export function accuracy(letters) {
  let [right, there] = [0, 0];
  for (const letter of letters) {
    if (letter !== "m") there += 1;
    if (letter === "c") right += 1;
  }
  return there ? right / there : null;
}

/** The question's gain of a pair, in points; null where one side has no sample. */
export function gain(question, pair) {
  if (!pair || pair.other === null) return null;
  const sides = [pair.base, pair.other].map((run) => accuracy(question.verdicts[run] ?? ""));
  return sides.includes(null) ? null : 100 * (sides[1] - sides[0]);
}

/** The filters in the address. */
export function filtersNow() {
  const now = address();
  return { sort: now.get("sort") ?? "", verdict: now.get("verdict") ?? "", change: now.get("change") ?? "" };
}

/** Whether a filter of samples lets a verdict through. */
export function accepts(letter, verdict) {
  if (!verdict) return true;
  if (verdict === "right") return letter === "c";
  if (verdict === "wrong") return letter !== "c" && letter !== "m";
  return VERDICTS[letter].name === verdict;
}

/** The questions that the filters let through, in the order that is asked for: their numbers. */
export function chosenQuestions(contents, pair, filters) {
  const found = contents.questions.map((_, number) => number).filter((number) => {
    const question = contents.questions[number];
    if (filters.change && (pair?.flips?.[question.key] ?? "") !== filters.change) return false;
    return !filters.verdict || Object.values(question.verdicts).some((letters) => [...letters].some((letter) => accepts(letter, filters.verdict)));
  });
  const value = (number) => gain(contents.questions[number], pair) ?? 0;
  const ease = (number) => accuracy(Object.values(contents.questions[number].verdicts).join("")) ?? 2;
  const orders = {
    gain: (a, b) => value(b) - value(a),
    loss: (a, b) => value(a) - value(b),
    hard: (a, b) => ease(a) - ease(b),
    id: (a, b) => contents.questions[a].id.localeCompare(contents.questions[b].id, "en", { numeric: true }),
  };
  return filters.sort in orders ? found.sort(orders[filters.sort]) : found;
}

/** The controls of the filters, and what the cells mean. */
export function filterBar(filters, many, hasPair) {
  const choice = (name, label, values) => make("label", {}, `${label} `, make("select", {
    "data-filter": name,
    onchange: (event) => { location.hash = changed({ [name]: event.target.value }); },
  }, values.map(([value, text]) => make("option", { value, selected: (filters[name] ?? "") === value }, text))));
  const verdicts = ["", "right", "wrong", "no answer", "cut off", "missing"].map((value) => [value, value || "all"]);
  const changes = ["", "gained", "lost", "unchanged"].map((value) => [value, value || "all"]);
  const sorts = Object.entries(SORTS).filter(([name]) => hasPair || (name !== "gain" && name !== "loss"));
  const legend = Object.entries(VERDICTS).filter(([letter]) => "cinlm".includes(letter))
    .map(([letter, { name, glyph }]) => make("span", { class: "entry" }, make("span", { class: `cell ${letter}`, "aria-hidden": "true" }, glyph), name));
  return make("div", { class: "filters" }, choice("sort", "order", sorts), choice("verdict", "samples", verdicts),
    hasPair ? choice("change", "vote", changes) : null, make("span", { class: "count", role: "status" }, many), make("span", { class: "legend" }, legend));
}
