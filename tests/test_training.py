"""Training: what it computes, what it saves, and the errors that say what to do: a loss that is no number, memory, disk."""

import math
import resource
import shutil
import subprocess
import weakref
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace

import datasets
import pytest
import torch
from support import SHORT, First, Poison, assert_close_weights, assert_same_weights, weights
from transformers import TrainerCallback

from qa_helpers import ExtractiveQA, cli, fine_tune, load_model, load_tokenizer, make_features, predict_logits, training
from qa_helpers.checkpoints import ASSETS, FAMILIES
from qa_helpers.classroom.annotations import Annotations
from qa_helpers.engine.sampler import TrainingOrder
from qa_helpers.engine.whole_files import is_full_disk, require_space, whole_file, whole_folder, write_whole
from qa_helpers.mini.corpus import write_corpus
from qa_helpers.model import half_precision, make_batch
from qa_helpers.training import CHECKPOINTS, save_model


@pytest.mark.parametrize("own_class", [True, False])
def test_after_training_in_bfloat16_a_model_computes_in_float32_again(
    checkpoint, tokenizer, examples, tmp_path, monkeypatch, own_class
):
    model = ExtractiveQA.from_pretrained(checkpoint) if own_class else load_model(checkpoint)
    before, wrapped_when_scored = set(vars(model)), []
    run = training.Evaluation.run

    def watched(self, model):
        wrapped_when_scored.append("forward" in vars(model))
        return run(self, model)

    monkeypatch.setattr(training.Evaluation, "run", watched)
    config = replace(SHORT, precision="bf16", evaluate_every=6, output_dir=str(tmp_path / "out"))
    features = training.make_features(examples, tokenizer, max_length=40, stride=12)
    for overwrite in (False, True):  # a second training does not wrap the first one's wrapper
        fine_tune(model, tokenizer, examples, examples, replace(config, overwrite=overwrite))
        assert set(vars(model)) - before <= {"_is_accelerate_prepared"}
        saved = load_model(tmp_path / "out")
        for ours, theirs in zip(predict_logits(model, features), predict_logits(saved, features)):
            assert all((a == b).all() for a, b in zip(ours, theirs))
    assert wrapped_when_scored == [False] * 4


def test_training_lowers_the_loss_and_keeps_a_history(model, tokenizer, examples):
    # At SHORT's rate, chance alone takes the loss to 0.47 to 0.65 of the first; at twice that rate to 0.49 at most.
    config = replace(SHORT, max_steps=60, evaluate_every=30, log_every=10, learning_rate=2 * SHORT.learning_rate)
    result = fine_tune(model, tokenizer, examples, examples, config)
    losses = [row["loss"] for row in result.history if "loss" in row]
    assert losses[-1] < 0.6 * losses[0]
    logged = [row for row in result.history if "loss" in row]
    assert [row["step"] for row in logged] == [10, 20, 30, 40, 50, 60]
    assert all(set(row) == {"step", "epoch", "seconds", "loss", "learning_rate", "grad_norm"} for row in logged)
    scored = [row for row in result.history if "f1" in row]
    assert [row["step"] for row in scored] == [30, 60], "the last evaluation should serve as the final one"
    assert all(set(row) == {"step", "epoch", "seconds", "exact_match", "f1"} for row in scored)
    assert (scored[-1]["exact_match"], scored[-1]["f1"]) == (result.scores.exact_match, result.scores.f1)
    assert result.model is model and not model.training
    assert (result.steps, result.output_dir) == (60, None)
    rates = [row["learning_rate"] for row in logged]
    assert max(rates) <= config.learning_rate and rates[1:] == sorted(rates[1:], reverse=True), "warm up, then fall"


def test_scores_are_of_the_final_weights(model, tokenizer, examples):
    from qa_helpers import decode_answers, make_features, score

    result = fine_tune(model, tokenizer, examples, examples, replace(SHORT, max_answer_length=4))
    features = make_features(examples, tokenizer, 40, 12, labels=False)
    answers = decode_answers(examples, features, *predict_logits(model, features), n_best=3, max_answer_length=4)
    assert result.scores == score(answers, examples)
    assert [row["step"] for row in result.history if "f1" in row] == [12]
    assert result.features == len(features)


