// What a page does besides being read: the switch between light and dark, the search, copying code, the section in view,
// boxes that close. All of it works from a folder, without a server.
"use strict";

const root = document.documentElement;

// --- light and dark ---
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

// --- lists that are folded on small screens ---
function fold(selector, width) {
  const list = document.querySelector(selector);
  if (list && window.matchMedia(`(max-width: ${width})`).matches) list.removeAttribute("open");
}
fold("nav.course details", "60em");
fold("nav.contents details", "75em");

// --- the search; its index is loaded when somebody goes to the field ---
const field = document.getElementById("search");
const found = document.getElementById("found");
let loading = false;

function loadIndex() {
  if (loading) return;
  loading = true;
  const script = document.createElement("script");
  script.src = "search-index.js";
  script.addEventListener("load", () => { if (field.value) list(); });
  document.head.append(script);
}

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

function list() {
  const query = field.value;
  found.replaceChildren();
  found.hidden = !query.trim() || !window.searchIndex;
  if (found.hidden) return;
  const hits = search(query);
  const items = document.createElement("ul");
  for (const entry of hits) {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = entry.url;
    link.textContent = entry.heading === entry.page ? entry.page : `${entry.page} › ${entry.heading}`;
    const text = document.createElement("p");
    text.textContent = excerpt(entry.text, query);
    item.append(link, text);
    items.append(item);
  }
  const told = document.createElement("p");
  told.textContent = hits.length ? `${hits.length}${hits.length === 12 ? " best" : ""} sections` : "Nothing found";
  found.append(told, items);
}

field.form.addEventListener("submit", (event) => event.preventDefault());
field.addEventListener("focus", loadIndex);
field.addEventListener("input", () => { loadIndex(); list(); });
found.addEventListener("click", (event) => { if (event.target.closest("a")) found.hidden = true; });
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.target.closest("input, textarea, [contenteditable]")) {
    event.preventDefault();
    field.focus();
  }
  if (event.key !== "Escape") return;
  if (!found.hidden) { found.hidden = true; field.focus(); }
  for (const open of document.querySelectorAll(".tipped:hover, .tipped:focus-within")) open.classList.add("closed");
});

// --- boxes of glossary words and citations: Escape closes one until the pointer or the focus comes back ---
for (const tipped of document.querySelectorAll(".tipped")) {
  for (const back of ["mouseenter", "mouseleave", "focusout"]) {
    tipped.addEventListener(back, () => tipped.classList.remove("closed"));
  }
}
// On a touch screen, the first tap on a glossary word opens its box, and a second one follows the link.
let touched = null;
document.addEventListener("click", (event) => {
  const link = event.target.closest("a.term");
  if (link && event.pointerType === "touch" && touched !== link) {
    event.preventDefault();
    link.focus();
  }
  touched = link;
});

// --- copying code ---
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { // a page from a folder may not use the clipboard: select a copy of the text instead
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

for (const box of document.querySelectorAll("main .highlight")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy this code");
  button.addEventListener("click", async () => {
    const done = await copy(box.querySelector("pre").textContent.replace(/\n$/, ""));
    button.textContent = done ? "Copied" : "Not copied";
    said.textContent = done ? "Copied" : "The browser did not let the page copy";
    button.focus();
    setTimeout(() => { button.textContent = "Copy"; said.textContent = ""; }, 2000);
  });
  box.prepend(button);
}
const said = document.createElement("div"); // read out by screen readers
said.className = "unseen";
said.setAttribute("role", "status");
document.body.append(said);

// --- the section in view, in "On this page" ---
const links = new Map([...document.querySelectorAll("nav.contents a")].map((link) => [link.hash.slice(1), link]));
const headings = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);

function markSection() {
  const line = window.innerHeight * 0.3;
  let here = null;
  for (const heading of headings) if (heading.getBoundingClientRect().top <= line) here = heading;
  if (here && window.innerHeight + window.scrollY >= document.body.scrollHeight - 2) here = headings.at(-1);
  for (const [id, link] of links) {
    const marked = here !== null && id === here.id;
    if (marked === link.hasAttribute("aria-current")) continue;
    if (marked) link.setAttribute("aria-current", "location");
    else link.removeAttribute("aria-current");
    const box = link.closest("nav");
    if (marked && box.scrollHeight > box.clientHeight) box.scrollTop = link.offsetTop - box.clientHeight / 2;
  }
}

let waiting = false;
window.addEventListener("scroll", () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; markSection(); });
}, { passive: true });
if (headings.length) markSection();

// --- the keyboard stops only at boxes that do scroll ---
function stops() {
  for (const box of document.querySelectorAll("main .scrolls, main pre.columns-of-text")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}
stops();
window.addEventListener("resize", stops);
