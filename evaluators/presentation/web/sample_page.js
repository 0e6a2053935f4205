// One sample, alone or beside that of another run.

import { address, changed, to } from "./address.js";
import { link, make } from "./dom.js";
import { lossChart } from "./charts.js";
import { accepts, filtersNow } from "./filters.js";
import { badge, grown } from "./question_page.js";
import { DARKEST, parting, renderResponse, renderText } from "./response.js";
import { back, mainPair, walk } from "./set_page.js";
import { number, plural, VERDICTS, whole } from "./wording.js";

export async function samplePage(context, asked, run, index) {
  const { documents } = context;
  const beside = address().get("beside");
  const columns = [run, ...(beside === null ? [] : [Number(beside)])];
  const [contents, pairs, question, ...samples] = await Promise.all([
    documents.contents(), context.pairsNow(), documents.question(asked), ...columns.map((side) => documents.sample(asked, side, index)),
  ]);
  const about = contents.questions[asked];
  const asksAs = samples[0]?.asked ?? question;
  const look = { source: address().get("look") === "source", special: address().get("special") === "shown", shade: address().get("shade") !== "off" };
  const parts = samples.length === 2 && samples[0] && samples[1] ? parting(...samples) : null;
  const panel = make("aside", { id: "reflection", hidden: true, "aria-label": "reflection", tabindex: "-1" });
  const sides = columns.map((side, place) => column(contents, about, side, index, samples[place], look, parts?.[place], panel));
  const others = Object.keys(about.verdicts).map(Number).filter((side) => side !== run);
  const other = others.find((side) => side === mainPair(pairs ?? [])?.base) ?? others[0];
  const toggles = {
    r: changed({ look: look.source ? null : "source" }),
    t: changed({ special: look.special ? null : "shown" }),
    e: changed({ shade: look.shade ? "off" : null }),
    s: other === undefined ? null : changed({ beside: beside === null ? other : null }),
  };
  const element = make("article", { class: columns.length > 1 ? "beside" : "" },
    make("nav", { class: "trail", "aria-label": "where" }, back(contents), " \u203a ", link(to({ question: about.key }), {}, about.id)),
    make("h1", {}, `${about.id}, sample ${index}`, make("small", {}, ` ${columns.map((side) => contents.runs[side].name).join(" beside ")}`)),
    make("details", { class: "prompt" }, make("summary", {}, "question, gold answer ", make("code", {}, asksAs.gold)), renderText(asksAs.prompt)),
    toolbar(look, toggles, beside !== null, samples.some((sample) => sample?.pieces)),
    samples.length === 2 && samples[0] && samples[1] ? make("p", { class: "note", id: "parting-note" }, parts ? "The first place where the two part is marked." : "Both responses are the same.") : null,
    make("div", { class: "sides" }, sides), panel);
  return {
    title: `${about.id}, sample ${index}`, element,
    stale: samples.includes(null) ? grown(contents) : () => false,
    keys: { ...toggles, ...neighbours(contents, pairs, asked, run, index), u: to({ question: about.key }) },
    shown: () => parts && sides[0].querySelector(".parting")?.scrollIntoView({ block: "center" }),
  };
}

function toolbar(look, toggles, isBeside, hasEntropies) {
  const button = (key, text, pressed) => toggles[key] && link(toggles[key], { class: "button", role: "button", "aria-pressed": String(pressed), "aria-keyshortcuts": key }, text, make("kbd", {}, key));
  const scale = make("span", { class: "scale" }, "entropy ", [0, 1, 2, 3, DARKEST].map((nats) => {
    const step = make("span", { class: "token" }, nats === DARKEST ? `${nats}+ nats` : String(nats));
    step.style.setProperty("--heat", `${(100 * nats) / DARKEST}%`);
    return step;
  }));
  return make("div", { class: "toolbar", role: "toolbar", "aria-label": "how it is shown" }, button("s", "side by side", isBeside), button("r", "source", look.source),
    button("t", "special tokens", look.special), hasEntropies ? button("e", "entropy", look.shade) : null, hasEntropies && look.shade ? scale : null);
}

