"""Probes and planted shortcuts: every answer stays where its row says, and recorded runs fit what they were measured on."""

import json
from random import Random

import numpy as np
import pytest
import shortcut_runs

import qa_helpers as qa
from qa_helpers.engine.fingerprint import fingerprint
from qa_helpers.mini import probes as made
from qa_helpers.mini import shortcuts

COUNT = 60
PROBED = made.probes(COUNT)


def read_back(row):
    return [row["context"][start : start + len(text)] for text, start in zip(*row["answers"].values())]


@pytest.fixture(scope="module")
def mini():
    return qa.load_squad("mini")


@pytest.mark.parametrize("name", made.PROBES)
def test_a_probe_has_its_answer_where_its_row_says(name):
    assert len(PROBED[name]) == COUNT
    for row, plain in zip(PROBED[name], PROBED["as it was"]):
        assert read_back(row) == row["answers"]["text"]
        assert row["id"] == plain["id"] and row["title"] == plain["title"]


def test_a_probe_changes_one_thing():
    for k, plain in enumerate(PROBED["as it was"]):
        row = {name: rows[k] for name, rows in PROBED.items()}
        assert row["reworded"]["question"] != plain["question"] and row["reworded"]["context"] == plain["context"]
        for name in ("off topic", "distractor", "denied"):
            assert row[name]["context"].startswith(plain["context"] + " ")
            assert row[name]["question"] == plain["question"] and row[name]["answers"] == plain["answers"]
        assert row["denied"]["context"].endswith("” That is not true.")
        assert row["swapped"]["context"] == row["distractor"]["context"]
        assert row["swapped"]["question"] != plain["question"]
        (start,) = row["swapped"]["answers"]["answer_start"]
        assert start > len(plain["context"]) and row["swapped"]["answers"]["text"] != plain["answers"]["text"]


def test_probes_are_the_same_each_time_and_not_those_of_train():
    assert made.probes(10) == {name: rows[:10] for name, rows in PROBED.items()}
    titles = {row["title"] for row in made.probes(30, split="train")["as it was"]}
    assert titles.isdisjoint(row["title"] for row in PROBED["as it was"])


@pytest.mark.parametrize("bad", [{"count": -1}, {"count": 3, "split": "test"}])
def test_probes_that_cannot_be_made_are_refused(bad):
    with pytest.raises(ValueError, match="count must be 0 or more"):
        made.probes(**bad)


def test_sentences_cover_a_text_and_initials_do_not_end_one():
    text = "It was lit by L. Brask. “Who?” A clock cost £1.50. It rained! und so fort.\nThe end"
    places = shortcuts.sentences_of(text)
    assert "".join(text[start:end] for start, end in places) == text
    assert [text[start:end].strip() for start, end in places] == [
        "It was lit by L. Brask.",
        "“Who?”",
        "A clock cost £1.50.",
        "It rained! und so fort.",
        "The end",
    ]
    assert shortcuts.sentences_of("") == [(0, 0)]


@pytest.mark.parametrize("layout", ["answer first", "answer last", "shuffled"])
def test_answers_move_with_their_sentences(mini, layout):
    for row in mini["validation"].select(range(200)):
        moved = shortcuts.laid_out(row, layout)
        assert read_back(moved) == row["answers"]["text"]
        assert sorted(moved["context"].split()) == sorted(row["context"].split())
        sentence, last = shortcuts.sentence_of_answer(moved), len(shortcuts.sentences_of(moved["context"])) - 1
        assert layout == "shuffled" or sentence == (0 if layout == "answer first" else last)


def test_as_it_was_changes_nothing_and_shuffling_follows_its_generator(mini):
    row = mini["train"][5]
    assert shortcuts.laid_out(row, "as it was") == row
    assert shortcuts.laid_out(row, "shuffled") == shortcuts.laid_out(row, "shuffled")
    assert len({shortcuts.laid_out(row, "shuffled", Random(seed))["context"] for seed in range(5)}) > 1


