// The switch between light and dark, and the search. Both work from a folder, without a server.
"use strict";

const root = document.documentElement;
const switcher = document.getElementById("theme");

function show(theme) {
  root.dataset.theme = theme;
  switcher.textContent = theme === "dark" ? "Light" : "Dark";
  switcher.setAttribute("aria-label", `Switch to the ${theme === "dark" ? "light" : "dark"} theme`);
}

show(root.dataset.theme);
switcher.addEventListener("click", () => {
  show(root.dataset.theme === "dark" ? "light" : "dark");
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* a browser that keeps nothing */ }
});

if (window.matchMedia("(max-width: 60em)").matches) {
  document.querySelector("nav.course details").removeAttribute("open");
}

const field = document.getElementById("search");
const found = document.getElementById("found");

// A section is found if each word of the query begins one of its words; a word in the heading counts ten times.
function search(query) {
  const words = query.toLowerCase().match(/[\p{L}\p{N}_]+/gu) || [];
  if (!words.length) return [];
  const patterns = words.map((word) => new RegExp(`(?<![\\p{L}\\p{N}_])${word}`, "giu"));
  const hits = [];
  for (const entry of window.searchIndex) {
    let score = 0;
    for (const pattern of patterns) {
      const times = (entry.text.match(pattern) || []).length + 10 * (entry.heading.match(pattern) || []).length;
      if (!times) { score = 0; break; }
      score += Math.log2(1 + times);
    }
    if (score) hits.push({ entry, score });
  }
  return hits.sort((a, b) => b.score - a.score).slice(0, 12).map((hit) => hit.entry);
}

function excerpt(text, query) {
  const at = Math.max(0, text.toLowerCase().indexOf(query.toLowerCase().trim().split(/\s+/)[0]) - 60);
  return (at ? "…" : "") + text.slice(at, at + 160) + (at + 160 < text.length ? "…" : "");
}

field.addEventListener("input", () => {
  const query = field.value;
  found.replaceChildren();
  found.hidden = !query.trim();
  if (found.hidden) return;
  const hits = search(query);
  const list = document.createElement("ul");
  for (const entry of hits) {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = entry.url;
    link.textContent = entry.heading === entry.page ? entry.page : `${entry.page} › ${entry.heading}`;
    const text = document.createElement("p");
    text.textContent = excerpt(entry.text, query);
    item.append(link, text);
    list.append(item);
  }
  const told = document.createElement("p");
  told.textContent = hits.length ? `${hits.length}${hits.length === 12 ? " best" : ""} sections` : "Nothing found";
  found.append(told, list);
});

found.addEventListener("click", (event) => { if (event.target.closest("a")) found.hidden = true; });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !found.hidden) { found.hidden = true; field.focus(); }
  if (event.key === "/" && !event.target.closest("input, textarea")) { event.preventDefault(); field.focus(); }
});
