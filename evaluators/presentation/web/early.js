// Asks the server for what the page begins with, while the rest of the page is still being read.

{
  const now = new URLSearchParams(location.hash.slice(1));
  const runs = new URLSearchParams(now.getAll("runs").map((run) => ["runs", run])).toString();
  const isSetPage = !now.has("question") && !now.has("find");
  const paths = runs ? [`contents?${runs}`, ...(isSetPage ? [`pairs?${runs}`] : [])] : ["library"];
  window.srgenAsked = new Map(paths.map((path) => [path, fetch(`/data/${path}`, { credentials: "same-origin" })]));
  for (const answer of window.srgenAsked.values()) answer.catch(() => {}); // whoever takes it says so
}
