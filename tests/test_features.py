import pytest
from conftest import BELLS, BRIDGE, make_example
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from qa_helpers import answer_in_window, label_coverage, load_tokenizer, make_features, span_text
from qa_helpers.checkpoints import MINI_CHECKPOINTS
from qa_helpers.data import rows_to_dataset
from qa_helpers.features import check_room, count_tokens


def texts(features, rows):
    """What each label reads as, None where the window has no answer."""
    result = []
    for feature in features:
        start, end = feature["start_positions"], feature["end_positions"]
        if start == feature["cls_index"]:
            assert end == feature["cls_index"], "a window without the answer has both labels at [CLS]"
            result.append(None)
        else:
            context = rows[feature["example_index"]]["context"]
            result.append(span_text(context, feature["offset_mapping"], start, end)[2])
    return result


def test_a_short_example_is_one_window_with_every_column(tokenizer):
    row = make_example("one", "The bells rang.", "What rang?", "The bells")
    (feature,) = make_features([row], tokenizer, max_length=32, stride=8)
    tokens = tokenizer.convert_ids_to_tokens(feature["input_ids"])
    question_end = tokens.index("[SEP]")
    assert tokens[0] == "[CLS]" and tokens[-1] == "[SEP]"
    assert set(feature) == {
        "input_ids", "attention_mask", "token_type_ids", "offset_mapping", "context_tokens", "cls_index", "example_id",
        "example_index", "start_positions", "end_positions",
    }  # fmt: skip
    assert feature["attention_mask"] == [1] * len(tokens)
    assert feature["token_type_ids"] == [0] * (question_end + 1) + [1] * (len(tokens) - question_end - 1)
    assert feature["context_tokens"] == [question_end + 1, len(tokens) - 1]
    assert (feature["cls_index"], feature["example_id"], feature["example_index"]) == (0, "one", 0)
    assert feature["offset_mapping"][0] == feature["offset_mapping"][-1] == [0, 0]
    covered = [row["context"][a:b] for a, b in feature["offset_mapping"][question_end + 1 : -1]]
    assert "".join(covered) == "Thebellsrang."
    assert tokens[feature["start_positions"]] == tokens[question_end + 1]
    assert row["context"][slice(*feature["offset_mapping"][feature["end_positions"]])] == "bells"


def test_labels_read_back_as_the_answers_in_every_window_that_holds_them(features, rows):
    found = texts(features, rows)
    for feature, text in zip(features, found, strict=True):
        answers = rows[feature["example_index"]]["answers"]["text"]
        assert text is None or text == answers[0], "the label is the first answer's"
    labelled = {feature["example_id"] for feature, text in zip(features, found, strict=True) if text is not None}
    assert labelled == {row["id"] for row in rows if row["answers"]["text"]}
    assert found.count(None) > 10, "the fixture should hold windows without the answer"


def test_an_answer_that_occurs_twice_is_labelled_where_its_offset_says(features, rows):
    for row in rows:
        if row["id"] in ("bells-founder", "bells-letters"):
            starts = {
                feature["offset_mapping"][feature["start_positions"]][0]
                for feature in features
                if feature["example_id"] == row["id"] and feature["start_positions"] != feature["cls_index"]
            }
            assert starts == {row["answers"]["answer_start"][0]}


def test_windows_can_be_made_without_labels_and_from_a_dataset_as_from_rows(features, examples, rows, tokenizer):
    plain = make_features(rows, tokenizer, max_length=40, stride=12, labels=False)
    assert "start_positions" not in plain.column_names and "end_positions" not in plain.column_names
    assert plain["input_ids"][:] == features["input_ids"][:]
    assert plain["example_index"][:] == features["example_index"][:]


def test_more_examples_than_a_batch_keep_their_index(tokenizer):
    from qa_helpers import features as module

    rows = [make_example(f"n{k}", BRIDGE, "Who built it?", "Ilse Varn") for k in range(module._BATCH + 3)]
    features = make_features(rows, tokenizer, max_length=100, stride=10)
    assert features["example_index"][:] == list(range(len(rows)))
    assert features["example_id"][:] == [row["id"] for row in rows]


