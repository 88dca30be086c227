// The live engine beside the package: reads the fixtures that golden.py wrote, and counts differences.
//
//   node tests/live/compare.js SCRIPTS EXPORTED FIXTURES PART…     a part is tokens, windows, spans, decoded, answered-SOURCE
//
// SCRIPTS: tools/site/live; EXPORTED: the folder with the vocabulary and the weights; FIXTURES: the folder to compare
// with. Prints a JSON object: for each part, how much was compared, and the first differences.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const [scripts, exported, fixtures, ...parts] = process.argv.slice(2);
const load = (folder, file) => vm.runInThisContext(fs.readFileSync(path.join(folder, file), "utf8"), { filename: file });
const read = (file) => JSON.parse(fs.readFileSync(path.join(fixtures, file), "utf8"));
for (const name of ["text", "tokenize", "windows", "encoder", "decode", "ask"]) load(scripts, `${name}.js`);
load(exported, "vocabulary-mini-bert-qa.js");

const { cutting, decoding } = extractiveQA;
const tokenizer = extractiveQA.makeTokenizer(extractiveQA.vocabularies["mini-bert-qa"]);
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const pairs = (tokens) => tokens.flatMap(({ start, end }) => [start, end]);
const close = (a, b, most = 1e-9) => Math.abs(a - b) <= most * Math.max(1, Math.abs(a), Math.abs(b));

/** Counts comparisons and keeps the first differences. */
class Report {
  constructor() { Object.assign(this, { compared: 0, different: 0, first: [] }); }
  check(equal, told) {
    this.compared += 1;
    if (equal) return;
    this.different += 1;
    if (this.first.length < 5) this.first.push(told());
  }
}

const compare = {
  tokens() {
    const report = new Report(), { texts, ids, offsets } = read("tokens.json");
    texts.forEach((text, k) => {
      const found = tokenizer.tokens(text), own = found.map(({ id }) => id);
      report.check(same(own, ids[k]) && same(pairs(found), offsets[k]),
        () => ({ text, found: found.map(({ token }) => token), offsets: pairs(found), expected: [ids[k], offsets[k]] }));
    });
    return report;
  },

  windows() {
    const report = new Report();
    for (const expected of read("windows.json")) {
      const { question, context, length, stride } = expected;
      let found;
      try {
        const windows = extractiveQA.windows(question, context, { maxLength: length, stride });
        found = {
          ids: windows.map(({ ids }) => [...ids]),
          segments: windows.map(({ segments }) => [...segments]),
          offsets: windows.map(({ tokens }) => pairs(tokens)),
          context_tokens: windows.map(({ contextTokens }) => contextTokens),
          answer: expected.answer,
          labels: cutting.labelWindows(windows, context, expected.answer),
        };
      } catch (error) {
        found = { error: error.message.split(" (")[0] };
      }
      found = { question, context, length, stride, ...found };
      report.check(same(found, expected), () => ({ found, expected }));
    }
    return report;
  },

  // The characters of a span, and whole words, for any two places in a text.
  spans() {
    const report = new Report();
    for (const { text, offsets, span, whole } of read("spans.json")) {
      const context = extractiveQA.text.characters(text), tokens = offsets.map(([start, end]) => ({ start, end }));
      const found = decoding.spanCharacters(context, tokens, 0, 0), widened = decoding.wholeWords(context, ...offsets[0]);
      const equal = span[0] === span[1] ? found[0] === found[1] : same(found, span); // nothing but spaces: anywhere
      report.check(equal && same(widened, whole), () => ({ text, offsets, found, widened, expected: [span, whole] }));
    }
    return report;
  },

  // Everything that is read from given logits.
  decoded() {
    const report = new Report();
    for (const expected of read("decoded.json")) compareAnswers(report, expected, expected.logits.map(asLogits));
    return report;
  },

  // The model's own logits, and everything that is read from them.
  answered(file) {
    load(exported, "weights.js");
    const encoder = extractiveQA.makeEncoder(extractiveQA.weights);
    const report = Object.assign(new Report(), { windows: 0, farthest: 0, seconds: 0, tokens: 0 });
    for (const expected of read(file)) {
      const { length, stride } = expected.options;
      const windows = cutting.cutWindows(tokenizer, expected.question, expected.context, length, stride);
      const logits = windows.map(({ ids, segments }, k) => {
        const begun = process.cpuUsage();
        const { start, end } = encoder.wholeModel(ids, segments);
        report.seconds += (process.cpuUsage(begun).user + process.cpuUsage(begun).system) / 1e6;
        report.tokens += ids.length;
        report.windows += 1;
        const given = asLogits(expected.logits[k]);
        for (const [own, its] of [[start, given.start], [end, given.end]]) {
          own.forEach((value, token) => { report.farthest = Math.max(report.farthest, Math.abs(value - its[token])); });
        }
        return { start, end };
      });
      compareAnswers(report, expected, logits, 1e-3);
    }
    return report;
  },
};

const asLogits = ([start, end]) => ({ start: Float32Array.from(start), end: Float32Array.from(end) });

/** Both decodings of one question. The scores of given logits are the same to 9 digits, those of own ones to 3. */
function compareAnswers(report, expected, logits, most = 1e-9) {
  const { question, context, options } = expected;
  const windows = cutting.cutWindows(tokenizer, question, context, options.length, options.stride);
  const found = decoding.decodeAnswer(context, windows, logits, options);
  const asked = decoding.answers(context, windows, logits, { ...options, handleImpossibleAnswer: options.nullThreshold !== null });
  const [answer, start, end, probability] = expected.answer;
  const equal = found.answer === answer && found.start === start && found.end === end &&
    close(found.probability, probability, most) && close(found.nullScore, expected.nullScore, most) &&
    (most > 1e-9 || sameList(found.nBest.map((c) => [c.answer, c.start, c.end, c.score, c.probability]), expected.nBest, most)) &&
    sameList(asked.map((c) => [c.answer, c.start, c.end, c.score]), expected.asked, most);
  report.check(equal, () => ({ question, found, asked, expected: { ...expected, logits: undefined } }));
}

const sameList = (found, expected, most) =>
  found.length === expected.length && found.every((row, k) =>
    row.every((value, j) => (typeof value === "number" ? close(value, expected[k][j], most) : value === expected[k][j])));

(async () => {
  await extractiveQA.vocabularyReady();
  const told = {};
  for (const part of parts) told[part] = part.startsWith("answered") ? compare.answered(`${part}.json`) : compare[part]();
  console.log(JSON.stringify(told));
})();
