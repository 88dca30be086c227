// What the widgets compute besides drawing (ui.js, occlusion.js), under node, with the model of a folder.
//
//   node tests/live/widgets.js SCRIPTS EXPORTED < given.json > found.json
//
// given: {question, context, texts}. found: the answer, what it loses without each word, who answers, texts in quotes.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const [scripts, exported] = process.argv.slice(2);
const load = (folder, file) => vm.runInThisContext(fs.readFileSync(path.join(folder, file), "utf8"), { filename: file });
load(exported, "model.js");
for (const name of ["text", "tokenize", "windows", "encoder", "decode", "ask", "ui", "occlusion"]) load(scripts, `${name}.js`);
load(exported, `vocabulary-${extractiveQA.model.name}.js`);
load(exported, "weights.js");

(async () => {
  const { question, context, texts } = JSON.parse(fs.readFileSync(0, "utf8"));
  const { answers: [best], windows, logits } = await extractiveQA.ask(question, context);
  const { words, losses, MOST } = extractiveQA.occlusion, mask = extractiveQA.tokenId("[MASK]");
  const told = [], found = await losses(context, windows[best.window], logits[best.window], best, { mask, onWord: (_, ...done) => told.push(done) });
  const giveUp = new AbortController();
  const given = await losses(context, windows[best.window], logits[best.window], best, {
    mask, signal: giveUp.signal, onWord: (_, done) => { if (done === 2) giveUp.abort(); },
  }).catch((error) => error.name);
  const long = extractiveQA.windows("Who?", "a b ".repeat(MOST));
  const tooLong = await losses("a b ".repeat(MOST), long[0], logits[0], { start: 0, end: 1, first: 3, last: 3 }, { mask }).catch((error) => error.message);
  const { repr, describeWindows, whoAnswers } = extractiveQA.ui;
  const small = extractiveQA.windows(question, context, { maxLength: 40, stride: 5 });
  console.log(JSON.stringify({
    answer: best, mask, losses: found, told, given, tooLong, whoAnswers: whoAnswers(), repr: texts.map(repr),
    words: words(extractiveQA.text.characters(context), windows[0], best).length,
    states: describeWindows(small, context, [best.start, best.end]), none: describeWindows(small, context, null)[0].state,
  }));
})();
