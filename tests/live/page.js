// What pages call of the live engine (ask.js), under node: without a browser there is no worker, so the model runs here.
//
//   node tests/live/page.js SCRIPTS EXPORTED FIXTURES
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const [scripts, exported, fixtures] = process.argv.slice(2);
const load = (folder, file) => vm.runInThisContext(fs.readFileSync(path.join(folder, file), "utf8"), { filename: file });
for (const name of ["text", "tokenize", "windows", "encoder", "decode", "ask"]) load(scripts, `${name}.js`);

const tests = {
  async "without the vocabulary, tokens say what to do"() {
    assert.throws(() => extractiveQA.tokens("a"), /await extractiveQA.vocabularyReady/);
    load(exported, "vocabulary-mini-bert-qa.js");
    load(exported, "weights.js");
    await extractiveQA.vocabularyReady();
  },

  async "positions count code points"() {
    const text = "👩‍🚀 saw the lamp", { toUnits, fromUnits, slice } = extractiveQA.text;
    const lamp = extractiveQA.tokens(text).filter(({ start }) => start >= 12);
    const [start, end] = [lamp[0].start, lamp[lamp.length - 1].end];
    assert.equal(slice(text, start, end), "lamp");
    assert.equal(text.slice(toUnits(text, start), toUnits(text, end)), "lamp");
    assert.equal(fromUnits(text, text.indexOf("lamp")), start);
  },

  async "special tokens are added where they are wanted"() {
    const [first, ...rest] = extractiveQA.tokens("[SEP]", { specials: true });
    assert.deepEqual([first.token, first.start, first.end, first.special], ["[CLS]", 0, 0, true]);
    assert.equal(rest[rest.length - 1].special, true);
    assert.equal(rest[0].token, "[", "a typed [SEP] is text");
  },

  async "Python's spaces are stripped, and no others"() {
    const { strip } = extractiveQA.text;
    assert.equal(strip("\u001c \u0085\u3000a b\u2028\t"), "a b");
    assert.equal(strip("\ufeffa"), "\ufeffa");
  },

  async "what cannot be done says why"() {
    const windows = (...given) => () => extractiveQA.windows(...given);
    assert.throws(windows(" \n", "a text"), { message: "the question is empty; give some text" });
    assert.throws(windows("Who?", ""), { message: "the context is empty; give some text" });
    assert.throws(windows("Who?", "\u200b\u200b"), /holds no token/);
    assert.throws(windows("Who is it? ".repeat(80), "a text"), /tokens of question leave -?\d+ for context; more than 128/);
    assert.throws(windows("Who?", "a text", { maxLength: 40, stride: 37 }), /stride 37 does not fit max_length 40/);
    await assert.rejects(extractiveQA.ask("", "a text"), /the question is empty/);
  },

  async "answers are those of QuestionAnswerer"() {
    for (const { question, context, options, expected } of JSON.parse(fs.readFileSync(path.join(fixtures, "asked.json"), "utf8"))) {
      const found = await extractiveQA.ask(question, context, options);
      const told = found.answers.map(({ answer, start, end }) => [answer, start, end]);
      assert.deepEqual(told, expected.map((row) => row.slice(0, 3)), question);
      found.answers.forEach(({ score }, k) => assert.ok(Math.abs(score - expected[k][3]) < 1e-4, `${score} ${expected[k][3]}`));
      assert.deepEqual([found.answer, found.start, found.end], told[0]);
      for (const { window, first, last, answer } of found.answers.filter(({ answer }) => answer)) {
        const { tokens, contextTokens } = found.windows[window];
        assert.ok(contextTokens[0] <= first && first <= last && last < contextTokens[1]);
        assert.ok(answer.includes(extractiveQA.text.slice(context, tokens[first].start, tokens[last].end)));
      }
    }
  },

  async "a threshold decides anew without decoding"() {
    const context = "The bridge at Quellmark was built by Ilse Varn.";
    const { windows, logits } = await extractiveQA.ask("Who built the bridge?", context);
    const { decodeAnswer, applyThreshold } = extractiveQA.decoding;
    const always = decodeAnswer(context, windows, logits), difference = always.nullScore - always.score;
    assert.equal(always.answer, "Ilse Varn");
    assert.equal(applyThreshold(always, difference).answer, "Ilse Varn", "it must exceed the threshold");
    const never = applyThreshold(always, difference - 1e-6);
    assert.deepEqual([never.answer, never.start, never.end, never.score], ["", 0, 0, always.score]);
    assert.equal(applyThreshold(never, null).answer, "Ilse Varn");
    assert.deepEqual(decodeAnswer(context, windows, logits, { nullThreshold: -Infinity }).answer, "");
  },

  async "half surrogates are answered around"() {
    const context = "\udc00 The lamp \ud83d was lit by Oda Brennick in 1902. \ud83d";
    const { answer, start, end } = await extractiveQA.ask("Who lit the lamp\ud800?", context);
    assert.equal(extractiveQA.text.slice(context, start, end), answer);
    assert.ok(answer);
  },

  async "progress is told, and a question can be given up"() {
    const context = "The keeper wrote that the lamp was lit in 1902. ".repeat(40), done = [], options = { maxLength: 60 };
    const giveUp = new AbortController();
    const onProgress = (...told) => {
      done.push(told);
      if (done.length === 2) giveUp.abort();
    };
    await assert.rejects(extractiveQA.ask("When?", context, { ...options, onProgress, signal: giveUp.signal }), { name: "AbortError" });
    const all = extractiveQA.windows("When?", context, options).length;
    assert.deepEqual(done, [[1, all], [2, all]]);
  },

  async "a window that is too long for the model is refused"() {
    const long = extractiveQA.windows("When?", "lamp ".repeat(400), { maxLength: 300 });
    await assert.rejects(extractiveQA.logits(long), { message: "a window has 300 tokens, the model takes 256" });
  },

  async "logits that are not finite are refused"() {
    const windows = extractiveQA.windows("When?", "in 1902"), length = windows[0].ids.length;
    const logits = [{ start: new Float32Array(length).fill(NaN), end: new Float32Array(length) }];
    assert.throws(() => extractiveQA.decoding.answers("in 1902", windows, logits), /not finite/);
  },
};

(async () => {
  const failed = [];
  for (const [name, test] of Object.entries(tests)) await test().catch((error) => failed.push(`${name}: ${error.message}`));
  console.log([...failed, `${Object.keys(tests).length} tests, ${failed.length} failed`].join("\n"));
  process.exitCode = failed.length ? 1 : 0;
})();
