"""Damaged, incomplete and mixed-up checkpoints are found before they are used, down to one bit."""

import json
import shutil
import subprocess
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from test_resume import interrupted
from test_training import SHORT, assert_same_weights

from qa_helpers import fine_tune, load_model, load_tokenizer
from qa_helpers.checkpoints import ASSETS, FAMILIES
from qa_helpers.engine.checksums import NAME, find_damage, write_checksums
from qa_helpers.training import CHECKPOINTS, save_model


@pytest.fixture(scope="module")
def saved(checkpoint, tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    save_model(load_model(checkpoint), tokenizer, folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A saved model of the test's own."""
    return shutil.copytree(saved, tmp_path / "model")


def flip(file: Path, place: int) -> None:
    """Change one bit of a byte."""
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


def test_a_saved_model_has_a_list_of_checksums_that_the_usual_command_accepts(folder):
    lines = (folder / NAME).read_text().splitlines()
    listed = {line.split("  ")[1] for line in lines}
    assert listed == {path.name for path in folder.iterdir()} - {NAME}
    assert listed >= {"config.json", "model.safetensors", "tokenizer.json"}
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "-c", "--strict", NAME], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize("place", [3, 20, -1], ids=["length of the header", "header", "a weight"])
def test_one_flipped_bit_in_the_weights_is_found(folder, place):
    flip(folder / "model.safetensors", place)
    with pytest.raises(ValueError, match="'.*model' is damaged: model.safetensors is not what was saved. Copy or make"):
        load_model(folder)
    load_tokenizer(folder)  # whose files are as they were


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_one_flipped_bit_in_another_file_is_found(folder, name):
    flip(folder / name, (folder / name).stat().st_size // 2)
    for load in (load_model, load_tokenizer):
        with pytest.raises(ValueError, match=f"is damaged: {name} is not what was saved"):
            load(folder)


@pytest.mark.parametrize("place", range(8), ids=lambda k: f"byte {k}")
def test_a_header_without_a_meaning_is_refused_without_checksums_too(folder, place):
    (folder / NAME).unlink()
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[place] ^= 0x80  # the first eight bytes are the header's length
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match="could not be loaded .*the folder should hold config.json, model.safetensors"):
        load_model(folder)


def test_a_change_that_was_meant_is_made_known_by_deleting_the_list(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_dropout_prob": 0.0}))
    with pytest.raises(ValueError, match="if the change was meant, delete SHA256SUMS in its folder"):
        load_model(folder)
    (folder / NAME).unlink()
    assert load_model(folder).config.hidden_dropout_prob == 0


@pytest.mark.parametrize("with_checksums", [True, False])
def test_a_missing_shard_is_named(checkpoint, tokenizer, tmp_path, with_checksums):
    model = load_model(checkpoint)
    model.save_pretrained(tmp_path, max_shard_size="30KB")
    tokenizer.save_pretrained(tmp_path)
    if with_checksums:
        write_checksums(tmp_path)
    shards = sorted(tmp_path.glob("model-*.safetensors"))
    assert len(shards) > 2 and (tmp_path / "model.safetensors.index.json").is_file()
    assert_same_weights(load_model(tmp_path), model)
    shards[1].unlink()
    with pytest.raises(ValueError, match=shards[1].name):
        load_model(tmp_path)


@pytest.mark.parametrize("config, weights", list(permutations((f.mini for f in FAMILIES.values()), 2)))
def test_the_weights_of_another_family_are_refused(config, weights, tmp_path):
    shutil.copy(ASSETS / config / "config.json", tmp_path)
    shutil.copy(ASSETS / weights / "model.safetensors", tmp_path)
    with pytest.raises(ValueError, match="does not hold the weights its configuration describes .*of the family"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    "line", ["nonsense", f"{'0' * 64}  ../model/config.json", f"{'0' * 64}  ..", f"{'0' * 64}  /etc/passwd", "\udcff"]
)
def test_a_list_that_is_no_list_is_damage_and_names_no_other_places(folder, line):
    (folder / NAME).write_bytes(line.encode("utf-8", "surrogateescape"))
    assert find_damage(folder) == f"{NAME} is damaged"


# ---------------------------------------------------------------------------------------------------------------------
# Checkpoints of an unfinished run
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unfinished(checkpoint, tokenizer, examples, tmp_path_factory):
    """The output folder of a run cut off after step 9, with checkpoints 4 and 8."""
    out = tmp_path_factory.mktemp("unfinished") / "out"
    interrupted(checkpoint, tokenizer, examples, replace(SHORT, save_every=4, output_dir=str(out)), stop=9)
    return out


@pytest.fixture
def run(unfinished, tmp_path):
    """(its own copy of that folder, the configuration to resume it with)"""
    out = shutil.copytree(unfinished, tmp_path / "out")
    return out / CHECKPOINTS, replace(SHORT, save_every=4, output_dir=str(out))


@pytest.mark.parametrize(
    "name, place",
    [
        ("model.safetensors", 20),
        ("model.safetensors", -1),
        ("optimizer.pt", 1000),
        ("scheduler.pt", 400),
        ("rng_state.pth", 1000),
        ("trainer_state.json", 50),
        ("history.json", 0),
    ],
)
def test_a_damaged_checkpoint_is_passed_over_with_a_warning(
    run, unbroken, checkpoint, tokenizer, examples, name, place
):
    left, config = run
    flip(left / "checkpoint-8" / name, place)
    resumed = load_model(checkpoint)
    with pytest.warns(UserWarning, match=rf"checkpoint-8 is damaged \({name} .*\) and passed over"):
        fine_tune(resumed, tokenizer, examples, None, config)
    assert_same_weights(resumed, unbroken)


def test_a_checkpoint_without_one_of_its_files_is_passed_over_with_a_warning(
    run, unbroken, checkpoint, tokenizer, examples
):
    left, config = run
    (left / "checkpoint-8" / "optimizer.pt").unlink()
    resumed = load_model(checkpoint)
    with pytest.warns(UserWarning, match=r"checkpoint-8 is damaged \(optimizer.pt is missing\)"):
        fine_tune(resumed, tokenizer, examples, None, config)
    assert_same_weights(resumed, unbroken)


def test_a_run_of_which_nothing_is_whole_is_refused_until_it_is_started_over(
    run, unbroken, checkpoint, tokenizer, examples
):
    left, config = run
    for step in (4, 8):
        flip(left / f"checkpoint-{step}" / "model.safetensors", -1)
    message = r"its checkpoints are damaged \(of checkpoint-4, model.safetensors is not what .*resume=False"
    with pytest.warns(UserWarning, match="passed over"), pytest.raises(ValueError, match=message):
        fine_tune(load_model(checkpoint), tokenizer, examples, None, config)
    assert (left / "checkpoint-8").is_dir(), "a refusal removes nothing"
    over = load_model(checkpoint)
    fine_tune(over, tokenizer, examples, None, replace(config, resume=False))
    assert_same_weights(over, unbroken)


def test_a_run_whose_record_is_damaged_is_refused(run, checkpoint, tokenizer, examples):
    left, config = run
    (left / "run.json").write_text('{"settings": {"batch')
    with pytest.raises(ValueError, match=r"run.json in .* is damaged.*resume=False \(--no-resume\) starts over"):
        fine_tune(load_model(checkpoint), tokenizer, examples, None, config)


def test_checkpoints_that_have_no_checksums_are_resumed(run, unbroken, checkpoint, tokenizer, examples):
    """Those that an earlier version of the course wrote."""
    left, config = run
    (left / "checkpoint-8" / NAME).unlink()
    resumed = load_model(checkpoint)
    fine_tune(resumed, tokenizer, examples, None, config)
    assert_same_weights(resumed, unbroken)
