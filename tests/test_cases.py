"""What lessons 02 to 04 look for in their source: the same examples as always in SQuAD's shape, something true in any other."""

import pytest
from support import names_of_lesson

from qa_helpers import cases, load_squad, load_tokenizer, make_features
from qa_helpers.checkpoints import MINI_CHECKPOINTS
from qa_helpers.classroom.widgets.window_explorer import windows_of
from qa_helpers.data import rows_to_dataset


@pytest.fixture(scope="module", params=MINI_CHECKPOINTS)
def tokenizer(request):
    return load_tokenizer(request.param)


@pytest.fixture(scope="module")
def train():
    return load_squad("mini")["train"].select(range(600))


def row(k: int, context: str, answer: str | None, question: str = "Who lit it?") -> dict:
    answers = {"text": [], "answer_start": []}
    if answer is not None:
        answers = {"text": [answer], "answer_start": [context.index(answer)]}
    return {"id": str(k), "title": "", "context": context, "question": question, "answers": answers}


def short_rows(count: int = 40):
    """Contexts of some thirty tokens, with the answer at the end: only in very small windows is there anything to see."""
    sentence = "The old {} near the river was built in the course of four long years and was opened in spring by {}."
    things, people = ["mill", "bridge", "school"], ["Ida Moor", "Tom Bell", "Joe Pike", "Ann Kerr Lund"]
    texts = [(sentence.format(things[k % 3], people[k % 4]), people[k % 4]) for k in range(count)]
    return rows_to_dataset([row(k, context, answer) for k, (context, answer) in enumerate(texts)])


def test_nothing_is_left_out_of_the_embedded_corpus(train, tokenizer):
    assert cases.plain_examples(train, tokenizer)["id"][:] == train["id"][:]
    assert len(cases.plain_examples(train, tokenizer, most=10)) == 10


def test_left_out_is_what_has_no_answer_or_an_edge_without_a_token(tokenizer):
    contexts = [("Ida lit it.", "Ida"), ("Ida lit it.", None), ("So Ida lit it.", " Ida"), ("So Ida lit it.", "Ida ")]
    rows = rows_to_dataset([row(k, *texts) for k, texts in enumerate(contexts)])
    assert cases.plain_examples(rows, tokenizer)["id"][:] == ["0"]
    with pytest.raises(ValueError, match="none of the first 1 examples has an answer"):
        cases.plain_examples(rows.select([1]), tokenizer)


def test_characters_that_a_tokenizer_drops_are_no_edges():
    contexts = [("So \u200bIda lit it.", "\u200bIda"), ("So Ida\u200b lit it.", "Ida\u200b"), ("So Ida lit it.", "Ida")]
    rows = rows_to_dataset([row(k, *texts) for k, texts in enumerate(contexts)])
    assert cases.plain_examples(rows, load_tokenizer("mini-bert"))["id"][:] == ["2"]
    assert cases.plain_examples(rows, load_tokenizer("mini-roberta"))["id"][:] == ["0", "1", "2"], "bytes drop nothing"


def test_a_clear_answer_ends_where_a_token_does(tokenizer):
    inside, emoji = row(0, "The lamp was lit.", "amp"), row(1, "He saw 😀 there.", "😀")
    rows = rows_to_dataset([inside, emoji, row(2, "Ida lit it.", "Ida")])
    several_tokens = len(tokenizer.tokenize("😀")) > 2
    assert cases.clear_example(rows, tokenizer)["id"] in ({"2"} if several_tokens else {"1", "2"})
    assert cases.clear_example(rows.select([0]), tokenizer)["id"] == "0"


def lost(rows, tokenizer, limit: int) -> int:
    """How many answers are not whole in what is left if question and context are cut off at ``limit`` tokens."""
    count = 0
    for example in rows:
        cut = tokenizer(
            example["question"],
            example["context"],
            truncation="only_second",
            max_length=limit,
            return_offsets_mapping=True,
        )
        ends = [b for (_, b), side in zip(cut["offset_mapping"], cut.sequence_ids()) if side == 1]
        answers = example["answers"]
        count += answers["answer_start"][0] + len(answers["text"][0]) > ends[-1]
    return count


