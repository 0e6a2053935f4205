// A run that is being worked on: how far it is, in numbers that move.

import { make } from "./dom.js";
import { duration, number, plural, whole } from "./wording.js";

export function progressLine(run) {
  const parts = [`${whole(run.samples)} of ${plural(run.planned, "sample")}`];
  if (run.accuracy !== null) parts.push(`accuracy ${number(run.accuracy)} % [${number(run.accuracy_low)}, ${number(run.accuracy_high)}]`);
  if (run.tokens_per_second) parts.push(`${whole(run.tokens_per_second)} tokens/s`);
  if (run.reflections) parts.push(plural(run.reflections, "reflection"));
  if (run.failed) parts.push(`${run.failed} failed`);
  if (run.state === "running" && run.seconds_left !== null && run.seconds_left !== undefined) parts.push(`about ${duration(run.seconds_left)} left`);
  return parts.join(", ");
}

export function stateBadge(state) {
  return make("span", { class: `state ${state}` }, state);
}

/** The panel of one run; `show` puts new numbers into it. */
export function progressPanel(run) {
  const badge = make("span");
  const text = make("span", { class: "text" });
  const bar = make("progress", { max: run.planned, value: run.samples, "aria-label": `progress of ${run.id}` });
  const range = make("span", { class: "low-high" });
  const workers = make("span", { class: "workers" });
  const element = make("div", { class: "progress", "data-run": run.id }, badge, bar, make("div", { class: "track", "aria-hidden": "true" }, range), text, workers);
  const show = (now) => {
    badge.replaceChildren(stateBadge(now.state));
    bar.value = now.samples;
    bar.max = now.planned;
    text.textContent = progressLine(now);
    range.style.left = `${now.accuracy_low ?? 0}%`;
    range.style.width = `${(now.accuracy_high ?? 100) - (now.accuracy_low ?? 0)}%`;
    workers.textContent = now.workers.map((worker) => `${worker.name}: ${plural(worker.samples, "sample")}, ${whole(worker.tokens)} tokens`).join(" \u00b7 ");
  };
  show(run);
  return { element, show };
}
