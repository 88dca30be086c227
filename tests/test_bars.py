"""Nobody waits in the dark: bars and estimates in a notebook and on a terminal, and nothing where a program reads."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import nbformat
import pytest
from conftest import REPOSITORY
from nbclient import NotebookClient
from support import SHORT, LaptopClosed, Stop
from tqdm.auto import tqdm
from transformers import TrainerCallback

from qa_helpers import (
    check_examples,
    checkpoints,
    fine_tune,
    load_model,
    load_squad,
    make_features,
    predict_logits,
    training,
)
from qa_helpers.engine import progress_bars as bars
from qa_helpers.engine import training_bar as _training_bar
from qa_helpers.engine.progress_bars import bars_shown, counting, track
from qa_helpers.engine.training_bar import Estimate, Plan, roughly


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def unset(monkeypatch):
    monkeypatch.delenv("QA_BARS", raising=False)


def open_bars() -> list:
    return [bar for bar in list(getattr(tqdm, "_instances", ())) if not bar.disable]


@pytest.mark.parametrize("said, wanted, shown", [("on", None, True), ("off", None, False), ("off", True, True), ("on", False, False)])  # fmt: skip
def test_what_was_asked_for_counts_before_the_environment(monkeypatch, said, wanted, shown):
    monkeypatch.setenv("QA_BARS", said)
    assert bars_shown(wanted) is shown


@pytest.mark.parametrize("kernel, terminal", [(True, False), (False, True), (False, False)])
def test_bars_are_for_notebooks_and_terminals(monkeypatch, unset, kernel, terminal):
    monkeypatch.setattr(bars, "in_kernel", lambda: kernel)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    assert bars_shown() is (kernel or terminal)
    monkeypatch.setenv("RANK", "1")
    assert not bars_shown() and not bars_shown(True), "the first of several processes speaks for all"


def test_short_work_shows_nothing_and_long_work_a_bar(monkeypatch, capsys):
    with track(range(5), "Reading", shown=True) as items:
        assert list(items) == [0, 1, 2, 3, 4]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(bars, "PATIENCE", -1.0)
    with track(range(5), "Reading", unit="examples", shown=True) as items:
        assert list(items) == [0, 1, 2, 3, 4]
    shown = capsys.readouterr()
    assert "Reading" in shown.err and "of 5 examples" in shown.err and shown.out == ""
    with track(range(5), "Reading", shown=False) as items:
        assert list(items) == [0, 1, 2, 3, 4]
    assert capsys.readouterr().err == ""


def test_a_bar_is_closed_whatever_ends_its_work(monkeypatch):
    monkeypatch.setattr(bars, "PATIENCE", -1.0)
    before = len(open_bars())
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), counting("Working", 10, shown=True) as done:
            done(3)
            assert len(open_bars()) == before + 1
            raise error
        assert len(open_bars()) == before


def test_reading_and_checking_are_counted(monkeypatch, capsys, rows, tmp_path):
    monkeypatch.setenv("QA_BARS", "on")
    monkeypatch.setattr(bars, "PATIENCE", -1.0)
    path = tmp_path / "dev.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    examples = load_squad(path)["validation"]
    assert "Reading dev.jsonl: 1 examples" in capsys.readouterr().err
    assert check_examples(examples) == []
    assert f"of {len(rows)} examples" in capsys.readouterr().err
    path.write_text('{"id": 1}', encoding="utf-8")
    before = len(open_bars())
    with pytest.raises(ValueError, match="is missing"):
        load_squad(path)
    assert len(open_bars()) == before


def test_features_and_predictions_are_counted(monkeypatch, capsys, model, tokenizer, examples, features):
    monkeypatch.setattr(bars, "PATIENCE", -1.0)
    make_features(examples, tokenizer, 40, 12, progress=True)
    assert f"{len(examples)} of {len(examples)} examples" in capsys.readouterr().err
    predict_logits(model, features, progress=True)
    assert "Predicting" in capsys.readouterr().err
    predict_logits(model, features)
    assert capsys.readouterr().err == ""


PLAN = Plan("four steps", [400, 300, 200, 100, 400, 300, 200, 100], {4, 8}, 600)


def test_the_estimate_counts_tokens_and_not_steps():
    clock = Clock()
    estimate = Estimate(PLAN, clock=clock)
    assert estimate.seconds() is None
    for step, tokens in enumerate(PLAN.tokens[:5], start=1):
        clock.now += tokens / 100 + (50 if step == 1 else 0)  # the first step takes longer and does not count
        estimate.stepped(step)
        if step == 4:
            assert estimate.seconds() is None, "three steps have been timed"
            clock.now += 9
            estimate.scored()
    # 1,000 tokens were trained on in 10 s; 600 are left, and one scoring, which took 9 s the first time.
    spent = 50 + 14 + 9
    assert estimate.seconds() == pytest.approx((spent + 6 + 9, 6 + 9))


def test_scoring_is_guessed_until_it_has_been_seen():
    clock = Clock()
    estimate = Estimate(replace(PLAN, scored_after={8}), clock=clock)
    for step, tokens in enumerate(PLAN.tokens[:5], start=1):
        clock.now += tokens / 100
        estimate.stepped(step)
    assert estimate.seconds()[1] == pytest.approx(6 + 600 / 100 / 3)


def test_a_resumed_run_is_estimated_from_where_it_goes_on():
    clock = Clock()
    plan = replace(PLAN, scored_after={2, 4, 8})
    estimate = Estimate(plan, after=2, clock=clock)
    assert estimate.due == {4, 8} and plan.work(2) == 1300
    for step in range(3, 8):
        clock.now += PLAN.tokens[step - 1] / 100
        estimate.stepped(step)
    assert estimate.seconds()[1] == pytest.approx(1 + 2 * 600 / 100 / 3)


@pytest.mark.parametrize("changes", [{}, {"gradient_accumulation": 2}])
def test_the_tokens_of_the_plan_are_those_that_are_computed(monkeypatch, model, tokenizer, examples, changes):
    plans, computed, make_plan = [], [], _training_bar.plan_training

    def planned(*arguments):
        plans.append(make_plan(*arguments))
        return plans[0]

    def count(module, arguments, given):
        if module.training:
            computed[-1] += given["input_ids"].numel()
        else:
            scored.append(given["input_ids"].numel())

    class NextStep(TrainerCallback):
        def on_step_begin(self, *_, **__):
            computed.append(0)

    scored = []
    monkeypatch.setattr(training, "plan_training", planned)
    model.register_forward_pre_hook(count, with_kwargs=True)
    config = replace(SHORT, evaluate_every="epoch", max_steps=None, epochs=2, progress=True, **changes)
    result = fine_tune(model, tokenizer, examples, examples, config, [NextStep()])
    (plan,) = plans
    assert computed == plan.tokens and len(computed) == result.steps
    assert sorted(plan.scored_after) == [row["step"] for row in result.history if "f1" in row]
    assert plan.scored_tokens <= sum(scored) / 2 < 1.3 * plan.scored_tokens, "with some padding"


@pytest.mark.parametrize(
    "steps, epoch, every, scored",
    [(10, 4, None, {10}), (10, 4, 3, {3, 6, 9, 10}), (10, 5, 5, {5, 10}), (10, 4, "epoch", {4, 8, 10}), (2, 4, 3, {2})],
)
def test_a_run_is_scored_at_its_intervals_and_at_its_end(steps, epoch, every, scored):
    assert _training_bar._scored_after(steps, epoch, every) == scored


@pytest.mark.parametrize(
    "seconds, said",
    [(3, "about 10 seconds"), (41, "about 50 seconds"), (51, "about a minute"), (95, "about 1.5 minutes"),
     (370, "about 6 minutes"), (5_400, "about 1.5 hours"), (90_000, "about 25 hours")],
)  # fmt: skip
def test_a_time_is_said_as_one_says_it(seconds, said):
    assert roughly(seconds) == said


def test_a_training_says_what_it_is_going_to_do(checkpoint, tokenizer, examples, capsys, tmp_path):
    config = replace(SHORT, evaluate_every=6, progress=True)
    fine_tune(load_model(checkpoint), tokenizer, examples, examples, config)
    shown = capsys.readouterr()
    assert "12 steps of 4 windows (" in shown.err and f"scored twice on {len(examples)} questions" in shown.err
    assert "step 12 of 12, loss" in shown.err and shown.out == ""
    fine_tune(load_model(checkpoint), tokenizer, examples, examples, replace(config, progress=None))
    assert capsys.readouterr().err == ""


def test_a_resumed_training_says_where_it_goes_on(checkpoint, tokenizer, examples, capsys, tmp_path):
    config = replace(SHORT, save_every=4, output_dir=str(tmp_path / "out"), progress=True)
    with pytest.raises(LaptopClosed):
        fine_tune(load_model(checkpoint), tokenizer, examples, None, config, [Stop(9)])
    assert "continuing" not in capsys.readouterr().err
    fine_tune(load_model(checkpoint), tokenizer, examples, None, config)
    assert ", continuing after step 8\n" in capsys.readouterr().err


def test_a_training_that_takes_a_moment_says_nothing_by_itself(monkeypatch, checkpoint, tokenizer, examples, capsys):
    monkeypatch.setenv("QA_BARS", "on")
    fine_tune(load_model(checkpoint), tokenizer, examples, None, SHORT)
    assert "steps of" not in capsys.readouterr().err
    monkeypatch.setattr(_training_bar, "TINY", 0)
    fine_tune(load_model(checkpoint), tokenizer, examples, None, replace(SHORT, max_steps=None, epochs=1))
    assert "(1 epoch over" in capsys.readouterr().err


def test_the_bar_of_a_training_is_closed_after_an_error(monkeypatch, checkpoint, tokenizer, examples, capsys):
    before = len(open_bars())
    with pytest.raises(LaptopClosed) as kept:  # a notebook keeps the traceback as well, and with it all that was open
        fine_tune(load_model(checkpoint), tokenizer, examples, None, replace(SHORT, progress=True), [Stop(5)])
    assert len(open_bars()) == before and kept.traceback


WIDGET = "application/vnd.jupyter.widget-view+json"
TRAINING = """
import qa_helpers as qa
from qa_helpers.engine import progress_bars as bars, training_bar as _training_bar
from qa_helpers.figures.training_plots import LiveCurve
_training_bar.TINY, bars.PATIENCE = 0, 1e9  # on any machine, the training is long and all else is short
course = qa.setup()
rows = qa.load_squad("mini")["train"].select(range(40))
rows = rows.filter(lambda row: True)
config = course.fine_tune_config(max_steps=4, batch_size=2, log_every=1, evaluate_every=2)
result = qa.fine_tune(course.load_model(), course.load_tokenizer(), rows, rows, config, [LiveCurve(pause=0)])
"""
INTERRUPTED = TRAINING.replace("LiveCurve(pause=0)", "Stop()").replace(
    "course = ",
    """
