// Lesson 03: the windows of an example as bars along its text, for any max_length and stride.
"use strict";

extractiveQA.ui.mount("qa-window-explorer", (place, given) => {
  const { el, alert, block, count, describeWindows, drawing, exampleFields, legend, marked, number, numbers, slider, textBox, windowBars } = extractiveQA.ui;
  const VOCABULARY = "mini-bert", LIMIT = 256;
  const fields = exampleFields(given.examples, () => redraw());
  const length = slider("max_length", { min: 16, max: LIMIT, value: given.maxLength ?? 100 }, () => redraw());
  const stride = slider("stride", { min: 0, max: LIMIT / 2, value: given.stride ?? 0 }, () => redraw());
  const told = el("ul", { "aria-live": "polite" }), view = el("div", { class: "view" });
  place.append(
    el("p", { class: "small" }, "This widget works in the page, with the tokenizer of the course’s small BERT, mini-bert."),
    fields.choice, el("div", { class: "controls" }, length.box, stride.box), fields.folded, told, view,
  );

  function answerTold(windows, answer) {
    if (!answer) return "the question has no answer in this text";
    const where = (state) => windows.flatMap((window, k) => (window.state === state ? [k] : []));
    const whole = where("whole"), cut = where("cut");
    if (!whole.length) return "NO window holds the whole answer: try a larger stride or max_length";
    return `the whole answer is in ${numbers(whole, "window")}` +
      (cut.length ? `; ${numbers(cut, "window")} cut${cut.length === 1 ? "s" : ""} it` : "");
  }

  const redraw = drawing(view, () => {
    told.replaceChildren();
    const { question, context, answer } = fields.example(), characters = extractiveQA.text.characters(context);
    const options = { name: VOCABULARY, maxLength: length.value, stride: stride.value };
    const windows = describeWindows(extractiveQA.windows(question, context, options), context, answer);
    const positions = windows.length * length.value, padding = windows.reduce((rest, { tokens }) => rest - tokens, positions);
    const lines = [
      `${count(windows.length, "feature")} at max_length ${length.value}, stride ${stride.value}`,
      `padding, if every window is padded to max_length: ${number(padding)} of ${number(positions)} positions (${Math.round(100 * padding / positions)}%)`,
      answerTold(windows, answer),
    ];
    told.replaceChildren(...lines.map((line) => el("li", {}, line)));
    const marks = [
      ...windows.map(({ start, end }, k) => ({ start, end, class: "in-window", title: `window ${k}` })),
      ...windows.slice(1).map(({ start }, k) => ({ start, end: Math.min(windows[k].end, windows[k + 1].end), class: "twice" })),
      ...(answer ? [{ start: answer[0], end: answer[1], class: "the-answer", mark: true }] : []),
    ];
    return [
      block(`Question: ${question}`),
      block(...windowBars(windows, answer, characters.length)),
      block("The text:", legend(["in-window", "in one window"], ["twice", "in two windows or more"], ...(answer ? [["the-answer", "the answer"]] : [])),
        textBox("the text, with its windows and the answer marked", marked(characters, marks))),
    ];
  }, () => fields.example().context);

  extractiveQA.vocabularyReady(VOCABULARY).then(redraw, (error) => view.replaceChildren(alert(error.message)));
});
