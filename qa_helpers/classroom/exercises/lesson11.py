"""Lesson 11, what did it learn: groups that are right every time, a sentence in front, what is left of a question."""

import copy
import itertools
import math
from operator import itemgetter

from . import Wrong, call, checker, judge_each


@checker("11.1")
def check_right_every_time(right_every_time) -> str:
    """``right_every_time(groups, right)``: the share of the groups whose answers are all right, in 0..1."""
    cases = [  # the group of each answer, whether it is right
        (["a", "a", "a", "b", "c", "c", "d"], [1, 1, 0, 1, 1, 0, 0]),
        (["a", "a", "a", "b", "c", "d", "d", "d"], [0, 0, 1, 1, 0, 1, 0, 0]),
        (["a", "a", "a", "b", "b", "c", "c"], [1, 1, 0, 1, 1, 0, 0]),
        (["a", "b", "a", "b", "c", "c", "d"], [1, 1, 0, 1, 0, 0, 1]),
        (["a"], [0]),
        (["a", "a", "a", "b"], [1, 0, 1, 0]),
        ([4, 4, 7, 7, 4], [1, 1, 1, 1, 1]),
        (["a", "b", "c", "d", "d", "d", "d"], [0, 1, 0, 1, 1, 1, 1]),
    ]

    def judge(groups: list, right: list[int]) -> None:
        together: dict = {}
        for group, mark in zip(groups, right):
            together.setdefault(group, []).append(mark)
        last = dict(zip(groups, right))
        expected = sum(map(all, together.values())) / len(together)
        found = float(call(right_every_time, list(groups), list(right)))
        if math.isclose(found, expected, abs_tol=1e-6):
            return
        case = f"groups {groups}, right {right}: you give {found:.3g}, expected {expected:.3g}"
        runs = [[mark for _, mark in run] for _, run in itertools.groupby(zip(groups, right), key=lambda pair: pair[0])]
        whole = [group for group in groups if all(together[group])]
        for wrong, message in (
            (100 * expected, "a share lies between 0 and 1; this is a percentage"),
            (sum(map(all, together.values())), "this is the number of such groups; divide by the number of groups"),
            (sum(map(any, together.values())) / len(together), "one right answer is not enough; *all* must be right"),
            (sum(right) / len(right), "this is the share of right answers; the groups do not matter in it"),
            (
                sum(sum(marks) / len(marks) for marks in together.values()) / len(together),
                "this averages the groups' shares; a group counts only if it is right as a whole",
            ),
            (sum(last.values()) / len(last), "this looks at the last answer of each group alone"),
            (
                sum(sum(marks) > 1 or len(marks) == sum(marks) for marks in together.values()) / len(together),
                "two right answers are not enough either; a group may have more members",
            ),
            (len(whole) / len(groups), "this counts answers in such groups; each *group* counts once"),
            (sum(map(all, runs)) / len(runs), "members of a group need not be neighbours in the list"),
        ):
            if math.isclose(found, wrong, abs_tol=1e-6):
                raise Wrong(f"{case}: {message}", 0.2)
        raise Wrong(case)

    judge_each(cases, judge, "lists")
    return "right: a group counts if every one of its answers is right, wherever in the list they are"