WORD = st.sampled_from(
    [
        "the",
        "bells",
        "Tower",
        "1,250.50",
        "€9",
        "keeper's",
        "“Oda”",
        "–",
        "été",
        "x" * 9,
        "日本",
        "🚲",
        "\u200b",
        "\x07",
        "[SEP]",
    ]
)
SPACE = st.sampled_from([" ", "  ", "", "\n", "\u00a0", "\t"])
CONTEXT = st.lists(st.tuples(WORD, SPACE), min_size=3, max_size=60).map(lambda ws: "".join(w + s for w, s in ws))


@given(data=st.data(), context=CONTEXT, max_length=st.integers(16, 40), stride=st.integers(0, 6))
@settings(max_examples=60, deadline=None)
def test_windows_cover_the_context_and_labels_are_the_smallest_runs_of_tokens(
    tokenizer, data, context, max_length, stride
):
    tokens = tokenizer(context, add_special_tokens=False, return_offsets_mapping=True)
    if not tokens["input_ids"]:
        return
    visible = [k for k, c in enumerate(context) if not c.isspace()]
    start = data.draw(st.sampled_from(visible))
    end = data.draw(st.sampled_from([k for k in visible if start <= k < start + 40])) + 1
    row = {
        "id": "x", "title": "", "context": context, "question": "Why so?",
        "answers": {"text": [context[start:end]], "answer_start": [start]},
    }  # fmt: skip
    features = make_features([row], tokenizer, max_length, stride)
    windows = list(features)
    # Every context token, in order, each window sharing exactly `stride` with the one before.
    rebuilt_ids, rebuilt_offsets = [], []
    answer = [k for k, (a, b) in enumerate(tokens["offset_mapping"]) if a < end and b > start]
    for number, window in enumerate(windows):
        first, beyond = window["context_tokens"]
        ids, offsets = window["input_ids"][first:beyond], window["offset_mapping"][first:beyond]
        assert len(window["input_ids"]) <= max_length
        if number:
            assert ids[:stride] == rebuilt_ids[len(rebuilt_ids) - stride :]
            assert len(ids) > stride, "a window must add something"
        place = len(rebuilt_ids) - (stride if number else 0)
        rebuilt_ids += ids[stride if number else 0 :]
        rebuilt_offsets += offsets[stride if number else 0 :]
        # The label, from the answer's tokens in the uncut context.
        whole = answer and place <= answer[0] and answer[-1] < place + len(ids)
        expected = (answer[0] - place + first, answer[-1] - place + first) if whole else (window["cls_index"],) * 2
        assert (window["start_positions"], window["end_positions"]) == expected
    assert rebuilt_ids == tokens["input_ids"]
    assert [tuple(o) for o in rebuilt_offsets] == [tuple(o) for o in tokens["offset_mapping"]]
    # No answer is lost unless it is longer than what neighbouring windows share.
    if answer and len(answer) <= stride + 1:
        assert label_coverage(rows_to_dataset([row]), features).lost == []


def test_an_invisible_character_at_the_contexts_end_does_not_lose_the_answer(tokenizer):
    row = make_example("zero-width", "The bells\u200b of the tower\u200b", "Which bells?", "tower\u200b")
    (feature,) = make_features([row], tokenizer, 40, 4)
    assert texts([feature], [row]) == ["tower"]
    row = make_example("only", "The bells \u200b\u200b rang.", "What?", "\u200b\u200b")
    (feature,) = make_features([row], tokenizer, 40, 4)
    assert texts([feature], [row]) == [None]


def test_spaces_around_an_answer_are_left_out_of_its_label(tokenizer):
    row = make_example("spaces", "The bells of the tower rang.", "Which bells?", " of the tower ")
    (feature,) = make_features([row], tokenizer, 40, 4)
    assert texts([feature], [row]) == ["of the tower"]


def test_spaces_before_and_after_a_question_change_nothing(tokenizer):
    plain, spaced = (
        make_features([make_example("x", BELLS, question, "twelve") if "twelve" in BELLS else
                       make_example("x", BELLS, question, "1902")], tokenizer, 40, 12)
        for question in ("When was it founded?", "   \n When was it founded?  ")
    )  # fmt: skip
    assert plain["input_ids"][:] == spaced["input_ids"][:]
    assert plain["start_positions"][:] == spaced["start_positions"][:]