def test_without_evaluation_examples_there_are_no_scores(model, tokenizer, rows):
    result = fine_tune(model, tokenizer, rows, config=replace(SHORT, max_steps=2))
    assert result.scores is None
    assert [row["step"] for row in result.history] == [2]


def test_the_same_seed_gives_the_same_weights_and_evaluating_on_the_way_changes_nothing(
    checkpoint, tokenizer, examples
):
    first, again, watched, other = (load_model(checkpoint) for _ in range(4))
    fine_tune(first, tokenizer, examples, None, SHORT)
    fine_tune(again, tokenizer, examples, None, SHORT)
    fine_tune(watched, tokenizer, examples, examples, replace(SHORT, evaluate_every=5, log_every=3))
    fine_tune(other, tokenizer, examples, None, replace(SHORT, seed=4))
    assert_same_weights(first, again)
    assert_same_weights(first, watched)
    assert not torch.equal(first.qa_outputs.weight, other.qa_outputs.weight)


@pytest.mark.parametrize("group_by_length", [True, False])
def test_the_lessons_model_and_the_librarys_end_with_the_same_weights(checkpoint, tokenizer, examples, group_by_length):
    config = replace(SHORT, group_by_length=group_by_length, gradient_accumulation=2, max_steps=6)
    library, own = load_model(checkpoint), ExtractiveQA.from_pretrained(checkpoint)
    start = weights(library)
    theirs = fine_tune(library, tokenizer, examples, None, config)
    ours = fine_tune(own, tokenizer, examples, None, config)
    for name, value in weights(own).items():
        torch.testing.assert_close(value, weights(library)[name], rtol=1e-5, atol=1e-6)
        assert "pooler" in name or not torch.equal(value, start[name]) or "key.bias" in name, f"{name} did not move"
    assert [r["loss"] for r in ours.history] == pytest.approx([r["loss"] for r in theirs.history], rel=1e-4)


@pytest.mark.parametrize("log_every", [2, 100])
def test_a_loss_that_is_not_a_number_stops_the_run_and_saves_nothing(model, tokenizer, examples, tmp_path, log_every):
    config = replace(SHORT, log_every=log_every, output_dir=str(tmp_path / "out"))
    with pytest.raises(ValueError, match="the loss is nan at step .*Lower the learning rate .now 0.001"):
        fine_tune(model, tokenizer, examples, None, config, callbacks=[Poison(3)])
    assert not (tmp_path / "out" / "model.safetensors").exists()


@pytest.mark.parametrize("own_class", [True, False])
def test_a_saved_model_loads_again_with_its_head_and_gives_the_same_logits(
    encoder_checkpoint, tokenizer, examples, features, tmp_path, own_class
):
    model = load_model(encoder_checkpoint)
    model = ExtractiveQA.from_library(model) if own_class else model
    out = tmp_path / "deep" / "out"
    result = fine_tune(model, tokenizer, examples, None, replace(SHORT, output_dir=str(out)))
    assert result.output_dir == str(out)
    again = load_model(out, needs_head=True)
    for a, b in zip(predict_logits(model, features), predict_logits(again, features), strict=True):
        assert all((x == y).all() for x, y in zip(a, b, strict=True))
    assert load_tokenizer(out)("Who built it?").input_ids == tokenizer("Who built it?").input_ids
    assert [p.name for p in out.parent.iterdir()] == ["out"], "no temporary folder may stay behind"
    assert not list(out.glob("*.bin")), "safetensors only"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs must be positive, got 0"),
        ({"batch_size": -1}, "batch_size must be positive"),
        ({"gradient_accumulation": 0}, "gradient_accumulation must be positive"),
        ({"learning_rate": math.nan}, "learning_rate must be positive, got nan"),
        ({"log_every": 0}, "log_every must be positive"),
        ({"max_steps": 0}, "max_steps must be positive"),
        ({"max_steps": -1}, "max_steps must be positive"),
        ({"precision": "half"}, "precision is 'auto', 'bf16', 'fp16' or 'float32', got 'half'"),
        ({"save_every": 5}, "save_every needs an output_dir"),
        ({"max_length": 40, "stride": 40}, "stride 40 does not fit max_length 40"),
        ({"max_length": 200, "stride": 20}, r"a window has \d+ tokens, the model takes 128"),
    ],
)
def test_bad_settings_are_refused_before_training(model, tokenizer, examples, change, message):
    long = {**examples[6], "context": examples[6]["context"] * 2}
    with pytest.raises(ValueError, match=message):
        fine_tune(model, tokenizer, [*examples, long], None, replace(SHORT, **change))


