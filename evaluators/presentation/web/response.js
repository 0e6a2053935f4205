// A response: typeset or as its source, its tokens shaded, its reflections marked, the place where it parts shown.

import { make } from "./dom.js";
import { blocks } from "./markdown.js";
import { formula } from "./mathematics.js";
import { number, whole } from "./wording.js";

export const DARKEST = 4; // nats
const LONGEST_TYPESET = 100000; // characters
const REFINED = /<refine>(?:(?!<refine>)[^])*?<\/refine>/g;

/** The tokens as {start, end, entropy, mark} in the text that they make; empty where none were recorded. */
export function tokensOf(sample) {
  const marks = new Map((sample.marks ?? []).map((mark, index) => [mark.position, { ...mark, index }]));
  let at = 0;
  return (sample.pieces ?? []).map((piece, position) => {
    const start = at;
    at += piece.length;
    return { start, end: at, entropy: sample.entropies[position], mark: marks.get(position) };
  });
}

export function textOf(sample) {
  return sample.pieces ? sample.pieces.join("") : sample.response;
}

/** look: {source, special, shade}; parting: where it parts from the other sample, or null. */
export function renderResponse(sample, look, parting, openMark) {
  const text = textOf(sample);
  const refined = sample.tags && [...text.matchAll(REFINED)].map((found) => ({ start: found.index, end: found.index + found[0].length }));
  const painter = new Painter(text, tokensOf(sample), look, parting, openMark, refined);
  const tooLong = text.length > LONGEST_TYPESET;
  if (look.source || tooLong) {
    const source = make("pre", { class: "source", tabindex: "0" }, painter.text(0, text.length));
    const note = make("p", { class: "note" }, `${whole(text.length)} characters: shown as the source.`);
    return make("div", { class: "response" }, tooLong && !look.source ? note : null, source);
  }
  return make("div", { class: "response" }, blocks(text).map((block) => renderBlock(block, painter)));
}

/** A text without recordings, as a question's. */
export function renderText(text) {
  const painter = new Painter(text, [], { special: true, shade: false }, null, null);
  return make("div", { class: "response" }, blocks(text).map((block) => renderBlock(block, painter)));
}

function renderBlock(block, painter) {
  const inside = block.pieces.flatMap((piece) => painter.piece(piece));
  if (block.kind === "rule") return make("hr");
  if (block.kind === "code") return make("pre", { class: "code", tabindex: "0" }, inside);
  if (block.kind === "heading") return make("p", { class: "heading" }, inside);
  if (block.kind !== "item") return make("p", {}, inside);
  const marker = make("span", { class: "marker" }, block.marker);
  return make("div", { class: `item level-${block.level}` }, marker, make("div", {}, inside));
}

class Painter {
  #text;
  #tokens;
  #look;
  #parting;
  #openMark;
  #refined;

  constructor(text, tokens, look, parting, openMark, refined = null) {
    this.#text = text;
    this.#tokens = tokens;
    this.#look = look;
    this.#parting = parting;
    this.#openMark = openMark;
    this.#refined = refined;
  }

  piece(piece) {
    if (piece.kind === "break") return [make("br")];
    if (piece.kind === "math") return this.#math(piece);
    if (piece.kind === "special") return this.#special(piece);
    if (piece.kind === "code") return [make("code", {}, this.text(piece.start, piece.end))];
    const inside = this.text(piece.start, piece.end);
    if (piece.strong) return [make("strong", {}, inside)];
    return piece.emphasis ? [make("em", {}, inside)] : inside;
  }

