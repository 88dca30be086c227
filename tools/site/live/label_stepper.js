// Lesson 04: from the characters of an answer to the two numbers of a label, step by step.
"use strict";

extractiveQA.ui.mount("qa-label-stepper", (place, given) => {
  const { el, alert, block, chip, count, drawing, exampleFields, legend, marked, menu, repr, slider, textBox } = extractiveQA.ui;
  const VOCABULARY = "mini-bert", NEAR = 5; // tokens shown on either side of the token in question
  const SETTINGS = { name: VOCABULARY, maxLength: given.maxLength ?? 100, stride: given.stride ?? 50 };
  const range = (from, to) => Array.from({ length: Math.max(to - from, 0) }, (_, k) => from + k);

  const fields = exampleFields(given.examples, () => begin());
  const window = menu("Window", [], () => redraw());
  const step = slider("Step", { min: 1, max: 6, value: 1 }, () => redraw());
  const walk = (by) => () => { step.value = step.value + by; redraw(); };
  const back = el("button", { type: "button", click: walk(-1) }, "← Back"), forward = el("button", { type: "button", click: walk(1) }, "Forward →");
  const told = el("p", { "aria-live": "polite" }), view = el("div", { class: "view" });
  place.append(
    el("p", { class: "small" }, `This widget works in the page, with the tokenizer of the course’s small BERT, mini-bert, max_length ${SETTINGS.maxLength} and stride ${SETTINGS.stride}.`),
    fields.choice, el("div", { class: "controls" }, window.box, back, forward, step.box), fields.folded, told, view,
  );

  let windows = [], labels = [], problem = null;

  /** Cut the example anew, and go to the first window that holds its answer. */
  function begin() {
    const { question, context, answer } = fields.example();
    try {
      problem = null;
      windows = extractiveQA.windows(question, context, SETTINGS);
      labels = extractiveQA.cutting.labelWindows(windows, context, answer);
    } catch (error) {
      [problem, windows, labels] = [error, [], []];
    }
    window.fill(windows.map((_, k) => [`${k} (of ${windows.length})`, k]));
    window.value = Math.max(labels.findIndex(([first], k) => first !== windows[k].clsIndex), 0);
    step.value = 1;
    redraw();
  }

  const SPECIAL = ["special", "special token"], QUESTION = ["of-question", "question"], CONTEXT = ["token-1", "context"];
  const START = ["label-start", "start_positions: the label's first token"], END = ["label-end", "end_positions: the label's last token"];
  const BOTH = ["label-both", "the label's only token: start and end"], BETWEEN = ["label-between", "between the two"];
  const NO_ANSWER = ["label-none", "the label of a window without the whole answer"];

  /** Some of a window's tokens in boxes with their offsets, and a legend; "…" where tokens are left out. */
  function strip({ tokens, contextTokens: [first, beyond] }, shown, lit = new Map()) {
    const boxes = [], used = new Map();
    const gap = () => boxes.push(el("span", { class: "gap" }, "…"));
    shown.forEach((k, place) => {
      if (k !== (place ? shown[place - 1] + 1 : 0)) gap();
      const { token, start, end, special } = tokens[k];
      const look = lit.get(k) ?? (special ? SPECIAL : first <= k && k < beyond ? CONTEXT : QUESTION);
      boxes.push(chip(k, token, `${start}–${end}`, look[0]));
      used.set(look[0], look);
    });
    if (shown[shown.length - 1] < tokens.length - 1) gap();
    return [el("div", {}, boxes), legend(...used.values()),
      "Each box shows the token's number, the token, and the characters it covers (its offsets)."];
  }

  /** The steps of a window: [title, what is said, nodes]. */
  function steps({ context, answer }, chosen, [first, last]) {
    const { tokens, contextTokens: [begins, beyond], clsIndex } = chosen, characters = extractiveQA.text.characters(context);
    const slice = (from, to) => characters.slice(from, to).join("");
    const lit = answer ? [{ start: answer[0], end: answer[1], class: "the-answer", mark: true }] : [];
    const found = [];
    found.push(answer
      ? ["the answer, in characters", `According to the data, the answer is characters [${answer[0]}, ${answer[1]}) of the context: ${repr(slice(...answer))}.`,
        [legend(["the-answer", "the answer"]), textBox("the context, with the answer marked", marked(characters, lit))]]
      : ["the answer, in characters", "The question has no answer in this context, so no window can hold it.", [textBox("the context", [context])]]);
    found.push(["which tokens belong to the context?",
      `Of the window's ${count(tokens.length, "token")}, tokens ${begins} to ${beyond - 1} belong to the context: their sequence id is 1. ` +
      "Question tokens and special tokens are ignored, because their offsets do not refer to the context.",
      strip(chosen, [...range(0, Math.min(begins + 4, beyond)), ...range(Math.max(beyond - 4, begins + 4), tokens.length)])]);
    if (answer) {
      const start = tokens[begins].start, end = tokens[beyond - 1].end;
      const early = start <= answer[0], late = answer[1] <= end, yes = (is) => (is ? "yes" : "NO");
      const entries = [["covered", "the window"], ["underlined", "underlined: the answer"]];
      if (!(early && late)) entries.push(["the-answer", "the part of it outside the window"]);
      found.push(["does the window hold the whole answer?",
        `The window covers characters [${start}, ${end}). Does it begin no later than the answer? ${start} ≤ ${answer[0]}: ${yes(early)}. ` +
        `Does it end no earlier? ${answer[1]} ≤ ${end}: ${yes(late)}. So the window ` +
        (early && late ? "holds the whole answer." : "does not hold the whole answer."),
        [legend(...entries), textBox("the context, with the window and the answer marked",
          marked(characters, [...lit, { start, end, class: "covered", title: "the window" }]))]]);
    }
    if (first === clsIndex) {
      found.push(["the label", `This window does not hold a whole answer, so start_positions = end_positions = ${first}, the token ${tokens[first].token}.`,
        strip(chosen, range(0, Math.min(first + 4, tokens.length)), new Map([[first, NO_ANSWER]]))]);
      return found;
    }
    const near = (from, to, around) => range(Math.max(from - around, begins), Math.min(to + around + 1, beyond));
    for (const [token, which, name, look] of [
      [first, `the answer's first character, ${answer[0]}`, "start_positions", START],
      [last, `the answer's last character, ${answer[1] - 1}`, "end_positions", END],
    ]) {
      found.push([`the ${look === START ? "first" : "last"} token`,
        `Token ${token}, with offsets [${tokens[token].start}, ${tokens[token].end}), covers ${which}. So ${name} = ${token}.`,
        strip(chosen, near(token, token, NEAR), new Map([[token, look]]))]);
    }
    const wanted = slice(...answer), read = slice(...extractiveQA.decoding.spanCharacters(characters, tokens, first, last));
    const looks = new Map(range(first, last + 1).map((k) => [k, BETWEEN]));
    if (first < last) looks.set(first, START).set(last, END);
    else looks.set(first, BOTH);
    found.push(["the label", `start_positions = ${first}, end_positions = ${last}. Read back from the context: ${repr(read)}, ` +
      (read === wanted ? "which is the answer." : `but the answer is ${repr(wanted)}, which begins or ends inside a token.`),
      strip(chosen, near(first, last, 3), looks)]);
    return found;
  }

  const redraw = drawing(view, () => {
    told.replaceChildren();
    if (problem) throw problem;
    const example = fields.example(), k = Number(window.value), all = steps(example, windows[k], labels[k]);
    step.max = all.length;
    [back.disabled, forward.disabled] = [step.value === 1, step.value === all.length];
    const [title, said, nodes] = all[step.value - 1];
    told.replaceChildren(el("b", {}, `Window ${k} (of ${windows.length}), step ${step.value} of ${all.length}: ${title}`), el("br"), said);
    return [block(`Question: ${example.question}`), block(...nodes)];
  }, () => `${fields.example().context} ${window.value} ${step.value}`);

  extractiveQA.vocabularyReady(VOCABULARY).then(begin, (error) => view.replaceChildren(alert(error.message)));
});