def test_an_output_folder_with_other_content_is_refused_and_untouched(model, tokenizer, examples, tmp_path):
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter.txt").write_text("years of work")
    with pytest.raises(
        ValueError, match="output_dir 'thesis' already holds 'chapter.txt': choose another.*--overwrite"
    ):
        fine_tune(model, tokenizer, examples, None, replace(SHORT, output_dir=str(out)))
    assert [p.name for p in out.iterdir()] == ["chapter.txt"]
    with pytest.raises(ValueError, match="output_dir 'chapter.txt' is a file; name a folder"):
        fine_tune(model, tokenizer, examples, None, replace(SHORT, output_dir=str(out / "chapter.txt")))


def test_the_older_model_stays_until_the_new_one_is_whole(model, tokenizer, examples, tmp_path, monkeypatch):
    out = tmp_path / "out"
    save_model(load_model(model.config._name_or_path), tokenizer, out)
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    config = replace(SHORT, max_steps=2, output_dir=str(out), overwrite=True)

    def fail(*_, **__):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(type(tokenizer), "save_pretrained", fail)
        with pytest.raises(OSError, match="no space left"):
            fine_tune(model, tokenizer, examples, None, config)
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.name != CHECKPOINTS} == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    fine_tune(model, tokenizer, examples, None, config)
    assert (out / "model.safetensors").read_bytes() != before["model.safetensors"]


def test_whole_file_and_folder_leave_all_or_nothing(tmp_path):
    with whole_file(tmp_path / "new" / "a.txt") as partial:
        partial.write_text("first")
        assert not (tmp_path / "new" / "a.txt").exists()
    with pytest.raises(RuntimeError), whole_file(tmp_path / "new" / "a.txt") as partial:
        partial.write_text("half")
        raise RuntimeError
    assert (tmp_path / "new" / "a.txt").read_text() == "first"
    with whole_folder(tmp_path / "folder") as partial:
        (partial / "old.txt").write_text("1")
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "folder") as partial:
        (partial / "half.txt").write_text("2")
        raise RuntimeError
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["old.txt"]
    with whole_folder(tmp_path / "folder") as partial:
        (partial / "new.txt").write_text("3")
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["new.txt"], "a folder is replaced, not merged"
    assert {p.name for p in tmp_path.iterdir()} == {"new", "folder"}
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.txt"]


class Listener(TrainerCallback):
    """Keeps what it is told of the history."""

    def __init__(self):
        self.told = []

    def on_history(self, rows, steps):
        self.told.append((len(rows), rows[-1]["step"], steps))


def test_a_callback_hears_of_every_row_of_the_history(model, tokenizer, examples):
    listener = Listener()
    result = fine_tune(model, tokenizer, examples, examples, replace(SHORT, log_every=5), callbacks=[listener])
    assert listener.told == [(1, 5, 12), (2, 10, 12), (3, 12, 12)] and len(result.history) == 3


def test_accumulated_gradients_train_like_the_large_batch(checkpoint, tokenizer, examples):
    once, twice = load_model(checkpoint), load_model(checkpoint)
    for each in (once, twice):
        for module in each.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
    # 66 windows in batches of 22 leave no smaller batch at the end, whose mean would weigh more
    config = replace(SHORT, batch_size=22, max_steps=6, log_every=1, group_by_length=False)
    large = fine_tune(once, tokenizer, examples, None, config)
    small = fine_tune(twice, tokenizer, examples, None, replace(config, batch_size=11, gradient_accumulation=2))
    assert large.steps == small.steps == 6 and large.features == 66
    assert [r["loss"] for r in small.history] == pytest.approx([r["loss"] for r in large.history], rel=1e-5)
    assert_close_weights(once, twice, load_model(checkpoint))


