"""The contract of the families: what the other rooms may rely on, whichever encoder they are given.

One list, asked of the six small encoders and of a random one of DeBERTa v1's kind (two separators, offsets that
include the leading space):

 1. a pair is [CLS] question, one separator or two, context, separator;
 2. segments are there exactly where the model has them, and the model takes what its tokenizer gives;
 3. [CLS] is found where it stands, and a special token typed in a text is plain text;
 4. offsets go forwards, stay inside their text and leave out only what cannot be seen;
 5. labels read back as the answer: every answer of the embedded corpus, and hard Unicode;
 6. an answer never begins or ends with a space, not even where tokens do;
 7. windows never cut a question, and a question without room is a ValueError;
 8. padding on the left moves labels and [CLS] along with the tokens;
 9. logits that point at the labels decode to the answers;
10. a model loads in float32, shows its attention when asked, and equals the lesson's own head to 1e-6, or the lesson's
    class refuses it;
11. which families notice that a text is shifted, and which have a longest window.
"""

import unicodedata

import numpy as np
import pytest
import torch
from conftest import BELLS, BRIDGE, LAMP, make_example
from safetensors.torch import load_file
from support import made_like_deberta_v1

import qa_helpers as qa
from qa_helpers.checkpoints import MINI_CHECKPOINTS, locate
from qa_helpers.course import MINI_MAX_LENGTH, MINI_STRIDE
from qa_helpers.data import rows_to_dataset

DEBERTA_V1 = "deberta-v1-kind"
FAMILIES = (*MINI_CHECKPOINTS, DEBERTA_V1)
# What distinguishes them, as lesson 09 tells it.
TWO_SEPARATORS = {"mini-roberta", DEBERTA_V1}
WITH_SEGMENTS = {"mini-bert", "mini-albert"}
SPACE_IN_TOKEN = {"mini-deberta", "mini-modernbert", DEBERTA_V1}
SHIFT_UNNOTICED = {"mini-roberta", "mini-deberta", "mini-modernbert", DEBERTA_V1}
ANY_LENGTH = {"mini-deberta", "mini-modernbert", DEBERTA_V1}
ANOTHER_HEAD = {"mini-modernbert"}

QUESTION = "Who lit the lamp of Quellmark?"
HARD = [
    "a café, a cafe\u0301 and an x\u0301\u0302 or é\u0301",  # accents: composed, combining, several, both
    "lit 😀 now, an 👩\u200d🚀 came, 👍🏽 and ❤\ufe0f",  # one picture, several characters
    "two  lamps,   three\t\tfour\r\nfive\n\nsix",
    "12\u00a0km nb\u202fsp \u3000wide light\u200bhouse soft\u00adhyphen \ufeffbom \u200eabc\u200f",
    "in 東京 now, 한국어 말 각, हिन्दी में, שָׁלוֹם, สวัสดี ครับ, Ελλάδα",
    "cost €1,250.50 (about £1,000), 3½ % – “quite” dear… 1850–60",
    "ﬁne ½ ２０ ① Straße İstanbul ǅ Ω Å K 𝔘nicode 𝟙",
    "Zoë’s (old) lamp-post; O’Neill—and sons",
]


