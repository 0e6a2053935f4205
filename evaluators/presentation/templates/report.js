"use strict";
// Whatever a model wrote reaches the page through textContent only.
(() => {
  const STEP = 20;
  const OPEN_UP_TO = 4000; // characters of a response that is shown without a click
  const DARKEST = 4; // nats
  const VERDICTS = { c: "right", i: "wrong", n: "no answer", t: "grading stopped", f: "failed", m: "missing" };
  const contents = JSON.parse(document.getElementById("contents").textContent);
  const pages = new Map([[0, Promise.resolve(JSON.parse(document.getElementById("page-0").textContent))]]);
  const arrivals = new Map();
  const nonce = document.currentScript.nonce;
  const chosen = { verdict: "", change: "" };
  let matches = [];
  let shown = 0;
  let generation = 0; // of the filters, so that a page that arrives late draws nothing

  window.srgenPage = (number, bodies) => arrivals.get(number)(bodies);

  function page(number) {
    if (!pages.has(number)) {
      pages.set(number, new Promise((resolve, reject) => {
        arrivals.set(number, resolve);
        const script = document.createElement("script");
        script.nonce = nonce;
        script.src = `${encodeURIComponent(contents.folder)}/page-${String(number).padStart(4, "0")}.js`;
        script.onerror = () => reject(new Error(`${contents.folder} must lie beside this file`));
        document.head.append(script);
      }));
    }
    return pages.get(number);
  }

  function element(tag, text = "", className = "") {
    const made = document.createElement(tag);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function shade(target, entropy) {
    if (entropy === null || entropy === undefined) return;
    target.style.backgroundColor = `rgba(230, 159, 0, ${Math.min(1, entropy / DARKEST).toFixed(2)})`;
    target.title = `${entropy} nats`;
  }

  function matching() {
    const words = document.getElementById("question").value.trim().toLowerCase();
    const run = document.getElementById("run").value;
    const found = [];
    contents.questions.forEach((question, number) => {
      if (words && !`${question.id}\n${question.prompt}`.toLowerCase().includes(words)) return;
      if (chosen.change && !changed(question, run)) return;
      for (const [name, verdicts] of Object.entries(question.verdicts)) {
        if (run && run !== name) continue;
        [...verdicts].forEach((verdict, sample) => {
          if (accepts(verdict)) found.push({ number, run: name, sample, verdict });
        });
      }
    });
    return found;
  }

  function changed(question, run) {
    const flips = run in question.flips ? [question.flips[run]] : Object.values(question.flips);
    return flips.includes(chosen.change);
  }

  function accepts(verdict) {
    if (chosen.verdict === "right") return verdict === "c";
    if (chosen.verdict === "wrong") return verdict !== "c";
    return true;
  }

  function refresh() {
    generation += 1;
    matches = matching();
    shown = 0;
    document.getElementById("samples").replaceChildren();
    const questions = new Set(matches.map((match) => match.number)).size;
    document.getElementById("count").textContent =
      `${matches.length.toLocaleString("en")} samples of ${questions.toLocaleString("en")} questions`;
    showMore();
  }

  async function showMore() {
    const mine = generation;
    const more = document.getElementById("more");
    const batch = matches.slice(shown, shown + STEP);
    shown += batch.length;
    more.hidden = shown >= matches.length;
    for (const match of batch) {
      let card;
      try {
        const bodies = await page(contents.questions[match.number].page);
        card = sampleCard(match, bodies[match.number]?.[match.run]?.[match.sample]);
      } catch (error) {
        card = element("p", error.message, "refusal");
      }
      if (mine !== generation) return;
      document.getElementById("samples").append(card);
    }
  }

  function sampleCard(match, body) {
    const question = contents.questions[match.number];
    const card = element("article", "", "sample");
    const header = element("header");
    header.append(
      element("span", VERDICTS[match.verdict], `badge ${match.verdict}`),
      element("strong", `${question.id}, sample ${match.sample}`),
      element("span", contents.runs[match.run].name),
    );
    const flip = question.flips[match.run];
    if (flip) header.append(element("span", `vote ${flip}`));
    card.append(header);
    if (!body) {
      card.append(element("p", "This sample was never generated; it counts as wrong."), prompt(question));
      return card;
    }
    const cut = body.finish === "length" ? ", cut off at the token budget" : "";
    header.append(element("small", `${body.tokens} tokens${cut}, ${body.reflections} reflections, ${body.seconds} s`));
    card.append(answers(body, question), prompt(question), response(body));
    if (body.error) card.append(element("p", body.error, "refusal"));
    return card;
  }

  function answers(body, question) {
    const line = element("p", "", "answers");
    line.append("answer ", body.answer === null ? element("em", "none") : element("code", body.answer));
    line.append(", gold ", element("code", question.gold));
    return line;
  }

  function prompt(question) {
    const details = element("details");
    details.append(element("summary", "question"), element("pre", question.prompt));
    return details;
  }

  function response(body) {
    const details = element("details", "", "response");
    details.append(element("summary", "response"));
    const draw = () => {
      if (details.childElementCount > 1) return;
      details.append(body.pieces ? shadedText(body) : element("pre", body.response));
      if (body.marks) details.append(reflectionTable(body.marks));
    };
    details.addEventListener("toggle", draw);
    if (body.response.length <= OPEN_UP_TO) {
      details.open = true;
      draw();
    }
    return details;
  }

  function shadedText(body) {
    const text = element("pre");
    const marks = new Map((body.marks ?? []).map((mark) => [mark.position, mark]));
    body.pieces.forEach((piece, position) => {
      const token = element("span", piece);
      shade(token, body.entropies[position]);
      const mark = marks.get(position);
      if (mark) {
        token.classList.add("reflection");
        token.title = `reflection: ${mark.before} nats before, ${mark.after} after, threshold ${mark.threshold}`;
        token.append(element("sup", `${mark.before.toFixed(2)}\u2192${mark.after.toFixed(2)}`));
      }
      text.append(token);
    });
    return text;
  }

  function reflectionTable(marks) {
    const details = element("details");
    details.append(element("summary", `${marks.length} reflections`));
    const table = element("table");
    table.append(row("th", ["token", "entropy before (nats)", "after", "threshold", "likeliest before", "after", "losses", "|delta|"]));
    for (const mark of marks) {
      table.append(row("td", [mark.position, mark.before, mark.after, mark.threshold, JSON.stringify(mark.token_before),
        JSON.stringify(mark.token_after), mark.losses.join(", "), mark.delta_norm]));
    }
    details.append(table);
    return details;
  }

  function row(tag, cells) {
    const line = element("tr");
    line.append(...cells.map((cell) => element(tag, String(cell))));
    return line;
  }

  function choice(name, values) {
    const group = document.getElementById(name);
    for (const value of ["", ...values]) {
      const button = element("button", value || `any ${name}`);
      button.type = "button";
      button.setAttribute("aria-pressed", String(value === ""));
      button.addEventListener("click", () => {
        chosen[name] = value;
        for (const other of group.children) other.setAttribute("aria-pressed", String(other === button));
        refresh();
      });
      group.append(button);
    }
  }

  function scale() {
    for (const entropy of [0, 1, 2, 3, 4]) {
      const step = element("span", entropy === DARKEST ? `${entropy} nats or more` : String(entropy));
      shade(step, entropy);
      document.getElementById("scale").append(step);
    }
  }

  contents.runs.forEach((run, number) => {
    const option = element("option", run.name);
    option.value = String(number);
    document.getElementById("run").append(option);
  });
  choice("verdict", ["right", "wrong"]);
  choice("change", ["gained", "lost", "unchanged"]);
  scale();
  document.getElementById("question").addEventListener("input", refresh);
  document.getElementById("run").addEventListener("change", refresh);
  document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("more").addEventListener("click", showMore);
  refresh();
})();
