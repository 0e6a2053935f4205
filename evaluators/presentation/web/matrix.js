// Questions x samples: a cell for every sample, base beside the others, each cell a link.

import { changed, to } from "./address.js";
import { link, make } from "./dom.js";
import { signed, VERDICTS } from "./wording.js";

const CELLS = 600; // drawn at a time, as one scrolls

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

export class Matrix {
  #contents;
  #pair;
  #filters;
  #cells = new Map();
  #numbers;
  #drawn = 0;
  #rows; // drawn at a time
  #body = make("tbody");
  #watcher = null;

  constructor(contents, pair, filters) {
    this.#contents = contents;
    this.#pair = pair;
    this.#filters = filters;
    this.#numbers = chosenQuestions(contents, pair, filters);
    const cells = contents.runs.reduce((sum, run) => sum + run.k, 0);
    this.#rows = Math.max(6, Math.ceil(CELLS / cells));
  }

  get count() {
    return this.#numbers.length;
  }

  element() {
    const heads = ["question", ...this.#runs().map((run) => this.#contents.runs[run].name)];
    if (this.#hasGain()) heads.push(this.#runs().length > 2 ? `gain of ${this.#contents.runs[this.#pair.other].name}` : "gain");
    const head = make("tr", {}, heads.map((text) => make("th", { scope: "col" }, text)));
    this.#body.addEventListener("keydown", (event) => this.#walk(event));
    const rest = make("button", { type: "button", class: "more", onclick: () => this.#drawMore() }, "show more questions");
    this.#watcher = new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && this.#drawMore(), { rootMargin: "800px" });
    this.#watcher.observe(rest);
    window.addEventListener("beforeprint", () => { while (rest.isConnected && !rest.hidden) this.#draw(); });
    this.rest = rest;
    this.#draw();
    const grid = make("table", { class: "matrix" }, make("caption", { class: "hidden" }, "verdicts by question and sample"), make("thead", {}, head), this.#body);
    return make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "matrix of questions and samples" }, grid, rest);
  }

  /** Other verdicts of the same questions: cells that have changed are redrawn, all else stays. */
  update(contents) {
    this.#contents = contents;
    for (const [place, cell] of this.#cells) {
      const [number, run, sample] = place.split("/").map(Number);
      const letter = contents.questions[number].verdicts[run][sample];
      if (cell.dataset.letter !== letter) dress(cell, letter, sample, this.#filters);
    }
  }

  #runs() {
    return this.#contents.runs.map((_, run) => run).filter((run) => this.#contents.questions.some((question) => run in question.verdicts));
  }

  #hasGain() {
    return this.#pair && this.#pair.other !== null && !this.#pair.refusal;
  }

  /** More, and again while the end is near: the observer only tells of a change. */
  #drawMore() {
    this.#draw();
    if (this.rest.hidden) return;
    this.#watcher.unobserve(this.rest);
    this.#watcher.observe(this.rest);
  }

  #draw() {
    const next = this.#numbers.slice(this.#drawn, this.#drawn + this.#rows);
    this.#body.append(...next.map((number) => this.#row(number)));
    this.#drawn += next.length;
    this.rest.hidden = this.#drawn >= this.#numbers.length;
    if (this.rest.hidden) this.#watcher.disconnect();
  }

  #row(number) {
    const question = this.#contents.questions[number];
    const name = link(to({ question: question.key }), { class: "name", title: question.title }, question.id);
    const cells = this.#runs().map((run) => make("td", {}, make("div", { class: "cells" }, this.#row_cells(number, run))));
    const change = this.#hasGain() ? [make("td", { class: "number gain" }, this.#gainText(question))] : [];
    return make("tr", {}, make("th", { scope: "row" }, name, make("span", { class: "title" }, question.title)), cells, change);
  }

  #gainText(question) {
    const points = gain(question, this.#pair);
    const flip = this.#pair.flips?.[question.key];
    return `${signed(points)}${flip && flip !== "unchanged" ? `, vote ${flip}` : ""}`;
  }

  #row_cells(number, run) {
    const question = this.#contents.questions[number];
    const address = to({ question: question.key, run }); // once: cells are many
    return [...(question.verdicts[run] ?? "")].map((letter, sample) => {
      const cell = link(`${address}&sample=${sample}`, { tabindex: sample ? "-1" : "0" });
      dress(cell, letter, sample, this.#filters);
      this.#cells.set(`${number}/${run}/${sample}`, cell);
      return cell;
    });
  }

  #walk(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || !event.target.closest(".cells")) return;
    const all = [...event.target.closest("tr").querySelectorAll(".cells a")];
    all[all.indexOf(event.target) + step]?.focus();
    event.preventDefault();
  }
}

function dress(cell, letter, sample, filters) {
  const { name, glyph } = VERDICTS[letter];
  cell.className = `cell ${letter}${accepts(letter, filters.verdict) ? "" : " faded"}`;
  cell.dataset.letter = letter;
  cell.textContent = glyph;
  cell.setAttribute("aria-label", `sample ${sample}: ${name}`);
  cell.title = `sample ${sample}: ${name}`;
}

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
