// Small drawings as SVG, in the page's colours; each says in words what it shows.

import { make, svg } from "./dom.js";
import { number, plural, signed, whole } from "./wording.js";

/** A difference with its interval on an axis that marks 0; points. */
export function intervalChart(low, value, high, words) {
  const [width, height, edge] = [640, 82, 30];
  const farthest = Math.max(Math.abs(low ?? 0), Math.abs(high ?? 0), Math.abs(value));
  const reach = [1, 2, 4, 6, 10, 20, 30, 40, 60, 80].find((points) => points >= farthest) ?? 100;
  const x = (points) => edge + ((points + reach) / (2 * reach)) * (width - 2 * edge);
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "interval", role: "img", "aria-label": words });
  const y = 26;
  drawing.append(svg("line", { x1: x(-reach), x2: x(reach), y1: 50, y2: 50, class: "axis" }));
  for (const tick of [-reach, -reach / 2, 0, reach / 2, reach]) {
    drawing.append(svg("line", { x1: x(tick), x2: x(tick), y1: tick ? 46 : 6, y2: 54, class: tick ? "axis" : "zero" }));
    drawing.append(label(x(tick), 74, tick ? signed(tick, reach < 2 ? 1 : 0) : "0", "middle"));
  }
  if (low !== null && high !== null) {
    drawing.append(svg("line", { x1: x(low), x2: x(high), y1: y, y2: y, class: "bar" }));
    for (const end of [low, high]) drawing.append(svg("line", { x1: x(end), x2: x(end), y1: y - 7, y2: y + 7, class: "bar" }));
  }
  drawing.append(svg("circle", { cx: x(value), cy: y, r: 7, class: "dot" }));
  return drawing;
}

function label(x, y, text, anchor) {
  const made = svg("text", { x, y, "text-anchor": anchor });
  made.textContent = text;
  return made;
}

/** The answers to a question with their votes; the right one is filled, the others hatched by an outline. */
export function votesChart(votes, samples) {
  const silent = samples.length - votes.reduce((sum, vote) => sum + vote.count, 0);
  const bars = votes.map((vote) => bar(vote.answer, vote.count, samples.length, vote.right ? "right" : "wrong"));
  if (silent) bars.push(bar("no vote", silent, samples.length, "silent"));
  return make("ul", { class: "votes" }, bars);
}

function bar(answer, count, total, kind) {
  const filled = make("span", { class: "fill" });
  filled.style.width = `${(100 * count) / total}%`;
  const name = kind === "silent" ? make("em", {}, answer) : make("code", {}, answer);
  const remark = kind === "right" ? " \u2713 right" : "";
  return make("li", { class: kind }, make("span", { class: "answer" }, name, remark),
    make("span", { class: "track", "aria-hidden": "true" }, filled), make("span", { class: "count" }, plural(count, "vote")));
}

/** Rates (percent) against generated tokens a question, a line for each run. */
export function curvesChart(lines) {
  const [width, height, left, bottom] = [640, 300, 62, 48];
  const points = lines.flatMap((line) => line.points);
  const xs = points.map((point) => Math.log10(Math.max(1, point.tokens)));
  const least = Math.min(...xs);
  const most = Math.max(...xs, least + 0.1);
  const top = Math.min(100, Math.ceil((Math.max(...points.map((point) => point.rate)) + 5) / 10) * 10);
  const low = Math.max(0, Math.floor((Math.min(...points.map((point) => point.rate)) - 5) / 10) * 10);
  const x = (tokens) => left + ((Math.log10(Math.max(1, tokens)) - least) / (most - least)) * (width - left - 20);
  const y = (rate) => height - bottom - ((rate - low) / (top - low)) * (height - bottom - 16);
  const words = lines.map((line) => `${line.name}: ${line.points.map((p) => `${number(p.rate)} % with ${whole(p.tokens)} tokens`).slice(-1)}`);
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "curves", role: "img", "aria-label": `Accuracy of the majority against generated tokens a question. ${words.join("; ")}` });
  for (let rate = low; rate <= top; rate += top - low > 40 ? 20 : 10) {
    drawing.append(svg("line", { x1: left, x2: width - 20, y1: y(rate), y2: y(rate), class: "grid" }), label(left - 6, y(rate) + 4, `${rate} %`, "end"));
  }
  for (const tokens of ticks(least, most)) drawing.append(label(x(tokens), height - bottom + 18, whole(tokens), "middle"));
  drawing.append(label((width + left) / 2, height - 6, "generated tokens a question", "middle"));
  lines.forEach((line, index) => {
    const path = line.points.map((point, i) => `${i ? "L" : "M"}${x(point.tokens).toFixed(1)} ${y(point.rate).toFixed(1)}`).join("");
    drawing.append(svg("path", { d: path, class: `line side-${index % 4}` }));
    for (const point of thinned(line.points)) drawing.append(shape(x(point.tokens), y(point.rate), index, `${line.name}, K = ${point.k}: ${number(point.rate)} %`));
  });
  return make("figure", {}, drawing, make("figcaption", {}, lines.map((line, index) => legend(line.name, index))));
}

/** Round numbers between two exponents of ten: of 1, 2, 5 and their powers of ten where that gives few, else of all digits. */
function ticks(least, most) {
  const between = (digits) => {
    const found = [];
    for (let exponent = Math.floor(least); exponent <= most; exponent += 1) found.push(...digits.map((digit) => digit * 10 ** exponent));
    return found.filter((value) => Math.log10(value) >= least - 1e-9 && Math.log10(value) <= most + 1e-9);
  };
  const kinds = [[1], [1, 2, 5], [1, 2, 3, 4, 5, 6, 7, 8, 9], Array.from({ length: 90 }, (_, index) => 1 + index / 10)];
  const found = kinds.map(between).find((values) => values.length > 1) ?? [];
  const every = Math.ceil(found.length / 6);
  return found.filter((_, index) => index % every === 0);
}

function thinned(points) {
  const every = Math.max(1, Math.ceil(points.length / 8));
  return points.filter((_, index) => index % every === 0 || index === points.length - 1);
}

function shape(x, y, index, words) {
  const made = index % 2 ? svg("rect", { x: x - 4.5, y: y - 4.5, width: 9, height: 9 }) : svg("circle", { cx: x, cy: y, r: 5 });
  made.setAttribute("class", `point side-${index % 4}`);
  const title = svg("title");
  title.textContent = words;
  made.append(title);
  return made;
}

function legend(name, index) {
  const key = svg("svg", { viewBox: "0 0 36 14", class: "key", "aria-hidden": "true" });
  key.append(svg("path", { d: "M0 7H36", class: `line side-${index % 4}` }), shape(18, 7, index, name));
  return make("span", { class: "entry" }, key, name);
}

/** The loss at every step of a reflection. */
export function lossChart(losses) {
  const [width, height] = [160, 44];
  const [least, most] = [Math.min(...losses), Math.max(...losses)];
  const x = (index) => 6 + (losses.length > 1 ? (index / (losses.length - 1)) * (width - 12) : 0);
  const y = (loss) => 6 + (most > least ? ((most - loss) / (most - least)) * (height - 12) : 0);
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "loss", role: "img", "aria-label": `loss per step: ${losses.join(", ")}` });
  drawing.append(svg("path", { d: losses.map((loss, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(loss).toFixed(1)}`).join(""), class: "line side-0" }));
  losses.forEach((loss, index) => drawing.append(svg("circle", { cx: x(index), cy: y(loss), r: 2.5, class: "point side-0" })));
  return drawing;
}