def plain_loop(model, tokenizer, features, config):
    """The losses of a loop in plain PyTorch, as lesson 06 writes it."""
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate)
    warmup = math.ceil(config.warmup * config.max_steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: step / warmup if step < warmup else (config.max_steps - step) / (config.max_steps - warmup),
    )
    losses, epoch = [], 0
    model.train()
    while len(losses) < config.max_steps:
        order = torch.randperm(len(features), generator=torch.Generator().manual_seed(config.seed + epoch))
        for rows in order.split(config.batch_size)[: config.max_steps - len(losses)]:
            loss = model(**make_batch(features.select(rows), tokenizer)).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        epoch += 1
    return losses


def test_a_plain_loop_takes_the_same_steps(checkpoint, tokenizer, examples, features):
    plain, library = load_model(checkpoint), load_model(checkpoint)
    for each in (plain, library):
        for module in each.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
    config = replace(SHORT, max_steps=25, batch_size=5, group_by_length=False, log_every=1)
    losses = plain_loop(plain, tokenizer, features, config)
    result = fine_tune(library, tokenizer, examples, None, config)
    assert result.history[-1]["epoch"] > 1
    assert [row["loss"] for row in result.history] == pytest.approx(losses, abs=1e-4)
    assert_close_weights(plain, library, load_model(checkpoint))


def test_grouping_by_length_leaves_little_padding_and_shows_every_window_once_an_epoch():
    lengths = torch.randint(20, 200, (400,), generator=torch.Generator().manual_seed(0)).tolist()
    order = TrainingOrder(lengths, 8, seed=3)
    epochs = []
    for epoch in (0.0, 1.0, 1.0, 1.4):
        order.on_epoch_begin(None, SimpleNamespace(epoch=epoch), None)
        epochs.append([row for piece in order for row in piece.rows])
    assert all(sorted(seen) == list(range(400)) for seen in epochs) and len(order) == 50
    assert epochs[0] != epochs[1] and epochs[1] == epochs[2] == epochs[3]

    def padding(order):
        batches = [order[k : k + 8] for k in range(0, len(order), 8)]
        return 1 - sum(lengths) / sum(max(lengths[row] for row in batch) * len(batch) for batch in batches)

    shuffled = torch.randperm(400, generator=torch.Generator().manual_seed(3)).tolist()
    assert padding(epochs[0]) < 0.1 < 0.3 < padding(shuffled)


