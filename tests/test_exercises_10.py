"""Answers to the exercises of lesson 10, right and wrong (``test_exercises.py`` tries them)."""

import re

import numpy as np
from exercise_checks import Answers, answers

from qa_helpers.classroom.exercises import lesson10


def passage_by_finding(document, start):
    before, after = document.rfind("\n\n", 0, start), document.find("\n\n", start)
    return before + 2 if before >= 0 else 0, after if after >= 0 else len(document)


def passage_by_splitting(document, start):
    begin = 0
    for passage in document.split("\n\n"):
        if start < begin + len(passage):
            return begin, begin + len(passage)
        begin += len(passage) + 2


def passage_by_text(document, start):
    passage = document[slice(*passage_by_finding(document, start))]
    begin = document.index(passage)
    return begin, begin + len(passage)


def without_the_edge(document, start):
    return document.rfind("\n\n", 0, start) + 2, document.find("\n\n", start)


def with_the_break_before(document, start):
    begin, end = passage_by_finding(document, start)
    return max(begin - 2, 0), end


def with_the_break_after(document, start):
    begin, end = passage_by_finding(document, start)
    return begin, min(end + 2, len(document))


def up_to_the_last_character(document, start):
    begin, end = passage_by_finding(document, start)
    return begin, end - 1


def with_its_length(document, start):
    begin, end = passage_by_finding(document, start)
    return begin, end - begin


def from_the_first_passage_on(document, start):
    return 0, passage_by_finding(document, start)[1]


def to_the_first_blank_line(document, start):
    end = document.find("\n\n")
    return passage_by_finding(document, start)[0], end if end >= 0 else len(document)


def by_sentence(document, start):
    return document.rfind(".", 0, start) + 1, document.find(".", start) + 1


def without_spaces(document, start):
    begin, end = passage_by_finding(document, start)
    passage = document[begin:end]
    return begin + len(passage) - len(passage.lstrip()), end - len(passage) + len(passage.rstrip())


def by_lines(document, start):
    before, after = document.rfind("\n", 0, start), document.find("\n", start)
    return before + 1, after if after >= 0 else len(document)


@answers("10.1")
def passage_of_answers():
    return Answers(
        right=[passage_by_finding, passage_by_splitting, lambda *given: np.array(passage_by_finding(*given))],
        wrong={
            "search backwards to the blank line before it": lambda d, s: (s, passage_by_finding(d, s)[1]),
            "The last character is missing": up_to_the_last_character,
            "Your second number is the length": with_its_length,
            "more than one passage": from_the_first_passage_on,
            "Search backwards and forwards": to_the_first_blank_line,
            "A full stop does not end a passage": by_sentence,
            "Spaces at the edge of a passage": without_spaces,
            "you return one number": lambda d, s: d[:s].count("\n\n"),
            "a text alone does not say where it is": lambda d, s: d[slice(*passage_by_finding(d, s))],
            "begins or ends where the text does": without_the_edge,
            "occur twice in the text": passage_by_text,
            "after the blank line": with_the_break_before,
            "Leave the blank line out": with_the_break_after,
            "does not end a passage": by_lines,
            "return two, a start and an end": lambda d, s: (*passage_by_finding(d, s), 0),
        },
    )


def test_more_of_passage_of():
    whole = lesson10.check_passage_of(lambda d, _: (0, len(d)))
    assert not whole.passed and whole.share < 0.2


def split_by_number(rows, every):
    number = {}
    for row in rows:
        number.setdefault(row["context"], len(number) + 1)
    parts = [], []
    for row in rows:
        parts[number[row["context"]] % every == 0].append(row)
    return parts


def split_with(order=None, first=1, swap=False, key="context"):
    def solution(rows, every):
        contexts = [row[key] for row in rows]
        contexts = sorted(set(contexts)) if order == "alphabet" else list(dict.fromkeys(contexts))
        held = [c for n, c in enumerate(contexts, first) if n % every == 0]
        parts = [r for r in rows if r[key] not in held], [r for r in rows if r[key] in held]
        return parts[::-1] if swap else parts

    return solution


def split_examples(rows, every):
    return [r for n, r in enumerate(rows, 1) if n % every], [r for n, r in enumerate(rows, 1) if n % every == 0]


def hold_out(choose):
    """A split by documents of which ``choose(documents, every)`` are held out."""

    def solution(rows, every):
        held = choose(list(dict.fromkeys(row["context"] for row in rows)), every)
        return [r for r in rows if r["context"] not in held], [r for r in rows if r["context"] in held]

    return solution


def split_at_each_change(rows, every):
    parts, number = ([], []), 0
    for k, row in enumerate(rows):
        number += k == 0 or row["context"] != rows[k - 1]["context"]
        parts[number % every == 0].append(row)
    return parts


