"""Lesson 04, labels: reading a label back, several answers in one window, an auditor for labels made by others."""

from . import Wrong, call, call_each, checker, complain_of_errors, judge_each, partly

# A window written out by hand: [CLS] Who ? [SEP] then the context's words as tokens, then [SEP].
CONTEXT = "Old Ida Moor paid £9,500 for the lamp. Zoë Vik, Ida's aunt, paid the rest."
WORDS = ["Old", "Ida", "Moor", "paid", "£9", ",", "500", "for", "the", "lamp", ".", "Zo", "ë", "Vik", ",", "Ida", "'",
         "s", "aunt", ",", "paid", "the", "rest", "."]  # fmt: skip


def _context_offsets() -> list[tuple[int, int]]:
    offsets, at = [], 0
    for word in WORDS:
        start = CONTEXT.index(word, at)
        at = start + len(word)
        offsets.append((start, at))
    return offsets


def _window(first: int, beyond: int, padding: int = 0):
    """(offsets, sides, cls_index) of a window over the context's words [first, beyond), padded on the left."""
    offsets = [(0, 0)] * padding + [(0, 0), (0, 3), (3, 4), (0, 0), *_context_offsets()[first:beyond], (0, 0)]
    sides = [None] * padding + [None, 0, 0, None, *[1] * (beyond - first), None]
    return offsets, sides, padding


def _label(window, start: int, end: int) -> tuple[int, int]:
    offsets, sides, cls_index = window
    inside = [t for t, side in enumerate(sides) if side == 1]
    if start < offsets[inside[0]][0] or end > offsets[inside[-1]][1]:
        return cls_index, cls_index
    touching = [t for t in inside if offsets[t][1] > start and offsets[t][0] < end]
    return touching[0], touching[-1]


def _find(text: str, occurrence: int = 0) -> tuple[int, int]:
    start = -1
    for _ in range(occurrence + 1):
        start = CONTEXT.index(text, start + 1)
    return start, start + len(text)


@checker("4.1")
def check_text_of_label(text_of_label) -> str:
    """``text_of_label(context, offsets, cls_index, start_position, end_position)``: the answer's text or None."""
    cases = [
        (_window(0, 12), "Ida Moor"),
        (_window(0, 12), "the lamp"),
        (_window(0, 12), "Old"),
        (_window(8, 24), "Zoë Vik"),
        (_window(8, 24), "Ida's aunt"),
        (_window(0, 8, padding=3), "Moor"),
        (_window(0, 8), None),
        (_window(0, 8, padding=3), None),
    ]

    def judge(window, text) -> None:
        offsets, _, cls_index = window
        first, last = (cls_index, cls_index) if text is None else _label(window, *_find(text))
        found = call(text_of_label, CONTEXT, list(offsets), cls_index, first, last)
        if found == text:
            return
        if text is None:
            if found == "" and not cls_index:
                raise Wrong(
                    "for [CLS] twice you return an empty text, since the offsets of [CLS] are (0, 0). Return None instead",
                    0.7,
                )
            raise Wrong(
                f"with cls_index {cls_index} and labels {first}, {last} you return {found!r}. These labels say that the "
                "answer is not in the window, so return None. Compare with cls_index, which is not always 0"
            )
        case = f"labels {first}, {last} gave {found!r}, expected {text!r}"
        if found == CONTEXT[offsets[first][0] : offsets[last][0]]:
            raise Wrong(f"{case}: you stop where the last token begins; its second offset is where it ends")
        if last > first and found == CONTEXT[offsets[first][0] : offsets[last - 1][1]]:
            raise Wrong(f"{case}: the end token is missing. Labels include the end, unlike Python's slices")
        if last + 1 < len(offsets) and found == CONTEXT[offsets[first][0] : offsets[last + 1][1]]:
            raise Wrong(f"{case}: that is one token too many. The end token itself is the last one")
        if found == CONTEXT[first : last + 1] or found == CONTEXT[first:last]:
            raise Wrong(f"{case}: you cut the context at token numbers; the offsets turn them into characters first")
        if found is None:
            raise Wrong(f"labels {first}, {last} gave None, but [CLS] is token {cls_index} here; expected {text!r}")
        if isinstance(found, str) and found.replace(" ", "") == text.replace(" ", ""):
            raise Wrong(
                f"{case}: only the spaces differ. Do not join the tokens one by one; cut once, from the first "
                "character of the start token to the end of the last"
            )
        raise Wrong(case)

    judge_each(cases, judge, "labels")
    return "right, for answers of one token and of several, and where there is none"


