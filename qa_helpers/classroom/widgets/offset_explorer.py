"""OffsetExplorer: any text, tokenized by any family's tokenizer, with the characters of every token marked."""

from collections.abc import Mapping, Sequence
from html import escape

import ipywidgets

from ...checkpoints import FAMILIES, load_tokenizer
from ...figures.colours import WINDOW
from ..render import CLEAR, FAINT, Html
from ._html import Mark, chip, count, legend, marked, page, text_box, tint
from ._shell import WIDE, Shell, layout

MAX_CHARACTERS = 600  # about 150 tokens, each with a box of its own: more do not fit on a page
_LIT = f"color:inherit;{tint(WINDOW, CLEAR)};outline:2px solid currentColor"


def offset_view(text: str, tokenizer, picked: int | None = None) -> Html:
    """A text with the characters of its tokens in colour, the tokens in boxes below it, and one token outlined.

    Where the page allows it, pointing at a token outlines its characters, and pointing at characters their token.

    Args:
        text: at most 600 characters.
        tokenizer: a fast tokenizer.
        picked: a token's number, counting special tokens too; None outlines no token.

    Raises:
        ValueError: the text is empty or too long, or there is no such token.
    """
    if not text.strip():
        raise ValueError("There is no text yet. Type some")
    if len(text) > MAX_CHARACTERS:
        raise ValueError(
            f"The text has {len(text):,} characters, and at most {MAX_CHARACTERS} can be shown. Shorten it"
        )
    encoded = tokenizer(text, return_offsets_mapping=True, split_special_tokens=True, verbose=False)
    tokens, ids, offsets = encoded.tokens(), encoded["input_ids"], encoded["offset_mapping"]
    if picked is not None and not 0 <= picked < len(tokens):
        raise ValueError(f"There is no token {picked}: the tokens are 0 to {len(tokens) - 1}")
    real = [k for k, side in enumerate(encoded.sequence_ids()) if side is not None]
    marks = [_mark(k, tokens[k], offsets[k], _look(order), k == picked) for order, k in enumerate(real)]
    looks = {k: _look(order) for order, k in enumerate(real)}
    boxes = [
        chip(k, token, str(ids[k]), _LIT if k == picked else looks.get(k, "border-style:dashed"), f"k{k}")
        for k, token in enumerate(tokens)
    ]
    bare = sum(not any(a <= k < b for a, b in offsets) for k in range(len(text)))
    told = f"{count(len(real), 'token')}, {count(len(tokens) - len(real), 'special token')}; "
    told += f"{bare:,} of {count(len(text), 'character')} belong{'s' if bare == 1 else ''} to no token"
    detail = "" if picked is None else _detail(picked, tokens[picked], ids[picked], offsets[picked], text)
    html = page(
        text_box(marked(text, marks), "the text, with its tokens marked"),
        f'<div aria-live="polite"><b>{escape(detail)}</b></div>' if detail else "",
        f'<div style="overflow:auto;max-height:16em" tabindex="0" role="region" aria-label="tokens">{"".join(boxes)}</div>',
        legend(
            (tint(WINDOW, FAINT), "a token"),
            (tint(WINDOW, CLEAR), "the next token"),
            ("border:1px dashed currentColor", "special token"),
            ("border:2px solid currentColor", "the chosen token"),
        ),
        f"Each box shows the token's number, the token, and its id in the vocabulary. {told}.",
    )
    cut = "|".join(text[slice(*offsets[k])] for k in real)
    return Html(
        f'<div class="qa-offsets">{_hover(len(tokens))}{html}</div>', "\n".join(filter(None, [cut, detail, told]))
    )


def _look(order: int) -> str:
    """Neighbours differ in strength, and have an edge between them."""
    return f"{tint(WINDOW, (FAINT, CLEAR)[order % 2])};border-left:2px solid {WINDOW}"


def _mark(k: int, token: str, offset: tuple[int, int], look: str, picked: bool) -> Mark:
    return Mark(
        *offset, _LIT if picked else look, f"token {k}: {token} {tuple(offset)}", f"k{k}", "mark" if picked else "span"
    )


def _detail(k: int, token: str, number: int, offset: tuple[int, int], text: str) -> str:
    start, end = offset
    place = f"characters [{start}, {end}) of the text: {text[start:end]!r}" if end > start else "covers no character"
    return f"token {k}: {token!r}, id {number}, {place}"


def _hover(tokens: int) -> str:
    """Rules that outline a token's box and its characters while the pointer is on either."""
    rules = (f".qa-offsets:has(.k{k}:hover) .k{k}" for k in range(tokens))
    return f"<style>{','.join(rules)}{{outline:2px solid currentColor}}</style>"


class OffsetExplorer(Shell):
    """Type any text, choose a tokenizer, and point at tokens or step through them to see the characters they cover.

    Args:
        text: the text in the field at the beginning.
        families: name → tokenizer or name of a checkpoint, or a list of checkpoint names; None offers the small
            checkpoints of the course's six families. A checkpoint is loaded when it is chosen.

    The controls are ``text``, ``family`` and ``token``.
    """

    css_class = "qa-offset-explorer"

    def __init__(self, text: str = "The keeper’s lamp  cost £1,250.", families: Mapping | Sequence[str] | None = None):
        if families is None:
            families = {f"{family.name} ({family.mini})": family.mini for family in FAMILIES.values()}
        elif not isinstance(families, Mapping):
            families = {name: name for name in families}
        if not families:
            raise ValueError("there is no tokenizer to choose from; give at least one, or families=None")
        self._families = dict(families)
        self.text = ipywidgets.Textarea(
            text, description="Text", tooltip="Any text you like", rows=2, style=WIDE, layout=layout("98%")
        )
        self.family = ipywidgets.Dropdown(
            options=list(self._families),
            description="Tokenizer",
            tooltip="The family whose tokenizer cuts the text",
            style=WIDE,
            layout=layout(),
        )
        self.token = ipywidgets.IntSlider(
            value=1,
            min=0,
            max=1,
            description="Token",
            tooltip="Step through the tokens",
            style=WIDE,
            layout=layout("24em"),
        )
        super().__init__(self.text, self.family, self.token)

    def draw(self) -> Html:
        """The text, cut by the chosen tokenizer, with the chosen token outlined."""
        tokenizer = self._tokenizer()
        text = self.text.value
        last = len(tokenizer(text[:MAX_CHARACTERS], split_special_tokens=True, verbose=False)["input_ids"]) - 1
        self.token.max = last
        return offset_view(text, tokenizer, min(self.token.value, last))

    def _tokenizer(self):
        name = self.family.value
        if isinstance(self._families[name], str):
            self._families[name] = load_tokenizer(self._families[name])
        return self._families[name]
