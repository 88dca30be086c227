// What the live widgets are made of: elements, texts with marks, legends, boxes of tokens, bars, sliders.
//
// Nothing here or in the widgets turns a text into markup: texts become text nodes, and attributes are set one by one.
// Positions count code points (text.js), so texts are handed over as arrays of characters. The words and colours are
// those of the notebooks' widgets (qa_helpers/classroom/widgets); live.css has the colours.
"use strict";

var extractiveQA = globalThis.extractiveQA || {};

extractiveQA.ui = (() => {
  const DRAWN = new Set(["svg", "g", "rect", "line", "text", "title"]);

  /** An element. An attribute that is a function listens ("click"), null and false leave it out; children are nodes or texts. */
  function el(name, attributes = {}, ...children) {
    const made = DRAWN.has(name) ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (typeof value === "function") made.addEventListener(key, value);
      else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
    }
    made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
    return made;
  }

  const number = (value) => value.toLocaleString("en-US");
  const count = (value, noun) => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
  const numbers = (list, noun) => `${noun}${list.length === 1 ? "" : "s"} ${list.join(", ")}`;

  /** A text in quotation marks, with invisible characters written out, as Python's repr does it. */
  function repr(text) {
    const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
    const short = { "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", [quote]: `\\${quote}` };
    const written = extractiveQA.text.characters(text).map((character) => {
      if (short[character]) return short[character];
      if (character === " " || !/^[\p{C}\p{Z}]$/u.test(character)) return character;
      const hex = character.codePointAt(0).toString(16);
      return hex.length <= 2 ? `\\x${hex.padStart(2, "0")}` : hex.length <= 4 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
    });
    return quote + written.join("") + quote;
  }

  /**
   * The characters of a text with marks {start, end, class, title?, mark?, attributes?}, which may overlap and reach beyond
   * it. Gives nodes; `mark` makes an element <mark>.
   */
  function marked(characters, marks) {
    const given = marks.filter(({ start, end }) => start < end);
    const edges = new Set([0, characters.length]);
    for (const { start, end } of given) for (const edge of [start, end]) if (edge > 0 && edge < characters.length) edges.add(edge);
    const borders = [...edges].sort((a, b) => a - b);
    return borders.slice(1).map((end, k) => {
      const start = borders[k], text = characters.slice(start, end).join("");
      const here = given.filter((mark) => mark.start <= start && end <= mark.end);
      if (!here.length) return text;
      return el(here.some(({ mark }) => mark) ? "mark" : "span", {
        class: here.map((mark) => mark.class).join(" "),
        title: here.map(({ title }) => title).filter(Boolean).join("; ") || null,
        ...Object.assign({}, ...here.map(({ attributes }) => attributes)),
      }, text);
    });
  }

  /** What the colours mean: [class of a small box, what it stands for]. */
  const legend = (...entries) => el("div", { class: "legend" }, entries.map(([look, name]) =>
    el("span", {}, el("span", { class: `swatch ${look}` }), name)));

  /** A text that scrolls if it is long; the keyboard can reach it. */
  const textBox = (label, children) =>
    el("div", { class: "qa-text", tabindex: 0, role: "group", "aria-label": label }, children);

  /** A token in a box: its number, the token, and its id or the characters it covers. */
  const chip = (place, token, below, look = "", attributes = {}) =>
    el("span", { class: `chip ${look}`, ...attributes },
      el("span", { class: "small" }, String(place)), el("code", {}, token), below === "" ? null : el("span", { class: "small" }, below));

  const alert = (text) => el("div", { class: "qa-message", role: "alert" }, text);

  /** A share from 0 to 1 as a small bar, beside the number in words. */
  const bar = (share) => el("span", { class: "share", "aria-hidden": "true" },
    el("span", { style: `width:${(Math.min(Math.max(share, 0), 1) * 100).toFixed(1)}%` }));

  const shorten = (text, most = 80) => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);

  // ---- Controls --------------------------------------------------------------------------------------------------------

  let made = 0;

  /** A label with its control. */
  function field(label, control, look = "") {
    control.id = control.id || `live-${(made += 1)}`;
    return el("div", { class: `field ${look}` }, el("label", { for: control.id }, label), control);
  }

  /** A slider with its value beside it: {box, input}. */
  function slider(label, { min, max, step = 1, value }, changed) {
    const shown = el("span", { class: "value", "aria-hidden": "true" }, String(value)); // the slider itself says it aloud
    const input = el("input", { type: "range", min, max, step, value });
    const show = () => { shown.textContent = input.value; };
    input.addEventListener("input", () => { show(); changed(); });
    const box = field(label, input);
    box.append(shown);
    return { box, input, get value() { return Number(input.value); }, set value(given) { input.value = given; show(); }, set max(given) { input.max = given; show(); } };
  }

  /** A menu of [text, value]: {box, input}. */
  function menu(label, entries, changed) {
    const input = el("select", { change: changed });
    const fill = (list) => input.replaceChildren(...list.map(([text, value]) => el("option", { value }, text)));
    fill(entries);
    return { box: field(label, input), input, fill, get value() { return input.value; }, set value(given) { input.value = given; } };
  }

  /**
   * Fields for an example: a menu of those that the page has, and, folded, a question and a text of one's own. `example()`
   * is {question, context, answer: [start, end] or null}. `changed` is called after each change, or `typed` if it is a letter.
   */
  function exampleFields(given, changed, typed = changed) {
    const { slice, fromUnits } = extractiveQA.text;
    const question = el("input", { type: "text", input: typed }), text = el("textarea", { rows: 5, input: own });
    const told = el("p", { class: "small", role: "status" });
    const choice = menu("Example", given.map((row, k) => [`${k}: ${shorten(row.question)}`, k]), () => { take(); changed(); });
    const pick = el("button", { type: "button", click: () => {
      const [start, end] = [text.selectionStart, text.selectionEnd].map((unit) => fromUnits(text.value, unit));
      mark(start < end ? [start, end] : null);
      changed();
    } }, "The selected characters are the answer");
    let answer = null, marked = "";

    function mark(characters) {
      answer = characters;
      marked = answer ? slice(text.value, ...answer) : "";
      told.textContent = answer ? `The answer is characters [${answer[0]}, ${answer[1]}): ${repr(marked)}`
        : "There is no answer: select it in the text, then press the button.";
    }
    function own() { // an answer whose characters have changed is none
      if (answer && slice(text.value, ...answer) !== marked) mark(null);
      typed();
    }
    function take() {
      const row = given[Number(choice.value)];
      [question.value, text.value] = [row.question, row.context];
      mark(row.answer);
    }
    take();
    const folded = el("details", {}, el("summary", {}, "A question and a text of your own"),
      field("Question", question, "wide"), field("Text", text, "wide"), pick, told);
    return { choice: choice.box, folded, example: () => ({ question: question.value, context: text.value, answer }) };
  }

  // ---- Windows and logits as bars --------------------------------------------------------------------------------------

  const SHOWN = 24; // windows
  const STATES = {
    whole: ["holds the whole answer", "held"], cut: ["cuts the answer", "lost"],
    absent: ["no part of the answer", "absent"], none: ["", "window"],
  };

  /** What each window does to the answer: [{tokens, start, end, state}]. */
  function describeWindows(windows, context, answer) {
    const labels = extractiveQA.cutting.labelWindows(windows, context, answer);
    return windows.map(({ tokens, contextTokens: [first, beyond], clsIndex }, k) => {
      const start = tokens[first].start, end = tokens[beyond - 1].end;
      let state = "none";
      if (answer && labels[k][0] !== clsIndex) state = "whole";
      else if (answer) state = answer[0] < end && start < answer[1] ? "cut" : "absent";
      return { tokens: tokens.length, start, end, state };
    });
  }

  const windowTold = (window) => [`${count(window.tokens, "token")}, characters [${number(window.start)}, ${number(window.end)})`,
    STATES[window.state][0]].filter(Boolean).join(", ");

  /** A row per window: a line of words, and a bar where the window's characters are in the text. */
  function windowBars(described, answer, length) {
    const shown = described.slice(0, SHOWN);
    const place = (from, to, least = 0) => `left:${(100 * from / length).toFixed(2)}%;width:${Math.max(100 * (to - from) / length, least).toFixed(2)}%`;
    const rows = shown.map((window, k) => {
      const seen = k ? Math.max(described[k - 1].end, window.start) : window.start, look = STATES[window.state][1];
      const parts = [[window.start, Math.min(seen, window.end), "shared"], [seen, window.end, "new"]].filter(([from, to]) => from < to);
      return el("div", {}, el("span", { class: "said" }, `window ${k}: ${windowTold(window)}`), el("div", { class: "track" },
        parts.map(([from, to, part]) => el("span", { class: `bar-${look} ${part}`, style: place(from, to) }))));
    });
    const states = Object.keys(STATES).filter((state) => described.some((window) => window.state === state));
    const entries = states.map((state) => [`bar-${STATES[state][1]} new`, STATES[state][0] || "a window"]);
    if (described.some((window, k) => k && window.start < described[k - 1].end)) {
      entries.push([`bar-${STATES[states[0]][1]} shared`, "paler: shared with the window above"]);
    }
    if (answer) entries.push(["answer-band", "vertical band: the answer"]);
    return [
      "The bars run along the text from left to right.", legend(...entries),
      el("div", { class: "window-bars" }, answer ? el("div", { class: "answer-band", style: place(...answer, 0.3) }) : null, rows),
      described.length > SHOWN ? `… and ${count(described.length - SHOWN, "more window")}` : "",
    ];
  }

  const BARS = 26, STEP = 26, HEIGHT = 130, WORDS = 84;

  /** Paired bars of the start and end logits of [CLS] and of the tokens around a span {first, last} of a window. */
  function logitBars(context, { tokens, clsIndex, contextTokens: [first, beyond] }, { start, end }, span, window, windows) {
    const room = Math.floor(Math.max(BARS - (span.last - span.first + 1), 0) / 2);
    const low = Math.max(first, Math.min(span.first - room, beyond - BARS)), high = Math.min(Math.max(low + BARS, span.last + 1), beyond);
    const shown = [clsIndex, ...Array.from({ length: high - low }, (_, k) => low + k)];
    const values = [...shown.map((k) => start[k]), ...shown.map((k) => end[k]), 0];
    const most = Math.max(...values), least = Math.min(...values), scale = HEIGHT / Math.max(most - least, 1e-9), zero = 8 + most * scale;
    const width = shown.length * STEP + 40, height = HEIGHT + WORDS + 16, parts = [];
    shown.forEach((k, place) => {
      const x = 34 + place * STEP;
      if (place && span.first <= k && k <= span.last) parts.push(el("rect", { class: "shade", x, y: 4, width: STEP, height: height - 8 }));
      const word = place ? shorten(context.slice(tokens[k].start, tokens[k].end).join("").trim(), 12) : "[CLS]";
      const drawn = [[4, start[k], "start"], [13, end[k], "end"]].map(([shift, value, look]) => el("rect", {
        class: `fill-${look}`, x: x + shift, y: (zero - Math.max(value, 0) * scale).toFixed(1), width: 8, height: (Math.abs(value) * scale).toFixed(1),
      }));
      parts.push(el("g", {}, el("title", {}, `token ${k} ${word}: start ${start[k].toFixed(2)}, end ${end[k].toFixed(2)}`), drawn,
        el("text", { x: x + 17, y: HEIGHT + 18, "text-anchor": "end", transform: `rotate(-90 ${x + 17} ${HEIGHT + 18})` }, word)));
    });
    for (const value of [most, 0, least]) {
      parts.push(el("text", { x: 30, y: (zero - value * scale + 4).toFixed(1), "text-anchor": "end", class: "tick" }, value.toFixed(0)));
    }
    parts.push(el("line", { x1: 34, x2: width, y1: zero.toFixed(1), y2: zero.toFixed(1) }));
    const label = `start and end logits of ${count(shown.length, "token")} of window ${window}, the best span shaded`;
    return [
      `Window ${window} (of ${windows}), [CLS] and the tokens around its best span:`,
      legend(["fill-start", "left: start logit"], ["fill-end", "right: end logit"], ["shade", "shaded: the best span of this window"]),
      el("div", { class: "drawing", tabindex: 0, role: "group", "aria-label": label },
        el("svg", { role: "img", "aria-label": label, width, height, class: "logit-bars" }, parts)),
    ];
  }

  /** A table; a cell that is an array becomes a cell with these nodes. */
  const table = (caption, head, rows) => el("div", { class: "scrolls" }, el("table", {}, el("caption", {}, caption),
    el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell)))))));

  // ---- The frame of a widget -------------------------------------------------------------------------------------------

  /**
   * Fill the places of a widget. `build(place, given)` makes it: `given` is what the builder of the site wrote down for
   * it. A widget whose building fails leaves the page as it is without scripts.
   */
  function mount(name, build) {
    for (const place of document.querySelectorAll(`[data-live="${name}"]`)) {
      build(place, JSON.parse(place.dataset.given || "{}"));
      place.hidden = false;
    }
  }

  /**
   * A function that draws a view again: `draw()` gives nodes, and an error becomes a message. While `key()` stays the same,
   * texts keep their scroll; a new one shows its first mark.
   */
  function drawing(view, draw, key = () => "") {
    let last = null;
    return () => {
      const boxes = () => [...view.querySelectorAll(".qa-text, .drawing")];
      const before = boxes().map(({ scrollTop, scrollLeft }) => [scrollTop, scrollLeft]), same = key() === last;
      let nodes;
      try {
        nodes = draw();
      } catch (error) {
        nodes = [alert(error.message)];
      }
      view.replaceChildren(...nodes);
      last = key();
      boxes().forEach((box, k) => {
        if (same && before[k]) [box.scrollTop, box.scrollLeft] = before[k];
        else showMark(box);
      });
    };
  }

  /** Scroll a box, and only the box, to its first mark. */
  function showMark(box) {
    const mark = box.querySelector("mark");
    if (mark) box.scrollTop += mark.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 3;
  }

  /** A block of a view. */
  const block = (...children) => el("div", { class: "block" }, ...children);

  /** Call `work` once, when the place comes near the part of the page that is in view. */
  function whenNear(place, work) {
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      seen.disconnect();
      work();
    }, { rootMargin: "400px" });
    seen.observe(place);
  }

  /** In words: how much there is to load for an answer. */
  const megabytes = () => `${(extractiveQA.model.bytes / 1e6).toFixed(1)} MB`;

  /** In words: which model answers on this page. */
  function whoAnswers() {
    const { title, parameters, own } = extractiveQA.model;
    const size = `${(parameters / 1e6).toFixed(1)} million weights`;
    return own ? `Your own model answers here: ${title}, a BERT of ${size}.`
      : `The model is ${title}, the course’s own small BERT of ${size}.`;
  }

  return {
    el, number, count, numbers, repr, marked, legend, textBox, chip, alert, bar, shorten, field, slider, menu, exampleFields,
    describeWindows, windowBars, logitBars, table, mount, drawing, showMark, block, whenNear, megabytes, whoAnswers,
  };
})();
