// Where documents come from: a server, or this very file with pages of samples beside it.

export class Trouble extends Error {}

export function openSource(settings) {
  return settings.kind === "live" ? new Server() : new Embedded(settings);
}

class Server {
  live = true;

  async library() {
    return this.#get("library");
  }

  of(runs) {
    const query = new URLSearchParams(runs.map((run) => ["runs", run]));
    const get = (path, more = "") => this.#get(`${path}?${query}${more}`);
    return {
      contents: () => get("contents"),
      pairs: () => get("pairs"),
      plots: () => get("plots"),
      prompts: () => get("prompts"),
      question: (question) => get(`question/${question}`),
      sample: (question, run, sample) => get(`sample/${question}/${run}/${sample}`),
      search: (words) => get("search", `&words=${encodeURIComponent(words)}`),
    };
  }

  /** Call `tell` with what is new, until the returned function is called. */
  watch(runs, tell) {
    const events = new EventSource(`/events?${new URLSearchParams(runs.map((run) => ["runs", run]))}`);
    events.onmessage = (event) => tell(JSON.parse(event.data));
    return () => events.close();
  }

  /** What early.js has asked for is taken, once. */
  #answer(path) {
    const asked = window.srgenAsked.get(path);
    window.srgenAsked.delete(path);
    return asked ?? fetch(`/data/${path}`, { credentials: "same-origin" });
  }

  async #get(path) {
    let response;
    try {
      response = await this.#answer(path);
    } catch {
      throw new Trouble("The server does not answer. Is it still running?");
    }
    const body = await response.json().catch(() => ({ error: `The server answers ${response.status}.` }));
    if (!response.ok) throw new Trouble(body.error ?? "The server refuses this address.");
    return body;
  }
}

class Embedded {
  live = false;
  #settings;
  #chunks = new Map();
  #arrivals = new Map();

  constructor(settings) {
    this.#settings = settings;
    window.srgenPage = (number, text) => this.#arrivals.get(number)(text);
  }

  of() {
    const sample = async (question, run, index) => {
      const found = (await this.#chunk(this.#settings.chunk_of[question])).samples[question]?.[run]?.[index];
      return found ?? null;
    };
    return {
      contents: () => this.#document("contents"),
      pairs: () => this.#document("pairs"),
      plots: () => this.#document("plots"),
      prompts: () => this.#document("prompts"),
      question: async (question) => (await this.#chunk(this.#settings.chunk_of[question])).questions[question],
      sample,
      search: (words, tell) => this.#search(words.toLowerCase(), tell),
    };
  }

  watch() {
    return () => {};
  }

  async #document(name) {
    return unpack(document.getElementById(`document-${name}`).textContent);
  }

  #chunk(number) {
    if (!this.#chunks.has(number)) {
      const embedded = document.getElementById(`chunk-${number}`);
      const text = embedded ? Promise.resolve(embedded.textContent) : this.#fetch(number);
      this.#chunks.set(number, text.then(unpack));
    }
    return this.#chunks.get(number);
  }

  #fetch(number) {
    return new Promise((resolve, reject) => {
      this.#arrivals.set(number, resolve);
      const script = document.createElement("script");
      script.nonce = document.querySelector("script[nonce]").nonce;
      script.src = `${encodeURIComponent(this.#settings.folder)}/page-${String(number).padStart(4, "0")}.js`;
      script.onerror = () => reject(new Trouble(`The folder ${this.#settings.folder} must lie beside this file.`));
      document.head.append(script);
    });
  }

  async #search(words, tell) {
    const hits = [];
    const count = 1 + Math.max(...this.#settings.chunk_of);
    for (let number = 0; number < count; number += 1) {
      tell?.(`Searching, ${number + 1} of ${count} pages`);
      const chunk = await this.#chunk(number);
      for (const [question, runs] of Object.entries(chunk.samples)) {
        for (const [run, samples] of Object.entries(runs)) {
          for (const [sample, { response }] of Object.entries(samples)) {
            const at = response.toLowerCase().indexOf(words);
            if (at < 0) continue;
            if (hits.length === 200) return { hits, more: true };
            const excerpt = response.slice(Math.max(0, at - 60), at + words.length + 60);
            hits.push({ question: Number(question), run: Number(run), sample: Number(sample), excerpt });
          }
        }
      }
    }
    return { hits, more: false };
  }
}

/** A document from base64 of gzip of JSON. */
async function unpack(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}
