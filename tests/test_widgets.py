"""The widgets' views: pure functions whose numbers are those of the package, and whose texts stay texts."""

import itertools
import json
import re

import numpy as np
import pytest
from conftest import make_example
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from support import HOSTILE, hostile_example, views_of
from widget_pages import Page, check_page, logits_for

from qa_helpers import decode_answers, make_features, widgets
from qa_helpers.classroom.widgets import _html, window_explorer
from qa_helpers.figures import colours
from qa_helpers.figures.colours import ABSENT, ANSWER, END, HELD, START


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_never_become_markup(text, tokenizer):
    for name, shown in views_of(hostile_example(text), tokenizer).items():
        page = check_page(shown)
        if name in ("answer_view", "window_view", "step 1"):
            assert page.boxes == [hostile_example(text)["context"]], name
            assert page.marks[-1] == "Ilse Varn", name
        if name != "offset_view":  # it has no question
            assert f"Who saw {text}?" in page.text, name


def test_a_message_is_escaped_and_announced():
    page = check_page(_html.message("no <b>such</b> 'file'"))
    assert page.text == "no <b>such</b> 'file'" and any(a.get("role") == "alert" for a in page.all("div"))


@given(st.text(max_size=30), st.lists(st.tuples(st.integers(0, 35), st.integers(0, 35)), max_size=6))
def test_marking_loses_no_character(text, spans):
    text = text.replace("\r", "").replace("\0", "")
    html = _html.marked(text, [_html.Mark(a, b, "x", '"title"', "k") for a, b in spans])
    page = Page(f"<div>{html}</div>")
    assert page.text == text
    covered = {k for a, b in spans for k in range(a, min(b, len(text)))}
    inside = re.findall(r"<span [^>]*>(.*?)</span>", html, re.DOTALL)
    assert len(Page(f"<div>{''.join(inside)}</div>").text) == len(covered)


def test_a_long_texts_marks_are_shown_with_their_surroundings_only():
    text = "".join(f"{k:04d} " for k in range(400))  # 2,000 characters
    marks = [_html.Mark(500, 504), _html.Mark(1500, 1504), _html.Mark(1520, 1530)]
    shown = Page(f"<div>{_html.marked_nearby(text, marks, margin=20)}</div>").text
    assert shown == f"… {text[480:524]} … {text[1480:1554]} …"
    assert Page(f"<div>{_html.marked_nearby('all of it', [_html.Mark(0, 3)])}</div>").text == "all of it"


def luminance(color):
    parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in color]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


