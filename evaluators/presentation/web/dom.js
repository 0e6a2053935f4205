// Elements. Text reaches the page as text nodes only: there is no way to markup from here.

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

export function svg(tag, properties = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function link(href, properties, ...children) {
  return make("a", { ...properties, href }, ...children);
}

export function table(heads, rows, properties = {}) {
  const head = make("tr", {}, heads.map((cell) => make("th", { scope: "col" }, cell)));
  return make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": properties.label },
    make("table", properties, make("thead", {}, head), make("tbody", {}, rows)));
}

export function row(cells, properties = {}) {
  return make("tr", properties, cells.map((cell) => make("td", {}, cell)));
}

/** Do it when the browser has drawn what there is. */
export function whenIdle(work) {
  if (window.requestIdleCallback) window.requestIdleCallback(work, { timeout: 300 });
  else setTimeout(work, 50); // Safari
}

let announced = null;

export function announce(text) {
  announced ??= document.getElementById("announcement");
  announced.textContent = text;
}
