// What pages call: tokens, windows, logits and answers, without a server.
//
// Load these files in this order, as plain scripts (they work from a folder on disk, too):
//
//   text.js  tokenize.js  windows.js  encoder.js  decode.js  ask.js
//
// Everything is in one global object, `extractiveQA`. Positions count code points, as in Python (text.js translates).
//
// The vocabulary (about 60 KB) and the weights (nearly 4 MB) are files of their own, and they are loaded when somebody
// asks for them, from the folder of this script:
//
//   await extractiveQA.vocabularyReady(name)    loads vocabulary-<name>.js; name is "mini-bert-qa" if left out
//   await extractiveQA.ready()                  loads vocabulary and weights and starts the worker; call it early, e.g.
//                                               when somebody focuses the field, and again as often as you like
//
// When the vocabulary is there, these answer at once:
//
//   extractiveQA.tokens(text, options)          [{id, token, start, end, special?}]. options.name: the vocabulary;
//                                               options.specials: put [CLS] first and [SEP] last
//   extractiveQA.windows(question, context, options)
//                                               see cutWindows in windows.js. options.maxLength, options.stride (else
//                                               those of qa.QuestionAnswerer), options.name
//   extractiveQA.tokenId(token, options)        a token's id, or -1
//   extractiveQA.cutting.labelWindows(windows, context, [start, end])    the labels [first, last], one per window
//
// And these compute, so they give promises (and start what `ready` starts):
//
//   extractiveQA.logits(windows, options)       [{start, end}], a Float32Array each, for the windows of "mini-bert-qa".
//                                               options.onProgress(done, of): called after each window;
//                                               options.signal: an AbortSignal, to give up between two windows
//   extractiveQA.ask(question, context, options)
//                                               {answer, start, end, score, answers, windows, logits}: what
//                                               qa.QuestionAnswerer returns; `answers` are the topK best, each with
//                                               `window`, `first` and `last`, the tokens it was read from. options are
//                                               those of windows, logits and decoding.answers
//
// With windows and logits at hand, decoding again is quick enough to follow a slider:
//
//   extractiveQA.decoding.decodeAnswer(context, windows, logits, {maxAnswerLength, nullThreshold, …})
//   extractiveQA.decoding.applyThreshold(prediction, nullThreshold)
//
// If something cannot be done (an empty question, say, or one that leaves no room for the context), the call throws an
// Error, or its promise is rejected with one. The message explains the reason in words for readers.
"use strict";

var extractiveQA = globalThis.extractiveQA || {};