@checker("11.2")
def check_put_in_front(put_in_front) -> str:
    """``put_in_front(example, sentence)``: a new example whose context begins with the sentence and a space."""
    context = "The lamp was lit in 1874. Zoë Vik lit it; Vik was 19."
    cases = [  # answers, each a text and its start, and the sentence
        ([("1874", 20)], "It rained."),
        ([("Zoë Vik", 26), ("Vik", 30)], "The café is 12 m from the harbour."),
        ([("Vik", 42)], "Odile Brask, not Vik, built the pier."),
        ([], "Nobody knows why."),
    ]

    def judge(answers: list, sentence: str) -> None:
        columns = {"text": [text for text, _ in answers], "answer_start": [start for _, start in answers]}
        example = {"id": "q1", "title": "Lamp", "context": context, "question": "Who lit it?", "answers": columns}
        given = copy.deepcopy(example)
        found = call(put_in_front, given, sentence)
        number = f"{len(answers)} acceptable answer{'' if len(answers) == 1 else 's'}"
        case = f"the sentence {sentence!r} before a context with {number}"
        if given != example:
            what = "answers" if given["answers"] != example["answers"] else "example"
            raise Wrong(
                f"{case}: your function changed the {what} that it was given. Make a new dictionary, and a new one for "
                "its answers, too: the original is still needed for the comparison",
                0.5,
            )
        if not isinstance(found, dict) or found.keys() != example.keys():
            raise Wrong(f"{case}: return an example with the same keys, {', '.join(example)}")
        if found["context"] != f"{sentence} {context}":
            how = {
                f"{context} {sentence}": "the sentence belongs in front of the text, not after it",
                f"{sentence}{context}": "a space is missing between the sentence and the text",
            }.get(found["context"], f"the new context should be {sentence!r}, a space, and the old one")
            raise Wrong(f"{case}: {how}")
        if any(found[key] != example[key] for key in ("id", "title", "question")):
            raise Wrong(f"{case}: id, title and question stay as they were")
        texts, starts = list(found["answers"]["text"]), [int(start) for start in found["answers"]["answer_start"]]
        if texts != columns["text"] or len(starts) != len(texts):
            raise Wrong(f"{case}: the answers' texts stay as they were, and each keeps a start", 0.3)
        shifts = [new - old for new, old in zip(starts, columns["answer_start"])]
        if all(shift == len(sentence) + 1 for shift in shifts):
            return
        new = found["context"]
        if not any(shifts):
            message = "answer_start still counts from the old beginning; the text in front pushes the answer back"
        elif all(shift == len(sentence) for shift in shifts):
            message = "one short: the space is a character, too"
        elif shifts[0] == len(sentence) + 1 and not any(shifts[1:]):
            message = "only the first answer was moved; all acceptable answers have to move"
        elif starts == [new.find(text) for text in texts]:
            wanted = [start + len(sentence) + 1 for start in columns["answer_start"]]
            message = (
                "searching for the text finds its first occurrence, which may be in the new sentence: the answers start "
                f"at {starts}, expected {wanted}"
            )
        else:
            message = f"the answers moved by {shifts} characters, but the text moved by {len(sentence) + 1}"
        read = [new[start : start + len(text)] for start, text in zip(starts, texts)]
        raise Wrong(f"{case}: {message}. Reading the answers back gives {read}, expected {texts}", 0.4)

    judge_each(cases, judge, "examples")
    return "right: the answers moved with their text, and the original is as it was"


def _left(
    words: list,
    ask,
    sign: int = 1,
    rounds: int = 99,
    by_text: bool = False,
    rightmost: bool = False,
    rising: bool = False,
    least: float = -math.inf,
) -> list:
    """Leave words out one at a time, always the one without which ``sign`` times the score is highest.

    Args:
        rounds: how many words at most.
        by_text: leave out the first word of that text.
        rightmost: of equal ones, the rightmost and not the leftmost.
        rising: stop when the score falls.
        least: the score that the first candidate has to exceed.
    """
    wanted, words = ask(words)[0], list(words)
    for _ in range(min(rounds, len(words) - 1)):
        places = [words.index(word) if by_text else k for k, word in enumerate(words)]
        before, tried = ask(words)[1], [(ask(words[:k] + words[k + 1 :]), k) for k in places]
        kept = [(sign * score, k) for (answer, score), k in tried if answer == wanted and score > least]
        best = max(reversed(kept) if rightmost else kept, key=itemgetter(0), default=None)  # the first of equal ones
        if best is None or rising and best[0] < before:
            break
        words.pop(best[1])
    return words


def _left_to_right(words: list, ask, repeat: bool = False) -> list:
    wanted, words, k = ask(words)[0], list(words), 0
    while k < len(words) and len(words) > 1:
        fewer = words[:k] + words[k + 1 :]
        if ask(fewer)[0] == wanted:
            words, k = fewer, 0 if repeat else k
        else:
            k += 1
    return words


