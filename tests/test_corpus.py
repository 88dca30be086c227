"""The mini corpus: exact offsets, disjoint splits, a checksum, and assets that tell their own faults."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from qa_helpers import corpus
from qa_helpers.data import load_squad
from qa_helpers.mini.corpus import build_corpus, check_assets, passages, to_squad_json, write_corpus
from qa_helpers.mini.grammar import ASSETS

# Every committed notebook output and shipped checkpoint was made from this corpus: a change of engine or assets must be
# meant. After one, print the new value with:  PYTHONPATH=. .venv/bin/python tests/test_corpus.py
DEFAULT_BUILD_SHA256 = "11ac8acb72fa549afd5103607be182342d46df90a4e6fc9c55537b0affe93383"


def digest(value) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def proper_names(examples) -> set[str]:
    """Runs of at least two capitalised words inside a sentence: persons, firms and entry names among them."""
    found = set()
    for context in {example["context"] for example in examples}:
        found |= set(re.findall(r"(?<=[a-z,;] )[A-ZŠŻŚČÉØ]\w+(?:[ -][A-ZŠŻŚČÉØ]\w+)+", context))
    return found


@pytest.fixture(scope="module")
def default():
    return build_corpus()


@pytest.fixture(scope="module")
def with_unanswerable():
    return build_corpus(1200, 600, unanswerable=True)


def test_default_build_is_held_still(default):
    assert digest(default) == DEFAULT_BUILD_SHA256, "the corpus changed: see the comment at DEFAULT_BUILD_SHA256"


def test_counts_and_schema(default):
    assert [len(default["train"]), len(default["validation"])] == [6000, 1000]
    for split, annotators in (("train", 1), ("validation", 3)):
        for example in default[split]:
            assert set(example) == {"id", "title", "context", "question", "answers"}
            assert len(example["answers"]["text"]) == len(example["answers"]["answer_start"]) == annotators
    ids = [example["id"] for split in default.values() for example in split]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("counts", [(0, 0), (1, 0), (7, 3), (101, 50)])
def test_exactly_as_many_examples_as_asked_for(counts):
    built = build_corpus(*counts)
    assert (len(built["train"]), len(built["validation"])) == counts


def test_negative_counts_are_refused():
    with pytest.raises(ValueError, match="-1 train"):
        build_corpus(-1, 10)


def test_offsets_are_exact(default, with_unanswerable):
    for built in (default, with_unanswerable):
        for example in built["train"] + built["validation"]:
            for text, start in zip(example["answers"]["text"], example["answers"]["answer_start"], strict=True):
                assert text and example["context"][start : start + len(text)] == text
                assert text == text.strip()


def test_answers_begin_and_end_at_words(default):
    for example in default["train"]:
        text, start = example["answers"]["text"][0], example["answers"]["answer_start"][0]
        around = " " + example["context"] + " "
        assert not (around[start].isalnum() and text[0].isalnum()), example
        assert not (around[start + len(text) + 1].isalnum() and text[-1].isalnum()), example


SLIPS = re.compile(r"[{}\[\]'\"]|  | [.,;?]|\bthe the\b|\ba (?!one|eu|uni)[aeio]\w|\ban [bcdfgjklmnpqrstvwxyz]\w")


def test_no_template_shows_through(default):
    for example in default["train"] + default["validation"]:
        for text in (example["context"], example["question"]):
            assert not SLIPS.search(text), (SLIPS.search(text), text)
        assert example["question"].endswith("?") and not example["question"][0].islower()
        for paragraph in example["context"].split("\n"):
            assert re.search(r"[.!?]”?$", paragraph) and not paragraph[0].islower()


def test_entities_do_not_cross_the_splits(default):
    titles = {split: {example["title"] for example in default[split]} for split in default}
    assert not {title for title in titles["train"] & titles["validation"] if not title.startswith("Gazetteer")}
    people = {}
    for split, examples in default.items():
        answers = {example["answers"]["text"][0] for example in examples if example["question"].startswith("Who ")}
        people[split] = {text for text in answers if re.fullmatch(r"[A-ZÀ-Ž]\w+( [A-ZÀ-Ž]\w+(-[A-ZÀ-Ž]\w+)?)+", text)}
    assert len(people["train"]) > 300 and not people["train"] & people["validation"]
    # what remains is made of ordinary words that happen to be capitalised ("Royal Cabinet of Books")
    train, validation = (proper_names(default[split]) for split in ("train", "validation"))
    assert len(validation & train) < 0.05 * len(validation)


def test_split_of_a_name_does_not_depend_on_seed_or_size():
    one, other = build_corpus(400, 400, seed=1), build_corpus(1500, 300, seed=2)
    assert not {example["title"] for example in one["train"] if "Gazetteer" not in example["title"]} & {
        example["title"] for example in other["validation"]
    }


def test_entry_names_are_unique_within_a_split(default):
    titles = {}
    for example in default["train"]:
        titles.setdefault(example["title"], set()).add(example["context"])
    assert all(len(contexts) == 1 for title, contexts in titles.items() if not title.startswith("Gazetteer"))


def test_a_smaller_corpus_is_the_beginning_of_a_larger_one(default):
    small = build_corpus(50, 20)
    assert small["train"] == default["train"][:50] and small["validation"] == default["validation"][:20]


def test_deterministic_under_any_hash_seed():
    program = (
        "import hashlib, json; from qa_helpers.mini.corpus import build_corpus, passages;"
        "built = json.dumps([build_corpus(300, 60, unanswerable=True), passages(20)]);"
        "print(hashlib.sha256(built.encode()).hexdigest())"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "4711")
    }
    assert len(printed) == 1


def test_another_seed_is_another_corpus():
    assert build_corpus(20, 0, seed=1) != build_corpus(20, 0, seed=2)


def test_about_a_third_is_unanswerable_in_the_v2_shape(with_unanswerable):
    for examples in with_unanswerable.values():
        empty = [example for example in examples if not example["answers"]["text"]]
        assert 0.27 < len(empty) / len(examples) < 0.40
        assert all(example["answers"]["answer_start"] == [] for example in empty)


def test_answers_that_occur_twice(default):
    """A fair share of answers cannot be found by searching for their text: only the offset tells which one is meant."""
    for examples in default.values():
        repeated = sum(example["context"].count(example["answers"]["text"][0]) > 1 for example in examples)
        assert 0.10 < repeated / len(examples) < 0.25
    later = [
        example
        for example in default["train"]
        if example["context"].find(example["answers"]["text"][0]) < example["answers"]["answer_start"][0]
    ]
    assert len(later) > 60


def test_annotators_mostly_agree(default):
    distinct = [len(set(example["answers"]["text"])) for example in default["validation"]]
    assert 0.10 < sum(number > 1 for number in distinct) / len(distinct) < 0.40


def test_lengths_spread(default):
    words = sorted(len(context.split()) for context in {example["context"] for example in default["train"]})
    assert words[0] < 50 and words[-1] > 350
    assert 80 < words[len(words) // 2] < 130
    long = sum(count > 190 for count in words) / len(words)  # about 300 tokens of an ordinary vocabulary
    assert 0.06 < long < 0.16


def test_questions_per_context_and_variety(default):
    contexts = {example["context"] for example in default["train"]}
    assert 3.3 < len(default["train"]) / len(contexts) < 4.7
    openers = {example["question"].split()[0] for example in default["train"]}
    assert {"Who", "What", "When", "Where", "Which", "How", "Why", "Whose"} <= openers


def test_no_question_is_asked_twice_of_a_context(default):
    asked = [(example["context"], example["question"]) for example in default["train"]]
    assert len(set(asked)) == len(asked)


def test_pronouns_do_not_pile_up(default):
    for context in {example["context"] for example in default["train"]}:
        for paragraph in context.split("\n"):
            starts = [sentence.split()[0] for sentence in re.split(r"(?<=[.!?]) (?=[A-Z])", paragraph)]
            assert "It It It It" not in " ".join(starts), paragraph


def test_passages_hold_train_entities_only(default):
    texts = passages(200)
    assert len(texts) == 200 and all(isinstance(text, str) for text in texts)
    titles = {example["title"] for example in default["validation"] if not example["title"].startswith("Gazetteer")}
    assert not [title for title in titles for text in texts if f"{title} is" in text]
    assert passages(5) == texts[:5]
    with pytest.raises(ValueError, match="split must be"):
        passages(1, split="test")


# -- SQuAD's files -----------------------------------------------------------------------------------------------------


def flatten(squad: dict) -> list[dict]:
    rows = []
    for article in squad["data"]:
        for paragraph in article["paragraphs"]:
            for qa in paragraph["qas"]:
                answers = {key: [answer[key] for answer in qa["answers"]] for key in ("text", "answer_start")}
                row = {"id": qa["id"], "title": article["title"], "context": paragraph["context"]}
                rows.append(row | {"question": qa["question"], "answers": answers})
    return rows


def test_squad_json_round_trips(default, with_unanswerable):
    assert flatten(to_squad_json(default["train"], "1.1")) == default["train"]
    version_2 = to_squad_json(with_unanswerable["train"], "v2.0")
    assert flatten(version_2) == with_unanswerable["train"]
    questions = [qa for article in version_2["data"] for paragraph in article["paragraphs"] for qa in paragraph["qas"]]
    assert all(qa["is_impossible"] == (not qa["answers"]) for qa in questions)
    assert version_2["version"] == "v2.0" and to_squad_json([], "1.1") == {"version": "1.1", "data": []}


def test_squad_json_refuses_what_it_cannot_say(with_unanswerable):
    with pytest.raises(ValueError, match="use version 2.0"):
        to_squad_json(with_unanswerable["train"], "1.1")
    with pytest.raises(ValueError, match="1.1 and 2.0"):
        to_squad_json([], "3.0")


@pytest.mark.parametrize("version", ["1.1", "2.0"])
def test_written_corpus_reads_back_the_same(tmp_path, version):
    folder = tmp_path / "new" / "folder"
    written = write_corpus(folder, version, train_examples=40, validation_examples=12)
    names = [f"train-v{version}.json", f"dev-v{version}.json"]
    assert [path.name for path in written] == names
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    built = build_corpus(40, 12, unanswerable=version == "2.0")
    read = load_squad(folder)
    assert {split: list(rows) for split, rows in read.items()} == built


def test_write_corpus_leaves_nothing_half_written(tmp_path, monkeypatch):
    (tmp_path / "dev-v1.1.json").write_text("old", encoding="utf-8")

    def fails_at_the_second(examples, version, seen=[]):  # noqa: B006 (the list counts the calls)
        seen.append(version)
        if len(seen) == 2:
            raise OSError("disk full")
        return {"data": []}

    monkeypatch.setattr(corpus, "to_squad_json", fails_at_the_second)
    with pytest.raises(OSError, match="disk full"):
        write_corpus(tmp_path, train_examples=4, validation_examples=4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dev-v1.1.json", "train-v1.1.json"]
    assert (tmp_path / "dev-v1.1.json").read_text(encoding="utf-8") == "old"


# -- the assets --------------------------------------------------------------------------------------------------------


def test_shipped_assets_are_in_order():
    check_assets()


def plant(folder, change) -> None:
    """A copy of the assets with one kind, changed by ``change(raw)``."""
    shutil.copy(ASSETS / "values.yaml", folder)
    raw = yaml.safe_load((ASSETS / "bridge.yaml").read_text(encoding="utf-8"))
    change(raw)
    (folder / "bridge.yaml").write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")


def phrasing(text):
    return lambda raw: raw["facts"]["engineer"]["phrasings"].append(text)


FAULTS = {
    "unknown slot": (phrasing("{it} was drawn by {enginer}."), "engineer.phrasings: .*unknown slot {enginer}"),
    "capital slot": (phrasing("{It} was designed by {engineer}."), "unknown slot {It}"),
    "part that the type lacks": (phrasing("{engineer.year} saw {engineer}."), "unknown slot {engineer.year}"),
    "unbalanced brackets": (phrasing("[Major {engineer} drew {it}."), "unbalanced brackets"),
    "unbalanced braces": (phrasing("{engineer drew {it}."), "unbalanced braces"),
    "phrasing without its fact": (phrasing("{it} was designed."), "lacks {engineer}"),
    "no full stop": (phrasing("{it} was designed by {engineer}"), "no full stop"),
    "one gender's title": (phrasing("The design of Sir {engineer} won."), "title for one gender"),
    "too few phrasings": (lambda raw: raw["facts"]["cost"].update(phrasings=["{cost}."]), "cost.phrasings: 1 lines"),
    "too few questions": (lambda raw: raw["facts"]["cost"].update(questions=[]), "cost.questions: 0 lines"),
    "too few options": (lambda raw: raw["facts"]["material"].update(options=["tin"]), "material.options: 1 lines"),
    "bracket amid an option": (
        lambda raw: raw["facts"]["material"]["options"].append("oak [and some] ash"),
        "material.options: brackets must be",
    ),
    "question without name": (
        lambda raw: raw["facts"]["cost"]["questions"].append("What did it cost?"),
        "cost.questions: lacks {name}",
    ),
    "question without mark": (
        lambda raw: raw["facts"]["cost"]["questions"].append("What did {name} cost."),
        "question mark",
    ),
    "question that answers itself": (
        lambda raw: raw["facts"]["cost"]["questions"].append("Did {name} cost {cost}?"),
        "gives its own answer away",
    ),
    "one question for two facts": (
        lambda raw: raw["facts"]["cost"]["questions"].append(raw["facts"]["length"]["questions"][0]),
        "same question for two facts",
    ),
    "unknown type": (lambda raw: raw["facts"]["cost"].update(value="monney"), "cost: unknown value type 'monney'"),
    "bad range": (lambda raw: raw["facts"]["cost"].update(range=[9, 3]), "cost: range must be"),
    "opening without name": (lambda raw: raw["openings"].append("{it} is a bridge."), "openings: lacks {name}"),
    "joint of one": (lambda raw: raw["joint"].append("It cost {cost}."), "joint: states fewer than two"),
    "aside with a stranger": (lambda raw: raw["asides"].append("{stranger} wept."), "asides: .*unknown slot"),
    "missing section": (lambda raw: raw.pop("openings"), "lacks `openings:`"),
    "after nothing": (lambda raw: raw["facts"]["toll_end"].update(after="never"), "toll_end: `after:`"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_check_assets_names_the_fault(tmp_path, fault):
    change, message = FAULTS[fault]
    plant(tmp_path, change)
    with pytest.raises(ValueError, match=message) as raised:
        check_assets(tmp_path)
    assert "bridge.yaml" in str(raised.value)


def test_check_assets_looks_at_shared_asides(tmp_path):
    plant(tmp_path, lambda raw: None)
    check_assets(tmp_path)
    values = (tmp_path / "values.yaml").read_text(encoding="utf-8")
    planted = values.replace("A short life of {fact}", "A life of {fakt}")
    (tmp_path / "values.yaml").write_text(planted, encoding="utf-8")
    with pytest.raises(ValueError, match=r"values.yaml: asides.person: unknown slot \{fakt\}"):
        check_assets(tmp_path)


def test_broken_yaml_and_missing_folder_are_told(tmp_path):
    with pytest.raises(ValueError, match="no values.yaml"):
        build_corpus(1, 0, assets=tmp_path)
    plant(tmp_path, lambda raw: None)
    (tmp_path / "moat.yaml").write_text("noun: [", encoding="utf-8")
    with pytest.raises(ValueError, match="moat.yaml"):
        check_assets(tmp_path)
    with pytest.raises(ValueError, match="moat.yaml is not valid YAML"):
        build_corpus(1, 0, assets=tmp_path)


def test_a_kind_added_as_plain_text_works(tmp_path):
    """What a teacher who does not program would do: copy a file, change the words, build."""
    plant(tmp_path, lambda raw: None)
    text = (ASSETS / "lighthouse.yaml").read_text(encoding="utf-8").replace("lighthouse", "windmill")
    (tmp_path / "windmill.yaml").write_text(text.replace("Lighthouse", "Windmill"), encoding="utf-8")
    check_assets(tmp_path)
    built = build_corpus(80, 20, assets=tmp_path)
    assert len(built["train"]) == 80
    assert any("windmill" in example["context"] for example in built["train"])
    assert any("Windmill" in example["question"] for example in built["train"])


if __name__ == "__main__":
    print(digest(build_corpus()))
