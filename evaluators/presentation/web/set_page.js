// The first page of some runs: what came out, the table, the matrix, accuracy against tokens.

import { address, to } from "./address.js";
import { curvesChart, intervalChart } from "./charts.js";
import { link, make, table } from "./dom.js";
import { chosenQuestions, filtersNow } from "./filters.js";
import { progressPanel } from "./live.js";
import { matrixIn } from "./matrix.js";
import { number, plural, signed, whole } from "./wording.js";

/** The pair that the matrix is ordered by: the one in the address, or the first. */
export function mainPair(pairs) {
  return pairs[Number(address().get("pair") ?? 0)] ?? pairs[0];
}

export async function setPage(context) {
  const { documents, source } = context;
  context.pairs().catch(() => {}); // asked for now: the server compares while the rest is drawn
  let contents = await documents.contents();
  const verdicts = make("div", { class: "verdicts", "aria-busy": "true" }, make("p", { class: "lead" }, "Comparing\u2026"));
  const runs = make("section", {}, runsTable(contents, []));
  const holder = make("section", { id: "matrix" });
  const below = make("section");
  const panels = new Map(contents.runs.filter((run) => run.state === "running").map((run) => [run.id, progressPanel(run)]));
  const strip = make("div", { class: "strip" }, [...panels.values()].map((panel) => panel.element));
  const showMatrix = matrixIn(holder);

  const compare = async () => {
    const pairs = await context.pairs();
    verdicts.replaceChildren(...pairs.map((pair) => verdict(pair, contents)));
    runs.replaceChildren(runsTable(contents, pairs));
    showMatrix(contents, mainPair(pairs));
    const opened = below.querySelector(".plots")?.open ?? false;
    below.replaceChildren(...more(contents, pairs, documents, opened));
  };
  const compareOrSayWhyNot = async () => {
    try {
      await compare();
    } catch (error) {
      verdicts.replaceChildren(make("p", { class: "refusal" }, error.message));
      showMatrix(contents, null);
    }
    verdicts.setAttribute("aria-busy", "false");
  };
  const compared = compareOrSayWhyNot();
  if (source.live) showMatrix(contents, mainPair(context.pairsKnown() ?? []));
  else await compared;

  let stale = false;
  let busy = false;
  const renew = async () => {
    if (busy) return;
    busy = true;
    while (stale) {
      stale = false;
      contents = await documents.contents();
      showMatrix(contents, mainPair(context.pairsKnown() ?? []));
      context.forgetPairs();
      await compareOrSayWhyNot();
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
    busy = false;
  };
  return {
    title: contents.runs.map((run) => run.name).join(", "),
    element: make("div", {}, heading(contents), strip, verdicts, runs, holder, below),
    async tell(news) {
      for (const run of news.runs) {
        const known = contents.runs.find((mine) => mine.id === run.id);
        if (run.state === "running" && !panels.has(run.id)) {
          panels.set(run.id, progressPanel(run));
          strip.append(panels.get(run.id).element);
        }
        panels.get(run.id)?.show(run);
        stale ||= known && (known.samples !== run.samples || known.state !== run.state);
      }
      if (stale) await renew();
    },
  };
}

function heading(contents) {
  const models = new Set(contents.runs.map((run) => run.model));
  const benchmarks = new Set(contents.runs.map((run) => run.benchmark));
  return make("h1", {}, [...benchmarks].join(", "), make("small", {}, ` ${[...models].join(", ")}`));
}

function verdict(pair, contents) {
  if (pair.refusal) return make("section", { class: "refusal" }, make("p", {}, pair.refusal));
  if (pair.other === null) {
    const run = contents.runs[0];
    const text = pair.sentence || `${number(run.accuracy)} % of the ${whole(run.samples)} samples so far are right [${number(run.accuracy_low)}, ${number(run.accuracy_high)}].`;
    return make("section", { class: "verdict" }, make("p", { class: "lead" }, text));
  }
  const metric = pair.metrics[0];
  const parts = [make("p", { class: "lead" }, pair.sentence)];
  if (metric) {
    const words = `${metric.name}: difference ${signed(metric.delta)} points, 95 % interval ${metric.interval}, 0 is marked`;
    parts.push(make("div", { class: "headline" },
      make("p", { class: "big" }, `${signed(metric.delta)}`, make("small", {}, ` points of ${metric.name}`)),
      make("div", { class: "on-axis" }, intervalChart(metric.low, metric.delta, metric.high, words),
        make("p", { class: "note" }, `95 % interval ${metric.interval} points, p ${metric.p}${metric.p_holm ? ` (Holm ${metric.p_holm})` : ""}`))));
  }
  return make("section", { class: "verdict" }, parts);
}

function runsTable(contents, pairs) {
  const within = (text) => make("span", { class: "within" }, ` [${text}]`);
  const rate = (value) => make("td", { class: "number" }, make("strong", {}, number(value.rate)), within(`${number(value.low)}, ${number(value.high)}`));
  const several = (name) => new Set(contents.runs.map((run) => run[name])).size > 1; // else the heading says it
  const about = (run) => [several("benchmark") && run.benchmark, several("model") && run.model, `${run.questions} \u00d7 ${run.k}`].filter(Boolean).join(", ");
  const names = contents.runs.find((run) => run.rates.length)?.rates.map((value) => value.name.replace(/@\d+/, "@K")) ?? [];
  const lines = contents.runs.map((run) => make("tr", {},
    make("th", { scope: "row" }, run.name, make("small", {}, ` ${about(run)}`)),
    names.map((_, index) => (run.rates[index] ? rate(run.rates[index]) : make("td", { class: "number" }, index ? "" : `${number(run.accuracy)} so far`))),
    make("td", { class: "number" }, whole(run.tokens)), make("td", { class: "number" }, number(run.samples ? run.reflections / run.samples : null, 2)),
    make("td", { class: "number" }, run.wall_seconds === null ? "\u2013" : `${whole(run.wall_seconds)} s`)));
  const differences = pairs.filter((pair) => pair.metrics?.length > 1).map((pair) => make("tr", { class: "difference" },
    make("th", { scope: "row" }, `${contents.runs[pair.other].name} less ${contents.runs[pair.base].name}`),
    pair.metrics.map((metric) => make("td", { class: "number" }, make("strong", {}, signed(metric.delta)), within(metric.interval), make("small", {}, `p ${metric.p}`))),
    make("td"), make("td"), make("td")));
  const heads = ["run", ...names.map((name) => `${name}, 95 % interval`), "tokens", "reflections a sample", "time"];
  const remarks = contents.runs.flatMap((run) => run.notes.map((note) => make("li", {}, contents.runs.length > 1 ? `${run.name}: ${note}` : note)));
  return make("div", {}, table(heads, [...lines, ...differences], { label: "runs", class: "runs" }), remarks.length ? make("ul", { class: "remarks" }, remarks) : null);
}

function more(contents, pairs, documents, opened) {
  const curves = new Map();
  for (const pair of pairs) {
    for (const [run, points] of Object.entries(pair.curves ?? {})) if (points?.length) curves.set(Number(run), points);
  }
  const lines = [...curves].map(([run, points]) => ({ name: contents.runs[run].name, points: points.filter((point) => point.chooser === "majority") }))
    .filter((line) => line.points.length);
  const remarks = remarksOf(contents, pairs);
  return [
    lines.length ? make("div", {}, make("h2", {}, "Accuracy against tokens"), make("p", { class: "note" }, "The majority of K samples, for as many K as there are."), curvesChart(lines)) : null,
    remarks.length ? make("div", {}, make("h2", {}, "To be read beside it"), make("ul", {}, remarks.map((remark) => make("li", {}, remark)))) : null,
    pairs.some((pair) => pair.metrics?.length > 1) ? plots(documents, opened) : null,
  ].filter(Boolean);
}

/** Every remark once; where there are several pairs and it is of some only, with whose it is. */
function remarksOf(contents, pairs) {
  const whose = new Map();
  for (const pair of pairs) for (const remark of pair.remarks ?? []) whose.set(remark, [...(whose.get(remark) ?? []), contents.runs[pair.other ?? pair.base].name]);
  return [...whose].map(([remark, names]) => (names.length < pairs.length ? `${names.join(", ")}: ${remark}` : remark));
}

function plots(documents, open) {
  const details = make("details", { class: "plots", open }, make("summary", {}, "More plots"));
  details.addEventListener("toggle", async () => {
    if (details.childElementCount > 1) return;
    const waiting = make("p", {}, "Drawing\u2026");
    details.append(waiting);
    try {
      const found = await documents.plots();
      if (!found.length) throw new Error("There are no plots here: they need matplotlib, and runs that are complete.");
      waiting.replaceWith(...found.map((plot) => make("figure", {}, make("img", { alt: plot.words, src: plot.image }), make("figcaption", {}, plot.words))));
    } catch (error) {
      waiting.textContent = error.message;
    }
  });
  return details;
}

/** Every sample that the filters let through, in the matrix's order: what j and k walk over. */
export function walk(contents, pair) {
  const filters = filtersNow();
  return chosenQuestions(contents, pair, filters);
}

export function back(contents) {
  return link(to({ pair: address().get("pair") }), {}, contents.runs.map((run) => run.name).join(", "));
}
