"""Fixtures for the live pages: the tokens, windows, labels, logits and answers that the package computes.

``export_model.py --fixtures`` writes these files, and ``tests/live/compare.js`` compares the pages' engine with them. They
are written anew for every run of the tests and not kept in the repository.
"""

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from random import Random
from unittest import mock

import numpy as np
from export_model import as_stored

import qa_helpers as qa
from qa_helpers.decoding import whole_words
from qa_helpers.engine.windows import check_window_settings
from qa_helpers.features import check_room, count_tokens, features_of, span_text

TEXTS, WINDOWS, SPANS = 10_000, 400, 2_000
SOURCES = {"mini": 1_000, "mini_notes": 741}  # source → validation questions
# What tokenizers treat each in its own way; texts are put together from these.
PIECES = {
    "words": "the bells Tower keeper's O’Neill lamp-post Quellmark unbelievably I a Ærø antidisestablishment",
    "numbers": "1902 1,250.50 €9 £1,000 3½ 1850–60 ٣٤ २० ⅞ Ⅻ 0.1e-7 ² ①",
    "punctuation": "“Oda” – … '' `` ?! ( ) « 。 --- _ # \\ § · ¡ $ ^ | ~ + ¶",
    "special tokens": "[SEP] [CLS] [MASK] [PAD] [UNK] ##ing [ SEP] <s> [sep]",
    "accents": "café Zoë Dvořák ñ cafe\u0301 x\u0301\u0302 n\u0303o \u0301 \u0327c a\u0300\u0300\u0300 \u20dd1",
    "emoji": "😀 👩\u200d🚀 👍🏽 ❤\ufe0f 👨\u200d👩\u200d👧\u200d👦 🇩🇰 1\ufe0f\u20e3 \u200d 🏽",
    "scripts": "東京 京都市 한국어 हिन्दी สวัสดี Ελλάδα தமிழ் שָׁלוֹם عَرَبِيّ سلام 𝔘nicode 𠀀 㐀 豈 ｶﾞ",
    "unseen": "\u200b \u00ad \ufeff \u200e \u2060 \u034f \ufe0f \u180e \u061c \U000e0041",
    "control": "\x00 \x07 \x1b[31m \x7f \x85 \x9f \ufffd \ufffe \U0010ffff \ue000 a\x0bb c\x0cd \x1c",
}
PIECES = {kind: pieces.split(" ") for kind, pieces in PIECES.items()} | {
    "long words": ["x" * 99, "y" * 100, "z" * 101, "lamp" * 30, "é" * 100 + "\u200b"],
    "spaces": [" ", "  ", "\t", "\n", "\r\n", "\r", "\u00a0", "\u202f", "\u3000", "\u2028", "\u2029", "\u1680"],
    "half surrogates": ["\ud83d", "\ude00", "a\ud800b", "\udfff "],
}


def write(folder: Path, checkpoint: str, examples: int | None = None) -> None:
    """Write all fixtures.

    Args:
        folder: where they go.
        checkpoint: the model; its weights are taken as ``weights.js`` stores them.
        examples: questions of each source whose logits are computed, at most; None computes them for all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = qa.load_tokenizer(checkpoint)
    _save(folder / "tokens.json", tokens(tokenizer, texts(TEXTS)))
    _save(folder / "windows.json", windows(tokenizer, WINDOWS))
    _save(folder / "spans.json", spans(SPANS))
    # In double precision: in single precision, PyTorch rounds more than encoder.js, which sums in doubles.
    model = as_stored(qa.load_model(checkpoint, needs_head=True)).double()
    _save(folder / "decoded.json", decoded(model, tokenizer))
    for source, most in SOURCES.items():
        _save(folder / f"answered-{source}.json", answered(model, tokenizer, source, examples or most))
    _save(folder / "asked.json", asked(model, tokenizer))


def _save(path: Path, content) -> None:
    path.write_text(json.dumps(content, separators=(",", ":")), encoding="ascii")


# ---- Tokens ----------------------------------------------------------------------------------------------------------


def texts(count: int, seed: int = 0) -> list[str]:
    """Texts of all kinds: every character of ASCII, every piece above, mixtures of them, sentences, any characters."""
    rng = Random(seed)
    kinds = list(PIECES)
    found = ["", " ", *(f"a{chr(code)}b {chr(code)}" for code in range(128))]
    found += [piece for kind in kinds for piece in PIECES[kind]]
    sentences = [row["context"] for row in qa.load_squad("mini")["validation"].select(range(60))]
    while len(found) < count:
        if rng.random() < 0.1:
            begin = rng.randrange(200)
            found.append(rng.choice(sentences)[begin : begin + rng.randrange(200)])
            continue
        text = ""
        for _ in range(rng.randint(1, 12)):
            if rng.random() < 0.1:
                text += chr(rng.choice([rng.randrange(0x250), rng.randrange(0x3000), rng.randrange(0x110000)]))
            else:
                text += rng.choice(PIECES[rng.choice(kinds)])
            text += rng.choice(["", " ", " "])
        found.append(text)
    return [joined_pairs(text) for text in found[:count]]


def joined_pairs(text: str) -> str:
    """Two halves of a surrogate pair side by side become their character, as in JavaScript, where they are the same."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def readable(text: str) -> str:
    """Half a surrogate pair is no text in Python. Like it, U+FFFD is one character that the tokenizer drops."""
    return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)