@pytest.mark.parametrize(
    ("major", "settings"),
    [(9, {"bf16": True, "fp16": False, "tf32": True}), (7, {"bf16": False, "fp16": True, "tf32": None})],
)
def test_a_gpu_gets_the_precision_that_it_computes_in(monkeypatch, tmp_path, major, settings):
    """A T4 (capability 7.5) imitates bfloat16 slowly and has no TF32: it gets float16, whose losses Trainer scales."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or major >= 8
    )
    monkeypatch.setattr(training, "is_torch_tf32_available", lambda: major >= 8)
    given = {}
    monkeypatch.setattr(training, "TrainingArguments", lambda **options: given.update(options))
    training._arguments(SHORT, tmp_path)
    assert (given["bf16"], given["fp16"], given["tf32"]) == (False, False, settings["tf32"]), "float32 was asked for"
    training._arguments(replace(SHORT, precision="auto"), tmp_path)
    assert {name: given[name] for name in settings} == settings and not given["use_cpu"]
    assert half_precision("cuda") == (torch.bfloat16 if major >= 8 else torch.float16)


def test_on_a_cpu_auto_is_float32_and_fp16_is_refused(model, tokenizer, examples, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    arguments = training._arguments(replace(SHORT, precision="auto"), tmp_path)
    assert not arguments.bf16 and not arguments.fp16 and arguments.use_cpu
    assert half_precision("cpu") is None
    with pytest.raises(ValueError, match="precision 'fp16' needs a GPU; on a CPU use 'float32'"):
        fine_tune(model, tokenizer, examples, None, replace(SHORT, precision="fp16"))


def test_scores_at_the_end_of_every_epoch(checkpoint, tokenizer, examples):
    config = replace(SHORT, max_steps=None, epochs=2.5, evaluate_every="epoch")
    result = fine_tune(load_model(checkpoint), tokenizer, examples, examples, config)
    scored = [row["step"] for row in result.history if "f1" in row]
    per_epoch = -(-result.features // SHORT.batch_size)
    assert scored == [per_epoch, 2 * per_epoch, result.steps]


@pytest.mark.parametrize("every", [0, -3, 2.5, "step"])
def test_an_interval_of_scores_that_is_none_is_refused(checkpoint, tokenizer, examples, every):
    with pytest.raises(ValueError, match="evaluate_every is a number of steps, 'epoch' or None"):
        fine_tune(load_model(checkpoint), tokenizer, examples, examples, replace(SHORT, evaluate_every=every))


# ---------------------------------------------------------------------------------------------------------------------
# A loss that is not a number, and memory that does not suffice: which batch, what is kept, how to go on
# ---------------------------------------------------------------------------------------------------------------------


GPU = torch.OutOfMemoryError(
    "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has 15 GiB\nof which nothing is free"
)
CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried to …")


def spoil(model, value, is_bad):
    """Let a model's loss be ``value`` where ``is_bad(input_ids)``; returns the list of the batches it saw."""
    usual, seen = model.forward, []

    @wraps(usual)  # the trainer reads from its signature what it takes
    def forward(**batch):
        output = usual(**batch)
        seen.append(batch["input_ids"])
        if output.loss is not None and is_bad(batch["input_ids"]):
            output["loss"] = output.loss * value
        return output

    model.forward = forward
    return seen


def fail(model, error, step=1):
    """Let a model's forward pass raise ``error`` at its ``step``-th call."""
    usual, calls = model.forward, []

    @wraps(usual)  # the trainer reads from its signature what it takes
    def forward(**batch):
        calls.append(batch["input_ids"].shape)
        if len(calls) == step:
            raise error
        return usual(**batch)

    model.forward = forward
    return calls


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_the_message_names_the_step_and_the_examples_of_the_batch(checkpoint, tokenizer, examples, features, value):
    model = load_model(checkpoint)
    bad = next(row for row in features if row["example_id"] == "lamp-cost")
    ids = torch.tensor(bad["input_ids"])
    batches = spoil(model, value, lambda seen: any(torch.equal(row[: len(ids)], ids) for row in seen))
    with pytest.raises(ValueError, match=f"the loss is {value} at step") as caught:
        fine_tune(model, tokenizer, examples, None, replace(SHORT, log_every=100, max_steps=17))
    assert f"at step {len(batches)}, in a batch of windows of the examples " in str(caught.value)
    named = set(str(caught.value).split("examples ")[1].split(":")[0].replace("'", "").split(", "))
    rows = {tuple(row[row != 0].tolist()) for row in batches[-1]}
    assert named == {row["example_id"] for row in features if tuple(row["input_ids"]) in rows}
    assert "lamp-cost" in named and len(named) <= SHORT.batch_size
    assert "Lower the learning rate (now 0.001)" in str(caught.value)
    assert "Nothing was saved yet: load the model again" in str(caught.value)


