"""The offset ruler: what it shows is the text itself, whatever the text holds."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_helpers.classroom.render import offset_ruler
from qa_helpers.figures.colours import ANSWER, QUESTION, WINDOW, rgb

HOSTILE = [
    "<script>alert('ruler')</script>",
    'a <img src=x onerror="alert(1)"> b',
    "\"double\" and 'single' quotes",
    "</span></div><b>out</b>",
    "&lt;not a tag&gt; &amp; &#39;",
    "[SEP] two  spaces\nand a line",
    "emoji 👩\u200d🚀, cafe\u0301",
]


class Page(HTMLParser):
    """Collects the tags with their attributes, and the text inside elements of class qa-text."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.texts, self._open, self.titles, self.special = [], [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, set(attributes)))
        self._open.append(attributes.get("class"))
        if attributes.get("class") == "qa-text":
            self.texts.append("")
        if "title" in attributes:
            self.titles.append(attributes["title"])

    def handle_endtag(self, tag):
        self._open.pop()

    def handle_data(self, data):
        if "qa-text" in self._open:
            self.texts[-1] += data
        elif self._open and self._open[-1] == "qa-special":
            self.special.append(data)


def words(text, begin=0):
    """Tokens of a crude tokenizer: runs of characters that are not spaces, cut in half; offsets by hand."""
    offsets, start = [], None
    for k, character in enumerate(text + " "):
        if character.isspace():
            if start is not None:
                middle = (start + k + 1) // 2
                offsets += [(start, middle)] + ([(middle, k)] if middle < k else [])
            start = None
        elif start is None:
            start = k
    return offsets


def ruler(question, context, **options):
    first, second = words(question), words(context)
    offsets = [(0, 0), *first, (0, 0), *second, (0, 0)]
    sides = [None, *[0] * len(first), None, *[1] * len(second), None]
    texts = {0: question, 1: context}
    tokens = [
        ("[CLS]" if k == 0 else "[SEP]") if side is None else texts[side][a:b]
        for k, (side, (a, b)) in enumerate(zip(sides, offsets))
    ]
    return offset_ruler(question, context, offsets, sides, tokens, **options), tokens


@pytest.mark.parametrize("text", HOSTILE)
def test_data_never_becomes_markup(text):
    shown, _ = ruler(text, text[::-1] + text)
    page = Page(shown._repr_html_())
    assert {tag for tag, _ in page.tags} == {"div", "span"}
    assert set().union(*(names for _, names in page.tags)) <= {"class", "style", "title"}
    assert "<script" not in shown.html and "<img" not in shown.html


@pytest.mark.parametrize("text", HOSTILE)
def test_the_visible_text_is_the_input(text):
    shown, _ = ruler("Who wrote " + text, text)
    assert Page(shown.html).texts == ["Who wrote " + text, text]


@given(question=st.text(), context=st.text(), low=st.integers(0, 20), length=st.integers(0, 20))
def test_any_text_comes_through(question, context, low, length):
    question, context = (text.replace("\r", "").replace("\0", "") for text in (question, context))
    shown, tokens = ruler(question, context, highlight=(low, low + length))
    page = Page(shown.html)
    assert page.texts == [question, context]
    assert page.special == ["[CLS]", "[SEP]", "[SEP]"]
    assert len(tokens) == len(words(question)) + len(words(context)) + 3


def test_a_hostile_token_stays_in_its_title():
    shown = offset_ruler("a", "b", [(0, 1), (0, 1)], [0, 1], ['"><script>', "b"])
    page = Page(shown.html)
    assert page.titles[0] == 'token 0: "><script> (0, 1)'
    assert {tag for tag, _ in page.tags} == {"div", "span"}


def test_special_tokens_are_escaped_too():
    shown = offset_ruler("a", "b", [(0, 0), (0, 1), (0, 0), (0, 1)], [None, 0, None, 1], ["<s>", "a", "</s>", "b"])
    assert Page(shown.html).special == ["<s>", "</s>"]


def test_question_and_context_have_hues_of_their_own():
    html = ruler("Who?", "Ilse Varn")[0].html
    question, context = html.split('<div style="margin:0.5em 0">')[1:]
    assert rgb(QUESTION) in question and rgb(WINDOW) not in question
    assert rgb(WINDOW) in context and rgb(QUESTION) not in context


def test_tokens_that_share_characters_show_them_once():
    shown = offset_ruler("q", "😀 b", [(0, 1), (0, 1), (0, 1), (2, 3)], [0, 1, 1, 1], ["q", "ð", "Ł", "b"])
    page = Page(shown.html)
    assert page.texts == ["q", "😀 b"]
    assert "token 1: ð (0, 1); token 2: Ł (0, 1)" in page.titles


def test_without_html_the_cuts_are_shown_by_bars():
    shown, _ = ruler("Who?", "Ilse Varn")
    assert repr(shown) == "[CLS] Wh|o? [SEP]\nIl|se|Va|rn [SEP]"


def test_the_highlight_is_underlined_and_has_the_answers_colour():
    shown, _ = ruler("Who?", "Ilse Varn", highlight=(5, 9))
    assert shown.html.count("border-bottom") == shown.html.count(rgb(ANSWER)) == 2
    plain, _ = ruler("Who?", "Ilse Varn")
    assert "border-bottom" not in plain.html and rgb(ANSWER) not in plain.html