function column(contents, about, run, index, sample, look, parts, panel) {
  const letter = about.verdicts[run]?.[index] ?? "m";
  const { name, glyph } = VERDICTS[letter];
  const head = make("header", {}, make("h2", {}, contents.runs[run].name), badge(letter, name, glyph));
  if (!sample) return make("section", { class: "sample" }, head, make("p", {}, "This sample was not generated; it counts as wrong."));
  const cut = sample.finish === "length" ? ", cut off at the token budget" : "";
  head.append(make("p", { class: "answers" }, "answer ", sample.answer === null ? make("em", {}, "none") : make("code", {}, sample.answer), ", gold ", make("code", {}, sample.asked?.gold ?? about.gold)),
    make("p", { class: "note" }, `${whole(sample.tokens)} tokens${cut}, ${plural(sample.reflections, "reflection")}, ${number(sample.seconds)} s, seed ${sample.seed}`));
  if (sample.tags) head.append(make("p", { class: "note" }, tagsNote(sample.tags)));
  const open = (mark) => openReflection(panel, mark, sample);
  return make("section", { class: "sample" }, head, sample.error ? make("p", { class: "refusal" }, sample.error) : null,
    sample.reasoning ? make("details", {}, make("summary", {}, "reasoning"), renderText(sample.reasoning)) : null,
    renderResponse(sample, look, parts, open), sample.marks ? reflectionList(sample) : null);
}

function tagsNote({ fault, refines, tokens }) {
  const parts = tokens ? `, ${whole(tokens.think)} tokens in think (${whole(tokens.refine)} of them in refine), ${whole(tokens.answer)} in answer` : "";
  return `${fault ? `not well-formed: ${fault}` : "well-formed"}, ${plural(refines, "refine passage")}${parts}`;
}

function openReflection(panel, mark, sample) {
  const close = make("button", { type: "button", class: "close", "aria-label": "close", onclick: () => { panel.hidden = true; } }, "\u00d7");
  panel.replaceChildren(close, make("h2", {}, `Reflection ${mark.index + 1} of ${sample.marks.length}`), reflectionBody(mark, sample));
  panel.hidden = false;
  panel.focus();
}

function reflectionBody(mark, sample) {
  const fact = (name, ...value) => [make("dt", {}, name), make("dd", {}, value)];
  const written = sample.pieces?.[mark.position];
  return make("div", {}, tokenTable(mark),
    make("dl", {}, written === undefined ? null : fact("token written", tokenText(written)),
      fact("entropy", `${number(mark.entropy_before, 2)} to ${number(mark.entropy_after, 2)} nats, threshold ${number(mark.threshold, 2)}`),
      fact("loss per step", lossChart(mark.losses), ` ${mark.losses.map((loss) => number(loss, 3)).join(", ")}`),
      fact("length of the shift", number(mark.delta_norm, 3)), fact("place", `token ${whole(mark.position)}`)));
}

function tokenText(text) {
  return make("code", {}, JSON.stringify(text));
}

/** The likeliest token before the correction and the one after, with the probabilities of each where they were recorded. */
function tokenTable(mark) {
  const columns = [mark.probabilities_before, mark.probabilities_after];
  const percent = (value) => (value > 0 && value < 0.001 ? "< 0.1 %" : `${number(100 * value)} %`);
  const line = (name, token, side) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, tokenText(token)),
    columns.map((values) => values && make("td", { class: "number" }, percent(values[side]))));
  const same = mark.token_before === mark.token_after && (!columns[0] || columns[0][0] === columns[0][1]);
  const heads = ["likeliest", "token", columns[0] && "probability before", columns[1] && "probability after"].filter(Boolean);
  return make("table", { class: "tokens" }, make("caption", { class: "hidden" }, "likeliest tokens and their probabilities before and after the correction"),
    make("thead", {}, make("tr", {}, heads.map((head) => make("th", { scope: "col" }, head)))),
    make("tbody", {}, same ? line("before and after", mark.token_before, 0) : [line("before", mark.token_before, 0), line("after", mark.token_after, 1)]));
}

function reflectionList(sample) {
  const marks = sample.marks.map((mark, index) => ({ ...mark, index }));
  return make("details", { class: "reflections" }, make("summary", {}, marks.length > 1 ? `all ${marks.length} reflections` : "the reflection"),
    make("ol", {}, marks.map((mark) => make("li", {}, reflectionBody(mark, sample)))));
}

/** Where j and k go (samples that the filters let through), and g and b (the next right and wrong one). */
function neighbours(contents, pairs, asked, run, index) {
  const { verdict } = filtersNow();
  const order = walk(contents, pairs && mainPair(pairs));
  const places = (order.includes(asked) ? order : [asked, ...order]).flatMap((question) =>
    [...(contents.questions[question].verdicts[run] ?? "")].map((letter, sample) => ({ question, sample, letter })));
  const here = places.findIndex((place) => place.question === asked && place.sample === index);
  const next = (step, wanted) => {
    for (let at = here + step; at >= 0 && at < places.length; at += step) if (accepts(places[at].letter, wanted)) return places[at];
    return null;
  };
  const href = (place) => place && to({ question: contents.questions[place.question].key, run, sample: place.sample, beside: address().get("beside"), shade: address().get("shade") });
  return { j: href(next(1, verdict)), k: href(next(-1, verdict)), g: href(next(1, "right")), b: href(next(1, "wrong")) };
}
