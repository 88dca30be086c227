"""Figures of training show what they are given; the live curve redraws one figure, or prints lines without a display."""

from types import SimpleNamespace

import matplotlib
import pytest

from qa_helpers import training_plots
from qa_helpers.figures.training_plots import LiveCurve

matplotlib.use("Agg")

HISTORY = [
    {"step": 10, "epoch": 0.1, "seconds": 1.2, "loss": 5.1, "learning_rate": 1e-3, "grad_norm": 3.0},
    {"step": 20, "epoch": 0.2, "seconds": 2.4, "loss": 4.2, "learning_rate": 5e-4, "grad_norm": 2.0},
    {"step": 20, "epoch": 0.2, "seconds": 3.0, "exact_match": 12.5, "f1": 20.25},
]


def lines(axes):
    return {line.get_label(): list(zip(*line.get_data())) for line in axes.get_lines()}


@pytest.fixture
def displayed(monkeypatch):
    """What the display was asked to show: figures, then updates of the same place."""
    shown = []

    class Handle:
        def update(self, drawn):
            shown.append(("update", drawn))

    def display(drawn, display_id=None):
        shown.append(("new", drawn))
        assert display_id is True
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    return shown


def tell(curve, rows=HISTORY, steps=40):
    for count in range(1, len(rows) + 1):
        curve.on_history(rows[:count], steps)


def test_the_live_curve_redraws_one_figure_in_its_place(displayed):
    tell(LiveCurve(pause=0.0, text=False))
    assert [kind for kind, _ in displayed] == ["new", "update", "update"]
    loss, scores = displayed[-1][1].axes
    assert next(iter(lines(loss).values())) == [(10, 5.1), (20, 4.2)]
    assert lines(scores) == {"EM": [(20, 12.5)], "F1": [(20, 20.25)]}
    assert loss.get_xlim()[1] >= 40, "the whole run should have its place from the beginning"
    assert not matplotlib.pyplot.get_fignums(), "each redrawing should be closed"


def test_the_live_curve_rests_between_redrawings_but_leaves_out_no_score_and_no_end(displayed):
    curve = LiveCurve(pause=3600, text=False)
    tell(curve)
    assert [kind for kind, _ in displayed] == ["new", "update"], "the second row comes too soon, the score is drawn"
    curve.on_history([*HISTORY, {**HISTORY[1], "step": 30}], 40)
    assert len(displayed) == 2
    curve.on_train_end(None, None, None)
    curve.on_train_end(None, None, None)
    assert len(displayed) == 3, "what was left out is drawn at the end, once"


def test_without_a_display_the_live_curve_prints_a_line_per_row(capsys):
    tell(LiveCurve())
    assert capsys.readouterr().out.splitlines() == [
        "step 10 of 40   loss 5.10   (1 s)",
        "step 20 of 40   loss 4.20   (2 s)",
        "step 20 of 40   EM 12.5   F1 20.2   (3 s)",
    ]


@pytest.mark.parametrize(
    ("shell", "shows"), [(None, False), (SimpleNamespace(), False), (SimpleNamespace(kernel=1), True)]
)
def test_only_a_kernel_has_a_display(monkeypatch, shell, shows):
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    assert LiveCurve().text is not shows


def test_the_live_curve_follows_a_real_run(model, tokenizer, examples, displayed):
    from support import SHORT

    from qa_helpers import fine_tune

    fine_tune(model, tokenizer, examples, examples, SHORT, callbacks=[LiveCurve(pause=0.0, text=False)])
    assert displayed[0][0] == "new" and {kind for kind, _ in displayed[1:]} == {"update"}
    loss, scores = displayed[-1][1].axes
    assert [step for step, _ in next(iter(lines(loss).values()))] == [2, 4, 6, 8, 10, 12]
    assert [step for step, _ in lines(scores)["F1"]] == [12]


def test_plot_schedule_draws_every_rate():
    axes = training_plots.plot_schedule({"a": [0.0, 1e-3, 5e-4], "b": [1e-3, 5e-4]}).axes[0]
    assert lines(axes) == {"a": [(0, 0.0), (1, 1e-3), (2, 5e-4)], "b": [(0, 1e-3), (1, 5e-4)]}


