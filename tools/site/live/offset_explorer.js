// Lesson 02: any text, cut into BERT's tokens, with the characters of every token marked.
"use strict";

extractiveQA.ui.mount("qa-offset-explorer", (place, given) => {
  const { el, block, chip, count, drawing, legend, marked, repr, slider, textBox, field, alert } = extractiveQA.ui;
  const VOCABULARY = "mini-bert", MOST = 600; // characters: each token has a box of its own
  const text = el("textarea", { rows: 2, input: () => redraw() }, given.text ?? "The keeper’s lamp  cost £1,250.");
  const token = slider("Token", { min: 0, max: 1, value: 1 }, () => redraw());
  const told = el("p", { role: "status" }), view = el("div", { class: "view" });
  place.append(
    el("p", { class: "small" }, "This widget works in the page. It shows BERT: the tokenizer is that of the course’s small BERT, mini-bert. (The notebook has those " +
      "of the other five families, too.) Type any text, then point at a token, or step through the tokens with the slider."),
    field("Text", text, "wide"), token.box, told, view,
  );

  function pick(event) {
    const chosen = event.target.closest("[data-k]");
    if (!chosen) return;
    token.value = chosen.dataset.k.split(" ")[0];
    redraw();
  }
  /** Outline a token's box and its characters while the pointer is on either. */
  function point(event) {
    const wanted = event.type === "mouseover" ? event.target.closest("[data-k]")?.dataset.k.split(" ") ?? [] : [];
    for (const part of view.querySelectorAll("[data-k]")) {
      part.classList.toggle("pointed", part.dataset.k.split(" ").some((k) => wanted.includes(k)));
    }
  }
  for (const [name, listener] of [["click", pick], ["mouseover", point], ["mouseleave", point]]) view.addEventListener(name, listener);

  const redraw = drawing(view, () => {
    const characters = extractiveQA.text.characters(text.value);
    told.textContent = "";
    if (!extractiveQA.text.strip(text.value)) throw new Error("There is no text yet. Type some");
    if (characters.length > MOST) {
      throw new Error(`The text has ${characters.length.toLocaleString("en-US")} characters, and at most ${MOST} can be shown. Shorten it`);
    }
    const tokens = extractiveQA.tokens(text.value, { name: VOCABULARY, specials: true }), real = tokens.length - 2;
    token.max = tokens.length - 1;
    const picked = Math.min(token.value, tokens.length - 1);
    const { token: name, id, start, end, special } = tokens[picked];
    told.textContent = `token ${picked}: ${repr(name)}, id ${id}, ` + (special ? "covers no character"
      : `characters [${start}, ${end}) of the text: ${repr(characters.slice(start, end).join(""))}`);
    const look = (k) => (tokens[k].special ? "special" : `token-${k % 2}`) + (k === picked ? " lit" : "");
    const marks = tokens.map((one, k) => ({
      ...one, class: look(k), mark: k === picked, title: `token ${k}: ${one.token} (${one.start}, ${one.end})`, attributes: { "data-k": k },
    })).filter((one) => !one.special);
    const bare = characters.filter((_, k) => !tokens.some((one) => one.start <= k && k < one.end)).length;
    return [
      block(textBox("the text, with its tokens marked", marked(characters, marks))),
      block(el("div", { class: "chips", tabindex: 0, role: "group", "aria-label": "tokens" },
        tokens.map((one, k) => chip(k, one.token, String(one.id), look(k), { "data-k": k })))),
      block(legend(["token-1", "a token"], ["token-0", "the next token"], ["special", "special token"], ["lit", "the chosen token"])),
      block(`Each box shows the token's number, the token, and its id in the vocabulary. ${count(real, "token")}, 2 special tokens; ` +
        `${bare.toLocaleString("en-US")} of ${count(characters.length, "character")} belong${bare === 1 ? "s" : ""} to no token.`),
    ];
  });

  extractiveQA.vocabularyReady(VOCABULARY).then(redraw, (error) => view.replaceChildren(alert(error.message)));
});