(() => {
  const MODEL = extractiveQA.model?.name ?? "mini-bert-qa"; // model.js says whether the page has another one
  // Found while the script runs: document.currentScript is empty later.
  const folder = globalThis.document?.currentScript ? new URL(".", document.currentScript.src).href : "";

  // ---- Files ---------------------------------------------------------------------------------------------------------

  /** Load one more script from the folder of this one. (A page opened from disk may load scripts but fetch no files.) */
  function loadScript(file) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = folder + file;
      script.onload = resolve;
      script.onerror = () => {
        script.remove();
        reject(new Error(`${file} could not be loaded`));
      };
      document.head.append(script);
    });
  }

  /** A function that runs its work once, however often it is called, and again if it failed. */
  function once(work) {
    const running = new Map();
    return (key = MODEL) => {
      if (!running.has(key)) {
        running.set(key, work(key));
        running.get(key).catch(() => running.delete(key));
      }
      return running.get(key);
    };
  }

  const tokenizers = new Map();

  const vocabularyReady = once(async (name) => {
    if (!extractiveQA.vocabularies?.[name]) await loadScript(`vocabulary-${name}.js`);
    tokenizers.set(name, extractiveQA.makeTokenizer(extractiveQA.vocabularies[name]));
  });

  function tokenizerOf(name = MODEL) {
    if (!tokenizers.has(name)) throw new Error(`the vocabulary of ${name} is not loaded: await extractiveQA.vocabularyReady()`);
    return tokenizers.get(name);
  }

  // ---- The model, in a worker ----------------------------------------------------------------------------------------

  /** The worker's own code. It gets the weights first and windows after that, and answers each with a message. */
  function workAlone(makeEncoder) {
    let encoder;
    onmessage = ({ data: { number, weights, ids, segments } }) => {
      try {
        if (weights) encoder = makeEncoder(weights);
        const { start, end } = ids ? encoder.wholeModel(ids, segments) : {};
        postMessage({ number, start, end });
      } catch (error) {
        postMessage({ number, error: error.message });
      }
    };
  }

  /** Starts a worker; gives a function (message) → promise of its answer. */
  async function startWorker(weights) {
    const code = `"use strict"; (${workAlone})(${extractiveQA.makeEncoder});`;
    const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    const worker = new Worker(address), waiting = new Map();
    let sent = 0;
    worker.onmessage = ({ data }) => {
      const { resolve, reject } = waiting.get(data.number);
      waiting.delete(data.number);
      if (data.error) reject(new Error(data.error));
      else resolve(data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      for (const { reject } of waiting.values()) reject(new Error(event.message || "the worker could not be started"));
      waiting.clear();
    };
    const send = (message) =>
      new Promise((resolve, reject) => {
        waiting.set((sent += 1), { resolve, reject });
        worker.postMessage({ number: sent, ...message });
      });
    await send({ weights });
    URL.revokeObjectURL(address);
    return send;
  }

  /** The same without a worker, for a page that may have none. It stands still while a window is computed. */
  function withoutWorker(weights) {
    const encoder = extractiveQA.makeEncoder(weights);
    return async ({ ids, segments }) => {
      await new Promise((resolve) => setTimeout(resolve)); // let the page draw first
      return encoder.wholeModel(ids, segments);
    };
  }

  const ready = once(async () => {
    await Promise.all([vocabularyReady(), extractiveQA.weights || loadScript("weights.js")]);
    const weights = extractiveQA.weights;
    const run = await startWorker(weights).catch(() => withoutWorker(weights));
    extractiveQA.weights = null; // the worker has them
    return run;
  });

  // ---- What pages call -----------------------------------------------------------------------------------------------

  function tokens(text, { name, specials = false } = {}) {
    const tokenizer = tokenizerOf(name), found = tokenizer.tokens(text);
    return specials ? [tokenizer.cls, ...found, tokenizer.sep] : found;
  }

  const tokenId = (token, { name } = {}) => tokenizerOf(name).vocabulary.tokens.indexOf(token);

  function windows(question, context, { name, maxLength, stride } = {}) {
    for (const [what, text] of Object.entries({ question, context })) {
      if (!extractiveQA.text.strip(text)) throw new Error(`the ${what} is empty; give some text`);
    }
    const tokenizer = tokenizerOf(name);
    const most = maxLength ?? Math.min(tokenizer.vocabulary.longest_window, 384);
    const shared = stride ?? Math.min(Math.floor(most / 2), 128);
    const found = extractiveQA.cutting.cutWindows(tokenizer, question, context, most, shared);
    const [first, beyond] = found[0].contextTokens;
    if (first === beyond) throw new Error("the context holds no token (only invisible characters?)");
    return found;
  }

  async function logits(windows, { onProgress, signal } = {}) {
    const run = await ready(), found = [];
    for (const { ids, segments } of windows) {
      signal?.throwIfAborted();
      const { start, end } = await run({ ids, segments });
      found.push({ start, end });
      onProgress?.(found.length, windows.length);
    }
    return found;
  }

  async function ask(question, context, options = {}) {
    await vocabularyReady();
    const own = windows(question, context, options);
    const found = await logits(own, options);
    const answers = extractiveQA.decoding.answers(context, own, found, options);
    const { answer, start, end, score } = answers[0];
    return { answer, start, end, score, answers, windows: own, logits: found };
  }

  Object.assign(extractiveQA, { vocabularyReady, ready: () => ready(), tokens, tokenId, windows, logits, ask });
})();
