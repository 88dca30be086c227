"""The colour language of the course: one colour for each meaning, in every figure and every widget.

The hues are Okabe and Ito's (2008), which readers with any common kind of colour vision can tell apart; EM and F1 have
two of Paul Tol's. Where a figure compares other things (runs, families, parts of memory), ``PALETTE`` tells its bars and
lines apart, and its legend says what they are.

This module needs nothing but Python, so that widgets load no matplotlib for the sake of a colour.
"""

BLUE, ORANGE, GREEN, RED, SKY, PINK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7"
YELLOW, GREY, INK = "#F0E442", "#8A8A8A", "#333333"
PALETTE = (BLUE, ORANGE, GREEN, PINK, SKY, RED)

START, END = BLUE, ORANGE  # start and end logits, the first and the last token of a label
ANSWER = YELLOW  # the answer, and the span that a model chose for it: a highlighter's yellow
ANSWER_EDGE = "#978400"  # its outline, and its lines: plain yellow is too pale for them on a white page
WINDOW = SKY  # a window, and the context tokens in it
WINDOW_PALE = "#BBE1F6"  # the part of a window that the window before it has, too
QUESTION = PINK
HELD, LOST = GREEN, RED  # a window holds the whole answer, or cuts it
ABSENT = PADDING = "#BDBDBD"  # nothing of the answer; no text. Much lighter than HELD, whose green may look grey, too
F1, EM = "#332288", "#AA4499"
PLAIN, PLAIN_PALE = "#5A6B7B", "#B3BEC9"  # one or two series whose colour has no meaning of its own


def rgb(color: str) -> str:
    """``"#0072B2"`` → ``"0, 114, 178"``, as CSS's ``rgba(…)`` takes it."""
    return ", ".join(str(int(color[k : k + 2], 16)) for k in (1, 3, 5))