def sound_texts(count: int, seed: int) -> list[str]:
    """Mixtures that are text for Python: no half surrogates, and no characters younger than Python's tables."""
    mixtures = texts(300 + count, seed)[300:]
    return [
        text for text in mixtures if text.strip() and all(unicodedata.category(c) not in ("Cn", "Cs") for c in text)
    ]


def tokens(tokenizer, texts: Sequence[str]) -> dict:
    encoded = tokenizer(
        [readable(text) for text in texts],
        add_special_tokens=False,
        return_offsets_mapping=True,
        split_special_tokens=True,
        verbose=False,
    )
    offsets = [np.array(pairs, int).ravel().tolist() for pairs in encoded["offset_mapping"]]
    return {"texts": list(texts), "ids": encoded["input_ids"], "offsets": offsets}


# ---- Windows and labels ----------------------------------------------------------------------------------------------


def windows(tokenizer, count: int, seed: int = 1) -> list[dict]:
    """Questions and contexts with windows and labels of all sizes; where there can be none, the package's message."""
    rng = Random(seed)
    rows = qa.load_squad("mini")["validation"].select(range(count // 2)).to_list()
    odd = sound_texts(3 * count, seed=2)
    while len(rows) < count:
        context = " ".join(rng.sample(odd, 3))
        start = rng.randrange(len(context))
        answer = context[start : start + rng.randint(1, 12)]
        given = {"text": [answer], "answer_start": [start]} if answer.strip() else {"text": [], "answer_start": []}
        rows.append(
            {"id": "", "title": "", "question": rng.choice(odd)[:40] + " ?", "context": context, "answers": given}
        )
    cases = []
    for row in rows:
        length = rng.choice([256, 256, 100, 60, 40, 24, 12])
        case = {
            "question": row["question"],
            "context": row["context"],
            "length": length,
            "stride": rng.randrange(length),
        }
        if rng.random() < 0.8:
            case["stride"] //= 3
        cases.append(case | expected_windows(row, tokenizer, length, case["stride"]))
    return cases


def expected_windows(row: dict, tokenizer, length: int, stride: int) -> dict:
    try:
        check_window_settings(tokenizer, length, stride)
        used = int(count_tokens([row["question"].strip()], tokenizer)[0])
        check_room(used, tokenizer.num_special_tokens_to_add(pair=True), length, stride)
    except ValueError as error:
        return {"error": str(error)}
    try:
        columns = {name: [row[name]] for name in ("id", "question", "context", "answers")}
        found = features_of(columns, [0], tokenizer, length, stride, labels=True).to_pydict()
    except ValueError as error:
        return {"error": str(error).partition(": ")[2].partition(" (")[0]}
    answer = [(start, start + len(text)) for text, start in zip(row["answers"]["text"], row["answers"]["answer_start"])]
    return {
        "ids": found["input_ids"],
        "segments": found["token_type_ids"],
        "offsets": [np.array(pairs, int).ravel().tolist() for pairs in found["offset_mapping"]],
        "context_tokens": found["context_tokens"],
        "answer": answer[0] if answer else None,
        "labels": list(zip(found["start_positions"], found["end_positions"])),
    }


# ---- Answers ---------------------------------------------------------------------------------------------------------

# Settings of the decoding, in the words of decode.js: those of the course first.
SETTINGS = [
    {"length": 256, "stride": 64},
    {"length": 100, "stride": 40, "nBest": 5, "maxAnswerLength": 8, "alignToWords": True, "topK": 3},
    {"length": 60, "stride": 20, "nBest": 1, "maxAnswerLength": 1, "nullThreshold": 0.0},
    {"length": 256, "stride": 128, "alignToWords": True, "nullThreshold": 3.5, "topK": 5},
]
DEFAULTS = {"nBest": 20, "maxAnswerLength": 30, "alignToWords": False, "nullThreshold": None, "topK": 1}


def spans(count: int, seed: int = 5) -> list[dict]:
    """Characters that ``span_text`` and ``whole_words`` make of any two places in a text, tokens or not."""
    rng, found = Random(seed), []
    odd = sound_texts(600, seed)
    while len(found) < count:
        text = rng.choice(odd) + rng.choice(odd)
        start, end = sorted(rng.sample(range(len(text) + 1), 2))
        offsets = [(start, end), rng.choice([(0, 0), (end, end + 1)])]
        first, beyond, _ = span_text(text, offsets, 0, 0)
        case = {"text": text, "offsets": offsets, "span": [first, beyond]}
        found.append(case | {"whole": whole_words(text, start, end)})
    return found


def decoded(model, tokenizer, seed: int = 3) -> list[dict]:
    """Answers that the package reads from random logits, for real questions and for contexts with odd characters.

    Random logits, rounded so that there are ties, test the decoding harder than a model's do, and need no computing.
    """
    rng = np.random.default_rng(seed)
    rows = [row for source, count in SOURCES.items() for row in validation(source, count // 4).to_list()]
    odd = sound_texts(700, seed=4)
    odd = [text for text, tokens in zip(odd, count_tokens(odd, tokenizer)) if tokens]
    asked = {"question": "What is it?", "answers": {"text": [], "answer_start": []}}
    rows += [{"id": f"odd {k}", "title": "", "context": text, **asked} for k, text in enumerate(odd)]
    cases = []
    for k, settings in enumerate(SETTINGS):
        own = rows[k :: len(SETTINGS)]
        features = features_for(own, tokenizer, settings)
        lengths = [len(ids) for ids in features["input_ids"]]
        logits = [[random_logits(length, rng) for length in lengths] for _ in range(2)]
        cases += expected_answers(own, features, logits, settings, model, tokenizer)
    return cases


def random_logits(length: int, rng: np.random.Generator) -> np.ndarray:
    values = rng.normal(0, 4, length)
    values[0] += rng.integers(16)  # so that [CLS] is often the best
    return values.round(1).astype(np.float32)


def answered(model, tokenizer, source: str, count: int | None) -> list[dict]:
    """The logits that the model gives for the first validation questions of a source, and the answers read from them."""
    rows = validation(source, count).to_list()
    features = features_for(rows, tokenizer, SETTINGS[0])
    logits = qa.predict_logits(model, features, progress=False)
    return expected_answers(rows, features, logits, SETTINGS[0], model, tokenizer)


def validation(source: str, count: int | None):
    rows = qa.load_squad(source)["validation"]
    return rows if count is None else rows.select(range(min(count, len(rows))))


def features_for(rows: list[dict], tokenizer, settings: dict):
    return qa.make_features(rows, tokenizer, settings["length"], settings["stride"], labels=False, progress=False)


def expected_answers(rows: list[dict], features, logits, settings: dict, model, tokenizer) -> list[dict]:
    """What ``decode_answers`` and ``QuestionAnswerer`` make of the same logits, a case for each row."""
    options = DEFAULTS | settings
    predictions = qa.decode_answers(
        rows,
        features,
        *logits,
        n_best=options["nBest"],
        max_answer_length=options["maxAnswerLength"],
        null_threshold=options["nullThreshold"],
        align_to_words=options["alignToWords"],
    )
    with mock.patch("qa_helpers.answering.predict_logits", return_value=logits):
        given = qa.QuestionAnswerer(model, tokenizer)(
            question=[row["question"] for row in rows],
            context=[row["context"] for row in rows],
            top_k=options["topK"],
            max_seq_len=options["length"],
            doc_stride=options["stride"],
            max_answer_len=options["maxAnswerLength"],
            align_to_words=options["alignToWords"],
            handle_impossible_answer=options["nullThreshold"] is not None,
        )
    cases = [
        {
            "question": row["question"],
            "context": row["context"],
            "options": options,
            "logits": [],
            "answer": [prediction.text, prediction.start, prediction.end, prediction.probability],
            "nullScore": prediction.null_score,
            "nBest": [list(candidate) for candidate in prediction.n_best],
            "asked": [
                [found["answer"], found["start"], found["end"], found["score"]]
                for found in (found if isinstance(found, list) else [found])
            ],
        }
        for row, prediction, found in zip(rows, predictions, given, strict=True)
    ]
    for owner, start, end in zip(features["example_index"], *logits):
        cases[owner]["logits"].append([np.round(values, 6).tolist() for values in (start, end)])
    return cases


def asked(model, tokenizer) -> list[dict]:
    """A few questions put to ``QuestionAnswerer``, some with its own settings for the windows."""
    passages = validation("mini", 40).to_list()
    long = " ".join(dict.fromkeys(row["context"] for row in passages))[:3000]
    odd = "👩\u200d🚀 Zoë — cafe\u0301, 東京 — wrote in 1902 that the lamp of Ambersound cost €1,250.50 [SEP] or more."
    cases = [
        ("  What did the lamp cost?", odd, {}),
        ("Who wrote about the lamp?", odd, {"topK": 3, "handleImpossibleAnswer": True}),
        ("When was it built?", odd, {"alignToWords": False, "maxAnswerLength": 4}),
        (passages[0]["question"], long, {}),
        (passages[1]["question"], long, {"topK": 5, "maxLength": 100, "stride": 30}),
    ]
    names = {
        "topK": "top_k",
        "handleImpossibleAnswer": "handle_impossible_answer",
        "alignToWords": "align_to_words",
        "maxAnswerLength": "max_answer_len",
        "maxLength": "max_seq_len",
        "stride": "doc_stride",
    }
    answerer, found = qa.QuestionAnswerer(model, tokenizer), []
    for question, context, options in cases:
        given = answerer(question, context, **{names[name]: value for name, value in options.items()})
        given = given if isinstance(given, list) else [given]
        expected = [[one["answer"], one["start"], one["end"], one["score"]] for one in given]
        found.append({"question": question, "context": context, "options": options, "expected": expected})
    return found
