// Windows: a question and a context of any length → sequences that the model can take (lesson 03), and labels (lesson 04).
//
// Every window is [CLS] question [SEP] a piece of the context [SEP]. Neighbouring windows share `stride` tokens of the
// context, so that an answer cut by the edge of one window is whole in the next.
"use strict";

var extractiveQA = globalThis.extractiveQA || {};

extractiveQA.cutting = (() => {
  const { characters, strip, strippedRange } = extractiveQA.text;
  const SPECIALS = 3; // [CLS] and two [SEP]

  /** An Error unless the settings make sense, with the package's words. */
  function checkSettings(maxLength, stride) {
    if (!(Number.isInteger(maxLength) && Number.isInteger(stride) && stride >= 0 && maxLength >= 1)) {
      throw new Error(`max_length and stride count tokens: got max_length=${maxLength}, stride=${stride}`);
    }
    const room = maxLength - SPECIALS;
    if (room - 1 <= stride) {
      throw new Error(
        `stride ${stride} does not fit max_length ${maxLength}: at most ${room} tokens are left for a question and ` +
        "context, and the context's share must exceed the stride. Lower stride or raise max_length",
      );
    }
  }

  /** An Error if a question of `used` tokens leaves no more room for the context than the stride. */
  function checkRoom(used, maxLength, stride) {
    const room = maxLength - SPECIALS - used;
    if (room <= stride) {
      throw new Error(`${used} tokens of question leave ${room} for context; more than ${stride} are needed`);
    }
  }

  /**
   * The windows of a question and a context. Each has
   *
   *   tokens        [{id, token, start, end, special?}]: [start, end) are characters of the question before the first
   *                 [SEP], and of the context after it
   *   ids           the tokens' ids; segments: 0 up to the first [SEP], 1 after it (token_type_ids)
   *   contextTokens [first, beyond): the tokens that belong to the context
   *   clsIndex      the position of [CLS]
   */
  function cutWindows(tokenizer, question, context, maxLength, stride) {
    checkSettings(maxLength, stride);
    const asked = tokenizer.tokens(strip(question)), all = tokenizer.tokens(context);
    checkRoom(asked.length, maxLength, stride);
    const room = maxLength - SPECIALS - asked.length;
    const windows = [];
    let begin = 0;
    do {
      const piece = all.slice(begin, begin + room);
      const tokens = [tokenizer.cls, ...asked, tokenizer.sep, ...piece, tokenizer.sep];
      const first = asked.length + 2;
      windows.push({
        tokens,
        ids: Int32Array.from(tokens, (token) => token.id),
        segments: Uint8Array.from(tokens, (_, k) => (k < first ? 0 : 1)),
        contextTokens: [first, first + piece.length],
        clsIndex: 0,
      });
      begin += room - stride;
    } while (begin + stride < all.length); // the window before has not reached the end
    return windows;
  }

  /** First and last token of the answer, or [CLS] twice if the window does not contain all of it. */
  function labelWindow(window, start, end) {
    const [begin, beyond] = window.contextTokens, nowhere = [window.clsIndex, window.clsIndex];
    if (beyond === begin || start < window.tokens[begin].start || end > window.tokens[beyond - 1].end) return nowhere;
    let first = begin;
    while (window.tokens[first].end <= start) first += 1;
    let last = first;
    while (window.tokens[last].end < end) last += 1;
    return [first, last];
  }

  /**
   * A label [first, last] for each window, for the answer with characters [start, end) of the context; if the answer is
   * null, every label is [CLS]. First, spaces and characters that no token covers are cut off the answer's ends.
   */
  function labelWindows(windows, context, answer) {
    const all = characters(context);
    let [start, end] = answer ? strippedRange(all, ...answer) : [0, 0];
    const isCovered = (place) => windows.some(({ tokens, contextTokens }) =>
      tokens.slice(...contextTokens).some((token) => token.start <= place && place < token.end));
    while (start < end && !isCovered(start)) start += 1;
    while (start < end && !isCovered(end - 1)) end -= 1;
    return windows.map((window) => (start < end ? labelWindow(window, start, end) : [window.clsIndex, window.clsIndex]));
  }

  return { cutWindows, labelWindows, labelWindow, checkRoom, checkSettings };
})();