@checker("11.3")
def check_what_is_left(what_is_left) -> str:
    """``what_is_left(words, ask)``: the words that remain when words are left out one at a time, the best first."""
    cases = [  # words, whether some words get the same answer, how much each word adds to the score
        (["who", "drew", "the", "plans"], lambda w: "plans" in w, {}),
        (
            ["who", "drew", "the", "plans", "of", "it"],
            lambda w: {"who", "drew", "plans"} & {*w},
            {"drew": 2.0, "who": -1.0},
        ),
        (["the", "plans", "the", "bridge"], lambda w: w[0] == "the" and "plans" in w, {"bridge": -1.0}),
        (
            ["old", "bridge", "is", "how", "long"],
            lambda w: "long" in w and ("old" not in w or "bridge" in w),
            {"old": 2.0},
        ),
        (["in", "which", "year", "did", "it", "open"], lambda w: True, {"year": 5.0, "open": 4.0}),
        (["did", "it", "open"], lambda w: len(w) == 3, {"did": 1.0}),
        (["when", "was", "it", "lit"], lambda w: "when" in w or "lit" in w, {"when": -3.0, "lit": 0.5, "it": 0.2}),
        (["who", "did", "it"], lambda w: "who" in w or "it" in w, {}),  # equal scores
        (["what", "was", "lit"], lambda w: "lit" in w, {"what": -5.0, "was": -6.0, "lit": -4.0}),  # all below 0
    ]

    def judge(words: list, keeps, adds: dict) -> None:
        def ask(some):
            some = list(some)
            if not some:
                raise Wrong("you asked with no words at all; one word always remains")
            score = 1.0 + sum(adds.get(word, 0.0) for word in some)
            return ("Odile Brask" if keeps(some) else "1874"), score + (0 if keeps(some) else 10)

        right, given = _left(words, ask), list(words)
        found = call(what_is_left, given, ask)
        if given != words:
            raise Wrong("your function changed the list that it was given; work on a copy, list(words)", 0.5)
        if isinstance(found, str):
            raise Wrong(f"you return the text {found!r}; return the list of the words that remain")
        found = list(found)
        if found == right:
            return
        wanted = ask(words)[0]
        removable = [k for k in range(len(words)) if ask(words[:k] + words[k + 1 :])[0] == wanted]
        at_once = [word for k, word in enumerate(words) if k not in removable]
        case = f"{' '.join(words)!r}: you keep {' '.join(map(str, found))!r}, expected {' '.join(right)!r}"
        if not found:
            raise Wrong(f"{case}. One word always remains")
        if found == _left(words, ask, by_text=True):
            raise Wrong(
                f"{case}. A word that occurs twice is two words; leave one out by its place, not by its text", 0.3
            )
        if ask(found)[0] != wanted:
            if found == at_once or len(found) == 1 and at_once == []:
                raise Wrong(f"{case}. Words that can go one by one cannot always go together; ask again after each")
            raise Wrong(f"{case}. With these words the answer is another one; only words that keep it may go")
        if found in (_left(words, ask, least=0), _left(words, ask, least=-1)):
            raise Wrong(f"{case}. A score may be below 0: begin the search for the highest with the first one", 0.3)
        if found == words:
            raise Wrong(
                f"{case}: some words can go without changing the answer. Only the answer has to stay the same: the score may "
                "change, and it may be below 0"
            )
        for wrong, message in (
            (_left(words, ask, sign=-1), "Leave out the word after which the score is *highest*, not lowest"),
            (_left_to_right(words, ask), "The order matters: try all words, then leave out the best one"),
            (_left_to_right(words, ask, True), "The order matters: try all words, then leave out the best one"),
            (_left(words, ask, rightmost=True), "Of equally high scores, take the leftmost word"),
            (_left(words, ask, rising=True), "Go on although the score falls: only the answer has to stay the same"),
            (_left(words, ask, rounds=1), "One round is not enough: go on until no word can go"),
        ):
            if found == wrong:
                raise Wrong(f"{case}. {message}", 0.3)
        if len(found) > len(right):
            raise Wrong(f"{case}. More can go; a word that had to stay before may go later, so try all in every round")
        raise Wrong(case)

    judge_each(cases, judge, "questions", lambda words, *_: f"the question {' '.join(words)!r}")
    return "right: one word at a time, the best first, as long as the answer stays"
