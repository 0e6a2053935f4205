// Numbers and verdicts in words.

export const VERDICTS = {
  c: { name: "right", glyph: "\u25cf" },
  i: { name: "wrong", glyph: "\u2715" },
  n: { name: "no answer", glyph: "\u25cb" },
  l: { name: "cut off", glyph: "\u25e7" },
  t: { name: "grading stopped", glyph: "\u25b3" },
  f: { name: "failed", glyph: "\u25b2" },
  m: { name: "missing", glyph: "\u00b7" },
};

/** With commas between thousands. Not by Intl: to load its tables takes longer than to draw the page. */
export function number(value, digits = 1) {
  if (value === null || value === undefined) return "\u2013";
  const [integer, ...fraction] = value.toFixed(digits).split(".");
  return [integer.replace(/\B(?=(\d{3})+$)/g, ","), ...fraction].join(".");
}

export function signed(value, digits = 1) {
  if (value === null || value === undefined) return "\u2013";
  const text = number(Math.abs(value), digits);
  return value > 0 ? `+${text}` : value < 0 ? `\u2212${text}` : text;
}

export function whole(value) {
  return number(value, 0);
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${number(seconds / 3600)} h`;
}

export function plural(count, noun) {
  return `${whole(count)} ${noun}${count === 1 ? "" : "s"}`;
}
