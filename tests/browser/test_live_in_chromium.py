"""The engine of the live pages in headless Chromium, from a folder and without a network: it answers, in a worker."""

import json
import shutil
from pathlib import Path

import export_model
import golden
import pytest

import qa_helpers as qa

SCRIPTS = Path(export_model.__file__).parent / "live"
CONTEXT = "👩\u200d🚀 The bridge at Quellmark was built in 1874 by Ilse Varn. “Nørregate” was the lamp’s name. " * 14
QUESTION = "Who built the bridge?"
POLICY = "default-src 'none'; script-src 'self'; worker-src {workers}"
ASK = """async ([question, context]) => {
  const begun = performance.now();
  const { answer, start, end, score, windows } = await extractiveQA.ask(question, context);
  return { answer, start, end, score, windows: windows.length, milliseconds: performance.now() - begun };
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    export_model.export(folder / "live")
    for name in export_model.ENGINE:
        shutil.copy(SCRIPTS / name, folder / "live")
    scripts = "".join(f'<script src="live/{name}" defer></script>' for name in export_model.ENGINE)
    for name, workers in {"page": "blob:", "no-worker": "'none'"}.items():
        policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY.format(workers=workers)}">'
        page = f'<!doctype html><html lang="en"><meta charset="utf-8">{policy}<title>Ask</title>{scripts}'
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def expected():
    model = export_model.as_stored(qa.load_model(export_model.MODEL))
    return qa.QuestionAnswerer(model, qa.load_tokenizer(export_model.MODEL))(QUESTION, CONTEXT)


@pytest.fixture
def tab(browser):
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    yield page
    context.close()
    assert page.errors == []


@pytest.mark.parametrize("name", ["page", "no-worker"])
def test_a_question_is_answered_from_a_folder_without_a_network(tab, folder, expected, name):
    """Where the page's policy allows no worker, the page computes itself."""
    tab.goto((folder / f"{name}.html").as_uri())
    found = tab.evaluate(ASK, [QUESTION, CONTEXT])
    assert len(tab.workers) == (1 if name == "page" else 0)
    assert (found["answer"], found["start"], found["end"]) == (expected["answer"], expected["start"], expected["end"])
    assert found["score"] == pytest.approx(expected["score"], abs=1e-4)
    assert found["windows"] > 1
    again = tab.evaluate(ASK, [QUESTION, CONTEXT])
    assert len(tab.workers) <= 1, "one worker serves the page"
    print(f"{name}: first answer {found['milliseconds']:.0f} ms, second {again['milliseconds']:.0f} ms")


def test_tokens_in_the_browser_are_the_tokenizers(tab, folder):
    tokenizer = qa.load_tokenizer(export_model.MODEL)
    texts = [text for text in golden.texts(1000) if "\r" not in text]
    expected = golden.tokens(tokenizer, texts)
    tab.goto((folder / "page.html").as_uri())
    found = tab.evaluate(
        """async (texts) => {
          await extractiveQA.vocabularyReady();
          const found = texts.map((text) => extractiveQA.tokens(JSON.parse(text)));
          return [found.map((tokens) => tokens.map(({ id }) => id)),
                  found.map((tokens) => tokens.flatMap(({ start, end }) => [start, end]))];
        }""",
        [json.dumps(text) for text in texts],  # escaped: the way to the browser takes no half surrogates
    )
    assert found == [expected["ids"], expected["offsets"]]
    assert tab.workers == [], "tokens need no model"
