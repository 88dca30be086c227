"""Answers to the exercises of lesson 04, right and wrong (``test_exercises.py`` tries them)."""

import numpy as np
from exercise_checks import Answers, answers

from qa_helpers.classroom.exercises import lesson04


def text_of_label(context, offsets, cls_index, first, last):
    return None if first == cls_index else context[offsets[first][0] : offsets[last][1]]


def text_by_characters(context, offsets, cls_index, first, last):
    if (first, last) == (cls_index, cls_index):
        return None
    covered = range(min(offsets[first]), max(offsets[last]))
    return "".join(context[c] for c in covered)


def reading(where):
    def text(context, offsets, cls_index, first, last):
        return None if first == cls_index else where(context, offsets, first, last)

    return text


@answers("4.1")
def text_of_label_answers():
    return Answers(
        right=[text_of_label, text_by_characters],
        wrong={
            "empty text": lambda context, offsets, _, first, last: context[offsets[first][0] : offsets[last][1]],
            "not always 0": lambda context, offsets, _, first, last: (
                context[offsets[first][0] : offsets[last][1]] if first else None
            ),
            "where the last token begins": reading(lambda c, o, first, last: c[o[first][0] : o[last][0]]),
            "end token is missing": reading(lambda c, o, first, last: c[o[first][0] : o[max(first, last - 1)][1]]),
            "one token too many": reading(lambda c, o, first, last: c[o[first][0] : o[last + 1][1]]),
            "token numbers": reading(lambda c, o, first, last: c[first : last + 1]),
            "only the spaces differ": reading(
                lambda c, o, first, last: " ".join(c[a:b] for a, b in o[first : last + 1])
            ),
            "gave None": lambda *_: None,
        },
    )


def label_window(offsets, sides, cls_index, start, end):
    inside = [t for t, side in enumerate(sides) if side == 1]
    if start < offsets[inside[0]][0] or end > offsets[inside[-1]][1]:
        return cls_index, cls_index
    first, last = inside[0], inside[-1]
    while offsets[first][1] <= start:
        first += 1
    while offsets[last][0] >= end:
        last -= 1
    return first, last


def all_labels(offsets, sides, cls_index, answers):
    return [label_window(offsets, sides, cls_index, *answer) for answer in answers]


def label_all(offsets, sides, cls_index, answers):
    none = (cls_index, cls_index)
    found = {label for label in all_labels(offsets, sides, cls_index, answers) if label != none}
    return sorted(found) or [none]


def label_all_with_loops(offsets, sides, cls_index, answers):
    found = []
    for start, end in answers:
        touching = [t for t, (a, b) in enumerate(offsets) if sides[t] == 1 and a < end and b > start]
        whole = touching and offsets[touching[0]][0] <= start and offsets[touching[-1]][1] >= end
        if whole and [touching[0], touching[-1]] not in found:
            found.append([touching[0], touching[-1]])
    found.sort()
    return found if found else [[cls_index, cls_index]]


def without_cls(offsets, sides, cls_index, answers):
    return [label for label in all_labels(offsets, sides, cls_index, answers) if label != (cls_index, cls_index)]


@answers("4.2")
def label_all_answers():
    def repeated(*arguments):
        return sorted(without_cls(*arguments)) or [(arguments[2],) * 2]

    def one_too_far(*arguments):
        return [(a, b + (b != arguments[2])) for a, b in label_all(*arguments)]

    def unordered(*arguments):
        return list(dict.fromkeys(without_cls(*arguments))) or [(arguments[2],) * 2]

    def distinct_answers(offsets, sides, cls_index, answers):
        return repeated(offsets, sides, cls_index, list(dict.fromkeys(answers)))

    def numbers_of_numpy(*arguments):
        return np.unique(np.array(without_cls(*arguments) or [(arguments[2],) * 2]), axis=0)

    return Answers(
        right=[label_all, label_all_with_loops, numbers_of_numpy],
        wrong={
            "only one of the answers": lambda *given: label_all(*given)[:1],
            "next to an answer that is": lambda *given: sorted(set(all_labels(*given))),
            "more than once": repeated,
            "among the labels, not among the answers": distinct_answers,
            "not in ascending order": unordered,
            "holds [CLS] once": lambda *given: sorted(set(without_cls(*given))),
            "not 0": lambda *given: sorted(set(without_cls(*given))) or [(0, 0)],
            "one too large": one_too_far,
            "a list of pairs": lambda *given: label_all(*given)[0],
            "however many": lambda *given: sorted(set(without_cls(*given))) or [(given[2],) * 2] * len(given[3]),
        },
    )


def test_duplicates_that_are_not_neighbours_are_found():
    def without_neighbours(*given):
        found = []
        for label in without_cls(*given):
            if found[-1:] != [label]:
                found.append(label)
        return sorted(found) or [(given[2],) * 2]

    feedback = lesson04.check_label_all(without_neighbours)
    assert not feedback.passed and "the same pair is listed more than once" in feedback.message


def audit(offsets, sides, cls_index, label, start, end):
    expected = label_window(offsets, sides, cls_index, start, end)
    if tuple(label) != expected:
        return "wrong"
    if expected == (cls_index, cls_index):
        return "absent"
    return "exact" if (offsets[label[0]][0], offsets[label[1]][1]) == (start, end) else "wider"


def audit_by_rules(offsets, sides, cls_index, label, start, end):
    first, last = label
    context = [t for t in range(len(sides)) if sides[t] == 1]
    held = offsets[context[0]][0] <= start and end <= offsets[context[-1]][1]
    if not held or first not in context or last not in context:
        return "absent" if not held and first == last == cls_index else "wrong"
    if offsets[first][0] == start and offsets[last][1] == end and first <= last:
        return "exact"
    tight = offsets[first][0] <= start < offsets[first][1] and offsets[last][0] < end <= offsets[last][1]
    return "wider" if tight else "wrong"


def simple(covers_is_wider=False, trusts_cls=False, zero=False, sides_matter=True):
    def judge_label(offsets, sides, cls_index, label, start, end):
        first, last = label
        cls_index = 0 if zero else cls_index
        expected = label_window(offsets, sides, cls_index, start, end)
        if (first, last) == (cls_index, cls_index):
            return "absent" if trusts_cls or expected == label else "wrong"
        covered = offsets[first][0], offsets[last][1]
        if covered == (start, end) and (not sides_matter or sides[first] == 1):
            return "exact"
        if covers_is_wider and covered[0] <= start and end <= covered[1] and sides[first] == 1:
            return "wider"
        return "wider" if label == expected else "wrong"

    return judge_label


@answers("4.3")
def audit_answers():
    return Answers(
        right=[audit, audit_by_rules],
        wrong={
            "the smallest": simple(covers_is_wider=True),
            "check that too": simple(trusts_cls=True),
            "not always 0": simple(zero=True),
            "the side decides": simple(sides_matter=False),
            "no label could do better": lambda *given: "wrong" if audit(*given) == "wider" else audit(*given),
            "one of the words": lambda *given: audit(*given) == "exact",
            "part of an answer": lambda offsets, sides, cls_index, label, start, end: (
                "wrong"
                if tuple(label) == (cls_index, cls_index)
                and any(side == 1 and a < end and b > start for (a, b), side in zip(offsets, sides))
                else audit(offsets, sides, cls_index, label, start, end)
            ),
        },
    )