@checker("4.2")
def check_label_all(label_all) -> str:
    """``label_all(offsets, sides, cls_index, answers)``: sorted distinct labels of all answers, or [CLS] once."""
    front, back, shifted = _window(0, 12), _window(8, 24), _window(0, 12, padding=2)
    cases = [
        (front, [_find("Ida Moor")]),
        (front, [_find("Old Ida Moor"), _find("Ida Moor")]),
        (front, [_find("the lamp"), _find("Ida Moor")]),
        (front, [_find("Ida Moor"), _find("Ida Moor"), _find("Ida Moor")]),
        (front, [_find("Ida Moor"), _find("the lamp"), _find("Ida Moor")]),
        (front, [_find("9,500"), _find("£9,500")]),
        (front, [_find("Ida Moor"), _find("Zoë Vik")]),
        (back, [_find("Ida Moor"), _find("Zoë Vik"), _find("aunt")]),
        (back, [_find("Ida Moor"), _find("Old")]),
        (shifted, [_find("Zoë Vik"), _find("aunt")]),
        (shifted, [_find("aunt"), _find("£9,500")]),
    ]

    def judge(window, answers) -> None:
        cls_index = window[2]
        none = (cls_index, cls_index)
        each = [_label(window, *answer) for answer in answers]
        right = sorted({label for label in each if label != none}) or [none]
        given = call(label_all, list(window[0]), list(window[1]), cls_index, list(answers))
        if isinstance(given, tuple) and len(given) == 2 and all(isinstance(n, int) for n in given):
            raise Wrong(f"you return one pair, {given}; return a list of pairs, one for each answer", 0.1)
        found = [(int(a), int(b)) for a, b in given]
        if found == right:
            return
        case = f"for answers at {answers} you return {found}"
        if not found:
            raise Wrong(f"{case}: that window holds none of the answers, so the list holds [CLS] once: {[none]}")
        if right == [none] and set(found) == {none}:
            raise Wrong(f"{case}: list [CLS] only once, however many answers are missing")
        if right == [none] and found == [(0, 0)]:
            raise Wrong(f"{case}: [CLS] is token {cls_index} there. Use cls_index, not 0")
        if none in found and none not in right:
            raise Wrong(
                f"{case}: {none} says that no answer is here, next to an answer that is. [CLS] belongs in the list "
                "only if the window holds no answer"
            )
        if sorted(set(found)) == right and len(found) > len(right):
            if len(set(answers)) == len(answers):
                raise Wrong(
                    f"{case}: the same pair is listed twice. Different answers can have the same label, so look for "
                    "duplicates among the labels, not among the answers"
                )
            raise Wrong(f"{case}: the same pair is listed more than once; list each once")
        if sorted(found) == right:
            raise Wrong(f"{case}: all pairs are there, but not in ascending order, {right}")
        if len(right) > 1 and found in ([each[0]], right[:1]):
            raise Wrong(f"{case}: only one of the answers; list all that the window holds, {right}")
        if {(a, b - 1) for a, b in found} == set(right):
            raise Wrong(f"{case}: each end is one too large. The end token is the answer's last, {right}")
        if any(window[1][t] != 1 for pair in found for t in pair if pair != none):
            raise Wrong(f"{case}: some of these tokens are not in the context. Search only where the side is 1")
        raise Wrong(f"{case}, expected {right}")

    judge_each(cases, judge, "windows")
    return "right: each answer once, and [CLS] only where the window holds none"


