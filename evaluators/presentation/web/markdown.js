// A response as blocks of pieces, each knowing where in the text it stands: [start, end).
// Linear in the text's length, whatever it holds.

const ENVIRONMENT = /^\\begin\{((?:equation|align|aligned|alignat|gather|gathered|multline|cases|array|split|[pbvBV]?matrix|smallmatrix)\*?)\}/;
const SPECIAL = /^(?:<\|[^|<>\n]{1,40}\|>|<\uff5c[^\uff5c<>\n]{1,60}\uff5c>|<\/?s>|<\/?(?:think|answer|refine)>)/;
const WINDOW = 4000; // characters within which an inline delimiter must be closed

/** Where mathematics stands: {start, end, inner: [start, end], display}. */
export function mathSpans(text) {
  const spans = [];
  const hopeless = new Set(); // closers that do not come any more
  const closing = (closer, from) => {
    if (hopeless.has(closer)) return -1;
    const found = text.indexOf(closer, from);
    if (found < 0) hopeless.add(closer);
    return found;
  };
  const add = (start, innerStart, innerEnd, end, display) => {
    spans.push({ start, end, inner: [innerStart, innerEnd], display });
    return end;
  };
  let at = 0;
  while (at < text.length) {
    const here = nextCandidate(text, at);
    if (here < 0) break;
    at = mathAt(text, here, closing, add) ?? here + 1;
  }
  return spans;
}

function nextCandidate(text, at) {
  while (at < text.length && text[at] !== "\\" && text[at] !== "$" && text[at] !== "`") at += 1;
  return at < text.length ? at : -1;
}

/** The end of what begins here; nothing where it is no mathematics. */
function mathAt(text, at, closing, add) {
  if (text[at] === "`") return codeEnd(text, at, closing);
  if (text[at] === "$") return dollars(text, at, closing, add);
  const next = text[at + 1];
  if (next === "(" || next === "[") {
    const end = closing(next === "(" ? "\\)" : "\\]", at + 2);
    return end < 0 ? null : add(at, at + 2, end, end + 2, next === "[");
  }
  if (text.startsWith("\\boxed{", at)) {
    const end = balanced(text, at + 7);
    return end < 0 ? null : add(at, at, end, end, false);
  }
  const environment = next === "b" ? ENVIRONMENT.exec(text.slice(at, at + 30)) : null;
  if (!environment) return at + 2;
  const closer = `\\end{${environment[1]}}`;
  const end = closing(closer, at);
  return end < 0 ? null : add(at, at, end + closer.length, end + closer.length, true);
}

