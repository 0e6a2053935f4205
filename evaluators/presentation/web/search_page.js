// What holds the words: questions, and samples by their responses.

import { to } from "./address.js";
import { announce, link, make } from "./dom.js";
import { VERDICTS } from "./wording.js";

export async function searchPage(context, words) {
  const { documents } = context;
  const [contents, prompts] = await Promise.all([documents.contents(), documents.prompts()]);
  const wanted = words.toLowerCase();
  const questions = contents.questions.filter((question, number) => `${question.id}\n${prompts[number]}`.toLowerCase().includes(wanted));
  const holder = make("div", { "aria-busy": "true" }, make("p", {}, "Searching the responses\u2026"));
  documents.search(words, (text) => holder.firstElementChild.replaceChildren(text)).then(
    (found) => {
      holder.replaceChildren(make("ul", { class: "hits" }, found.hits.map((hit) => hitLine(contents, hit, words))), found.more ? make("p", {}, "Only the first 200 are shown.") : "");
      if (!found.hits.length) holder.replaceChildren(make("p", {}, "No response holds that."));
      holder.setAttribute("aria-busy", "false");
      announce(`${questions.length} questions and ${found.hits.length} responses found`);
    },
    (error) => holder.replaceChildren(make("p", { class: "refusal" }, error.message)));
  const list = questions.slice(0, 200).map((question) => make("li", {}, link(to({ question: question.key }), {}, question.id), ` ${question.title}`));
  return {
    title: words,
    element: make("div", {}, make("h1", {}, "Found for ", make("q", {}, words)),
      make("h2", {}, `Questions (${questions.length})`), list.length ? make("ul", { class: "hits" }, list) : make("p", {}, "No question holds that."),
      make("h2", {}, "Responses"), holder),
    keys: { u: to({}) },
  };
}

function hitLine(contents, hit, words) {
  const question = contents.questions[hit.question];
  const letter = question.verdicts[hit.run][hit.sample];
  const at = hit.excerpt.toLowerCase().indexOf(words.toLowerCase());
  const address = to({ question: question.key, run: hit.run, sample: hit.sample });
  return make("li", {}, make("span", { class: `cell ${letter}`, role: "img", "aria-label": VERDICTS[letter].name }, VERDICTS[letter].glyph), " ",
    link(address, {}, `${question.id}, sample ${hit.sample}, ${contents.runs[hit.run].name}`), make("span", { class: "excerpt" }, " \u2026", hit.excerpt.slice(0, at), make("mark", {}, hit.excerpt.slice(at, at + words.length)), hit.excerpt.slice(at + words.length), "\u2026"));
}
