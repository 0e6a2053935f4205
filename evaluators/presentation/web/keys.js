// The keyboard, and the sheet that explains it.

import { go } from "./address.js";
import { make } from "./dom.js";

const KEYS = [
  ["j, k", "next, previous"], ["g, b", "next right, next wrong sample"], ["s", "side by side with the other run"], ["r", "source or typeset"],
  ["t", "special tokens"], ["e", "entropy of the tokens"], ["u", "one page up"], ["/", "search"], ["Esc", "close"], ["?", "this help"],
];

/** `keys()` gives the addresses that this page's keys lead to. */
export function listen(keys, help, search) {
  const sheet = document.getElementById("keys");
  sheet.append(make("h2", {}, "Keys"), make("dl", {}, KEYS.flatMap(([key, what]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, what)])),
    make("button", { type: "button", onclick: () => sheet.close() }, "close"));
  help.addEventListener("click", () => sheet.showModal());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      const panel = document.getElementById("reflection");
      if (panel) panel.hidden = true;
      if (document.activeElement === search) search.blur();
      return;
    }
    // A dialog that was just closed holds the focus until the next frame.
    if (event.target.closest("input, select, textarea, dialog[open]")) return;
    if (event.key === "?") sheet.showModal();
    else if (event.key === "/") search.focus();
    else if (keys()[event.key]) go(keys()[event.key]);
    else return;
    event.preventDefault();
  });
}