@pytest.mark.parametrize("page_color, text_color", [((255, 255, 255), (33, 33, 33)), ((17, 17, 17), (255, 255, 255))])
def test_text_is_readable_on_every_background_in_both_themes(page_color, text_color, tokenizer):
    backgrounds = set()
    for shown in views_of(hostile_example("a lamp"), tokenizer).values():
        backgrounds |= set(re.findall(r"background:rgba\((\d+), (\d+), (\d+), ([\d.]+)\)", shown.html))
    assert len(backgrounds) >= 4
    for *hue, strength in backgrounds:
        ground = [float(strength) * int(h) + (1 - float(strength)) * p for h, p in zip(hue, page_color)]
        light, dark = sorted((luminance(ground), luminance(text_color)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (hue, strength)


def test_colours_have_a_legend_and_are_those_of_the_figures(rows, tokenizer):
    views = views_of(hostile_example("a lamp"), tokenizer)
    for name, shown in views.items():
        assert 'class="qa-legend"' in shown.html, f"{name}: nothing says what its colours mean"
    bells = next(row for row in rows if row["id"] == "bells-last")
    windows = widgets.window_view(bells, tokenizer, 40, 12)
    for color, words in ((HELD, "holds the whole answer"), (ABSENT, "no part of the answer"), (ANSWER, "the answer")):
        assert color in windows.html and words in Page(windows.html).text
    features = make_features([bells], tokenizer, 40, 12)
    spans = widgets.span_view(bells, features, *logits_for(features)).html
    assert START in spans and END in spans and ANSWER in spans


# Machado, Oliveira and Fernandes (2009): linear RGB as it is seen without one of the three kinds of cones.
WITHOUT_CONES = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def lab(color, seen):
    """CIE L*a*b* of a colour as ``seen``."""
    parts = np.array([int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(np.array(seen) @ linear, 0, 1) / [0.9505, 1, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("kind", ["all cones", *WITHOUT_CONES])
def test_meanings_can_be_told_apart_with_every_kind_of_colour_vision(kind):
    seen = WITHOUT_CONES.get(kind, np.eye(3))
    together = [
        (colours.START, colours.END, colours.ANSWER, colours.WINDOW, colours.QUESTION, colours.LOST),
        (colours.ANSWER, colours.WINDOW, colours.WINDOW_PALE),
        (colours.ANSWER, colours.HELD, colours.LOST, colours.ABSENT),
        (colours.F1, colours.EM),
        (colours.WINDOW, colours.PADDING),
    ]
    for group in together:
        for one, other in itertools.combinations(group, 2):
            assert np.linalg.norm(lab(one, seen) - lab(other, seen)) > 15, (one, other)


def test_windows_are_those_of_make_features(rows, tokenizer):
    for example in rows:
        for max_length, stride in ((40, 12), (64, 0)):
            features = make_features([example], tokenizer, max_length, stride)
            columns = window_explorer.cut_example(example, tokenizer, max_length, stride)
            for name in features.column_names:
                assert json.dumps(features[name][:]) == json.dumps(columns[name])
            shown = widgets.window_view(example, tokenizer, max_length, stride)
            check_page(shown)
            padding = len(features) * max_length - sum(map(len, features["input_ids"]))
            assert (
                f"{len(features)} feature" in shown.plain
                and f"{padding:,} of {len(features) * max_length:,}" in shown.plain
            )


def test_the_answers_windows_are_named(rows, tokenizer):
    example = next(row for row in rows if row["id"] == "bells-last")
    features = make_features([example], tokenizer, 40, 12)
    whole = [k for k, row in enumerate(features) if row["start_positions"] != row["cls_index"]]
    shown = widgets.window_view(example, tokenizer, 40, 12)
    noun = "window" if len(whole) == 1 else "windows"
    assert f"the whole answer is in {noun} {', '.join(map(str, whole))}" in shown.plain
    assert shown.plain.count("holds the whole answer") == len(whole) < len(features)
    none = next(row for row in rows if row["id"] == "bells-none")
    assert "no answer in this text" in widgets.window_view(none, tokenizer, 40, 12).plain


def test_an_answer_that_no_window_holds_is_said(tokenizer):
    lost = make_example("lost", "one two three four five six seven eight nine ten " * 3, "Which?", "three four five six seven eight nine ten")  # fmt: skip
    shown = widgets.window_view(lost, tokenizer, 14, 0)
    assert "NO window holds the whole answer" in shown.plain and "cuts the answer" in shown.plain


def test_many_windows_are_drawn_in_part_and_counted_in_full(rows, tokenizer):
    bells = next(row for row in rows if row["id"] == "bells-founder")
    shown = widgets.window_view(bells, tokenizer, 20, 4)
    total = len(make_features([bells], tokenizer, 20, 4))
    assert total > 24 and shown.html.count("<text") == 24
    assert f"and {total - 24} more window" in Page(shown.html).text


def test_labels_are_those_of_make_features(rows, tokenizer):
    for example in rows:
        features = make_features([example], tokenizer, 40, 12)
        for k, row in enumerate(features):
            steps = widgets.label_steps(example, tokenizer, 40, 12, k)
            for step in steps:
                check_page(step)
            whole = row["start_positions"] != row["cls_index"]
            assert len(steps) == (6 if whole else 4 if example["answers"]["text"] else 3)
            last = steps[-1].plain
            if whole:
                assert f"start_positions = {row['start_positions']}, end_positions = {row['end_positions']}." in last
                assert f"start_positions = {row['start_positions']}." in steps[3].plain
                assert f"end_positions = {row['end_positions']}." in steps[4].plain
                assert repr(example["answers"]["text"][0]) in last
            else:
                assert f"start_positions = end_positions = {row['cls_index']}, the token [CLS]." in last
                assert "does not hold the whole answer" in steps[2].plain or not example["answers"]["text"]


def test_a_label_that_covers_more_than_the_answer_says_so(tokenizer):
    inside = make_example("inside", "The keeper lit the lamp at dusk.", "What was lit?", "amp")
    told = widgets.label_steps(inside, tokenizer, 40, 12, 0)[-1].plain
    read = re.search(r"Read back from the context: '(.*?)'", told).group(1)
    assert ("begins or ends inside a token" in told) == (read != "amp")


def test_there_is_no_other_window(rows, tokenizer):
    with pytest.raises(ValueError, match="There is no window 9: the windows are 0 to"):
        widgets.label_steps(rows[0], tokenizer, 40, 12, 9)


def test_offsets_cut_the_text(tokenizer):
    text = "The keeper’s  lamp cost £1,250."
    encoded = tokenizer(text, return_offsets_mapping=True)
    for picked in range(len(encoded["input_ids"])):
        shown = widgets.offset_view(text, tokenizer, picked)
        page = check_page(shown)
        start, end = encoded["offset_mapping"][picked]
        assert page.marks == ([text[start:end]] if end > start else [])
        assert f"token {picked}: {encoded.tokens()[picked]!r}, id {encoded['input_ids'][picked]}" in shown.plain
        assert "covers no character" in shown.plain or f"[{start}, {end})" in shown.plain
        assert page.boxes == [text]
    cut = shown.plain.splitlines()[0]
    assert cut.replace("|", "") == text.replace(" ", "")
    assert f"{text.count(' ')} of {len(text)} characters belong to no token" in shown.plain


def test_pointing_lights_a_token_and_its_characters(tokenizer):
    shown = widgets.offset_view("a lamp", tokenizer)
    assert ".qa-offsets:has(.k1:hover) .k1" in shown.html and "<mark" not in shown.html
    assert [a["class"] for a in Page(shown.html).all("span") if a.get("class")].count("k1") == 2


@pytest.mark.parametrize(
    "text, picked, told", [(" \n", None, "no text"), ("x" * 601, None, "Shorten"), ("x", 9, "no token 9")]
)
def test_texts_that_cannot_be_shown(text, picked, told, tokenizer):
    with pytest.raises(ValueError, match=told):
        widgets.offset_view(text, tokenizer, picked)


@pytest.mark.parametrize("longest, threshold", [(30, None), (2, 0.0), (1, -25.0), (30, 25.0)])
def test_spans_are_those_of_decode_answers(rows, tokenizer, longest, threshold):
    example = next(row for row in rows if row["id"] == "bells-founder")
    features = make_features([example], tokenizer, 40, 12)
    assert len(features) > 2
    logits = logits_for(features)
    found = decode_answers([example], features, *logits, max_answer_length=longest, null_threshold=threshold)[0]
    shown = widgets.span_view(example, features, *logits, longest, threshold)
    page = check_page(shown)
    lines = shown.plain.splitlines()
    assert lines[1] == f"Answer: {repr(found.text) if found.text else 'none'}"
    for line, candidate in zip(lines[3:], found.n_best[:5], strict=True):
        assert line.split(maxsplit=2) == [f"{candidate.score:.2f}", f"{candidate.probability:.3f}", candidate.text]
        assert candidate.text in page.text
    assert f"{found.null_score:.2f} − best score {found.score:.2f} = {found.score_difference:.2f}" in lines[2]
    assert ("threshold" in lines[2]) == (threshold is not None)


def test_bars_are_as_long_as_their_logits(rows, tokenizer):
    features = make_features(rows[:1], tokenizer, 64, 12)
    logits = [np.zeros(len(features["input_ids"][0])) for _ in range(2)]
    first = features["context_tokens"][0][0]
    logits[0][first + 1], logits[1][first + 2] = 4.0, 2.0
    shown = widgets.span_view(rows[0], features, [logits[0]], [logits[1]])
    bars = [float(bar["height"]) for bar in Page(shown.html).all("rect") if bar["width"] == "8"]
    assert sorted(bars)[-2:] == [65.0, 130.0] and sum(bars) == 195.0
    assert f"token {first + 1} " in shown.html and "start 4.00, end 0.00" in shown.html


def test_another_window_can_be_drawn(rows, tokenizer):
    example = next(row for row in rows if row["id"] == "bells-founder")
    features = make_features([example], tokenizer, 40, 12)
    logits = logits_for(features)
    for window in range(len(features)):
        assert (
            f"Window {window} (of {len(features)})" in widgets.span_view(example, features, *logits, window=window).html
        )
    with pytest.raises(ValueError, match="no window 99"):
        widgets.span_view(example, features, *logits, window=99)


def test_features_of_any_place_in_a_dataset_serve(examples, rows, features, tokenizer):
    k = next(k for k, row in enumerate(rows) if row["id"] == "bells-last")
    own = [w for w, owner in enumerate(features["example_index"]) if owner == k]
    logits = [[values[w] for w in own] for values in logits_for(features)]
    shown = widgets.span_view(examples[k], features.select(own), *logits)
    alone = make_features([rows[k]], tokenizer, max_length=40, stride=12)  # as the fixture has them
    assert shown.plain == widgets.span_view(rows[k], alone, *logits).plain
    with pytest.raises(ValueError, match="those of example 'bells-last' and of no other"):
        widgets.span_view(examples[k], features, *logits_for(features))


def test_the_answer_is_lit_and_the_rest_unfolds():
    document = "So it was. " * 200 + "Ilse Varn built it. " + "And so on. " * 200
    start = document.index("Ilse")
    best = {"answer": "Ilse Varn", "start": start, "end": start + 9, "score": 0.5}
    shown = widgets.answer_view("Who?", document, best)
    page = check_page(shown)
    assert page.boxes == [document] and page.marks == ["Ilse Varn"] * 2
    assert len(page.all("details")) == 2 and "Alternatives" not in page.text
    assert shown.plain.splitlines()[1] == f"Answer: Ilse Varn (score 0.500, characters [{start}, {start + 9}))"


def test_no_answer_and_its_alternatives():
    none, other = (
        {"answer": "", "start": 0, "end": 0, "score": 0.6},
        {"answer": "Ilse", "start": 0, "end": 4, "score": 0.2},
    )
    shown = widgets.answer_view("Who?", "Ilse built it.", [none, other])
    page = check_page(shown)
    assert page.marks == [] and "Answer: no answer in this document" in page.text
    assert shown.plain.splitlines()[2] == "  0.200  Ilse  ([Ilse] built it.)"
    assert "no answer in this document" in Page(widgets.answer_view("Who?", "Ilse built it.", [other, none]).html).text


@pytest.mark.parametrize(
    "answers, told", [([], "no answer to show"), ({"answer": "x", "start": 3, "end": 99, "score": 1}, "outside")]
)
def test_answers_to_another_document(answers, told):
    with pytest.raises(ValueError, match=told):
        widgets.answer_view("Who?", "short", answers)


def test_a_token_that_is_markup_stays_text():
    """The tokens of a small vocabulary are single signs; a larger one may hold a whole tag."""
    page = Page(_html.chip("<b>", "<script>", '"<i>', "border:0", "k0", '"><img src=x>'))
    assert {tag for tag, _ in page.tags} == {"span"} and page.text == '<b><script>"<i>'
    window = {
        "input_ids": [2, 5, 3],
        "offset_mapping": [[0, 0], [0, 8], [0, 0]],
        "context_tokens": [1, 2],
        "cls_index": 0,
    }
    features = Dataset.from_list([{**window, "example_id": "tag"}])
    example = make_example("tag", "<script>", "<b>?", "<script>")
    shown = widgets.span_view(example, features, [np.zeros(3)], [np.zeros(3)])
    assert check_page(shown).text.count("<script>") == 4  # the answer, a bar's title, its name, and the table
