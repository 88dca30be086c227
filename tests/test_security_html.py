"""No text, from data or from users, becomes markup in anything that returns HTML."""

import ast
import inspect
import json
import os
import re
import tempfile
from pathlib import Path
from unittest import mock

import pytest
from conftest import REPOSITORY
from support import HOSTILE, hostile_example, views_of
from widget_pages import check_page

from qa_helpers import QuestionAnswerer, progress, render, widgets
from qa_helpers.classroom.annotations import Annotations

PACKAGE = REPOSITORY / "qa_helpers"
MODULES = sorted(PACKAGE.rglob("*.py"))


def all_views(text: str, tokenizer) -> dict[str, render.Html]:
    """Every function of the package that returns HTML, with a text wherever it takes one: name → what it returned."""
    example = hostile_example(text)
    context, question = example["context"], example["question"]
    encoded = tokenizer(question, context, return_offsets_mapping=True, split_special_tokens=True)
    ruler = render.offset_ruler(
        question, context, encoded["offset_mapping"], encoded.sequence_ids(), [text] * len(encoded["input_ids"]), (3, 9)
    )
    notes = Annotations({text: context})
    notes.add(text, question, "Ilse Varn")
    views = views_of(example, tokenizer)
    steps = [views.pop(name) for name in list(views) if name.startswith("step")]
    box = widgets.AskBox(QuestionAnswerer(load_model_once(), tokenizer), question, context)
    return {
        **{f"widgets.{name}": shown for name, shown in views.items()},
        "render.offset_ruler": ruler,
        "widgets.label_steps": steps,
        "widgets.annotation_view": widgets.annotation_view(notes, text, question, text, 0, note=text),
        "widgets._html.message": widgets._html.message(text),
        "widgets.ask_box.AskBox": box.draw(),
        "_progress.progress": damaged_progress(text),
    }


def damaged_progress(text: str) -> render.Html:
    """The table of what is done, with the remark that its file has a strange entry, named ``text``."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "progress.json"
        file.write_text(json.dumps({"format": 1, "exercises": {text: "no entry"}}), encoding="utf-8")
        with mock.patch.dict(os.environ, QA_PROGRESS=str(file)):
            return progress()


_model = []


def load_model_once():
    import tiny_bert
    from transformers import BertConfig, BertForQuestionAnswering

    if not _model:
        _model.append(BertForQuestionAnswering(BertConfig(**tiny_bert.config_values())).eval())
        tiny_bert.set_weights(_model[0])
    return _model[0]


@pytest.mark.parametrize(
    "text", [*HOSTILE, "<!-- ", "]]>", "{{7*7}}", "javascript:alert(1)", "</style><script>x</script>"]
)
def test_no_text_becomes_markup_anywhere(text, tokenizer):
    for name, shown in all_views(text, tokenizer).items():
        for page in shown if isinstance(shown, list) else [shown]:
            checked = check_page(page) if name not in ("render.offset_ruler", "_progress.progress") else None
            assert checked is None or not checked.all("style") or "script" not in str(checked.all("style"))
            for tag in ("<script", "<img", "<!--", "<b>out"):
                assert tag not in page.html, name


def test_every_function_that_returns_html_is_among_those_tried(tokenizer):
    returning = set()
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            public = isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and node.returns
            if public and re.search(r"\bHtml\b", ast.unparse(node.returns)):
                returning.add(node.name)
    tried = {name.split(".")[-1] for name in all_views("a lamp", tokenizer)}
    assert returning <= tried, f"{returning - tried} return HTML and are not tried with hostile texts"
    assert {"offset_ruler", "answer_view", "span_view", "annotation_view"} <= returning


def test_what_stands_in_attributes_of_html_by_hand_is_escaped_or_a_number():
    """Where HTML is put together by f-strings: no value stands between quotes unless by ``escape`` or ``attributes``."""
    source = inspect.getsource(render) + inspect.getsource(widgets._html)
    for value in re.findall(r'(?:title|aria-label|class)="\{([^}]*)\}', source):
        assert "escape" in value, value
