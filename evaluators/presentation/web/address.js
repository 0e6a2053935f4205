// Everything that is shown has an address: the part after #, as name=value pairs.

export function address() {
  return new URLSearchParams(location.hash.slice(1));
}

/** An address with these values; the runs and what the visitor switched on stay, all else goes. */
export function to(values) {
  const now = address();
  const next = new URLSearchParams();
  for (const name of ["runs", "verdict", "change", "sort", "look", "special"]) {
    if (name in values) continue;
    for (const value of now.getAll(name)) next.append(name, value);
  }
  for (const [name, value] of Object.entries(values)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== null && item !== undefined && item !== "") next.append(name, String(item));
    }
  }
  return `#${next}`;
}

/** This address with some values changed. */
export function changed(values) {
  const kept = {};
  for (const name of new Set(address().keys())) kept[name] = address().getAll(name);
  return to({ ...kept, ...values });
}

export function go(hash) {
  location.hash = hash;
}
