"""HTML for lessons: texts with their tokens made visible. All text that comes from data is escaped.

Colours are half transparent over the page's own background, and text keeps the page's own colour, so that light and dark
themes are both easy to read. Borders and captions repeat what the colours say.
"""

from collections.abc import Iterable, Sequence
from html import escape

from ..figures.colours import ANSWER, ANSWER_EDGE, QUESTION, WINDOW, rgb

# A hue for the question and one for the context, as in all figures; two strengths, so that neighbouring tokens differ.
_HUES = {0: rgb(QUESTION), 1: rgb(WINDOW)}
# Of a background. With more than 0.38 of the answer's yellow, text is too faint on a dark page.
FAINT, CLEAR = 0.20, 0.38
_NAMES = {0: "question", 1: "context"}


class Html:
    """A piece of HTML for a notebook to show, with a plain text that says the same where HTML is not shown."""

    def __init__(self, html: str, plain: str):
        self.html, self.plain = html, plain

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.plain


def offset_ruler(
    question: str,
    context: str,
    offsets: Sequence[tuple[int, int]],
    sequence_ids: Sequence[int | None],
    tokens: Sequence[str],
    highlight: tuple[int, int] | None = None,
) -> Html:
    """The text of a pair with every token's characters in colour: the offset mapping, drawn over the text.

    The question is pink and the context is sky blue. Neighbouring tokens differ in strength and have a border between
    them. Characters without colour belong to no token. Special tokens cover no characters of the texts, so they appear
    in dashed boxes of their own. Point at a token to see its number, text and offsets.

    Args:
        question, context: the texts that were tokenized.
        offsets: (tokens, 2), characters [start, end) of the question or context.
        sequence_ids: (tokens,), 0 for question tokens, 1 for context tokens, None for special tokens.
        tokens: (tokens,), the tokens' text.
        highlight: characters [start, end) of the context to mark, such as an answer.

    Returns:
        :class:`Html`; as the last expression of a cell, it shows the ruler.
    """
    texts = {0: question, 1: context}
    rows, plain = [], []
    leading: list[str] = []
    groups: dict[int, list[int]] = {0: [], 1: []}
    trailing: dict[int, list[str]] = {0: [], 1: []}
    seen = None
    for k, side in enumerate(sequence_ids):
        if side is not None:
            groups[side].append(k)
            seen = side
        elif seen is None:
            leading.append(tokens[k])
        else:
            trailing[seen].append(tokens[k])
    for side in (0, 1):
        spans = [(k, *map(int, offsets[k])) for k in groups[side]]
        pieces = _pieces(texts[side], spans, highlight if side == 1 else None)
        body = "".join(_piece(texts[side], side, tokens, *piece) for piece in pieces)
        before = _chips(leading) if side == 0 else ""
        caption = f"{_NAMES[side]}, {len(spans)} tokens"
        if side == 1 and highlight:
            caption += f"; underlined in yellow: characters [{highlight[0]}, {highlight[1]})"
        rows.append(
            f'<div style="margin:0.5em 0"><div style="font-size:80%;line-height:1.4;padding-left:0.4em;'
            f'border-left:1em solid rgb({_HUES[side]})">{caption}</div>'
            f'{before}<span class="qa-text" style="white-space:pre-wrap">{body}</span>{_chips(trailing[side])}</div>'
        )
        cut = "|".join(texts[side][start:end] for _, start, end in spans)
        plain.append(" ".join([*(leading if side == 0 else []), cut, *trailing[side]]))
    return Html(f'<div class="qa-ruler" style="line-height:2.1;max-width:60em">{"".join(rows)}</div>', "\n".join(plain))


def _pieces(text: str, spans, highlight) -> Iterable[tuple[int, int, list[tuple[int, int, int]], int, bool]]:
    """The text cut at every token's edge: (start, end, tokens there, how many tokens ended before it, highlighted)."""
    low, high = highlight or (0, 0)
    borders = {0, len(text), low, high} | {edge for _, start, end in spans for edge in (start, end)}
    borders = sorted(edge for edge in borders if 0 <= edge <= len(text))
    for start, end in zip(borders, borders[1:]):
        here = [span for span in spans if span[1] <= start and end <= span[2]]
        order = sum(1 for span in spans if span[2] <= start)
        yield start, end, here, order, low <= start and end <= high


def _piece(text: str, side: int, tokens: Sequence[str], start: int, end: int, here, order: int, marked: bool) -> str:
    styles, title = [], ""
    if here or marked:
        hue = rgb(ANSWER) if marked else _HUES[side]
        styles.append(f"background:rgba({hue},{(FAINT, CLEAR)[order % 2]})")
    if here:
        if start == here[0][1]:
            styles.append(f"border-left:2px solid rgb({_HUES[side]})")
        title = "; ".join(f"token {k}: {tokens[k]} ({a}, {b})" for k, a, b in here)
    if marked:
        styles.append(f"border-bottom:3px solid {ANSWER_EDGE}")
    styles.append("padding:0.15em 0")
    label = f' title="{escape(title)}"' if title else ""
    return f'<span style="{";".join(styles)}"{label}>{escape(text[start:end])}</span>'


def _chips(special: Sequence[str]) -> str:
    style = "border:1px dashed currentColor;border-radius:3px;padding:0 0.3em;margin:0 0.3em;font-size:80%;opacity:0.75"
    return "".join(f'<span class="qa-special" style="{style}">{escape(token)}</span>' for token in special)