def test_cls_is_found_where_it_stands_not_assumed_at_the_start(checkpoint):
    tokenizer = load_tokenizer(checkpoint)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A [SEP] [CLS]",
        pair="$A [SEP] $B:1 [SEP]:1 [CLS]:1",
        special_tokens=[("[SEP]", tokenizer.sep_token_id), ("[CLS]", tokenizer.cls_token_id)],
    )
    rows = [make_example("last", BELLS, "What did the wall wait for?", "another summer")]
    features = list(make_features(rows, tokenizer, 40, 12))
    for feature in features:
        assert feature["cls_index"] == len(feature["input_ids"]) - 1
        assert feature["context_tokens"][1] == len(feature["input_ids"]) - 2
    assert texts(features, rows)[-1] == "another summer"
    assert texts(features, rows)[0] is None


def test_a_cls_typed_in_the_text_is_not_taken_for_the_special_token(tokenizer):
    row = make_example("typed", "[CLS] stands here [SEP] and there.", "[CLS] or [SEP]?", "there")
    (feature,) = make_features([row], tokenizer, 60, 4)
    assert feature["cls_index"] == 0
    assert feature["input_ids"].count(tokenizer.cls_token_id) == 1
    assert feature["input_ids"].count(tokenizer.sep_token_id) == 2
    assert texts([feature], [row]) == ["there"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question": ""}, "example 'bad': the question is empty; fill it in or drop the example"),
        ({"question": " \n"}, "example 'bad': the question is empty"),
        (
            {"context": "  ", "answers": {"text": [], "answer_start": []}},
            "example 'bad': the context is empty; fill it in",
        ),
        (
            {"context": "\u200b\x07", "answers": {"text": [], "answer_start": []}},
            "example 'bad': the context holds no token",
        ),
        (
            {"answers": {"text": ["Ilse Varn"], "answer_start": [50]}},
            "example 'bad': answer_start 50 .* does occur at 51",
        ),
        ({"answers": {"text": ["Jon Ek"], "answer_start": [51]}}, "example 'bad': .*does not occur in the context"),
        ({"answers": {"text": ["Ilse Varn"], "answer_start": []}}, "example 'bad': .*differ in length"),
        (
            {"question": "why " * 30},
            "example 'bad': 30 tokens of question leave 7 for context; more than 12 are needed. Shorten the question",
        ),
        ({"question": "why " * 60}, "example 'bad': 60 tokens of question leave -23 for context"),
    ],
)
def test_a_bad_example_is_named_with_the_remedy(tokenizer, rows, change, message):
    bad = {**rows[0], "id": "bad", **change}
    with pytest.raises(ValueError, match=message):
        make_features([rows[1], bad, rows[2]], tokenizer, 40, 12)


def test_the_room_of_a_question_is_judged_to_the_token(tokenizer):
    # 40 - 3 special tokens - 24 question tokens leave 13 for context: one more than a stride of 12, equal to one of 13.
    rows = [make_example("edge", BELLS, "why " * 24, "1902")]
    features = make_features(rows, tokenizer, 40, 12)
    assert len(features) > 50
    assert label_coverage(rows_to_dataset(rows), features).lost == []
    with pytest.raises(ValueError, match="leave 13 for context; more than 13 are needed. Shorten the question"):
        make_features(rows, tokenizer, 40, 13)


