// The live view's first page: studies, runs, and what to compare.

import { to } from "./address.js";
import { link, make, row, table } from "./dom.js";
import { progressLine, stateBadge } from "./live.js";
import { plural } from "./wording.js";

export async function libraryPage(source) {
  let library = await source.library();
  const chosen = new Set();
  const rows = new Map();
  const holder = make("div");
  const compare = make("a", { class: "button", "aria-disabled": "true" }, "compare");

  const choose = (id, on) => {
    if (on) chosen.add(id);
    else chosen.delete(id);
    compare.textContent = chosen.size > 1 ? `compare ${chosen.size} runs` : "tick two runs to compare them";
    if (chosen.size > 1) compare.href = to({ runs: [...chosen] });
    else compare.removeAttribute("href");
    compare.setAttribute("aria-disabled", String(chosen.size < 2));
  };
  const draw = () => {
    rows.clear();
    holder.replaceChildren(...library.studies.map((study) => studySection(study)), runsSection(library, rows, chosen, choose));
  };
  draw();
  choose("", false);
  return {
    title: library.root,
    element: make("div", {}, make("h1", {}, "Runs in ", make("code", {}, library.root)), make("p", {}, compare), holder),
    async tell(news) {
      const fresh = news.runs.filter((run) => !rows.has(run.id));
      if (fresh.length) {
        library = await source.library();
        draw();
      }
      for (const run of news.runs) rows.get(run.id)?.(run);
    },
  };
}

function studySection(study) {
  const runs = study.cells.map((cell) => cell.run).filter(Boolean);
  const lines = study.cells.map((cell) => row([cell.run ? link(to({ runs: [cell.run] }), {}, cell.cell) : cell.cell, cell.failure || (cell.run ? "" : "not begun")]));
  return make("section", { class: "study" },
    make("h2", {}, "Study ", make("code", {}, study.name)),
    make("p", {}, `${plural(study.cells.length, "cell")}. `, runs.length ? link(to({ runs }), {}, "All its runs together") : null),
    make("details", { open: study.cells.some((cell) => cell.failure) }, make("summary", {}, "cells"), table(["cell", "remark"], lines, { label: "cells of the study" })));
}

function runsSection(library, rows, chosen, choose) {
  if (!library.runs.length) return make("p", {}, "There are no runs here yet. They appear as soon as one begins.");
  const lines = library.runs.map((run) => {
    const progress = make("td", {}, stateBadge(run.state), ` ${progressLine(run)}`);
    rows.set(run.id, (now) => progress.replaceChildren(stateBadge(now.state), ` ${progressLine(now)}`));
    const tick = make("input", { type: "checkbox", "aria-label": `compare ${run.id}`, checked: chosen.has(run.id), onchange: (event) => choose(run.id, event.target.checked) });
    return make("tr", { "data-run": run.id }, make("td", {}, tick), make("th", { scope: "row" }, link(to({ runs: [run.id] }), {}, run.id)),
      make("td", {}, run.method), make("td", { class: "number" }, `${run.questions} \u00d7 ${run.k}`), progress);
  });
  const faults = library.faults.map((fault) => make("li", {}, make("code", {}, fault.id), `: ${fault.reason}`));
  return make("section", {}, library.studies.length ? make("h2", {}, "All runs") : null,
    table(["", "run", "method", "questions \u00d7 samples", "progress"], lines, { label: "runs", class: "library" }),
    faults.length ? make("div", { class: "refusal" }, make("p", {}, "Not readable:"), make("ul", {}, faults)) : null);
}
