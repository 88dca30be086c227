// Lesson 08: an example's logits as paired bars, and the answers they lead to at any length limit and threshold.
"use strict";

extractiveQA.ui.mount("qa-span-explorer", (place, given) => {
  const { el, alert, block, count, drawing, exampleFields, logitBars, megabytes, menu, repr, slider, table, whenNear, whoAnswers } = extractiveQA.ui;
  const LIMIT = 25, BEST = "best", SHOWN = 5;
  const fields = exampleFields(given.examples, () => compute(), () => { clearTimeout(waiting); waiting = setTimeout(compute, 500); });
  const window = menu("Window", [["the one with the best span", BEST]], () => redraw());
  const longest = slider("Longest answer, in tokens", { min: 1, max: 30, value: 30 }, () => redraw());
  const abstain = el("input", { type: "checkbox", id: "live-abstain", checked: true, change: () => redraw() });
  const threshold = slider("Null threshold", { min: -LIMIT, max: LIMIT, step: 0.5, value: 0 }, () => redraw());
  const told = el("p", { "aria-live": "polite" }), view = el("div", { class: "view" });
  place.append(
    el("p", { class: "small" }, `This widget computes the logits in the page. ${whoAnswers()} So the numbers differ from those of the model that the lesson has trained.`),
    fields.choice,
    el("div", { class: "controls" }, window.box, longest.box,
      el("div", { class: "field" }, abstain, el("label", { for: "live-abstain" }, "allow “no answer”")), threshold.box),
    fields.folded, told, view,
  );

  let waiting = 0, running = new AbortController(), computed = null;

  /** The logits of the example; a newer example makes the model give up the older one. */
  async function compute() {
    running.abort();
    running = new AbortController();
    const { signal } = running, { question, context } = fields.example();
    computed = null;
    view.replaceChildren();
    try {
      told.textContent = `Loading the model (${megabytes()}) …`;
      await extractiveQA.ready();
      if (signal.aborted) return;
      told.textContent = "The model is reading …";
      const windows = extractiveQA.windows(question, context);
      const logits = await extractiveQA.logits(windows, { signal });
      computed = { question, context, characters: extractiveQA.text.characters(context), windows, logits };
      window.fill([["the one with the best span", BEST], ...windows.map((_, k) => [String(k), k])]);
      redraw();
    } catch (error) {
      if (signal.aborted) return;
      told.textContent = "";
      view.replaceChildren(alert(error.message));
    }
  }

  const redraw = drawing(view, () => {
    threshold.input.disabled = !abstain.checked;
    if (!computed) return [];
    const { question, context, characters, windows, logits } = computed;
    const limit = abstain.checked ? threshold.value : null;
    const found = extractiveQA.decoding.decodeAnswer(context, windows, logits,
      { maxAnswerLength: longest.value, nullThreshold: limit, alignToWords: true });
    const spans = windows.map(({ contextTokens }, k) =>
      extractiveQA.decoding.bestSpans(logits[k].start, logits[k].end, contextTokens, 1, longest.value)[0]);
    const best = spans.reduce((most, { score }, k) => (score > spans[most].score ? k : most), 0);
    const shown = window.value === BEST ? best : Number(window.value);

    const difference = found.nullScore - found.score, text = repr(found.nBest[0].answer);
    const scores = `null score ${found.nullScore.toFixed(2)} − best score ${found.score.toFixed(2)} = ${difference.toFixed(2)}`;
    const none = limit !== null && difference > limit;
    told.replaceChildren(el("b", {}, `Answer: ${none ? "none" : text}`), el("br"),
      limit === null ? `“No answer” is not allowed here; ${scores}.` : `${scores} ${none ? ">" : "≤"} threshold ${limit}.`);
    const rows = found.nBest.slice(0, SHOWN).map(({ score, probability, answer }) => [score.toFixed(2), probability.toFixed(3), answer]);
    if (limit !== null) rows.push([found.nullScore.toFixed(2), "", el("i", {}, "no answer (null score)")]);
    const kept = Math.min(found.nBest.length, SHOWN);
    return [
      block(`Question: ${question}`),
      block(...logitBars(characters, windows[shown], logits[shown], spans[shown], shown, windows.length)),
      block(table(`The best ${count(kept, "span")} of all windows, with at most ${count(longest.value, "token")} each`,
        ["score", "probability", "text"], rows)),
    ];
  });

  whenNear(place, compute);
});
