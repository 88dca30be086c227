// Which words of the text mattered for an answer: take each away in turn, and ask the model again.
//
// A word is taken away by putting [MASK] in place of its tokens, so that no other token moves. What the answer's score
// (its start logit plus its end logit) loses is the word's weight. This is called occlusion. It says what this model
// leaned on for this answer, one word at a time; two words of which either is enough both get a small number.
"use strict";

var extractiveQA = globalThis.extractiveQA || {};

extractiveQA.occlusion = (() => {
  const MOST = 120; // words: each one costs a run of the model

  /** The words of a window's context outside an answer {start, end}: [{start, end, tokens: [first, beyond]}], in characters. */
  function words(characters, { tokens, contextTokens: [first, beyond] }, answer) {
    const found = [];
    for (let k = first; k < beyond; k += 1) {
      const { start, end } = tokens[k], before = found[found.length - 1];
      const joined = before && before.end === start && /^[\p{L}\p{N}\p{M}]{2}$/u.test(characters[start - 1] + characters[start]);
      if (joined) [before.end, before.tokens[1]] = [end, k + 1];
      else found.push({ start, end, tokens: [k, k + 1] });
    }
    return found.filter(({ start, end }) =>
      (end <= answer.start || start >= answer.end) && /[\p{L}\p{N}]/u.test(characters.slice(start, end).join("")));
  }

  /**
   * What the answer's score loses without each word.
   *
   * @param context the text; @param window, logits: of the window in which the answer was read.
   * @param answer as `ask` gives it: {start, end, first, last}, characters and tokens.
   * @param options onWord(word, done, of): called after each word; signal: to give up;
   *   mask: the id of [MASK].
   * @returns [{start, end, tokens, loss}]; the words next to the answer come first.
   */
  async function losses(context, window, { start, end }, answer, { onWord, signal, mask } = {}) {
    const found = words(extractiveQA.text.characters(context), window, answer);
    if (found.length > MOST) {
      throw new Error(`The text has ${found.length} words, and the model would read it once for each: shorten it to ${MOST} words to see which ones mattered`);
    }
    const distance = (word) => Math.max(answer.start - word.end, word.start - answer.end);
    found.sort((a, b) => distance(a) - distance(b));
    const score = start[answer.first] + end[answer.last];
    for (const [k, word] of found.entries()) {
      const ids = Int32Array.from(window.ids).fill(mask, ...word.tokens);
      const [without] = await extractiveQA.logits([{ ids, segments: window.segments }], { signal });
      word.loss = score - (without.start[answer.first] + without.end[answer.last]);
      onWord?.(word, k + 1, found.length);
    }
    return found;
  }

  return { words, losses, MOST };
})();