def drop_some(rows, every):
    train, held = split_by_number(rows, every)
    return train[:1], held


@answers("10.2")
def split_by_document_answers():
    return Answers(
        right=[split_by_number, split_with(), lambda *given: tuple(map(iter, split_by_number(*given)))],
        wrong={
            "not examples": split_examples,
            "exactly one of the lists": drop_some,
            "training examples come first": split_with(swap=True),
            "not by the alphabet": split_with("alphabet"),
            "numbered from 1": lambda rows, every: split_with(first=0)(rows, every),
            "keep the order that they had": lambda rows, every: [part[::-1] for part in split_by_number(rows, every)],
            "Give a context that you have seen before its old number": split_at_each_change,
            "by their title": split_with(key="title"),
            "only; hold out 4, 6 and so on": hold_out(lambda documents, every: documents[every - 1 : every]),
            "the last few are not what is asked for": hold_out(
                lambda documents, every: documents[len(documents) - len(documents) // every :]
            ),
            "whole rows, not their ids": lambda *given: [[r["id"] for r in part] for part in split_by_number(*given)],
            "'c4' is in both": lambda rows, every: (rows, split_by_number(rows, every)[1]),
            "return two lists": lambda rows, every: [split_by_number(rows, every)[0]],
        },
    )


def places_by_pattern(document, answer):
    pattern = r"\s+".join(map(re.escape, answer.split()))
    return [match.span() for match in re.finditer(pattern, document, re.IGNORECASE)]


def places_by_words(document, answer):
    """Another way: compare word after word at every character."""
    found, at = [], 0
    while at < len(document):
        place = at
        for k, word in enumerate(answer.split()):
            if k:
                gap = len(document[place:]) - len(document[place:].lstrip())
                place = place + gap if gap else len(document)
            if document[place : place + len(word)].casefold() != word.casefold():
                break
            place += len(word)
        else:
            found.append((at, place))
            at = place - 1
        at += 1
    return found


def with_flags(escape=re.escape, flags=re.IGNORECASE, space=r"\s+"):
    return lambda d, a: [m.span() for m in re.finditer(space.join(map(escape, a.split())), d, flags)]


def with_its_spaces_replaced(document, answer):
    pattern = re.escape(answer.strip()).replace(r"\ ", r"\s+")
    return [match.span() for match in re.finditer(pattern, document, re.IGNORECASE)]


def in_a_lowered_copy(document, answer):
    return places_by_pattern(document.lower(), answer.lower())


def in_a_tidied_copy(document, answer):
    return places_by_pattern(" ".join(document.split()), answer)


def overlapping(document, answer):
    pattern = r"\s+".join(map(re.escape, answer.split()))
    return [match.span(1) for match in re.finditer(f"(?=({pattern}))", document, re.IGNORECASE)]


@answers("10.3")
def places_of_answers():
    return Answers(
        right=[places_by_pattern, places_by_words, lambda *given: iter(np.array(places_by_pattern(*given)))],
        wrong={
            "Places do not overlap": overlapping,
            "you return texts": lambda d, a: [d[s:e] for s, e in places_by_pattern(d, a)],
            "you return matches": lambda d, a: list(re.finditer(r"\s+".join(map(re.escape, a.split())), d, re.I)),
            "you return single numbers": lambda d, a: [s for s, _ in places_by_pattern(d, a)],
            "you return one pair": lambda d, a: next(iter(places_by_pattern(d, a)), []),
            "at least one white space": with_flags(space=r"\s*"),
            "The end is exclusive": lambda d, a: [(s, e - 1) for s, e in places_by_pattern(d, a)],
            "not start + len(answer)": lambda d, a: [(s, s + len(a)) for s, _ in places_by_pattern(d, a)],
            "Some are missing": with_flags(flags=0),
            "Any white space": with_flags(space=" "),
            "its characters mean themselves": with_flags(escape=str),
            "an accented capital": with_flags(flags=re.IGNORECASE | re.ASCII),
            "a list of a few characters": with_flags(space=r"[ \t\n]+"),
            "split it into its words": with_its_spaces_replaced,
            "of a copy that you have changed": in_a_lowered_copy,
            "it does not occur": lambda d, a: places_by_pattern(d, a) or [(0, 0)],
            "from left to right": lambda d, a: places_by_pattern(d, a)[::-1],
            "Each place is a start and an end": lambda d, a: [(s,) for s, _ in places_by_pattern(d, a)],
        },
    )


def test_more_of_places_of():
    tidied = lesson10.check_places_of(in_a_tidied_copy)
    assert not tidied.passed and "in a copy that you have changed" in tidied.message
    points = lesson10.check_places_of(lambda d, a: with_flags(str if "." in a and "$" not in a else re.escape)(d, a))
    assert not points.passed and "more than there is" in points.message