@pytest.fixture(scope="module", params=FAMILIES)
def family(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def checkpoint(family, tmp_path_factory) -> str:
    """What ``load_tokenizer`` and ``load_model`` take."""
    return made_like_deberta_v1(tmp_path_factory.mktemp(family)) if family == DEBERTA_V1 else family


@pytest.fixture(scope="module")
def tokenizer(checkpoint):
    return qa.load_tokenizer(checkpoint)


@pytest.fixture(scope="module")
def model(checkpoint):
    return qa.load_model(checkpoint)


@pytest.fixture(scope="module")
def mini():
    """Every example of the embedded corpus."""
    return qa.load_squad("mini")


@pytest.fixture(scope="module")
def windows(mini, tokenizer):
    """Every example of the embedded corpus in windows of the course's size."""
    return {split: qa.make_features(rows, tokenizer, MINI_MAX_LENGTH, MINI_STRIDE) for split, rows in mini.items()}


@pytest.fixture
def few():
    """Three examples, some of whose windows are without the answer."""
    return [
        make_example("bells", BELLS, "Who founded the school?", "Oda Brennick"),
        make_example("bridge", BRIDGE, "Who built the bridge?", "Ilse Varn"),
        make_example("lamp", LAMP, "What did the lamp cost?", "€1,250.50"),
    ]


# 1 --------------------------------------------------------------------------------------------------------------------


def test_a_pair_is_cls_question_separators_context_separator(family, tokenizer):
    pair = tokenizer(QUESTION, BRIDGE)
    sides = pair.sequence_ids()
    separators = 2 if family in TWO_SEPARATORS else 1
    between = [None] * separators
    assert sides == [None, *[0] * sides.count(0), *between, *[1] * sides.count(1), None]
    special = [token for token, side in zip(pair["input_ids"], sides) if side is None]
    assert special == [tokenizer.cls_token_id] + [tokenizer.sep_token_id] * (separators + 1)
    assert tokenizer.num_special_tokens_to_add(pair=True) == len(special)


# 2 --------------------------------------------------------------------------------------------------------------------


def test_segments_are_there_exactly_where_the_model_has_them(family, tokenizer, model, few):
    pair = tokenizer(QUESTION, BRIDGE)
    features = qa.make_features(few, tokenizer, 64, 16)
    tables = [weight for name, weight in model.named_parameters() if "token_type_embeddings" in name]
    has_two = any(len(weight) == 2 for weight in tables)
    assert has_two == (family in WITH_SEGMENTS)
    assert ("token_type_ids" in pair) == ("token_type_ids" in features.column_names) == has_two
    if has_two:
        sides = zip(pair["token_type_ids"], pair.sequence_ids(), strict=True)
        assert all(segment == side for segment, side in sides if side is not None)


def test_the_model_takes_what_its_tokenizer_gives(model, tokenizer, few):
    batch = qa.make_batch(qa.make_features(few, tokenizer, 64, 16), tokenizer)
    with torch.no_grad():
        output = model(**batch)
    assert output.start_logits.shape == output.end_logits.shape == batch["input_ids"].shape
    assert torch.isfinite(output.loss)
    assert len(tokenizer) == model.config.vocab_size
    assert tokenizer.pad_token_id == model.config.pad_token_id


# 3 --------------------------------------------------------------------------------------------------------------------


def test_cls_is_found_and_special_tokens_typed_in_a_text_are_plain_text(tokenizer):
    typed = "[CLS] <s> [SEP] </s> [MASK] <mask> [PAD] <pad> and Ilse"
    row = make_example("typed", typed, "Is <s> [CLS] or </s> [SEP]?", "Ilse")
    (feature,) = qa.make_features([row], tokenizer, 200, 8)
    ids = feature["input_ids"]
    assert ids.count(tokenizer.cls_token_id) == 1 and ids[feature["cls_index"]] == tokenizer.cls_token_id
    assert ids.count(tokenizer.sep_token_id) == tokenizer.num_special_tokens_to_add(pair=True) - 1
    assert tokenizer.mask_token_id not in ids and tokenizer.pad_token_id not in ids
    assert texts_of_labels([row], [feature]) == ["Ilse"]


# 4 --------------------------------------------------------------------------------------------------------------------


def invisible(character: str) -> bool:
    """White space, control and format characters, and marks, which stand above or below the letter before them."""
    return character.isspace() or unicodedata.category(character) in ("Cc", "Cf") or is_mark(character)


def is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"


@pytest.mark.parametrize("text", [BRIDGE, LAMP, BELLS, *HARD], ids=lambda text: text.split()[0])
def test_offsets_go_forwards_and_leave_out_only_what_cannot_be_seen(tokenizer, text):
    pair = tokenizer(QUESTION, text, return_offsets_mapping=True)
    offsets = [pair["offset_mapping"][k] for k, side in enumerate(pair.sequence_ids()) if side == 1]
    special = [pair["offset_mapping"][k] for k, side in enumerate(pair.sequence_ids()) if side is None]
    assert set(special) == {(0, 0)}
    assert all(0 <= a <= b <= len(text) for a, b in offsets)
    assert offsets == sorted(offsets) and [b for _, b in offsets] == sorted(b for _, b in offsets)
    covered = {k for a, b in offsets for k in range(a, b)}
    assert not [c for k, c in enumerate(text) if k not in covered and not invisible(c)]


# 5 --------------------------------------------------------------------------------------------------------------------


def labelled(rows, features):
    """(example, what the label reads as) of every feature that holds the answer."""
    for feature in features:
        if feature["start_positions"] != feature["cls_index"]:
            row = rows[feature["example_index"]]
            span = feature["offset_mapping"], feature["start_positions"], feature["end_positions"]
            yield row, qa.span_text(row["context"], *span)[2]


def texts_of_labels(rows, features) -> list[str]:
    return [text for _, text in labelled(rows, features)]


def test_every_label_of_the_embedded_corpus_reads_back_as_its_answer(family, mini, windows):
    for split, rows in mini.items():
        coverage = qa.label_coverage(rows, windows[split])
        assert coverage.examples == len(rows) and coverage.with_answer >= len(rows)
        assert coverage.lost == [], f"{split}: answers that no window holds whole"
        assert coverage.altered == [], f"{split}: labels that read back as other text"


@pytest.mark.parametrize("text", HARD, ids=lambda text: text.split()[0])
def test_every_word_of_a_hard_text_reads_back(tokenizer, text):
    context = f"The keeper wrote {text} in the book."
    words, rows, at = context.split(), [], 0
    for number, word in enumerate(words):
        at = context.index(word, at)
        row = make_example(str(number), context, QUESTION, word)
        rows.append(row | {"answers": {"text": [word], "answer_start": [at]}})
        at += len(word)
    found = texts_of_labels(rows, qa.make_features(rows, tokenizer, 200, 64))
    assert [seen(text) for text in found] == [seen(word) for word in words]


def seen(text: str) -> str:
    """Without format characters, which BERT drops and an answer need not keep; marks are kept."""
    return "".join(c for c in text if is_mark(c) or not invisible(c))


def test_combining_marks_stay_with_their_letter_where_the_tokenizer_drops_or_composes_them(tokenizer):
    cafe = "cafe\u0301"
    row = make_example("cafe", f"The {cafe} by the harbour was Ilse Varn’s.", "What was it?", cafe)
    assert texts_of_labels([row], qa.make_features([row], tokenizer, 64, 8)) == [cafe]


def test_two_apostrophes_which_albert_reads_as_one_sign_cost_an_answer_no_word(tokenizer):
    row = make_example("quote", "He called it ''the old lamp'' again.", "What did he call it?", "''the old lamp''")
    (found,) = texts_of_labels([row], qa.make_features([row], tokenizer, 64, 8))
    assert qa.exact_match(found, "the old lamp") and found in row["context"]


# 6 --------------------------------------------------------------------------------------------------------------------


def test_an_answer_has_no_space_at_its_edges_though_a_token_may(family, tokenizer, model, few):
    pair = tokenizer(QUESTION, BRIDGE, return_offsets_mapping=True)
    pieces = [BRIDGE[a:b] for (a, b), side in zip(pair["offset_mapping"], pair.sequence_ids()) if side == 1]
    assert any(piece[:1].isspace() for piece in pieces) == (family in SPACE_IN_TOKEN)
    answerer = qa.QuestionAnswerer(model, tokenizer)
    for align_to_words in (True, False):
        for row in few:
            inputs = {"question": row["question"], "context": row["context"]}
            for answer in answerer(**inputs, top_k=10, align_to_words=align_to_words):
                assert answer["answer"] == answer["answer"].strip() != ""
                assert row["context"][answer["start"] : answer["end"]] == answer["answer"]
    features = qa.make_features(few, tokenizer, 64, 16)
    for prediction in qa.decode_answers(rows_to_dataset(few), features, *qa.predict_logits(model, features)):
        assert all(candidate.text == candidate.text.strip() != "" for candidate in prediction.n_best)


# 7 --------------------------------------------------------------------------------------------------------------------


def test_windows_never_cut_a_question(mini, tokenizer):
    rows = mini["validation"].select(range(200))
    small = qa.make_features(rows, tokenizer, 72, 16)
    assert len(small) > 2 * len(rows)
    questions = tokenizer([question.strip() for question in rows["question"]], rows["context"][:], verbose=False)
    for feature in small:
        first, beyond = feature["context_tokens"]
        whole = questions["input_ids"][feature["example_index"]]
        assert questions.sequence_ids(feature["example_index"])[first] == 1
        assert feature["input_ids"][:first] == whole[:first]
        assert len(feature["input_ids"]) <= 72 and beyond == len(feature["input_ids"]) - 1


def test_a_question_without_room_is_named_and_one_with_room_for_one_token_more_is_taken(tokenizer):
    row = make_example("long", BELLS, "Why, oh why, was the tower of the bells not built of stone?", "1902")
    taken = len(tokenizer(row["question"])["input_ids"]) - 2 + tokenizer.num_special_tokens_to_add(pair=True)
    assert len(qa.make_features([row], tokenizer, taken + 13, 12)) > 10
    with pytest.raises(ValueError, match=r"example 'long': .* tokens of question leave 12 for context"):
        qa.make_features([row], tokenizer, taken + 12, 12)


# 8 --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_moves_labels_and_cls_with_the_tokens(checkpoint, few, side):
    tokenizer = qa.load_tokenizer(checkpoint)
    tokenizer.padding_side = side
    features = qa.make_features(few, tokenizer, 64, 16)
    batch = qa.make_batch(features, tokenizer)
    assert not batch["attention_mask"].all(), "some rows should be padded"
    absent = 0
    for k, feature in enumerate(features):
        for name in ("start_positions", "end_positions"):
            assert batch["input_ids"][k, batch[name][k]] == feature["input_ids"][feature[name]]
        if feature["start_positions"] == feature["cls_index"]:
            absent += 1
            assert batch["input_ids"][k, batch["start_positions"][k]] == tokenizer.cls_token_id
        length = len(feature["input_ids"])
        kept = slice(-length, None) if side == "left" else slice(length)
        assert batch["input_ids"][k, kept].tolist() == feature["input_ids"]
        assert batch["attention_mask"][k, kept].all() and batch["attention_mask"][k].sum() == length
    assert absent


# 9 --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(MINI_MAX_LENGTH, MINI_STRIDE), (100, 40)])
def test_logits_that_point_at_the_labels_decode_to_the_answers(family, mini, tokenizer, size):
    rows = mini["validation"].select(range(200))
    features = qa.make_features(rows, tokenizer, *size)
    logits = []
    for name in ("start_positions", "end_positions"):
        logits.append([np.zeros(len(ids), dtype=np.float32) for ids in features["input_ids"]])
        for values, position in zip(logits[-1], features[name]):
            values[position] = 9.0
    predictions = qa.decode_answers(rows, features, *logits, max_answer_length=60)
    assert all(p.text for p in predictions) and qa.score(predictions, rows).f1 > 99
    assert all(p.text == answers["text"][0] for p, answers in zip(predictions, rows["answers"]))


# 10 -------------------------------------------------------------------------------------------------------------------


def test_a_model_stored_in_half_precision_loads_in_float32(checkpoint, model):
    stored = load_file(f"{locate(checkpoint)}/model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert not model.training


def test_attention_maps_are_there_when_asked_for(checkpoint, tokenizer):
    model = qa.load_model(checkpoint, attention="eager")
    batch = tokenizer(QUESTION, BRIDGE, return_tensors="pt")
    with torch.no_grad():
        maps = model(**batch, output_attentions=True).attentions
    tokens = batch["input_ids"].size(1)
    assert len(maps) == model.config.num_hidden_layers
    for weights in maps:
        assert weights.shape == (1, model.config.num_attention_heads, tokens, tokens)
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]), atol=1e-5, rtol=0)


