"""Questions in other words: whatever changes, the answer stays where the text has it."""

import re
from collections import Counter
from random import Random

import pytest

from qa_helpers.mini.corpus import build_corpus
from qa_helpers.mini.notes import read_notes
from qa_helpers.mini.rewording import WORDS, Asked, Rewording

NOTES = read_notes()
ASKED = [
    Asked(question["ask"][0], note.text, *question["answers"][0])
    for note in NOTES
    for question in note.questions
    if question["answers"]
]
GAZETTEER = [
    Asked(row["question"], row["context"], start, start + len(row["answers"]["text"][0]))
    for row in build_corpus(300, 0)["train"]
    for start in row["answers"]["answer_start"]
]
LISTS = {path.stem: path.read_text(encoding="utf-8").splitlines() for path in sorted(WORDS.glob("*.txt"))}


def rewording(seed=0):
    return Rewording([note.text for note in NOTES], Random(seed))


def test_exchanged_words_leave_everything_else_and_the_answers_edges():
    words, changed = rewording(), 0
    for asked in [*ASKED[::3], *GAZETTEER]:
        new = words.with_exchanged_words(asked)
        letters = re.compile(r"[^\W\d_]{3,}")
        assert letters.sub("*", new.context) == letters.sub("*", asked.context), "all but words is as it was"
        before, after = asked.context[asked.start : asked.end], new.context[new.start : new.end]
        assert letters.sub("*", after) == letters.sub("*", before)
        assert letters.sub("*", new.context[: new.start]) == letters.sub("*", asked.context[: asked.start])
        changed += new.context != asked.context
    assert changed > 1000


def test_a_word_becomes_the_same_word_everywhere_and_its_relatives_follow():
    asked = Asked("Who rented the kettle?", "The kettle is old. Kettles rust. Ann rented the kettle.", 33, 36)
    for seed in range(20):
        new = rewording(seed).with_exchanged_words(asked, share=1.0)
        question, context = new.question.rstrip("?").split(), new.context.replace(".", "").split()
        kettle = question[3]
        assert context.count(kettle) == 2 and context[4].lower().startswith(kettle[: max(3, len(kettle) - 2)])
        assert question[1] == context[7] != "rented" and question[0] == "Who" and question[2] == "the"
        assert new.context[new.start : new.end] == context[6]


def test_a_cloze_asks_with_words_of_the_answers_sentence_alone():
    words, found = rewording(), 0
    for asked in ASKED[::5]:
        if new := words.cloze(asked):
            found += 1
            assert (new.context, new.start, new.end) == (asked.context, asked.start, asked.end)
            asks, known = new.question.rstrip("?").lower().split(), asked.context.lower()
            assert all(
                word.strip(" ,;:.!?") in known or re.fullmatch(r"wh\w+|how|many|much|[a-z]+", word) for word in asks
            )
    assert found > 800


def test_rewording_keeps_the_answer_and_is_the_same_for_the_same_seed():
    first, again, other = ([words.reworded(asked) for asked in ASKED[::20]] for words in map(rewording, (1, 1, 2)))
    assert first == again != other
    kept = sum(new.question == asked.question for new, asked in zip(first, ASKED[::20], strict=True))
    assert kept < len(first) / 3, "most questions are changed"
    assert all(0 <= new.start < new.end <= len(new.context) for new in first)


def test_other_words_are_of_the_same_group():
    asked = rewording().in_other_words("Who purchases the flat?")
    assert asked.startswith(("Who ", "Which person ", "What is the name"))
    seen = {rewording(seed).in_other_words("Who buys the flat?") for seed in range(60)}
    assert any("apartment" in question for question in seen) and any("purchases" in question for question in seen)


@pytest.mark.parametrize("name", LISTS)
def test_a_line_is_a_group_of_at_least_two_and_occurs_once(name):
    lines, separator = LISTS[name], "|" if name == "questions" else ","
    assert len(lines) > 300
    twice = [line for line, times in Counter(lines).items() if times > 1]
    assert not twice
    for line in lines:
        words = [word.strip() for word in line.split(separator)]
        assert len(words) >= 2 and all(words), line
        assert len({word.lower() for word in words}) == len(words), line