function codeEnd(text, at, closing) {
  if (text.startsWith("```", at)) {
    const end = closing("```", at + 3);
    return end < 0 ? text.length : end + 3;
  }
  const end = text.slice(at + 1, at + 200).search(/[`\n]/);
  return end >= 0 && text[at + 1 + end] === "`" ? at + end + 2 : null;
}

function dollars(text, at, closing, add) {
  if (text[at + 1] === "$") {
    const end = closing("$$", at + 2);
    if (end >= 0 && !text.slice(at + 2, Math.min(end, at + 40)).trim()) return end + 2; // nothing between them
    return end < 0 ? null : add(at, at + 2, end, end + 2, true);
  }
  if (/\s/.test(text[at + 1] ?? " ")) return null;
  const rest = text.slice(at + 1, at + 1001);
  const end = /(?:[^\\$\n]|\\[^]|\n(?!\n))*?(?<!\s)\$(?!\d)/y.exec(rest)?.[0].length ?? 0;
  return end ? add(at, at + 1, at + end, at + end + 1, false) : null;
}

function balanced(text, from) {
  let depth = 1;
  for (let at = from; at < Math.min(text.length, from + WINDOW); at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === "{") depth += 1;
    else if (text[at] === "}" && (depth -= 1) === 0) return at + 1;
  }
  return -1;
}

/** Blocks: {kind, level, pieces} with kind paragraph, heading, item, code, rule. */
export function blocks(text) {
  const spans = mathSpans(text);
  const found = [];
  let paragraph = null;
  let code = null;
  for (const [start, end] of lines(text, spans)) {
    const line = text.slice(start, Math.min(end, start + 300));
    if (/^\s*```/.test(line)) {
      if (code) code = null;
      else found.push((code = { kind: "code", pieces: [] }));
      paragraph = null;
    } else if (code) {
      code.pieces.push({ kind: "text", start, end: Math.min(end + 1, text.length) });
    } else if (!line.trim()) {
      paragraph = null;
    } else {
      paragraph = takeLine(text, spans, found, paragraph, start, end, line);
    }
  }
  return found;
}

function takeLine(text, spans, found, paragraph, start, end, line) {
  const heading = /^\s{0,3}(#{1,6})\s+/.exec(line);
  const item = /^(\s*)(?:[-*+]|\d{1,3}[.)])\s+/.exec(line);
  if (end - start < 100 && /^\s*([-*_])(?:\s*\1){2,}\s*$/.test(line)) {
    found.push({ kind: "rule", pieces: [] });
    return null;
  }
  if (heading) {
    found.push({ kind: "heading", level: heading[1].length, pieces: pieces(text, spans, start + heading[0].length, end) });
    return null;
  }
  if (item) {
    const marker = item[0].trim();
    const block = { kind: "item", level: Math.min(4, item[1].length >> 1), marker: /\d/.test(marker) ? marker : "\u2022" };
    block.pieces = pieces(text, spans, start + item[0].length, end);
    found.push(block);
    return block;
  }
  if (paragraph) paragraph.pieces.push({ kind: "break", start, end: start }, ...pieces(text, spans, start, end));
  else found.push((paragraph = { kind: "paragraph", pieces: pieces(text, spans, start, end) }));
  return paragraph;
}

/** Lines as [start, end); a line does not end inside mathematics. */
function* lines(text, spans) {
  let start = 0;
  let span = 0;
  let at = text.indexOf("\n");
  while (at >= 0) {
    while (span < spans.length && spans[span].end <= at) span += 1;
    if (span < spans.length && spans[span].start < at) {
      at = text.indexOf("\n", spans[span].end);
    } else {
      yield [start, at];
      start = at + 1;
      at = text.indexOf("\n", start);
    }
  }
  yield [start, text.length];
}

/** What a line holds: text (plain, strong or emphasised), math, code, special tokens. */
function pieces(text, spans, start, end) {
  const found = [];
  let from = start;
  let style = {};
  let span = firstSpan(spans, start);
  const flush = (to) => {
    if (to > from) found.push({ kind: "text", start: from, end: to, ...style });
  };
  let at = start;
  while (at < end) {
    if (spans[span]?.start === at) {
      flush(at);
      found.push({ kind: "math", ...spans[span], ...style });
      at = from = spans[span].end;
      span += 1;
      continue;
    }
    const width = mark(text, at, end, style);
    if (!width) {
      at += 1;
      continue;
    }
    flush(at);
    if (width.piece) found.push(width.piece);
    style = width.style ?? style;
    at = from = at + width.length;
  }
  flush(end);
  return found;
}

/** A mark that begins here: code, a special token, or the start or end of emphasis. */
function mark(text, at, end, style) {
  const character = text[at];
  if (character === "`") {
    const close = text.slice(at + 1, Math.min(end, at + 200)).indexOf("`");
    if (close <= 0) return null;
    return { length: close + 2, piece: { kind: "code", start: at + 1, end: at + 1 + close } };
  }
  if (character === "<") {
    const special = SPECIAL.exec(text.slice(at, at + 64));
    return special && { length: special[0].length, piece: { kind: "special", start: at, end: at + special[0].length } };
  }
  if (character !== "*") return null;
  let run = 1;
  while (text[at + run] === "*") run += 1;
  if (run > 3) return { length: run, piece: { kind: "text", start: at, end: at + run } };
  const strong = text[at + 1] === "*";
  const name = strong ? "strong" : "emphasis";
  const width = strong ? 2 : 1;
  const opens = !style[name] && /\S/.test(text[at + width] ?? " ") && !/\w/.test(text[at - 1] ?? " ");
  const closes = style[name] && /\S/.test(text[at - 1] ?? " ");
  if (!opens && !closes) return null;
  if (opens && !text.slice(at + width, Math.min(end, at + WINDOW)).includes(strong ? "**" : "*")) return null;
  return { length: width, style: { ...style, [name]: !style[name] } };
}

function firstSpan(spans, start) {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle].start < start) low = middle + 1;
    else high = middle;
  }
  return low;
}
