// The first page, the tour and lesson 10: a question, a text, the answer lit in the text, and a look behind it.
"use strict";

extractiveQA.ui.mount("qa-ask-box", (place, given) => {
  const {
    el, alert, bar, block, chip, count, describeWindows, field, legend, logitBars, marked, megabytes, showMark, table, textBox, whoAnswers, windowBars,
  } = extractiveQA.ui;
  const AROUND = 400, SNIPPET = 40, TOP = 4;
  const question = el("input", { type: "text", autocomplete: "off", placeholder: "Who …?" }), text = el("textarea", { rows: 5, placeholder: "Paste a text here" });
  [question.value, text.value] = [given.question ?? "", given.context ?? ""];
  const none = el("input", { type: "checkbox", id: `${place.id || "live"}-none`, checked: given.allowNone });
  const ask = el("button", { type: "submit", class: "main" }, "Ask");
  const status = el("p", { role: "status" }), progress = el("progress", { hidden: true, "aria-label": "progress of the model" });
  const view = el("div", { class: "view" });
  const suggestions = (given.questions ?? []).map((one) => el("button", { type: "button", click: () => {
    question.value = one;
    if (given.context) text.value = given.context;
    run();
  } }, one));
  const asked = field("Question", question, "wide");
  asked.append(ask);
  place.append(
    ...(given.title ? [el("h2", { id: "ask" }, given.title)] : []),
    el("p", {}, "Ask about the text, change it, or put one of your own in its place."),
    el("form", { submit: (event) => { event.preventDefault(); run(); } },
      field("Text", text, "wide"), asked,
      suggestions.length ? el("div", { class: "controls suggestions" }, el("span", {}, "Try:"), suggestions) : null,
      el("div", { class: "field" }, none, el("label", { for: none.id }, "allow “no answer”"))),
    el("p", { class: "small" }, `${whoAnswers()} It runs in this page. Loading it takes ${megabytes()}; after that, it needs no network, and nothing that ` +
      "you type leaves your browser. It reads English, and it gets many questions wrong."),
    status, progress, view,
  );
  place.addEventListener("focusin", () => extractiveQA.ready().catch(() => {}), { once: true }); // the message comes with the question

  let running = new AbortController(), listening = new AbortController();

  /** Ask; a newer question makes the model give up the older one. */
  async function run() {
    running.abort();
    listening.abort();
    running = new AbortController();
    const { signal } = running, wanted = question.value, context = text.value;
    view.classList.add("old");
    progress.hidden = false;
    progress.removeAttribute("value");
    status.textContent = `Loading the model (${megabytes()}) …`;
    try {
      await extractiveQA.ready();
      if (signal.aborted) return;
      status.textContent = "Reading the document …";
      const found = await extractiveQA.ask(wanted, context, {
        topK: TOP, handleImpossibleAnswer: none.checked, signal,
        onProgress: (done, of) => {
          if (signal.aborted || of === 1) return;
          [progress.value, progress.max] = [done, of];
        },
      });
      if (!signal.aborted) show(context, found);
    } catch (error) {
      if (signal.aborted) return; // the newer question has taken the place
      status.textContent = "";
      view.replaceChildren(alert(error.message));
    } finally {
      if (!signal.aborted) {
        progress.hidden = true;
        view.classList.remove("old");
      }
    }
  }

  function show(context, found) {
    const characters = extractiveQA.text.characters(context), [best, ...others] = found.answers;
    const answer = best.answer ? [best.start, best.end] : null;
    status.replaceChildren("Answer: ", answer ? el("b", {}, el("mark", { class: "the-answer" }, best.answer)) : el("b", {}, "no answer in this document"),
      ` score ${best.score.toFixed(3)} `, bar(best.score), answer ? ` characters [${best.start}, ${best.end})` : "");
    const folded = found.windows.length > 1;
    view.replaceChildren(
      answer && !folded ? mattering(context, characters, found) : block(...documentOf(characters, answer)),
      alternatives(characters, others),
      behind(context, characters, found, answer),
    );
    view.querySelectorAll(".qa-text").forEach(showMark);
  }

  /** The passage around the answer, with the rest of the document folded, so that the answer is in view at once. */
  function documentOf(characters, answer) {
    const [start, end] = answer ?? [0, 0], last = Math.min(end + AROUND, characters.length);
    let first = Math.max(start - AROUND, 0);
    while (first > 0 && characters[first - 1] !== " ") first -= 1; // not in the middle of a word
    const fold = (part, where) => (part.length
      ? el("details", {}, el("summary", {}, `${part.length.toLocaleString("en-US")} more characters ${where}`), part.join("")) : "");
    const lit = answer ? [{ start: start - first, end: end - first, class: "the-answer", mark: true }] : [];
    return [answer ? legend(["the-answer", "the answer"]) : "", textBox("the document, with the answer marked", [
      fold(characters.slice(0, first), "before"), ...marked(characters.slice(first, last), lit), fold(characters.slice(last), "after")])];
  }

  /** A text of one window: pointing at the answer, or focusing it, shows which words it depended on. */
  function mattering(context, characters, { answers: [best], windows, logits }) {
    const words = extractiveQA.occlusion.words(characters, windows[0], best);
    const told = el("p", { class: "small", role: "status" }), reading = el("progress", { hidden: true, "aria-label": "words taken away" }), box = textBox("the document, with the answer marked", marked(characters, [
      ...words.map(({ start, end }) => ({ start, end, class: "word", attributes: { "data-word": start } })),
      { start: best.start, end: best.end, class: "the-answer lit-answer", mark: true, attributes: { tabindex: 0 } },
    ]));
    const button = el("button", { type: "button", "aria-pressed": "false" }, "Which words mattered?");
    const names = legend(["the-answer", "the answer"], ["mattered", "a word that mattered: the stronger its grey, the more"]);
    listening = new AbortController();
    const { signal } = listening;
    let work = null, pinned = false;

    const shown = (on) => box.classList.toggle("occluded", on || pinned);
    async function look() {
      shown(true);
      work = work ?? compute();
      await work;
    }
    async function compute() {
      const found = [];
      try {
        await extractiveQA.occlusion.losses(context, windows[0], logits[0], best, {
          signal, mask: extractiveQA.tokenId("[MASK]"),
          onWord: (word, done, of) => {
            found.push(word);
            const most = Math.max(...found.map(({ loss }) => loss), 1e-9);
            for (const { start, loss } of found) {
              for (const part of box.querySelectorAll(`[data-word="${start}"]`)) {
                const share = loss / most;
                part.classList.toggle("mattered", share >= 0.1);
                part.style.setProperty("--share", Math.max(share, 0).toFixed(2));
                part.title = `without this word, the score changes by ${(-loss).toFixed(1)}`;
              }
            }
            [reading.hidden, reading.max, reading.value] = [false, of, done];
            if (done === 1) told.textContent = "The model reads the text again without each word …";
          },
        });
        tell(found);
      } catch (error) {
        if (!signal.aborted) told.textContent = error.message;
      }
      reading.hidden = true;
    }
    function tell(found) {
      const most = found.filter(({ loss }) => loss > 0).sort((a, b) => b.loss - a.loss).slice(0, 3);
      told.replaceChildren("Each word was replaced by [MASK] in turn, and the model read the text again. The stronger its grey, the further the answer’s score " +
        "(start logit plus end logit) fell without it. " + (most.length ? "It fell most without " +
        most.map(({ start, end, loss }) => `“${characters.slice(start, end).join("")}” (by ${loss.toFixed(1)})`).join(", ") + "." : "It fell for no word."));
    }
    button.addEventListener("click", () => {
      pinned = !pinned;
      button.setAttribute("aria-pressed", String(pinned));
      if (pinned) look();
      else shown(false);
    });
    for (const [on, off] of [["mouseenter", "mouseleave"], ["focusin", "focusout"]]) {
      for (const part of [button, ...box.querySelectorAll(".lit-answer")]) {
        part.addEventListener(on, look);
        part.addEventListener(off, () => shown(false));
      }
    }
    return block(names, box, el("div", { class: "controls" }, button, reading), told);
  }

  function around(characters, { start, end }) {
    const before = characters.slice(Math.max(start - SNIPPET, 0), start).join(""), after = characters.slice(end, end + SNIPPET).join("");
    return [start > SNIPPET ? `…${before.slice(before.indexOf(" ") + 1)}` : before,
      end + SNIPPET < characters.length ? `${after.slice(0, after.lastIndexOf(" ") + 1)}…` : after];
  }

  function alternatives(characters, others) {
    if (!others.length) return "";
    return block("Alternatives:", el("ol", { start: 2 }, others.map((found) => {
      const [before, after] = around(characters, found);
      return el("li", {}, `score ${found.score.toFixed(3)} `, bar(found.score),
        ...(found.answer ? [before, el("b", {}, characters.slice(found.start, found.end).join("")), after] : ["no answer in this document"]));
    })));
  }

  /** Tokens, windows, logits and spans of the answer, each with the lesson that explains it. */
  function behind(context, characters, { answers, windows, logits }, answer) {
    const best = answers.find(({ answer: words }) => words), lesson = (number, name) =>
      (given.lessons?.[number] ? el("a", { href: given.lessons[number] }, `Lesson ${number}: ${name}`) : `Lesson ${number}`);
    const shown = best?.window ?? 0, { tokens, contextTokens: [first, beyond] } = windows[shown];
    const span = extractiveQA.decoding.bestSpans(logits[shown].start, logits[shown].end, windows[shown].contextTokens, 1, 15)[0];
    const described = describeWindows(windows, context, answer), found = extractiveQA.decoding.decodeAnswer(context, windows, logits, { maxAnswerLength: 15 });
    const look = (k) => (tokens[k].special ? "special" : k < first || k >= beyond ? "of-question" : answer && best.first <= k && k <= best.last ? "label-between" : "token-1");
    const part = (title, link, ...nodes) => el("section", {}, el("h3", {}, title), ...nodes, el("p", { class: "small" }, "→ ", link));
    return el("details", { class: "behind" }, el("summary", {}, "A look behind it: tokens, windows, logits, spans"),
      part("1. Tokens", lesson("02", "Tokenizer and offsets"),
        legend(["of-question", "question"], ["token-1", "context"], ["special", "special token"], ...(answer ? [["label-between", "the answer’s tokens"]] : [])),
        el("div", { class: "chips", tabindex: 0, role: "group", "aria-label": "tokens" }, tokens.map((one, k) => chip(k, one.token, "", look(k))))),
      part("2. Windows", lesson("03", "Stride windows"), ...windowBars(described, answer, characters.length)),
      part("3. Logits", lesson("05", "Model internals"), ...logitBars(characters, windows[shown], logits[shown], span, shown, windows.length)),
      part("4. Spans", lesson("08", "Evaluation"), table("The best spans, by the sum of their two logits", ["score", "probability", "text"], [
        ...found.nBest.slice(0, 5).map(({ score, probability, answer: words }) => [score.toFixed(2), probability.toFixed(3), words]),
        [found.nullScore.toFixed(2), "", el("i", {}, "no answer (null score)")]])),
    );
  }
});