def test_what_cannot_be_laid_out_is_refused():
    row = {
        "id": "q7",
        "context": "He went. She came. It rained.",
        "answers": {"text": ["went. She"], "answer_start": [3]},
    }
    with pytest.raises(ValueError, match="'q7'.* reaches over the end of a sentence"):
        shortcuts.laid_out(row, "answer last")
    with pytest.raises(ValueError, match="layout must be 'shuffled' or one of"):
        shortcuts.laid_out(row, "upside down")
    with pytest.raises(ValueError, match="training must be one of"):
        shortcuts.training_rows([row], "upside down")


def test_training_rows_are_what_their_names_say(mini):
    rows = list(mini["train"].select(range(40)))
    moved, left = (shortcuts.training_rows(rows, name) for name in ("answer first", "one in ten left"))
    assert all(shortcuts.sentence_of_answer(row) == 0 for row in moved)
    assert [k for k in range(40) if left[k] == rows[k] != moved[k]] == [
        k for k in range(0, 40, 10) if rows[k] != moved[k]
    ]
    assert {row["question"] for row in shortcuts.training_rows(rows, "no question")} == {"?"}
    assert shortcuts.training_rows(rows, "as it was") == rows


def test_the_shipped_runs_fit_the_texts_that_they_were_measured_on(mini):
    record = json.loads(shortcuts.SHIPPED_RUNS.read_text(encoding="utf-8"))
    settings = shortcuts.ShortcutSettings()
    questions = mini["validation"].select(range(settings.questions))
    texts = questions["context"][:], [row["context"] for row in made.probes(settings.probes)["denied"]]
    assert record["settings"] == vars(settings)
    assert (record["questions"], record["probes"]) == tuple(fingerprint(*contexts) for contexts in texts)
    assert len(record["runs"]) == 3 * len(shortcuts.TRAININGS)


def test_the_shipped_runs_are_read_whole():
    runs = shortcuts.recorded_runs()
    assert list(runs.right) == list(shortcuts.TRAININGS)
    for training, by_name in runs.right.items():
        layouts = ("as it was",) if training == "no question" else shortcuts.LAYOUTS
        probed = {f"probe: {name}" for name in made.PROBES} if training == "as it was" else set()
        assert by_name.keys() == {*layouts, *probed}
        for name, marks in by_name.items():
            count = runs.settings.probes if name.startswith("probe") else runs.settings.questions
            assert marks.shape == (3, count) and set(np.unique(marks)) <= {0, 1}
    assert runs.seconds > 0


def test_what_the_lesson_builds_on_is_in_the_shipped_runs():
    """The planted shortcut is taken, and shuffling removes it: by far more than seeds differ."""
    right = shortcuts.recorded_runs().right
    lost = {
        name: right[name]["answer first"].mean(1) - right[name]["answer last"].mean(1)
        for name in ("answer first", "shuffled")
    }
    assert lost["answer first"].min() > lost["shuffled"].max() + 0.2


def test_no_record_is_explained(tmp_path):
    with pytest.raises(ValueError, match=r"gone.json does not exist; make it with: python tools/shortcut_runs.py"):
        shortcuts.recorded_runs(tmp_path / "gone.json")


def test_measuring_resumes_and_refuses_another_record(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shortcut_runs, "TRAININGS", {name: shortcuts.TRAININGS[name] for name in ("no question",)})
    settings, file = shortcuts.ShortcutSettings(steps=1, questions=4, probes=2, batch_size=2), tmp_path / "runs.json"
    shortcut_runs.measure(file, 1, settings)
    first = file.read_text(encoding="utf-8")
    shortcut_runs.measure(file, 1, settings)
    assert file.read_text(encoding="utf-8") == first and capsys.readouterr().out.count("no question, seed 0") == 1
    assert shortcuts.recorded_runs(file).right["no question"]["as it was"].shape == (1, 4)
    with pytest.raises(SystemExit, match="other settings: remove it"):
        shortcut_runs.measure(file, 1, shortcuts.ShortcutSettings(steps=2, questions=4, probes=2))