def test_the_limit_is_the_course_s_own_where_that_loses_answers(train, tokenizer):
    assert cases.limit_that_loses_answers(train, tokenizer, 256) == 256


def test_the_limit_is_the_largest_that_loses_answers(tokenizer):
    rows = short_rows()
    limit = cases.limit_that_loses_answers(rows, tokenizer, 256)
    assert lost(rows, tokenizer, limit) >= 3 > lost(rows, tokenizer, limit + 1)


def test_small_windows_are_100_tokens_sharing_50_where_texts_are_long_enough(train, tokenizer):
    rows, max_length, stride = cases.small_windows(train, tokenizer)
    assert (max_length, stride) == (100, 50)
    assert rows["id"][:6] == train["id"][:6]
    assert all(len(windows_of(example, tokenizer, 100, 50)) > 1 for example in rows)


def test_short_texts_get_smaller_windows_that_show_every_state(tokenizer):
    rows, max_length, stride = cases.small_windows(short_rows(), tokenizer)
    assert len(rows) >= 6 and max_length < 60
    example = cases.example_with_every_state(rows, tokenizer, max_length, stride)
    states = {window.state for window in windows_of(example, tokenizer, max_length, stride)}
    assert states == {"whole", "cut", "absent"}


def test_the_example_in_the_overlap_is_whole_in_several_of_its_windows_but_not_in_all(train, tokenizer):
    rows, max_length, stride = cases.small_windows(train, tokenizer)
    windows = windows_of(cases.example_in_overlap(rows, tokenizer, max_length, stride), tokenizer, max_length, stride)
    assert len(windows) >= 3 and 2 <= sum(window.state == "whole" for window in windows) < len(windows)
    assert cases.example_in_overlap(rows, tokenizer, 256, 0) == rows[0]  # no answer is whole in two windows


def test_texts_that_no_window_cuts_are_refused(tokenizer):
    rows = rows_to_dataset([row(k, "Ida lit it.", "Ida") for k in range(10)])
    with pytest.raises(ValueError, match="too short to be cut into windows"):
        cases.small_windows(rows, tokenizer)


ODD = [
    "He saw 😀",
    "It was Zoë",
    "naïve 😀😀 😀",
    "So said É",
    "In 5 m",
    "Jay Z",
    "in 東京",
    "an 👩\u200d🚀",
    "at a 1,850 m",
]


def test_the_loop_of_lesson_04_gives_the_labels_of_the_package(tokenizer):
    """Also where the answer's last character is several tokens (bytes; a mark for the space, and a letter)."""
    label_window = names_of_lesson("04_labels", "label_by_loop", "label_window")["label_window"]
    rows = [
        row(k * 10 + words, " ".join([text, *[filler] * words]), text[first:])
        for k, text in enumerate(ODD)
        for first in {0, text.rindex(" ") + 1}
        for words, filler in enumerate(["", "so", "é", "😀", "and then"])
    ]
    rows = [{**one, "id": str(k), "context": one["context"].strip()} for k, one in enumerate(rows)]
    plain = cases.plain_examples(rows_to_dataset(rows), tokenizer)
    labelled = 0
    for window in make_features(plain, tokenizer, max_length=16, stride=3):
        first, beyond = window["context_tokens"]
        sides = [1 if first <= token < beyond else None for token in range(len(window["input_ids"]))]
        answers = plain[window["example_index"]]["answers"]
        span = answers["answer_start"][0], answers["answer_start"][0] + len(answers["text"][0])
        label = label_window(window["offset_mapping"], sides, window["cls_index"], *span)
        assert label == (window["start_positions"], window["end_positions"])
        labelled += label[0] != window["cls_index"]
    assert len(plain) > 60 and labelled > 60