@pytest.fixture(scope="module")
def byte_tokenizer():
    """Byte-level, as RoBERTa's: no segments, two separators, spaces count, and a character may be several tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({t: k for k, t in enumerate(["<s>", "<pad>", "</s>", *alphabet])}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        model_input_names=["input_ids", "attention_mask"],
        model_max_length=512,
    )


def test_spaces_before_a_question_change_nothing_where_spaces_are_tokens(byte_tokenizer):
    plain, spaced = (
        make_features([make_example("x", BELLS, question, "1902")], byte_tokenizer, 100, 30)
        for question in ("When was it founded?", "  \n When was it founded?  ")
    )
    assert plain["input_ids"][:] == spaced["input_ids"][:]


def test_labels_read_back_where_a_character_is_several_tokens(byte_tokenizer, rows):
    features = list(make_features(rows, byte_tokenizer, 100, 40))
    assert "token_type_ids" not in features[0]
    found = texts(features, rows)
    for feature, text in zip(features, found, strict=True):
        assert text in [None, *rows[feature["example_index"]]["answers"]["text"][:1]]
    labelled = {feature["example_id"] for feature, text in zip(features, found, strict=True) if text}
    assert labelled == {row["id"] for row in rows if row["answers"]["text"]}


def test_characters_of_several_tokens_are_counted_as_such(byte_tokenizer):
    question = "日" * 8  # 24 tokens in 8 characters; the pair has four special tokens
    (used,) = count_tokens([question], byte_tokenizer)
    check_room(used, 4, 41, 12)
    with pytest.raises(ValueError, match="24 tokens of question leave 13 for context; more than 13 are needed"):
        check_room(used, 4, 41, 13)


@pytest.mark.parametrize(
    ("max_length", "stride", "message"),
    [
        (40, 40, "stride 40 does not fit max_length 40.*Lower stride or raise max_length"),
        (40, 36, "stride 36 does not fit max_length 40"),
        (3, 0, "stride 0 does not fit max_length 3"),
        (40, -1, "max_length=40, stride=-1"),
        (0, 0, "max_length=0, stride=0"),
    ],
)
def test_lengths_that_cannot_work_are_refused(tokenizer, rows, max_length, stride, message):
    with pytest.raises(ValueError, match=message):
        make_features(rows, tokenizer, max_length, stride)


def test_no_examples_and_a_tokenizer_without_offsets_are_refused(tokenizer, rows):
    class Slow:
        is_fast = False

    with pytest.raises(ValueError, match="there are no examples"):
        make_features([], tokenizer)
    with pytest.raises(ValueError, match="Slow gives no offsets"):
        make_features(rows, Slow())


def test_answer_in_window_takes_the_tokens_an_answer_only_partly_covers(tokenizer):
    context = "The bellkeepers rang."
    window = tokenizer("Who?", context).encodings[0]
    sides = window.sequence_ids
    bounds = (sides.index(1), sides.index(1) + sides.count(1))
    inside = context.index("keepers"), context.index("keepers") + 3  # "kee", in the middle of a word
    start, end = answer_in_window(window.offsets, bounds, inside)
    a, b, text = span_text(context, window.offsets, start, end)
    assert a <= inside[0] and b >= inside[1] and "kee" in text
    assert answer_in_window(window.offsets, bounds, None) is None
    beyond_the_window = (len(context), len(context) + 3)
    assert answer_in_window(window.offsets, bounds, beyond_the_window) is None


def test_coverage_counts_labels_and_notices_wrong_and_missing_ones(examples, features, rows):
    good = label_coverage(examples, features)
    assert (good.examples, good.features, good.answerable) == (10, len(features), 9)
    assert good.lost == [] and good.altered == []
    assert good.with_answer == sum(text is not None for text in texts(features, rows))
    shifted = features.map(lambda f: {"end_positions": f["end_positions"] + (f["end_positions"] > 0)})
    assert set(label_coverage(examples, shifted).altered) == {row["id"] for row in rows if row["answers"]["text"]}
    blank = features.map(lambda f: {"start_positions": f["cls_index"], "end_positions": f["cls_index"]})
    assert label_coverage(examples, blank).lost == [row["id"] for row in rows if row["answers"]["text"]]


def test_an_answer_longer_than_any_window_is_counted_as_lost(tokenizer):
    rows = [make_example("long", BELLS, "What happened?", BELLS[:400]), make_example("short", BELLS, "When?", "1902")]
    coverage = label_coverage(rows_to_dataset(rows), make_features(rows, tokenizer, 40, 12))
    assert coverage.lost == ["long"]


def test_a_label_in_the_question_is_altered_although_it_may_read_back_right(tokenizer):
    """Question and context both count characters from 0, so offsets of question tokens may fit the answer."""
    context = "The keeper lit it. The keeper of the lamp left."
    row = {"id": "k", "title": "", "context": context, "question": "The keeper did what?"}
    row |= {"answers": {"text": ["The keeper"], "answer_start": [0]}}
    features = make_features([row], tokenizer, 64, 8)
    assert label_coverage(rows_to_dataset([row]), features).altered == []
    offsets = features[0]["offset_mapping"]
    first = next(t for t, (a, b) in enumerate(offsets) if a == 0 and b > a)
    last = next(t for t, (a, b) in enumerate(offsets) if b == len("The keeper"))
    beyond = features[0]["context_tokens"][0]
    assert last < beyond, "both are tokens of the question"
    right = features[0]["start_positions"], features[0]["end_positions"]
    for start, end in ((first, last), (first, right[1]), (right[0], last), (right[1], right[0])):
        if (start, end) == right:
            continue
        labels = {"start_positions": [start], "end_positions": [end]}
        wrong = features.remove_columns(list(labels))
        for name, values in labels.items():
            wrong = wrong.add_column(name, values)
        assert label_coverage(rows_to_dataset([row]), wrong).altered == ["k"], (start, end)


@pytest.mark.parametrize(
    ("context", "offsets", "span", "expected"),
    [
        ("Cafe\u0301s x", [(0, 4), (5, 6), (7, 8)], (0, 0), (0, 5, "Cafe\u0301")),  # a mark that no token covers
        ("Cafe\u0301s", [(0, 4), (4, 6)], (0, 0), (0, 4, "Cafe")),  # a mark of the next token
        (
            "a Cafe\u0301",
            [(0, 1), (2, 6)],
            (1, 1),
            (2, 7, "Cafe\u0301"),
        ),  # the last token, and the text ends with the mark
        ("e\u0301\u0302 x", [(0, 1), (4, 5)], (0, 0), (0, 3, "e\u0301\u0302")),
        ("e\u0301\u0302 x", [(0, 1), (2, 3), (4, 5)], (0, 0), (0, 2, "e\u0301")),  # the next token has the second mark
        ("e\u0301\u0302 x", [(0, 1), (1, 2), (4, 5)], (0, 0), (0, 1, "e")),
        ("e\u0301\u0302 x", [(0, 1), (1, 2), (4, 5)], (0, 1), (0, 3, "e\u0301\u0302")),
        ("abcde\u0301", [(3, 5), (0, 0)], (0, 0), (3, 6, "de\u0301")),  # a special token follows
        ("  ab cd ", [(0, 4), (4, 8)], (0, 1), (2, 7, "ab cd")),  # spaces that a tokenizer counts to its tokens
        ("ab\u0301", [(0, 1), (1, 2)], (0, 0), (0, 1, "a")),
    ],
)
def test_a_spans_text_has_its_marks_and_no_spaces(context, offsets, span, expected):
    assert span_text(context, offsets, *span) == expected
    assert context[expected[0] : expected[1]] == expected[2]


@pytest.mark.parametrize("checkpoint", MINI_CHECKPOINTS)
def test_a_text_in_ascii_has_at_most_a_token_for_each_character_and_one_more(checkpoint):
    """Such a question is only tokenized to count its tokens if it is long enough not to fit."""
    tokenizer = load_tokenizer(checkpoint)
    characters = [chr(k) for k in range(128)]
    texts = ["".join(characters), "~`^" * 30, "``quoted''", " [SEP] <s> </s> [MASK]", "WHY? " * 20]
    texts += [f"{before}{after}" for before in characters for after in "a. Q"]
    counts = count_tokens(texts, tokenizer)
    assert all(count <= len(text) + 1 for text, count in zip(texts, counts))
    row = make_example("q", BELLS, "~ " * 30, "Oda Brennick")
    room = count_tokens([row["question"].strip()], tokenizer)[0] + tokenizer.num_special_tokens_to_add(pair=True) + 8
    with pytest.raises(ValueError, match="example 'q': .* leave 8 for context; more than 8 are needed"):
        make_features([row], tokenizer, max_length=int(room), stride=8)
    assert len(make_features([row], tokenizer, max_length=int(room) + 1, stride=8)) > 1