from transformers import TrainerCallback
class Stop(TrainerCallback):
    def on_step_end(self, args, state, control, **_):
        if state.global_step == 3:
            raise KeyboardInterrupt
course = """,
)


class Watched(NotebookClient):
    """Keeps every output that a kernel sent, also those that were replaced later."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.sent = []

    def process_message(self, message, cell, cell_index):
        if message["msg_type"] in ("stream", "display_data", "update_display_data"):
            self.sent.append((message["msg_type"], message["content"]))
        return super().process_message(message, cell, cell_index)


def run_in_kernel(code: str, **options) -> tuple[list[dict], list[tuple[str, dict]]]:
    """(what a notebook holds after its only cell has run, everything that it showed meanwhile)."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    client = Watched(notebook, kernel_name="python3", timeout=600, coalesce_streams=True, **options)
    client.execute()
    return notebook.cells[0].outputs, client.sent


def test_a_notebook_shows_a_line_a_bar_and_the_curve_and_keeps_no_dead_widget(unset):
    outputs, sent = run_in_kernel(TRAINING)
    views = [content for kind, content in sent if kind == "display_data" and WIDGET in content["data"]]
    assert len(views) == 1, "a bar for the training, and none for work of a moment"
    line, bar, curve = outputs
    assert line["name"] == "stdout"
    assert line["text"].startswith("4 steps of 2 windows (") and line["text"].endswith("scored twice on 40 questions\n")
    assert re.fullmatch(r"4 of 4 steps in \d\d:\d\d, loss \d+\.\d\d", bar["data"]["text/plain"])
    assert WIDGET not in bar["data"]
    assert "image/png" in curve["data"], "one figure, redrawn in its place"


def test_an_interrupted_notebook_says_how_far_it_came(unset):
    outputs, _ = run_in_kernel(INTERRUPTED, allow_errors=True)
    line, bar, error = outputs
    assert error["ename"] == "KeyboardInterrupt"
    assert bar["data"]["text/plain"].startswith("3 of 4 steps in ") and WIDGET not in bar["data"]


def test_a_notebook_that_a_program_executes_shows_nothing(monkeypatch):
    monkeypatch.setenv("QA_BARS", "off")
    outputs, _ = run_in_kernel(TRAINING.replace("LiveCurve(pause=0)", ""))
    assert outputs == []


def test_a_bar_of_long_work_leaves_nothing_in_a_notebook(unset):
    code = """
