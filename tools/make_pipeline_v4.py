"""Record what transformers 4's ``pipeline("question-answering")`` answered → pipeline_v4.json.

transformers 5 has no such pipeline, so this runs in a virtual environment of its own:

    python3 -m venv ../v4
    ../v4/bin/pip install torch==2.13.0 'transformers==4.57.*'
    ../v4/bin/python tools/make_pipeline_v4.py

Every text below is invented. ``test_answering.py`` asks the same of ``QuestionAnswerer`` on the same weights.
"""

import json
import tempfile
import warnings
from pathlib import Path

import tiny_bert

SHORT = "The stone bridge at Quellmark was built in 1874 by Ilse Varn, and the old tower followed two years later."
QUOTES = "“Nørregate” – the small harbour’s lamp – cost €1,250.50 (about £1,000), a keeper wrote; others said £900."
LONG = " ".join(
    [
        "The village of Ambersound had a music school long before it had a road.",
        "It was founded in the winter of 1902 by the teacher Oda Brennick, who named it after the river.",
        "Seven people came on the first night; by spring there were twelve, and the boats brought more every day.",
        "In 1911 the wind took the wooden tower, and for ten years the bells stood in a garden of the keeper, T. Rell.",
        "The new tower, built of stone and copper, opened on 3 May 1921 with a story read by Oda Brennick herself.",
        "Her letters, now in the archive of the Ambersound museum, say that the rain ended just before the first bell.",
        "The glass of the north wall was painted by Pia Lorentz-Dahl; the south wall had to wait for another summer.",
        "Today the school’s market on the harbour wall is called the “crossing”, and nobody remembers why.",
    ]
)
BUILDER, FOUNDER, COST = "Who built the bridge?", "Who founded the music school?", "What did the lamp cost?"
WINDOWS = {"max_seq_len": 64, "doc_stride": 16}

CASES = [
    # (name, positional arguments, keyword arguments)
    ("one question", [], {"question": BUILDER, "context": SHORT}),
    ("five answers", [], {"question": BUILDER, "context": SHORT, "top_k": 5}),
    ("five answers, tokens as are", [], {"question": BUILDER, "context": SHORT, "top_k": 5, "align_to_words": False}),
    ("one answer, tokens as they are", [], {"question": COST, "context": QUOTES, "align_to_words": False}),
    ("accents, quotes and currencies", [], {"question": COST, "context": QUOTES, "top_k": 5}),
    ("several windows", [], {"question": FOUNDER, "context": LONG, **WINDOWS}),
    ("several windows, default stride", [], {"question": FOUNDER, "context": LONG, "max_seq_len": 80}),
    ("several windows, all settings left alone", [], {"question": FOUNDER, "context": LONG}),
    ("several windows, five answers", [], {"question": FOUNDER, "context": LONG, "top_k": 5, **WINDOWS}),
    ("several windows, thirty answers", [], {"question": FOUNDER, "context": LONG, "top_k": 30, **WINDOWS}),
    (
        "several windows, five answers, tokens as they are",
        [],
        {"question": FOUNDER, "context": LONG, "top_k": 5, "align_to_words": False, **WINDOWS},
    ),
    ("no shared tokens", [], {"question": FOUNDER, "context": LONG, "top_k": 3, **WINDOWS, "doc_stride": 0}),
    ("answers of one token", [], {"question": BUILDER, "context": SHORT, "top_k": 5, "max_answer_len": 1}),
    ("answers of 40 tokens", [], {"question": FOUNDER, "context": LONG, "top_k": 5, "max_answer_len": 40, **WINDOWS}),
    ("no answer allowed", [], {"question": BUILDER, "context": SHORT, "top_k": 5, "handle_impossible_answer": True}),
    (
        "no answer allowed, several windows",
        [],
        {"question": FOUNDER, "context": LONG, "top_k": 30, "handle_impossible_answer": True, **WINDOWS},
    ),
    ("no answer allowed, one wanted", [], {"question": COST, "context": SHORT, "handle_impossible_answer": True}),
    ("the same words twice", [], {"question": BUILDER, "context": "the bell, The bell, bells; the bell.", "top_k": 5}),
    ("lists pair by pair", [], {"question": [BUILDER, FOUNDER], "context": [SHORT, LONG], **WINDOWS}),
    ("lists pair by pair, three answers", [], {"question": [BUILDER, COST], "context": [SHORT, QUOTES], "top_k": 3}),
    ("one context for several questions", [], {"question": [BUILDER, COST, FOUNDER], "context": SHORT}),
    ("a list of one question, one context", [], {"question": [BUILDER], "context": SHORT}),
    ("lists of one", [], {"question": [BUILDER], "context": [SHORT], "top_k": 2}),
    ("a dict", [{"question": BUILDER, "context": SHORT}], {}),
    ("a list of one dict", [[{"question": BUILDER, "context": SHORT}]], {}),
    (
        "a list of dicts",
        [[{"question": BUILDER, "context": SHORT}, {"question": FOUNDER, "context": LONG}]],
        {"top_k": 2, **WINDOWS},
    ),
    ("a dict of lists", [{"question": [BUILDER, COST], "context": [SHORT, QUOTES]}], {}),
    ("two strings", [BUILDER, SHORT], {}),
    ("two dicts", [{"question": BUILDER, "context": SHORT}, {"question": COST, "context": QUOTES}], {}),
    ("a question of seventy words", [], {"question": "who " * 70 + "?", "context": SHORT, "doc_stride": 16}),
]


# Asked of a model that leans towards "no answer".
CAUTIOUS_CASES = [
    ("no answer is best", [], {"question": BUILDER, "context": SHORT, "handle_impossible_answer": True}),
    (
        "no answer is best, five wanted",
        [],
        {"question": BUILDER, "context": SHORT, "handle_impossible_answer": True, "top_k": 5},
    ),
    (
        "no answer among many, several windows",
        [],
        {"question": FOUNDER, "context": LONG, "handle_impossible_answer": True, "top_k": 30, **WINDOWS},
    ),
    ("no answer is best, but not allowed", [], {"question": BUILDER, "context": SHORT, "top_k": 3}),
]


def main() -> None:
    import torch
    import transformers

    warnings.simplefilter("ignore")
    cases = []
    for cautious, asked in ((False, CASES), (True, CAUTIOUS_CASES)):
        with tempfile.TemporaryDirectory() as folder:
            tiny_bert.save_checkpoint(folder, cautious)
            answerer = transformers.pipeline("question-answering", model=folder, tokenizer=folder, device=-1)
        for name, args, kwargs in asked:
            case = {"name": name, "cautious": cautious, "args": args, "kwargs": kwargs}
            cases.append({**case, "output": answerer(*args, **kwargs)})
    versions = {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0]}
    target = Path(__file__).with_name("pipeline_v4.json")
    target.write_text(json.dumps({"made_with": versions, "cases": cases}, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(f"{len(cases)} cases written to {target.name}")


if __name__ == "__main__":
    main()
