"""Answers to the exercises of lesson 11, right and wrong (``test_exercises.py`` tries them)."""

import itertools

import numpy as np
import pandas as pd
from exercise_checks import Answers, answers, give_partial_credit

from qa_helpers.classroom.exercises import lesson11


def right_every_time(groups, right):
    wrong = {group for group, mark in zip(groups, right) if not mark}
    return 1 - len(wrong) / len(set(groups))


def by_groups(groups, right):
    together = {}
    for group, mark in zip(groups, right):
        together.setdefault(group, []).append(mark)
    return together


@answers("11.1")
def right_every_time_answers():
    return Answers(
        right=[
            right_every_time,
            lambda groups, right: pd.Series(right).groupby(groups).min().mean(),
            lambda groups, right: np.mean([all(marks) for marks in by_groups(groups, right).values()]),
        ],
        wrong={
            "this is a percentage": lambda groups, right: 100 * right_every_time(groups, right),
            "divide by the number of groups": lambda groups, right: sum(map(all, by_groups(groups, right).values())),
            "*all* must be right": lambda groups, right: np.mean([any(m) for m in by_groups(groups, right).values()]),
            "the share of right answers": lambda groups, right: np.mean(right),
            "averages the groups' shares": lambda groups, right: pd.Series(right).groupby(groups).mean().mean(),
            "each *group* counts once": lambda groups, right: (
                pd.Series(right).groupby(groups).transform("min").mean()
            ),
            "need not be neighbours": neighbours_only,
            "the last answer of each group alone": lambda groups, right: np.mean(list(dict(zip(groups, right)).values())),
            "may have more members": lambda groups, right: np.mean(
                [sum(m) > 1 or sum(m) == len(m) for m in by_groups(groups, right).values()]
            ),
        },
    )  # fmt: skip


def neighbours_only(groups, right):
    runs = itertools.groupby(zip(groups, right), key=lambda pair: pair[0])
    return np.mean([all(mark for _, mark in run) for _, run in runs])


def put_in_front(example, sentence):
    starts = [start + len(sentence) + 1 for start in example["answers"]["answer_start"]]
    answers = {"text": example["answers"]["text"], "answer_start": starts}
    return {**example, "context": f"{sentence} {example['context']}", "answers": answers}


def by_numpy(example, sentence):
    starts = (np.array(example["answers"]["answer_start"], dtype=int) + len(sentence + " ")).tolist()
    return example | {
        "context": " ".join([sentence, example["context"]]),
        "answers": dict(example["answers"], answer_start=starts),
    }


def in_front(shift=None, only_first=False, join="{sentence} {context}", **changes):
    """A wrong answer: answers moved by another shift, or joined in another way."""

    def mistaken(example, sentence):
        move = shift(sentence) if shift else len(sentence) + 1
        starts = [
            s + (move if k == 0 or not only_first else 0) for k, s in enumerate(example["answers"]["answer_start"])
        ]
        context = join.format(sentence=sentence, context=example["context"])
        answers = {"text": example["answers"]["text"], "answer_start": starts}
        return {**example, "context": context, "answers": answers, **changes}

    return mistaken


def changes_the_answers(example, sentence):
    example = dict(example)
    example["context"] = f"{sentence} {example['context']}"
    example["answers"]["answer_start"] = [start + len(sentence) + 1 for start in example["answers"]["answer_start"]]
    return example


def changes_the_example(example, sentence):
    new = put_in_front(example, sentence)
    example["context"] = new["context"]
    return new


def searches(example, sentence):
    new = put_in_front(example, sentence)
    texts = new["answers"]["text"]
    return {**new, "answers": {"text": texts, "answer_start": [new["context"].find(text) for text in texts]}}


@answers("11.2")
def put_in_front_answers():
    return Answers(
        right=[put_in_front, by_numpy],
        wrong={
            "counts from the old beginning": in_front(lambda sentence: 0),
            "one short": in_front(len),
            "only the first answer": in_front(only_first=True),
            "finds its first occurrence, which may be in the new sentence: the answers start at [17]": searches,
            "changed the answers": changes_the_answers,
            "changed the example": changes_the_example,
            "not after it": in_front(join="{context} {sentence}"),
            "a space is missing": in_front(join="{sentence}{context}"),
            "the same keys": lambda example, sentence: {"context": f"{sentence} {example['context']}"},
            "stay as they were": in_front(question="?"),
            "but the text moved by": in_front(lambda sentence: len(sentence) + 3),
        },
    )