@pytest.mark.parametrize("stop", [7, 8])  # between two checkpoints; in the very step after which one is written
def test_the_last_good_checkpoint_is_kept_until_a_run_with_a_lower_rate_starts_over(
    checkpoint, tokenizer, examples, tmp_path, stop
):
    config = replace(SHORT, save_every=4, output_dir=str(tmp_path / "out"), log_every=1)
    message = (
        "the loss is nan at step 8" if stop == 7 else "the weights are not finite after step 8, which is not saved"
    )
    advice = r"Lower the learning rate \(now 0.001\).*checkpoint-4 is kept .*load the model again .*resume=False"
    with pytest.raises(ValueError, match=f"{message}.*{advice}"):
        fine_tune(load_model(checkpoint), tokenizer, examples, None, config, [Poison(stop)])
    left = tmp_path / "out" / CHECKPOINTS
    assert [path.name for path in left.glob("checkpoint-*")] == ["checkpoint-4"]
    lower = replace(config, learning_rate=1e-4)
    with pytest.raises(ValueError, match=r"other settings \(learning_rate\)"):
        fine_tune(load_model(checkpoint), tokenizer, examples, None, lower)
    first = First()
    result = fine_tune(load_model(checkpoint), tokenizer, examples, None, replace(lower, resume=False), [first])
    assert first.step == 1
    assert all(torch.isfinite(p).all() for p in result.model.parameters())


@pytest.mark.parametrize("error", [GPU, CPU, MemoryError("std::bad_alloc")], ids=["gpu", "cpu", "machine"])
def test_training_without_memory_names_the_batch_and_the_settings_to_try(checkpoint, tokenizer, examples, error):
    model = load_model(checkpoint)
    calls = fail(model, error, step=3)
    with pytest.raises(ValueError) as caught:
        fine_tune(model, tokenizer, examples, None, replace(SHORT, gradient_accumulation=2))
    windows, tokens = calls[2]
    assert str(caught.value).startswith(
        f"out of memory while training, at step 2, with a batch of {windows} windows of {tokens} tokens: "
        "try batch_size=2 with gradient_accumulation=4"
    )
    assert caught.value.__cause__ is error and "\n" not in str(caught.value)
    assert not model.training
    calls.clear()
    fine_tune(load_model(checkpoint), tokenizer, examples, None, replace(SHORT, batch_size=2, gradient_accumulation=4))


def test_one_window_without_memory_should_be_shorter(checkpoint, tokenizer, examples, features):
    model = load_model(checkpoint)
    fail(model, CPU)
    with pytest.raises(ValueError, match="a batch of 1 windows .* try shorter ones: max_length=20"):
        fine_tune(model, tokenizer, examples, None, replace(SHORT, batch_size=1))
    model = load_model(checkpoint)
    fail(model, CPU)
    with pytest.raises(ValueError, match="make features with a shorter max_length"):
        predict_logits(model, features, batch_size=1)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("error", [GPU, CPU], ids=["gpu", "cpu"])
def test_prediction_without_memory_names_the_batch_and_leaves_the_model_as_it_was(model, features, error, training):
    calls = fail(model.train(training), error, step=2)
    with pytest.raises(
        ValueError, match="out of memory while predicting, with a batch of 4 windows of .* try batch_size=2"
    ):
        predict_logits(model, features, batch_size=4)
    assert model.training == training
    assert len(predict_logits(model, features, batch_size=2)[0]) == len(features)
    assert max(rows for rows, _ in calls[2:]) == 2


def test_what_the_failed_batch_held_is_let_go(model, features):
    """A notebook keeps the last traceback, and with it every tensor in it."""
    usual, held = model.forward, []

    @wraps(usual)  # the trainer reads from its signature what it takes
    def forward(**batch):
        large = torch.zeros(1000)
        held.append(weakref.ref(large))
        usual(**batch)
        raise CPU

    model.forward = forward
    with pytest.raises(ValueError, match="out of memory") as caught:
        predict_logits(model, features)
    assert caught.tb is not None and held[0]() is None


def test_other_errors_pass_unchanged(model, tokenizer, examples, features):
    bug = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    fail(model, bug)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        predict_logits(model, features)
    fail(model, bug)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        fine_tune(model, tokenizer, examples, None, SHORT)


# ---------------------------------------------------------------------------------------------------------------------
# A full disk: one error that names the folder and the space needed; what was there before is as it was
# ---------------------------------------------------------------------------------------------------------------------


FULL = r"could not be written: .*(kB|MB) are needed, and .* has no room for them"


