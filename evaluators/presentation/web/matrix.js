// Questions x samples: a cell for every sample, base beside the others, each cell a link.

import { to } from "./address.js";
import { link, make, whenIdle } from "./dom.js";
import { accepts, chosenQuestions, filterBar, filtersNow, gain } from "./filters.js";
import { plural, signed, VERDICTS } from "./wording.js";

const FIRST_CELLS = 300; // about a screen
const CELLS = 600; // drawn at a time, as one scrolls

let latest = null;
window.addEventListener("beforeprint", () => latest?.drawAll());

/** Puts the matrix and its filters into a holder; the returned function shows contents with a comparison, again and again.
 * What is there stays, the focus too, unless it is of other questions or in another order. */
export function matrixIn(holder) {
  const filters = filtersNow();
  const bar = make("div");
  const place = make("div");
  let matrix = null;
  let offered = null;
  holder.replaceChildren(make("h2", {}, "Every sample"), bar, place);
  return (contents, pair) => {
    const numbers = chosenQuestions(contents, pair, filters);
    const compared = isCompared(pair);
    const count = compared || !filters.change ? plural(numbers.length, "question") : "";
    if (offered !== `${compared} ${count}`) bar.replaceChildren(filterBar(filters, count, compared));
    offered = `${compared} ${count}`;
    if (matrix?.holds(numbers)) {
      matrix.update(contents, pair);
      return;
    }
    latest = matrix = new Matrix(contents, pair, filters.verdict, numbers);
    place.replaceChildren(matrix.element());
  };
}

function isCompared(pair) {
  return Boolean(pair) && pair.other !== null && !pair.refusal;
}

class Matrix {
  #contents;
  #pair;
  #verdict;
  #numbers;
  #runs;
  #lines = []; // of the questions that are drawn, from the first on
  #body = make("tbody");
  #gainHead = make("th", { scope: "col" });
  #rest = make("button", { type: "button", class: "more", onclick: () => this.#draw(CELLS) }, "show more questions");
  #watcher = new IntersectionObserver((seen) => seen.at(-1).isIntersecting && whenIdle(() => this.#drawMore()), { rootMargin: "800px" });

  constructor(contents, pair, verdict, numbers) {
    this.#contents = contents;
    this.#pair = pair;
    this.#verdict = verdict;
    this.#numbers = numbers;
    this.#runs = contents.runs.map((_, run) => run).filter((run) => contents.questions.some((question) => run in question.verdicts));
  }

  element() {
    const heads = ["question", ...this.#runs.map((run) => this.#contents.runs[run].name)].map((text) => make("th", { scope: "col" }, text));
    this.#body.addEventListener("keydown", walkCells);
    this.#showGainHead();
    this.#draw(FIRST_CELLS);
    this.#watcher.observe(this.#rest);
    const grid = make("table", { class: "matrix" }, make("caption", { class: "hidden" }, "verdicts by question and sample"),
      make("thead", {}, make("tr", {}, heads, this.#gainHead)), this.#body);
    return make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "matrix of questions and samples" }, grid, this.#rest);
  }

  /** For paper. */
  drawAll() {
    if (this.#rest.isConnected) this.#draw(Infinity);
  }

  /** Whether it is of these questions in this order. */
  holds(numbers) {
    return numbers.length === this.#numbers.length && numbers.every((number, place) => number === this.#numbers[place]);
  }

  /** Other verdicts of the same questions, or another comparison. */
  update(contents, pair) {
    this.#contents = contents;
    this.#pair = pair;
    this.#showGainHead();
    this.#lines.forEach((line, place) => this.#fill(line, contents.questions[this.#numbers[place]]));
  }

  #showGainHead() {
    this.#gainHead.hidden = !isCompared(this.#pair);
    if (isCompared(this.#pair)) this.#gainHead.textContent = this.#runs.length > 2 ? `gain of ${this.#contents.runs[this.#pair.other].name}` : "gain";
  }

  /** More, and again while the end is near: the observer only tells of a change. */
  #drawMore() {
    if (!this.#rest.isConnected) return;
    this.#draw(CELLS);
    this.#watcher.unobserve(this.#rest);
    if (!this.#rest.hidden) this.#watcher.observe(this.#rest);
  }

  /** About so many cells more. */
  #draw(cells) {
    const drawn = this.#lines.length;
    const count = Math.max(2, Math.ceil(cells / this.#contents.runs.reduce((sum, run) => sum + run.k, 0)));
    const lines = this.#numbers.slice(drawn, drawn + count).map((number) => {
      const question = this.#contents.questions[number];
      const line = new Line(question, this.#runs, this.#verdict);
      this.#fill(line, question);
      return line;
    });
    this.#lines.push(...lines);
    this.#body.append(...lines.map((line) => line.element));
    this.#rest.hidden = this.#lines.length >= this.#numbers.length;
  }

  #fill(line, question) {
    line.show(question.verdicts, isCompared(this.#pair) ? gainText(question, this.#pair) : null);
  }
}

function gainText(question, pair) {
  const flip = pair.flips?.[question.key];
  return `${signed(gain(question, pair))}${flip && flip !== "unchanged" ? `, vote ${flip}` : ""}`;
}

/** A question's line: its name, a cell for every sample of every run, and its gain. */
class Line {
  #verdict;
  #sides;
  #gain = make("td", { class: "number gain" });

  constructor(question, runs, verdict) {
    this.#verdict = verdict;
    this.#sides = runs.map((run) => ({ run, letters: "", address: to({ question: question.key, run }), cells: make("div", { class: "cells" }) }));
    const name = link(to({ question: question.key }), { class: "name", title: question.title }, question.id);
    this.element = make("tr", {}, make("th", { scope: "row" }, name, make("span", { class: "title" }, question.title)),
      this.#sides.map((side) => make("td", {}, side.cells)), this.#gain);
  }

  /** `gained`: null where nothing is compared. */
  show(verdicts, gained) {
    for (const side of this.#sides) this.#showSide(side, verdicts[side.run] ?? "");
    this.#gain.hidden = gained === null;
    if (this.#gain.textContent !== gained) this.#gain.textContent = gained;
  }

  /** Cells whose verdict is another are dressed anew; the others stay. */
  #showSide(side, letters) {
    for (let sample = 0; sample < letters.length; sample += 1) {
      if (letters[sample] === side.letters[sample]) continue;
      const cell = side.cells.children[sample] ?? side.cells.appendChild(link(`${side.address}&sample=${sample}`, { tabindex: sample ? "-1" : "0" }));
      dress(cell, letters[sample], sample, this.#verdict);
    }
    side.letters = letters;
  }
}

function dress(cell, letter, sample, verdict) {
  const { name, glyph } = VERDICTS[letter];
  cell.className = `cell ${letter}${accepts(letter, verdict) ? "" : " faded"}`;
  cell.textContent = glyph;
  cell.setAttribute("aria-label", `sample ${sample}: ${name}`);
  cell.title = `sample ${sample}: ${name}`;
}

function walkCells(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step || !event.target.closest(".cells")) return;
  const all = [...event.target.closest("tr").querySelectorAll(".cells a")];
  all[all.indexOf(event.target) + step]?.focus();
  event.preventDefault();
}