from qa_helpers.engine import progress_bars as bars
bars.PATIENCE = -1
for error in (False, True):
    with bars.track(range(3), "Reading", unit="rows") as rows:
        for row in rows:
            assert not (error and row == 1)
"""
    outputs, sent = run_in_kernel(code, allow_errors=True)
    assert [kind for kind, content in sent if WIDGET in content.get("data", {})] == ["display_data"] * 2
    assert [dict(output["data"]) for output in outputs[:-1]] == [{}, {}] and outputs[-1]["ename"] == "AssertionError"


def test_the_command_line_keeps_its_results_apart(tmp_path):
    command = [sys.executable, "-m", "qa_helpers", "train", "--max-steps", "30", "--limit", "60"]
    command += ["--output-dir", str(tmp_path / "model")]
    environment = {**os.environ, "QA_BARS": "on"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "30 steps of 16 windows" in done.stderr and "30 steps of" not in done.stdout
    assert done.stdout.splitlines()[0] == "Training mini-bert on 60 examples of mini"


@pytest.mark.parametrize("shown", [True, False])
def test_loading_shows_downloads_where_bars_are_and_no_weights(monkeypatch, checkpoint, shown):
    from huggingface_hub.utils import are_progress_bars_disabled
    from transformers.utils.logging import is_progress_bar_enabled

    monkeypatch.setenv("QA_BARS", "on" if shown else "off")
    before, seen = (are_progress_bars_disabled(), is_progress_bar_enabled()), []
    checkpoints._from_hub_or_disk(
        lambda *_, **options: seen.append((are_progress_bars_disabled(), is_progress_bar_enabled())), "x", checkpoint
    )
    assert seen == [(not shown, False)]
    assert (are_progress_bars_disabled(), is_progress_bar_enabled()) == before


@pytest.mark.parametrize("shown", [True, False])
def test_setup_leaves_downloads_visible_where_bars_are(monkeypatch, shown):
    import datasets
    from huggingface_hub.utils import are_progress_bars_disabled

    import qa_helpers as qa

    monkeypatch.setenv("QA_BARS", "on" if shown else "off")
    qa.setup()
    assert are_progress_bars_disabled() is not shown
    assert datasets.are_progress_bars_disabled(), "map and filter on small sets would clutter the page"
    with bars.library_bars(downloads=shown, data=shown):
        assert datasets.are_progress_bars_disabled() is not shown
    assert datasets.are_progress_bars_disabled()


def test_programs_that_execute_notebooks_switch_the_bars_off():
    for file in ("tools/run_notebooks.py", "tests/conftest.py", "tools/measure_lessons.py", "tools/make_editions.py"):
        assert 'os.environ["QA_BARS"] = "off"' in (REPOSITORY / file).read_text(encoding="utf-8"), file
    assert "nbval: export QA_BARS = off" in (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert '"QA_BARS": "off"' in (REPOSITORY / "tools/lab.py").read_text(encoding="utf-8")
