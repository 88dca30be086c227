// Decoding: start and end logits → the best spans → answers (lesson 08), as decoding.py and answering.py do it.
//
// `decodeAnswer` is qa.decode_answers for one example: scores are sums of two logits, and "no answer" has one, too.
// `answers` is qa.QuestionAnswerer: scores are probabilities, the same text found twice counts once, and answers are
// widened to whole words. Both take an exact search over all valid spans of every window.
"use strict";

var extractiveQA = globalThis.extractiveQA || {};

extractiveQA.decoding = (() => {
  const { characters, strippedRange } = extractiveQA.text;

  /**
   * The `count` best valid spans of a window: [{score, first, last}], best first, last included.
   * A span is valid if it lies in the context, ends no earlier than it starts and has at most `longest` tokens.
   * Ties go to the earlier start, then to the shorter span.
   */
  function bestSpans(start, end, [begin, beyond], count, longest) {
    if (!start.every(Number.isFinite) || !end.every(Number.isFinite)) throw new Error("logits are not finite");
    const best = [];
    for (let first = begin; first < beyond; first += 1) {
      for (let last = first; last < Math.min(first + longest, beyond); last += 1) {
        const score = start[first] + end[last];
        if (best.length === count && score <= best[count - 1].score) continue;
        let place = best.length; // keep the list sorted: step over those that are worse
        while (place > 0 && best[place - 1].score < score) place -= 1;
        best.splice(place, 0, { score, first, last });
        if (best.length > count) best.pop();
      }
    }
    return best;
  }

  // A letter, a digit or a mark on them, or one of the two joiners that Persian and Indic scripts write inside words.
  const IN_A_WORD = /^[\p{L}\p{N}\p{M}\u200c\u200d]$/u, MARK = /^\p{M}$/u;

  /** Whether character k belongs to the same word as the character before it. */
  const insideWord = (context, k) =>
    k > 0 && k < context.length && IN_A_WORD.test(context[k - 1]) && IN_A_WORD.test(context[k]);

  /** Characters [start, end) widened so that neither edge is inside a word. */
  function wholeWords(context, start, end) {
    while (insideWord(context, start)) start -= 1;
    while (insideWord(context, end)) end += 1;
    return [start, end];
  }

  /**
   * Tokens first to last → characters [start, end) of the context, without spaces at the ends. Combining marks that the
   * tokenizer drops are added back to the letter before them.
   */
  function spanCharacters(context, tokens, first, last) {
    let end = tokens[last].end;
    const next = tokens[last + 1] || { start: 0, end: 0 };
    while (end < context.length && MARK.test(context[end]) && !(next.start <= end && end < next.end)) end += 1;
    return strippedRange(context, tokens[first].start, end);
  }

  /** The `count` best spans of a window that contain text: those of bestSpans with their characters, start and end. */
  function spansOfWindow(context, window, logits, count, longest, align) {
    for (let wanted = count; ; wanted *= 2) { // blank spans take places among the best: then take more
      const best = bestSpans(logits.start, logits.end, window.contextTokens, wanted, longest);
      const spans = [];
      for (const { score, first, last } of best) {
        let [start, end] = spanCharacters(context, window.tokens, first, last);
        if (align && start < end) [start, end] = wholeWords(context, start, end);
        if (start < end) spans.push({ score, start, end, first, last });
      }
      if (spans.length >= count || best.length < wanted) return spans.slice(0, count);
    }
  }

  const byScore = (a, b) => b.score - a.score; // sort is stable: ties keep their order
  const textOf = (context, { start, end }) => context.slice(start, end).join("");

  /**
   * The answer to one example, as qa.decode_answers gives it.
   *
   * @param context the text; @param windows as cutWindows gives them; @param logits {start, end} for each window.
   * @param options nBest (20) candidates kept; maxAnswerLength (30) tokens; nullThreshold: null always answers, with a
   *   number there is no answer if nullScore - score exceeds it; alignToWords (false).
   * @returns {answer, start, end, score, probability, nullScore, nBest: [{answer, start, end, score, probability}]}.
   *   Without an answer, `answer` is "" and start and end are 0; score and probability are still the best span's. Each
   *   entry of nBest also has the number of its window and the tokens first to last of it that were read.
   */
  function decodeAnswer(context, windows, logits, options = {}) {
    const { nBest = 20, maxAnswerLength = 30, nullThreshold = null, alignToWords = false } = options;
    const all = characters(context);
    const spans = windows.flatMap((window, k) =>
      spansOfWindow(all, window, logits[k], nBest, maxAnswerLength, alignToWords).map((span) => ({ ...span, window: k })));
    const best = new Map(); // windows overlap: a span found twice keeps its best score
    for (const span of spans.sort(byScore)) {
      const place = `${span.start} ${span.end}`;
      if (best.size < nBest && !best.has(place)) best.set(place, span);
    }
    if (!best.size) throw new Error("no span holds any text; is the context empty?");
    const kept = [...best.values()];
    const weights = kept.map(({ score }) => Math.exp(score - kept[0].score));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const candidates = kept.map((span, k) => ({ ...span, answer: textOf(all, span), probability: weights[k] / total }));
    // There is no answer only if every window says so: hence the minimum.
    const nullScore = Math.min(...windows.map((window, k) => logits[k].start[window.clsIndex] + logits[k].end[window.clsIndex]));
    const { score, probability } = candidates[0];
    return applyThreshold({ score, probability, nullScore, nBest: candidates }, nullThreshold);
  }

  /** Decide anew between the best span and "no answer", without decoding again (null: always answer). */
  function applyThreshold(prediction, nullThreshold) {
    const none = nullThreshold !== null && prediction.nullScore - prediction.nBest[0].score > nullThreshold;
    const { answer, start, end } = none ? { answer: "", start: 0, end: 0 } : prediction.nBest[0];
    return { ...prediction, answer, start, end };
  }

  /** The logarithm of a sum of exponentials. */
  function logSumExp(values) {
    const highest = Math.max(...values);
    return highest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - highest), 0));
  }

  /**
   * The best answers to one question, as qa.QuestionAnswerer gives them: [{answer, start, end, score}], best first. Each
   * also has the number of its window and the tokens first to last of it that were read.
   *
   * @param options topK (1); maxAnswerLength (15) tokens; alignToWords (true); handleImpossibleAnswer (false): let "no
   *   answer", an empty string, compete with the spans.
   */
  function answers(context, windows, logits, options = {}) {
    const { topK = 1, maxAnswerLength = 15, alignToWords = true, handleImpossibleAnswer = false } = options;
    const count = alignToWords ? 2 * topK + 10 : topK; // widening makes some spans equal
    const all = characters(context), found = new Map();
    let nullScore = 1;
    windows.forEach((window, k) => {
      const { start, end } = logits[k], { clsIndex, contextTokens: [first, beyond] } = window;
      // Words are widened no further than the window reaches: the text around it is blank.
      const seen = [window.tokens[first].start, window.tokens[beyond - 1].end];
      const visible = [...Array(seen[0]).fill(" "), ...all.slice(...seen)];
      // Probabilities over the context's tokens and [CLS]: the question's tokens do not count.
      const counted = (values) => [values[clsIndex], ...values.slice(first, beyond)];
      const total = logSumExp(counted(start)) + logSumExp(counted(end));
      for (const span of spansOfWindow(visible, window, logits[k], count, maxAnswerLength, alignToWords)) {
        const answer = textOf(visible, span), score = Math.exp(span.score - total), same = answer.toLowerCase();
        if (found.has(same)) found.get(same).score += score;
        else found.set(same, { ...span, answer, score, window: k });
      }
      nullScore = Math.min(nullScore, Math.exp(start[clsIndex] + end[clsIndex] - total));
    });
    const ranked = [...found.values()];
    if (handleImpossibleAnswer) ranked.push({ answer: "", start: 0, end: 0, score: nullScore });
    if (!ranked.length) throw new Error("no span holds any text (only invisible characters?)");
    return ranked.sort(byScore).slice(0, topK);
  }

  return { bestSpans, wholeWords, spanCharacters, decodeAnswer, applyThreshold, answers };
})();