def test_logits_and_loss_equal_those_of_the_lessons_own_head_or_it_refuses(family, model, tokenizer, few):
    batch = qa.make_batch(qa.make_features(few, tokenizer, 64, 16), tokenizer)
    if family in ANOTHER_HEAD:
        with pytest.raises(ValueError, match="does more than apply one linear layer"):
            qa.ExtractiveQA.from_library(model)
        return
    own = qa.ExtractiveQA.from_library(model)
    with torch.no_grad():
        ours, theirs = own(**batch), model(**batch)
    for name in ("start_logits", "end_logits", "loss"):
        torch.testing.assert_close(ours[name], theirs[name], atol=1e-6, rtol=0)


# 11 -------------------------------------------------------------------------------------------------------------------


def test_who_notices_that_a_text_stands_further_back(family, checkpoint, model):
    """Left padding shifts a text. Relative and rotary positions do not care, and RoBERTa counts from the first token."""
    tokenizer = qa.load_tokenizer(checkpoint)
    tokenizer.padding_side = "left"
    plain = tokenizer(QUESTION, BRIDGE, return_tensors="pt")
    tokens = plain["input_ids"].size(1)
    shifted = tokenizer(QUESTION, BRIDGE, return_tensors="pt", padding="max_length", max_length=tokens + 20)
    with torch.no_grad():
        here, there = (model.base_model(**batch).last_hidden_state[:, -tokens:] for batch in (plain, shifted))
    moved = float((here - there).abs().max())
    assert moved < 1e-4 if family in SHIFT_UNNOTICED else moved > 0.1


def test_who_has_a_longest_window(family, model, tokenizer):
    longest = tokenizer.model_max_length
    rows = [make_example("long", BELLS * 4, "When was the school founded?", "1902")]
    fits = qa.make_features(rows, tokenizer, longest, 16)
    assert max(len(ids) for ids in fits["input_ids"]) == longest
    assert len(qa.predict_logits(model, fits)[0][0]) == longest
    beyond = qa.make_features(rows, tokenizer, longest + 1, 16)
    if family in ANY_LENGTH:
        assert len(qa.predict_logits(model, beyond)[0][0]) == longest + 1
    else:
        with pytest.raises(ValueError, match=f"make features with max_length={longest} or less"):
            qa.predict_logits(model, beyond)