  /** Part of the text as nodes, what it refines marked. */
  text(start, end) {
    const nodes = [];
    let at = start;
    for (const passage of this.#refined ?? []) {
      if (passage.end <= start || passage.start >= end) continue;
      const [from, to] = [Math.max(passage.start, start), Math.min(passage.end, end)];
      nodes.push(...this.#shaded(at, from), refineElement(this.#shaded(from, to)));
      at = to;
    }
    return [...nodes, ...this.#shaded(at, end)];
  }

  /** Part of the text as nodes: a span for every token that is shaded or marked. */
  #shaded(start, end) {
    const nodes = [];
    let at = start;
    for (const token of this.#overlapping(start, end)) {
      const from = Math.max(token.start, start);
      const to = Math.min(token.end, end);
      nodes.push(...this.#plain(at, from));
      const span = make("span", { class: "token" }, this.#shown(from, to));
      this.#shade(span, token.entropy);
      nodes.push(this.#partsIn(from, to) ? partingElement(span) : span);
      at = to;
      if (token.mark && token.end <= end) nodes.push(this.#mark(token.mark));
    }
    return [...nodes, ...this.#plain(at, end)];
  }

  #plain(start, end) {
    if (start >= end) return [];
    if (!this.#partsIn(start, end)) return [this.#shown(start, end)];
    const stop = Math.min(end, this.#parting.end);
    return [this.#shown(start, this.#parting.start), partingElement(this.#shown(this.#parting.start, stop)), this.#shown(stop, end)];
  }

  #partsIn(start, end) {
    return this.#parting && this.#parting.start >= start && this.#parting.start < end;
  }

  #shown(start, end) {
    const text = this.#text.slice(start, end);
    return this.#look.special ? text : text.replace(/<\|[^|<>\n]{1,40}\|>|<\uff5c[^\uff5c<>\n]{1,60}\uff5c>/g, "");
  }

  #math(piece) {
    const set = formula(this.#text.slice(...piece.inner), piece.display);
    const tokens = this.#overlapping(piece.start, piece.end);
    const known = tokens.map((token) => token.entropy).filter((entropy) => entropy !== null);
    if (known.length) this.#shade(set, Math.max(...known), "at most ");
    const marks = tokens.filter((token) => token.mark).map((token) => this.#mark(token.mark));
    const shown = this.#partsIn(piece.start, piece.end) ? partingElement(set) : set;
    const refines = this.#refined?.some((passage) => passage.start <= piece.start && piece.end <= passage.end);
    return [refines ? refineElement(shown) : shown, ...marks];
  }

  #special(piece) {
    const token = this.#text.slice(piece.start, piece.end);
    const isFormat = this.#refined && /think|refine|answer/.test(token);
    return this.#look.special || isFormat ? [make("span", { class: "special" }, token)] : [];
  }

  #shade(element, entropy, prefix = "") {
    if (entropy === null || entropy === undefined) return;
    element.title = `${prefix}${number(entropy, 2)} nats`;
    if (this.#look.shade) element.style.setProperty("--heat", `${Math.round(Math.min(1, entropy / DARKEST) * 100)}%`);
  }

  #mark(mark) {
    const label = `reflection ${mark.index + 1}: ${number(mark.entropy_before, 2)} nats before, ${number(mark.entropy_after, 2)} after`;
    const properties = { type: "button", class: "mark", "aria-label": label, title: label, "data-mark": mark.index };
    return make("button", { ...properties, onclick: () => this.#openMark(mark) }, `\u21bb${mark.index + 1}`);
  }

  /** Tokens that have a place in [start, end), found by halving. */
  #overlapping(start, end) {
    let low = 0;
    let high = this.#tokens.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#tokens[middle].end <= start) low = middle + 1;
      else high = middle;
    }
    const found = [];
    while (low < this.#tokens.length && this.#tokens[low].start < end) found.push(this.#tokens[low++]);
    return found;
  }
}

function refineElement(inside) {
  return make("span", { class: "refine", title: "refine passage" }, inside);
}

function partingElement(inside) {
  return make("mark", { class: "parting", title: "here the two responses part" }, inside);
}

/** Where two samples' texts part: for each its first token (or word) that differs; null where they are the same. */
export function parting(one, other) {
  const texts = [textOf(one), textOf(other)];
  let at = 0;
  const shortest = Math.min(texts[0].length, texts[1].length);
  while (at < shortest && texts[0][at] === texts[1][at]) at += 1;
  if (at === texts[0].length && at === texts[1].length) return null;
  return [one, other].map((sample, side) => {
    const token = tokensOf(sample).find((found) => found.end > at);
    if (token) return { start: token.start, end: token.end };
    const text = texts[side];
    let start = at;
    while (start > 0 && /\w/.test(text[start - 1])) start -= 1;
    let end = Math.max(at, start + 1);
    while (end < text.length && /\w/.test(text[end])) end += 1;
    return { start, end };
  });
}
