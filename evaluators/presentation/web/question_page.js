// One question: typeset, its gold answer, the votes of every run, and its samples.

import { to } from "./address.js";
import { votesChart } from "./charts.js";
import { link, make, table } from "./dom.js";
import { renderText } from "./response.js";
import { back, mainPair, walk } from "./set_page.js";
import { VERDICTS, whole } from "./wording.js";

export async function questionPage(context, number) {
  const [contents, pairs, question] = await Promise.all([context.documents.contents(), context.pairsNow(), context.documents.question(number)]);
  const about = contents.questions[number];
  const order = walk(contents, pairs && mainPair(pairs));
  const neighbour = (step) => {
    const place = order.indexOf(number);
    const next = order[place < 0 ? 0 : place + step];
    return next === undefined ? null : to({ question: contents.questions[next].key });
  };
  const element = make("article", {},
    make("nav", { class: "trail", "aria-label": "where" }, back(contents)),
    make("h1", {}, about.id, make("small", {}, ` ${about.benchmark}`)),
    make("section", { class: "prompt", "aria-label": "question" }, renderText(question.prompt)),
    make("p", { class: "gold" }, "gold answer ", make("code", {}, question.gold)),
    make("div", { class: "sides" }, Object.entries(question.runs).map(([run, answers]) => side(contents, about, Number(run), answers))));
  return { title: about.id, element, stale: grown(contents), keys: { j: neighbour(1), k: neighbour(-1), u: to({}) } };
}

/** Whether news are of runs that have grown since these contents were read. */
export function grown(contents) {
  const samples = new Map(contents.runs.map((run) => [run.id, run.samples]));
  return (news) => news.runs.some((run) => samples.get(run.id) !== run.samples);
}

function side(contents, about, run, answers) {
  const lines = answers.samples.map((sample, index) => {
    const { name, glyph } = VERDICTS[sample.verdict];
    return make("tr", {},
      make("th", { scope: "row" }, link(to({ question: about.key, run, sample: index }), {}, `sample ${index}`)),
      make("td", {}, badge(sample.verdict, name, glyph)),
      make("td", { class: "answer" }, sample.answer === null ? make("em", {}, "none") : make("code", {}, sample.answer)),
      make("td", { class: "number" }, whole(sample.tokens)), make("td", { class: "number" }, whole(sample.reflections)));
  });
  return make("section", {}, make("h2", {}, contents.runs[run].name), votesChart(answers.votes, answers.samples),
    table(["sample", "verdict", "answer", "tokens", "reflections"], lines, { label: `samples of ${contents.runs[run].name}` }));
}

export function badge(letter, name, glyph) {
  return make("span", { class: `badge ${letter}` }, make("span", { class: `cell ${letter}`, "aria-hidden": "true" }, glyph), name);
}
