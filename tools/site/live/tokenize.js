// The tokenizer: a text → word pieces, each with its id and the characters that it covers (lesson 02).
//
// It does what BERT's tokenizer does in the tokenizers library, in three steps:
//
// 1. clean: control characters and other invisible ones are dropped, every kind of white space becomes a space;
// 2. split into words: at white space, and around every punctuation mark and every Chinese character;
// 3. WordPiece: from each word, take the longest piece at its beginning that the vocabulary contains, then the longest
//    one that continues it, and so on. A piece that continues a word is written with ## before it.
//
// Offsets need no searching afterwards, because each character that survives step 1 remembers its place in the text.
//
// The live pages show BERT. Byte-level BPE (RoBERTa) and Unigram (ALBERT, DeBERTa) are in the lessons, not here.
"use strict";

var extractiveQA = globalThis.extractiveQA || {};

extractiveQA.makeTokenizer = (vocabulary) => {
  const { characters } = extractiveQA.text;
  const { cls, sep, unk } = vocabulary.special;
  const idOf = new Map(vocabulary.tokens.map((token, id) => [token, id]));
  const longestPiece = Math.max(...vocabulary.tokens.map((token) => characters(token).length));

  // What happens to a character. export_model.py found the ranges by trying every code point in the tokenizers library,
  // because the library's Unicode tables are older than a browser's.
  const ORDINARY = 0, DROPPED = 1, SPACE = 2, WORD_OF_ITS_OWN = 3;
  const kinds = new Uint8Array(0x110000);
  const mark = (ranges, kind) => ranges.forEach(([first, last]) => kinds.fill(kind, first, last + 1));
  mark(vocabulary.characters.dropped, DROPPED);
  mark(vocabulary.characters.space, SPACE);
  mark(vocabulary.characters.punctuation, WORD_OF_ITS_OWN);
  mark(vocabulary.characters.chinese, WORD_OF_ITS_OWN);
  mark([[0xd800, 0xdfff]], DROPPED); // half a surrogate pair is no character

  /** Steps 1 and 2: the words of a text, each a list of [character, its place]. */
  function words(text) {
    const found = [];
    let word = [];
    const endWord = () => {
      if (word.length) found.push(word);
      word = [];
    };
    characters(text).forEach((character, place) => {
      const kind = kinds[character.codePointAt(0)];
      if (kind === DROPPED) return;
      if (kind !== ORDINARY) endWord();
      if (kind !== SPACE) word.push([character, place]);
      if (kind === WORD_OF_ITS_OWN) endWord();
    });
    endWord();
    return found;
  }

  /** A token for the characters [from, to) of a word. */
  const token = (id, word, from, to) => ({
    id, token: vocabulary.tokens[id], start: word[from][1], end: word[to - 1][1] + 1,
  });

  /** Step 3: the pieces of a word, or a single [UNK] if it cannot be put together from pieces, or is too long. */
  function pieces(word) {
    const unknown = [token(unk, word, 0, word.length)];
    if (word.length > vocabulary.longest_word) return unknown;
    const found = [];
    for (let from = 0; from < word.length; ) {
      let to = Math.min(word.length, from + longestPiece), id;
      for (; to > from; to -= 1) {
        const piece = word.slice(from, to).map(([character]) => character).join("");
        id = idOf.get(from ? vocabulary.continuation + piece : piece);
        if (id !== undefined) break;
      }
      if (to === from) return unknown;
      found.push(token(id, word, from, to));
      from = to;
    }
    return found;
  }

  /**
   * The tokens of a text: [{id, token, start, end}], where [start, end) are its characters, in code points.
   * Special tokens typed in the text, such as "[SEP]", are plain characters like any others.
   */
  const tokens = (text) => words(text).flatMap(pieces);

  /** A special token that stands for no character, with the library's offsets (0, 0). */
  const special = (id) => ({ id, token: vocabulary.tokens[id], start: 0, end: 0, special: true });

  return { tokens, cls: special(cls), sep: special(sep), vocabulary };
};