@checker("4.3")
def check_audit(audit) -> str:
    """``audit(offsets, sides, cls_index, label, start, end)``: "exact", "wider", "absent" or "wrong"."""
    front, back, shifted = _window(0, 12), _window(8, 24), _window(0, 12, padding=2)
    ida, number, aunt = _find("Ida Moor"), _find("9,500"), _find("aunt")
    good, wide = _label(front, *ida), _label(front, *number)
    moved = _label(shifted, *ida)
    cases = [  # window, label, answer, verdict, what kind of case it is
        (front, good, ida, "exact", "the right label"),
        (front, wide, number, "wider", "the answer begins inside a token"),
        (front, (0, 0), aunt, "absent", "the window ends before the answer"),
        (back, (0, 0), ida, "absent", "the window begins after the answer"),
        (front, (0, 0), _find("Zoë Vik"), "absent", "the window cuts the answer"),
        (shifted, moved, ida, "exact", "the right label, padded on the left"),
        (shifted, (2, 2), aunt, "absent", "[CLS] after padding"),
        (front, (0, 0), ida, "wrong", "[CLS] although the answer is there"),
        (front, (good[0], good[1] + 1), ida, "wrong", "a token too many"),
        (front, (good[0] - 1, good[1]), ida, "wrong", "a token too many"),
        (front, (wide[0], wide[1] + 1), number, "wrong", "a token too many"),
        (front, (good[0], good[1] - 1), ida, "wrong", "a token too few"),
        (front, (wide[0] + 1, wide[1]), number, "wrong", "a token too few"),
        (front, (1, 1), (0, 3), "wrong", "a token of the question"),
        (front, _label(front, *_find("for")), aunt, "wrong", "tokens although the answer is not there"),
        (shifted, (0, 0), aunt, "wrong", "0 where [CLS] is elsewhere"),
        (front, (good[1], good[0]), ida, "wrong", "start and end exchanged"),
    ]
    hints = {
        "the right label": "its characters are those of the answer",
        "the right label, padded on the left": "its characters are those of the answer",
        "the answer begins inside a token": "no label could do better, as in section 7",
        "the window ends before the answer": "[CLS] twice is right where the window does not hold the whole answer",
        "the window begins after the answer": "[CLS] twice is right where the window does not hold the whole answer",
        "the window cuts the answer": "part of an answer does not count; [CLS] twice is right",
        "[CLS] after padding": "compare the label with cls_index, which is not always 0",
        "[CLS] although the answer is there": "[CLS] is right only if the answer is not in the window; check that too",
        "a token too many": "covering the answer is not enough: the label must be the smallest run of tokens that does",
        "a token too few": "the label does not cover the whole answer",
        "a token of the question": "the offsets fit, but they count characters of the question; the side decides",
        "tokens although the answer is not there": "the window does not hold the answer, so only [CLS] twice is right",
        "0 where [CLS] is elsewhere": "compare the label with cls_index, which is not always 0",
        "start and end exchanged": "an answer does not end before it starts",
    }
    verdicts = call_each(
        audit, [(list(window[0]), list(window[1]), window[2], label, *answer) for window, label, answer, *_ in cases]
    )
    good = [given == case[3] for given, case in zip(verdicts, cases)]
    complain_of_errors(verdicts, good, lambda k: f"{cases[k][4]} (label {cases[k][1]}, answer {cases[k][2]})", "labels")
    allowed = {"exact", "wider", "absent", "wrong"}
    for given, (_, label, answer, verdict, kind) in zip(verdicts, cases):
        if given == verdict:
            continue
        if given not in allowed:
            raise partly(f"you return {given!r}; return one of the words {', '.join(sorted(allowed))}", good, "labels")
        raise partly(
            f"{kind} (label {label}, answer {answer}): you say {given!r}, but it is {verdict!r}. Remember: {hints[kind]}",
            good,
            "labels",
        )
    return f"right on all {len(cases)} labels, good and bad"
