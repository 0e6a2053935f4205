// LaTeX to MathML by Temml, with limits; what is too long or wrong stays as its source.

import { make } from "./dom.js";

const LONGEST = 4000; // characters of one formula
const TOGETHER = 80000; // characters of formulas on one page
const MATHML = "http://www.w3.org/1998/Math/MathML";
const ATTRIBUTES = /^(accent|accentunder|class|columnalign|columnlines|columnspacing|columnspan|depth|dir|display|displaystyle|encoding|fence|form|height|largeop|linethickness|lspace|mathbackground|mathcolor|mathsize|mathvariant|maxsize|minsize|movablelimits|notation|rowalign|rowlines|rowspacing|rowspan|rspace|scriptlevel|separator|stretchy|style|symmetric|voffset|width|xmlns)$/;

let spent = 0;
let setter = null;

/** Begin a page: its formulas may take as long as a page's formulas may. */
export function freshPage() {
  spent = 0;
}

/** The formula as MathML, or its source in a `code` that says why. */
export function formula(source, display) {
  const why = source.length > LONGEST || spent + source.length > TOGETHER ? "too long to set" : null;
  if (why) return plainSource(source, why);
  spent += source.length;
  const holder = document.createElement("span");
  try {
    temml().render(source, holder, {
      displayMode: display, trust: false, strict: false, throwOnError: true, maxSize: [20, 20], maxExpand: 500,
      annotate: false, xml: false, wrap: "none",
    });
  } catch {
    return plainSource(source, "not valid LaTeX");
  }
  if (!isPlainMath(holder)) return plainSource(source, "not shown as mathematics");
  holder.className = display ? "formula display" : "formula";
  for (const math of holder.querySelectorAll("math")) math.setAttribute("aria-label", source.trim().slice(0, 300));
  return holder;
}

/** Temml, read when the first formula is set: most of the page's program is its. */
function temml() {
  if (!setter) {
    const script = document.createElement("script");
    script.nonce = document.querySelector("script[nonce]").nonce;
    script.text = document.getElementById("temml-program").textContent;
    document.head.append(script);
    setter = window.temml;
  }
  return setter;
}

function plainSource(source, why) {
  const text = make("code", { class: "unset", title: why }, source);
  return make("span", { class: "formula" }, text, make("small", { class: "why" }, ` (${why})`));
}

/** Only MathML, and none of the attributes that lead or run anywhere. */
function isPlainMath(holder) {
  for (const element of holder.querySelectorAll("*")) {
    if (element.namespaceURI !== MATHML) return false;
    for (const { name, value } of element.attributes) {
      if (!ATTRIBUTES.test(name) || /url\s*\(|javascript:/i.test(value)) return false;
    }
  }
  return true;
}