class SmallDisk:
    """A folder whose disk can be filled: ``with disk.full(): …``; ``room`` bytes are left."""

    def __init__(self, folder: Path):
        self.folder = folder

    @contextmanager
    def full(self, room: int = 0):
        self.fill(room)
        try:
            yield
        finally:
            self.clear()


class Mounted(SmallDisk):
    """A file system of 8 MB in memory."""

    def fill(self, room: int = 0):
        free = shutil.disk_usage(self.folder).free
        (self.folder / "filler").write_bytes(b"x" * (free - room))

    def clear(self):
        (self.folder / "filler").unlink()


class Limited(SmallDisk):
    """No file may be larger than ``room``: for those who may not mount file systems."""

    def fill(self, room: int = 0):
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, self.before[1]))

    def clear(self):
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)


@pytest.fixture(params=["mounted", "limited"])
def disk(request, tmp_path):
    if request.param == "limited":
        yield Limited(tmp_path)
        return
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only an administrator may mount a small disk; the limit on file sizes is tested instead")
    try:
        yield Mounted(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)  # lazily: a dataset may still be open there


class Filling(TrainerCallback):
    """Fills the disk when a run has come to a step, or to its end (step None)."""

    def __init__(self, disk, step, room=0):
        self.disk, self.step, self.room = disk, step, room

    def on_step_end(self, args, state, control, **_):
        if state.global_step == self.step:
            self.disk.fill(self.room)

    def on_train_end(self, args, state, control, **_):
        if self.step is None:
            self.disk.fill(self.room)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_corpus_file_is_replaced_whole_or_not_at_all(disk):
    out = disk.folder / "corpus"
    write_corpus(out, train_examples=20, validation_examples=20)
    before = contents(out)
    with disk.full(room=4000), pytest.raises(ValueError, match=FULL) as caught:
        write_corpus(out, train_examples=200, validation_examples=20)
    assert str(out) in str(caught.value) and "unchanged" in str(caught.value)
    assert contents(out) == before
    write_corpus(out, train_examples=200, validation_examples=20)


def test_a_predictions_file_is_replaced_whole_or_not_at_all(disk, monkeypatch, capsys):
    target = disk.folder / "predictions.json"
    target.write_text("{}")
    arguments = f"qa-helpers evaluate --limit 2 --predictions {target}".split()
    monkeypatch.setattr("sys.argv", arguments)
    with disk.full(room=20), pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith(f"qa-helpers: {target} could not be written: 0.") and "Traceback" not in told
    assert contents(disk.folder) == {"predictions.json": b"{}"}


def test_an_annotation_that_cannot_be_kept_is_not_added(disk):
    file = disk.folder / "notes.json"
    notes = Annotations({"kettle": "The kettle holds four litres. " * 200}, file)
    notes.add("kettle", "What holds it?", "four litres", occurrence=0)
    before = contents(disk.folder)
    with disk.full(room=50), pytest.raises(ValueError, match=FULL):
        notes.add("kettle", "How much does it hold?", "four litres", occurrence=1)
    assert len(notes.examples) == 1 and contents(disk.folder) == before
    notes.add("kettle", "How much does it hold?", "four litres", occurrence=1)


