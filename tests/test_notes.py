"""The notes: texts of many kinds, whose answers stay right when names and numbers are exchanged."""

import re
from random import Random

import pytest
import yaml

import qa_helpers as qa
from qa_helpers.mini.fact_values import Pools
from qa_helpers.mini.grammar import ASSETS as CORPUS
from qa_helpers.mini.notes import build_notes, read_notes, varied

NOTES = read_notes()
POOLS = Pools(yaml.safe_load((CORPUS / "values.yaml").read_text(encoding="utf-8")), "train")
PRINTABLE = {chr(code) for code in range(33, 127)}


def test_there_are_many_kinds_and_phrasings_and_the_splits_share_no_kind():
    splits = {split: {note.kind for note in NOTES if note.split == split} for split in ("train", "validation")}
    assert len(splits["train"]) >= 20 and len(splits["validation"]) >= 4
    assert not splits["train"] & splits["validation"]
    assert len({text for note in NOTES for question in note.questions for text in question["ask"]}) > 3000
    assert len({note.text for note in NOTES}) == len(NOTES)


@pytest.mark.parametrize(("source", "encoder"), [("mini_notes", "mini-roberta"), ("mini_notes_v2", "mini-bert")])
def test_the_examples_are_sound_and_no_label_is_lost(source, encoder):
    data = qa.load_squad(source)
    tokenizer = qa.load_tokenizer(encoder)
    for rows in data.values():
        assert qa.check_examples(rows) == []
        has_answer = [bool(answers["text"]) for answers in rows["answers"]]
        assert all(has_answer) == (source == "mini_notes")
        some = rows.select(range(0, len(rows), 7))
        coverage = qa.label_coverage(some, qa.make_features(some, tokenizer, 256, 64))
        assert coverage.lost == []
        # Byte-level pieces may join an opening bracket and a sign (" (£"), and no label begins inside a piece.
        assert len(coverage.altered) <= (len(some) / 200 if encoder == "mini-roberta" else 0)


def test_questions_are_of_every_type():
    asked = " ".join(text.lower() for note in NOTES for question in note.questions for text in question["ask"])
    words = (
        "who",
        "whom",
        "whose",
        "which",
        "what",
        "what colour",
        "when",
        "where",
        "why",
        "how",
        "how many",
        "how much",
    )
    for word in (*words, "how long", "how often", "how far", "what time"):
        assert len(re.findall(rf"\b{word}\b", asked)) >= 15, word


def test_every_printable_character_occurs_in_training():
    text = "".join(note.text for note in NOTES if note.split == "train")
    assert not PRINTABLE - set(text)


def test_the_same_seed_gives_the_same_notes_and_another_one_other_values():
    first, again, other = build_notes(seed=1), build_notes(seed=1), build_notes(seed=2)
    assert first == again != other
    assert first["validation"] == other["validation"], "these are as they are written"


@pytest.mark.parametrize("note", NOTES, ids=lambda note: f"{note.kind}: {note.title}"[:60])
def test_a_copy_with_other_values_answers_as_the_original_does(note):
    """An answer without exchanged values reads the same; one with them differs in these only."""
    rng = Random(note.title)
    for _ in range(3):
        copy = varied(note, POOLS, rng)
        for old, new in zip(note.questions, copy.questions, strict=True):
            for (a, b), (c, d) in zip(old["answers"], new["answers"], strict=True):
                before, after = note.text[a:b], copy.text[c:d]
                assert after.strip() == after and bool(after)
                if not any(value in before or before in value for value in _exchanged(note)):
                    assert after == before
                around = copy.text[max(0, c - 1) : c] + copy.text[d : d + 1]
                assert note.text[max(0, a - 1) : a] + note.text[b : b + 1] == around, "no edge is inside a value"


def _exchanged(note):
    for value, kind in note.vary.items():
        yield from ((value, *value.split()) if kind in ("female", "male") else (value,))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "- {title: a, text: b c b, questions: [{ask: ['x?'], answer: b}]}",
            "'b' occurs 2 times.*give the place with `in:`",
        ),
        ("- {title: a, text: b c, questions: [{ask: ['x?'], answer: d}]}", "'d' occurs 0 times"),
        ("- {title: a, text: b c, questions: [{ask: 'x?', answer: b}]}", r"a question has ask: \[...\]"),
        ("- {title: a, text: b c, questions: [{ask: ['x?'], answer: b, also: [c]}]}", "does not overlap the answer"),
        ("- {title: a, text: b c, vary: {b: colour}, questions: []}", "vary: 'b' \\(colour\\)"),
        ("- {title: a, txt: b c}", "an entry has title, text, questions"),
    ],
)
def test_a_fault_is_named_with_its_file_entry_and_question(tmp_path, entry, message):
    (tmp_path / "lease.yaml").write_text(f"split: train\nentries:\n{entry}\n")
    with pytest.raises(ValueError, match=f"lease.yaml: a.*{message}"):
        read_notes(tmp_path)
    (tmp_path / "lease.yaml").write_text("entries: []")
    with pytest.raises(ValueError, match="lease.yaml: must begin with `split: train`"):
        read_notes(tmp_path)
