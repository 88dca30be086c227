// Texts as Python counts them, in code points.
//
// A JavaScript string is a row of UTF-16 units, and a character beyond U+FFFF (an emoji, say) takes two of them. Python
// counts such a character once, and so does the course. The engine therefore works on arrays of characters, one entry
// for each code point, and every position that it takes or returns counts code points. `toUnits` and `fromUnits`
// translate for the parts of a page that count in units, such as a text field's selection.
"use strict";

var extractiveQA = globalThis.extractiveQA || {};

extractiveQA.text = (() => {
  /** The characters of a text. Half a surrogate pair, which Python would not accept as text, is one character, too. */
  const characters = (text) => Array.from(text);

  /** The part [start, end) of a text, counted in code points. */
  const slice = (text, start, end) => characters(text).slice(start, end).join("");

  /** Code points → UTF-16 units: where the character with this number begins in the JavaScript string. */
  const toUnits = (text, position) => slice(text, 0, position).length;

  /** UTF-16 units → code points. */
  const fromUnits = (text, unit) => characters(text.slice(0, unit)).length;

  // What Python's str.strip removes. JavaScript's trim differs: it leaves U+001C to U+001F and U+0085, and takes U+FEFF.
  const isSpace = (character) =>
    /^[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]$/.test(character);

  /** Python's str.strip for characters [start, end): the range without the spaces at its ends. */
  function strippedRange(all, start, end) {
    while (start < end && isSpace(all[start])) start += 1;
    while (end > start && isSpace(all[end - 1])) end -= 1;
    return [start, end];
  }

  /** Python's str.strip. */
  function strip(text) {
    const all = characters(text);
    return all.slice(...strippedRange(all, 0, all.length)).join("");
  }

  return { characters, slice, toUnits, fromUnits, strippedRange, strip };
})();