def test_plot_padded_batches_fills_each_batch_up_to_its_longest_window():
    drawn = training_plots.plot_padded_batches({"random": [[3, 5]], "grouped": [[3, 5], [2, 2]]})
    random, grouped = drawn.axes
    assert [bar.get_width() for bar in random.patches] == [3, 5, 2, 0]
    assert [bar.get_width() for bar in grouped.patches] == [3, 5, 2, 0, 2, 2, 0, 0]
    assert random.get_title("left") == "random"


def test_plot_waves_marks_where_the_lengths_jump_up_again():
    losses, longest = [(2, 5.0), (4, 3.0), (6, 4.0)], [100, 80, 60, 65, 100, 90]
    above, below = training_plots.plot_waves(losses, longest).axes
    assert [list(zip(*line.get_data())) for line in above.get_lines()] == [losses, [(5, 0), (5, 1)]]
    assert list(below.get_lines()[0].get_ydata()) == longest
    assert list(below.get_lines()[0].get_xdata()) == [1, 2, 3, 4, 5, 6], "the first step is number 1"


def test_plot_validation_loss_marks_the_lowest():
    training, validation = [(5, 4.0), (10, 1.0), (15, 0.1)], [(5, 4.2), (10, 3.0), (15, 3.6)]
    axes = training_plots.plot_validation_loss(training, validation).axes[0]
    drawn = lines(axes)
    assert drawn.pop("training loss") == training and drawn.pop("validation loss") == validation
    assert list(drawn.values()) == [[(10, 0), (10, 1)]]


def test_plot_runs_draws_each_run_and_refuses_another_right_side():
    loss, scores = training_plots.plot_runs({"a": HISTORY, "b": HISTORY[:2]}).axes
    assert lines(loss) == {"a": [(10, 5.1), (20, 4.2)], "b": [(10, 5.1), (20, 4.2)]}
    assert lines(scores)["a, EM"] == [(20, 12.5)] and lines(scores)["a, F1"] == [(20, 20.25)]
    rates = training_plots.plot_runs({"a": HISTORY}, right="learning_rate").axes[1]
    assert next(iter(lines(rates).values())) == [(10, 1e-3), (20, 5e-4)]
    with pytest.raises(ValueError, match="right must be 'scores' or 'learning_rate', got 'f1'"):
        training_plots.plot_runs({"a": HISTORY}, right="f1")


def test_em_and_f1_keep_their_colours_and_markers_in_every_figure_of_a_run():
    def styles(axes, names):
        found = {line.get_label(): (line.get_color(), line.get_marker()) for line in axes.get_lines()}
        return [found[name] for name in names]

    _, alone = training_plots.plot_history(HISTORY).axes
    _, compared = training_plots.plot_runs({"a": HISTORY, "b": HISTORY}).axes
    own = styles(alone, ("F1", "EM"))
    assert own[0] != own[1]
    assert own == styles(compared, ("a, F1", "a, EM")) == styles(compared, ("b, F1", "b, EM"))
    runs = {line.get_label(): (line.get_linestyle(), line.get_fillstyle()) for line in compared.get_lines()}
    assert runs["a, F1"] == runs["a, EM"] != runs["b, F1"] == runs["b, EM"], "a run has a line of its own"


def test_plot_seeds_shows_every_run_and_the_spread():
    axes = training_plots.plot_seeds({"F1": {0: 60.0, 1: 62.5, 2: 61.0}}).axes[0]
    assert sorted(axes.collections[0].get_offsets()[:, 0]) == [60.0, 61.0, 62.5]
    band = axes.patches[0]
    assert (band.get_x(), band.get_width()) == (60.0, 2.5)
    assert [text.get_text() for text in axes.texts] == ["spread 2.5"]


def test_plot_memory_stacks_the_parts_and_names_their_sum():
    parts = {"small": {"weights": 2**30, "activations": 2**29}, "large": {"weights": 2**30, "activations": 2**31}}
    axes = training_plots.plot_memory(parts, {"card": 2**31}).axes[0]
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches] == [(0, 1), (1, 0.5), (0, 1), (1, 2)]
    assert [text.get_text().strip() for text in axes.texts] == ["1.5", "3.0", "card"]
    assert next(iter(axes.get_lines())).get_xdata()[0] == 2