def what_is_left(words, ask):
    wanted, _ = ask(words)
    while len(words) > 1:
        shorter = [words[:k] + words[k + 1 :] for k in range(len(words))]
        kept = [fewer for fewer in shorter if ask(fewer)[0] == wanted]
        if not kept:
            return words
        words = max(kept, key=lambda fewer: ask(fewer)[1])
    return words


def by_a_loop(words, ask):
    wanted, words = ask(words)[0], list(words)
    while True:
        best = None
        for k in range(len(words) if len(words) > 1 else 0):
            answer, score = ask(words[:k] + words[k + 1 :])
            if answer == wanted and (best is None or score > best[0]):
                best = (score, k)
        if best is None:
            return tuple(words)
        del words[best[1]]


def leaving_out(choose=max, rounds=99, check=True, least=1, by_text=False, begin=None, rising=False):
    """A wrong answer: ``choose`` takes the next words from those with the same answer."""

    def mistaken(words, ask):
        wanted, words = ask(words)[0], list(words)
        for _ in range(rounds):
            if len(words) <= least:
                break
            shorter = [words[:k] + words[k + 1 :] for k in range(len(words))]
            if by_text:
                shorter = []
                for word in words:
                    shorter.append(list(words))
                    shorter[-1].remove(word)
            kept = [fewer for fewer in shorter if not check or ask(fewer)[0] == wanted]
            if begin is not None:  # the best score so far begins at this number
                kept = [fewer for fewer in kept if ask(fewer)[1] > begin]
            if not kept or rising and max(ask(fewer)[1] for fewer in kept) < ask(words)[1]:
                break
            words = choose(kept, key=lambda fewer: ask(fewer)[1])
        return words

    return mistaken


def rightmost(kept, key):
    return max(reversed(kept), key=key)


def keeps_the_whole_pair(words, ask):
    """The score has to stay the same, too."""
    words = list(words)
    for k in reversed(range(len(words))):
        if len(words) > 1 and ask(words[:k] + words[k + 1 :]) == ask(words):
            del words[k]
    return words


def left_to_right(words, ask):
    wanted, words, k = ask(words)[0], list(words), 0
    while k < len(words) and len(words) > 1:
        if ask(words[:k] + words[k + 1 :])[0] == wanted:
            del words[k]
        else:
            k += 1
    return words


def all_at_once(words, ask):
    wanted = ask(words)[0]
    return [w for k, w in enumerate(words) if ask(words[:k] + words[k + 1 :])[0] != wanted] or words[-1:]


def never_again(words, ask):
    """A word that had to stay once is not tried again."""
    wanted, left, stay = ask(words)[0], list(range(len(words))), set()
    while len(left) > 1:
        without = {k: [words[other] for other in left if other != k] for k in left if k not in stay}
        tried = {k: ask(fewer) for k, fewer in without.items()}
        stay |= {k for k, (answer, _) in tried.items() if answer != wanted}
        kept = {k: score for k, (answer, score) in tried.items() if answer == wanted}
        if not kept:
            break
        left.remove(max(kept, key=kept.get))
    return [words[k] for k in left]


def in_place(words, ask):
    words[:] = what_is_left(words, ask)
    return words


@answers("11.3")
def what_is_left_answers():
    return Answers(
        right=[what_is_left, by_a_loop],
        wrong={
            "cannot always go together": all_at_once,
            "only words that keep it may go": leaving_out(check=False),
            "can go without changing": lambda words, ask: words,
            "not lowest": leaving_out(min),
            "try all words": left_to_right,
            "One round is not enough": leaving_out(rounds=1),
            "by its place, not by its text": leaving_out(by_text=True),
            "may go later": never_again,
            "one word always remains": leaving_out(least=0),
            "One word always remains": lambda words, ask: [],
            "work on a copy": in_place,
            "take the leftmost word": leaving_out(rightmost),
            "begin the search for the highest": leaving_out(begin=-1),
            "Go on although the score falls": leaving_out(rising=True),
            "return the list of the words": lambda words, ask: " ".join(what_is_left(words, ask)),
        },
    )


def test_a_part_of_the_answer_gets_a_part_of_the_points():
    give_partial_credit(lesson11.check_put_in_front, in_front(only_first=True), 0.5, 0.9)
    give_partial_credit(lesson11.check_what_is_left, left_to_right, 0.4, 0.9)
    give_partial_credit(lesson11.check_right_every_time, neighbours_only, 0.5, 0.9)
