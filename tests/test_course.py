"""How much of everything, in one place: the course answers by source, size, device and encoder, and no lesson decides."""

import re
from dataclasses import fields, replace

import nbformat
import pytest
import real_shaped
from conftest import REPOSITORY

import qa_helpers as qa
from qa_helpers.course import AMOUNTS, SIZES, Amount, Course, draw
from qa_helpers.training import FineTuneConfig

MINI = Course("mini", "mini-bert", 256, 64, "cpu")
REAL = Course("squad", "mini-bert", 384, 128, "cuda")


@pytest.fixture(scope="module")
def large_encoder(tmp_path_factory) -> str:
    """A folder with the configuration of a BERT of base size; no weights are needed to know its size."""
    from transformers import BertConfig

    folder = tmp_path_factory.mktemp("base")
    BertConfig().save_pretrained(folder)
    return str(folder)


def test_every_experiment_has_an_amount_for_every_pace():
    assert all(set(columns) == {"mini", *SIZES} for columns in AMOUNTS.values())
    settings = {field.name for field in fields(FineTuneConfig)}
    own = {"train_rows", "eval_rows", "shuffled", "small_learning_rate"}
    assert {field.name for field in fields(Amount)} - settings == own


@pytest.mark.parametrize("size", SIZES)
def test_the_embedded_corpus_has_one_size(size):
    assert replace(MINI, size=size).pace == "mini"
    assert "size" not in str(replace(MINI, size=size))


def test_without_a_gpu_a_large_encoder_only_gets_a_trial(large_encoder):
    assert REAL.pace == "quick" and replace(REAL, device="cpu").pace == "quick", "a small encoder is quick anywhere"
    large = replace(REAL, checkpoint=large_encoder, device="cpu")
    assert (large.pace, replace(large, device="cuda").pace, replace(large, size="full").pace) == (
        "trial",
        "quick",
        "full",
    )
    assert "size quick (without a GPU this checkpoint gets only a few steps" in str(large)


def test_a_quick_run_takes_minutes_and_a_full_one_is_the_published_recipe():
    full = AMOUNTS["tour"]["full"]
    assert (full.train_rows, full.eval_rows, full.epochs, full.batch_size) == (None, None, 2.0, 12)
    assert (full.learning_rate, full.evaluate_every) == (3e-5, "epoch") and full.save_every
    for name, columns in AMOUNTS.items():
        if name != "one_batch":
            quick = columns["quick"]
            windows = quick.max_steps * quick.batch_size if quick.max_steps else quick.epochs * quick.train_rows
            assert windows <= 10_000 and quick.eval_rows <= 1_000, name


def test_the_learning_rate_follows_the_encoder_and_the_length_the_source(large_encoder):
    assert MINI.fine_tune_config("tour").learning_rate == REAL.fine_tune_config("tour").learning_rate == 1e-3
    assert replace(REAL, checkpoint=large_encoder).fine_tune_config("tour").learning_rate == 3e-5
    assert MINI.fine_tune_config().epochs == 1.25 and MINI.fine_tune_config().evaluate_every is None
    assert MINI.fine_tune_config("tour", epochs=1).epochs == 1


def test_a_folder_keeps_the_long_runs_apart(large_encoder, tmp_path):
    course = replace(REAL, folder=str(tmp_path), size="full")
    tour, again = course.fine_tune_config("tour"), course.fine_tune_config("evaluation")
    assert tour.save_every == 1000 and tour.output_dir == str(tmp_path / "tour-squad-mini-bert-full")
    assert again.output_dir != tour.output_dir
    assert course.fine_tune_config().output_dir is course.fine_tune_config("families").output_dir is None
    assert replace(REAL, size="full").fine_tune_config("tour").save_every is None, "without a folder nothing is kept"


def test_examples_are_drawn_the_same_way_each_time():
    rows = qa.load_squad("mini")["validation"]
    some = draw(rows, 20)
    assert some["id"] == draw(rows, 20)["id"] != rows.select(range(20))["id"]
    assert draw(rows, 20, shuffled=False)["id"] == rows.select(range(20))["id"]
    assert draw(rows, None) is rows and len(draw(rows, 10**6)) == len(rows)
    train, validation = MINI.examples_for("fine_tuning", {"train": rows, "validation": rows})
    assert (len(train), len(validation)) == (1000, 400)


def test_windows_shrink_until_some_contexts_need_several(examples, tokenizer):
    course = replace(MINI, max_length=384, stride=128)
    max_length, stride = course.windows_that_cut(examples, tokenizer, at_least=3)
    features = qa.make_features(examples, tokenizer, max_length, stride)
    assert max_length < 384 and len(features) >= len(examples) + 3
    assert replace(MINI, max_length=60, stride=10).windows_that_cut(examples, tokenizer, 99) == (60, 10)


def test_a_window_is_no_longer_than_a_local_checkpoint_takes():
    assert qa.setup("squad", "mini-roberta").max_length == 256
    assert qa.setup("squad", "bert-base-cased").max_length == 384, "the hub is not asked"


def test_what_to_expect_says_whose_figure_it_is():
    assert re.match(
        r"Measured: EM \d\d to \d\d, F1 \d\d to \d\d for mini-bert, 5 seeds, 500 steps", MINI.what_to_expect()
    )
    assert "Published: EM 81.2, F1 88.7 for bert-base-cased" in REAL.what_to_expect()
    assert "Here: 2 epochs on 4,000 training examples." in REAL.what_to_expect("tour")
    assert "too few to learn" in replace(REAL, size="trial").what_to_expect("tour")


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: qa.setup(size="huge"), "unknown size 'huge'.*trial, quick, full"),
        (lambda: MINI.amount("tuor"), "unknown experiment 'tuor'; did you mean 'tour'"),
    ],
)
def test_what_is_not_known_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_environment_sets_size_and_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("QA_SIZE", "full")
    assert (qa.setup().folder, qa.setup("squad", "mini-bert").folder) == (None, "runs")
    monkeypatch.setenv("QA_FOLDER", str(tmp_path))
    assert (qa.setup().size, qa.setup().folder) == ("full", str(tmp_path))
    assert qa.setup(size="quick", folder="other").folder == "other"


def test_no_lesson_decides_how_much():
    deciding = re.compile(r"=.*\bcourse\.(is_mini|device ==|size ==)|^\s*(el)?if course\.(is_mini|device)", re.M)
    for path in (REPOSITORY / "notebooks").rglob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                found = [line for line in cell.source.splitlines() if deciding.search(line) and "assert" not in line]
                assert not found or all(line == "if course.is_mini:" for line in found) and "assert" in cell.source, (
                    found
                )


def test_generated_sources_have_squads_shape(tmp_path):
    content = real_shaped.generated()
    folder = real_shaped.write(
        tmp_path / "made", {split: real_shaped.cut(rows, 200) for split, rows in content.items()}
    )
    data = qa.load_squad(folder)
    assert (len(data["train"]), len(data["validation"])) == (200, 200)
    assert {len(answers["text"]) for answers in data["train"]["answers"]} == {1}
    assert max(len(answers["text"]) for answers in data["validation"]["answers"]) > 1
    assert max(map(len, data["train"]["context"])) > 3_000
    second = real_shaped.with_unanswerable(real_shaped.cut(content["validation"], 60))
    real_shaped.write(tmp_path / "second", {"train": second, "validation": second})
    empty = sum(not answers["text"] for answers in qa.load_squad(tmp_path / "second")["validation"]["answers"])
    assert 10 <= empty <= 20