def test_features_that_find_no_room_are_made_when_there_is_some(disk, examples, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", disk.folder / "cache")
    examples.save_to_disk(tmp_path / "examples")
    on_disk = datasets.load_from_disk(tmp_path / "examples")
    with disk.full(room=500), pytest.raises(ValueError, match=FULL) as caught:
        make_features(on_disk, tokenizer, 40, 12)
    assert str(disk.folder / "cache") in str(caught.value)
    assert make_features(on_disk, tokenizer, 40, 12)[:] == make_features(examples, tokenizer, 40, 12)[:]


@pytest.mark.parametrize("room", [0, 40_000, 200_000])  # nothing, the configuration, the weights but no optimizer
def test_a_checkpoint_that_finds_no_room_leaves_the_one_before(unbroken, disk, checkpoint, tokenizer, examples, room):
    config = replace(SHORT, save_every=4, output_dir=str(disk.folder / "out"))
    with pytest.raises(ValueError, match=r"checkpoint-8 could not be written: 0\.4 MB are needed") as caught:
        fine_tune(load_model(checkpoint), tokenizer, examples, None, config, [Filling(disk, 5, room)])
    disk.clear()
    assert str(disk.folder / "out") in str(caught.value)
    left = disk.folder / "out" / CHECKPOINTS
    assert [path.name for path in left.glob("checkpoint-*")] == ["checkpoint-4"], "half of a checkpoint takes room"
    resumed = load_model(checkpoint)
    fine_tune(resumed, tokenizer, examples, None, config)
    assert_same_weights(resumed, unbroken)


def test_a_result_that_finds_no_room_leaves_the_model_before_and_the_steps_done(
    unbroken, disk, checkpoint, tokenizer, examples
):
    out = disk.folder / "out"
    fine_tune(load_model(checkpoint), tokenizer, examples, None, replace(SHORT, max_steps=2, output_dir=str(out)))
    before = contents(out)
    config = replace(SHORT, save_every=4, output_dir=str(out), overwrite=True)
    with pytest.raises(ValueError, match=r"out could not be written: 0\.1 MB are needed"):
        fine_tune(load_model(checkpoint), tokenizer, examples, None, config, [Filling(disk, None, 20_000)])
    disk.clear()
    left = contents(out)
    assert {name: left[name] for name in before} == before
    assert load_model(out).has_trained_head, "the model before can be used"
    resumed = load_model(checkpoint)
    fine_tune(resumed, tokenizer, examples, None, config)
    assert_same_weights(resumed, unbroken)
    assert_same_weights(load_model(out), unbroken)


def test_a_run_is_refused_before_it_starts_where_its_checkpoints_will_find_no_room(
    checkpoint, tokenizer, examples, tmp_path, monkeypatch
):
    free = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: free)
    config = replace(SHORT, save_every=4, output_dir=str(tmp_path / "deep" / "out"))
    with pytest.raises(ValueError, match=r"three checkpoints\) would take 1\.1 MB, and its disk has 1\.0 MB free"):
        fine_tune(load_model(checkpoint), tokenizer, examples, None, config)
    assert not (tmp_path / "deep").exists()
    free.free = 1_300_000
    fine_tune(load_model(checkpoint), tokenizer, examples, None, config)


def test_space_is_asked_of_the_disk_that_a_folder_will_be_on(tmp_path):
    require_space(tmp_path / "not" / "yet", 1, "a byte")
    with pytest.raises(ValueError, match="yet: a library would take .* MB, and its disk has .* free"):
        require_space(tmp_path / "not" / "yet", 10**18, "a library")


def test_other_errors_are_not_taken_for_a_full_disk(tmp_path):
    assert not any(map(is_full_disk, (OSError(13, "no"), RuntimeError("size mismatch"), ValueError("os error 28"))))
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_whole(tmp_path / "folder", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


# ---------------------------------------------------------------------------------------------------------------------
# A saved model that is damaged or mixed up
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(checkpoint, tokenizer, tmp_path):
    """A saved model."""
    save_model(load_model(checkpoint), tokenizer, tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("place", range(8), ids=lambda k: f"byte {k}")
def test_weights_with_a_damaged_header_are_refused(folder, place):
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[place] ^= 0x80  # the first eight bytes are the header's length
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match="could not be loaded .*the folder should hold config.json, model.safetensors"):
        load_model(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_file_that_was_cut_short_is_refused(folder, name):
    (folder / name).write_bytes((folder / name).read_bytes()[: (folder / name).stat().st_size // 2])
    load = load_tokenizer if name == "tokenizer.json" else load_model
    with pytest.raises(ValueError, match="'.*model' could not be loaded .*the folder should hold config.json"):
        load(folder)


def test_a_missing_shard_is_named(checkpoint, tokenizer, tmp_path):
    model = load_model(checkpoint)
    model.save_pretrained(tmp_path, max_shard_size="30KB")
    tokenizer.save_pretrained(tmp_path)
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
