// From an address to a page, and again when either the address or a run changes.

import { address, changed, go, to } from "./address.js";
import { announce, make, whenIdle } from "./dom.js";
import { listen } from "./keys.js";
import { libraryPage } from "./library_page.js";
import { freshPage } from "./mathematics.js";
import { questionPage } from "./question_page.js";
import { samplePage } from "./sample_page.js";
import { searchPage } from "./search_page.js";
import { setPage } from "./set_page.js";
import { openSource, Trouble } from "./source.js";

const source = openSource(JSON.parse(document.getElementById("settings").textContent));
const main = document.getElementById("page");
const search = document.getElementById("search");
let page = { keys: {} };
let generation = 0;
let unwatch = () => {};
let watchedNow = "";
let context = null;

/** The documents of the runs in the address; comparisons are kept, since they take a while. */
function contextOf(runs) {
  const name = JSON.stringify(runs);
  if (context?.name === name) return context;
  const documents = source.of(runs);
  let pairs = null;
  let known = null;
  context = {
    name, source, documents,
    pairs: () => (pairs ??= documents.pairs().then((found) => (known = found))),
    // A cold address waits for the comparison only where the order asks for it.
    pairsNow: () => (source.live && !address().has("change") && !/gain|loss/.test(address().get("sort") ?? "") ? known : context.pairs()),
    pairsKnown: () => known,
    forgetPairs: () => { pairs = null; },
  };
  return context;
}

async function pageOf(now) {
  const runs = now.getAll("runs");
  if (source.live && !runs.length) return libraryPage(source);
  const here = contextOf(runs);
  if (now.get("find")) return searchPage(here, now.get("find"));
  if (!now.has("question")) return setPage(here);
  const contents = await here.documents.contents();
  const number = contents.questions.findIndex((question) => question.key === now.get("question"));
  if (number < 0) throw new Trouble(`There is no question ${now.get("question")} here.`);
  if (!now.has("sample")) return questionPage(here, number);
  const [run, sample] = ["run", "sample"].map((name) => Number(now.get(name) ?? 0));
  if (contents.questions[number].verdicts[run]?.[sample] === undefined) throw new Trouble("There is no such sample here.");
  return samplePage(here, number, run, sample);
}

async function show() {
  const mine = (generation += 1);
  const hash = location.hash;
  main.setAttribute("aria-busy", "true");
  let made;
  try {
    freshPage();
    made = await pageOf(address());
  } catch (error) {
    if (!(error instanceof Trouble)) console.error(error);
    made = { title: "not found", element: make("div", { class: "refusal" }, make("h1", {}, "Not shown"), make("p", {}, error.message)) };
  }
  if (mine !== generation) return;
  page = { keys: {}, ...made };
  main.replaceChildren(page.element);
  main.setAttribute("aria-busy", "false");
  main.dataset.shown = hash;
  document.title = `${page.title} \u00b7 SRGen`;
  if (document.activeElement !== search) search.value = address().get("find") ?? "";
  search.parentElement.hidden = source.live && !address().getAll("runs").length;
  announce(page.title);
  page.shown?.();
  whenIdle(watch);
}

function watch() {
  if (!source.live) return;
  const runs = address().getAll("runs");
  const name = JSON.stringify(runs);
  if (name === watchedNow) return;
  unwatch();
  watchedNow = name;
  unwatch = source.watch(runs, (news) => {
    if (page.tell) page.tell(news);
    else if (page.stale?.(news)) show();
  });
}

document.getElementById("home").addEventListener("click", (event) => {
  event.preventDefault();
  go(source.live ? "#" : to({ verdict: null, change: null, sort: null }));
});
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
document.getElementById("find").addEventListener("submit", (event) => {
  event.preventDefault();
  if (search.value.trim()) go(to({ find: search.value.trim() }));
  else if (address().has("find")) go(changed({ find: null }));
  search.blur();
});
listen(() => page.keys, document.getElementById("help"), search);
window.addEventListener("hashchange", () => {
  show();
  if (!address().has("beside")) window.scrollTo(0, 0);
});
show();
