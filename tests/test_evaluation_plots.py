"""The figures of lesson 08 show the numbers they are given."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from qa_helpers import calibration, evaluation_plots, plots


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def drawn(figure):
    """A figure's axes, after drawing it (which is when layout and texts are checked)."""
    figure.canvas.draw()
    return figure.axes


def test_the_square_leaves_invalid_spans_empty_and_frames_the_best():
    figure = evaluation_plots.plot_span_scores(list("abcd"), [0, 1, 5, 2], [3, 0, 1, 4], 2, best=(2, 3))
    axes = drawn(figure)[0]
    shown = np.ma.filled(axes.images[0].get_array(), np.nan)
    expected = [[3, 0, np.nan, np.nan], [np.nan, 1, 2, np.nan], [np.nan, np.nan, 6, 9], [np.nan] * 3 + [6]]
    np.testing.assert_array_equal(shown, expected)
    (frame,) = axes.patches
    assert (frame.get_x(), frame.get_y()) == (2.5, 1.5), "column: end 3, row: start 2"
    assert [label.get_text() for label in axes.get_xticklabels()] == list("abcd")


def test_bootstrap_histograms_share_one_scale_and_shade_their_intervals():
    means = {"questions": np.arange(50.0, 60.0, 0.01), "contexts": np.arange(45.0, 65.0, 0.01)}
    axes = drawn(evaluation_plots.plot_bootstrap(means, {"questions": (51, 59), "contexts": (46, 64)}))
    assert [a.get_title("left") for a in axes] == ["questions: 51.0 to 59.0", "contexts: 46.0 to 64.0"]
    assert axes[0].get_xlim() == axes[1].get_xlim()
    assert sum(bar.get_height() for bar in axes[0].patches[:40]) == 1000
    assert axes[1].get_xlabel().startswith("score of a sample")


def test_bootstrap_histograms_name_what_was_resampled_and_write_a_minus():
    (axes,) = drawn(
        evaluation_plots.plot_bootstrap({"low-rate run": [-3.0, 1.0]}, {"low-rate run": (-2.5, 0.5)}, "gain")
    )
    assert axes.get_title("left") == "low-rate run: −2.5 to 0.5"
    assert axes.get_xlabel().startswith("gain of a sample")


def test_error_classes_say_number_and_share():
    (axes,) = drawn(evaluation_plots.plot_error_classes({"boundary": 30, "lost": 0}, 200))
    assert [bar.get_width() for bar in axes.patches] == [30, 0]
    assert [text.get_text().strip() for text in axes.texts] == ["30  (15.0%)", "0  (0.0%)"]


def test_breakdowns_have_a_panel_each_with_dots_lines_and_counts():
    columns = ["examples", "EM", "F1", "F1 low", "F1 high"]
    table = pd.DataFrame([[9, 40, 50, 30, 70], [3, 0, 10, 0, 30]], index=["who", "why"], columns=columns)
    axes = drawn(evaluation_plots.plot_breakdown({"word": table, "length": table[:1]}))
    assert [a.get_title("left") for a in axes] == ["word", "length"]
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["who  (9)", "why  (3)"]
    dots, crosses = axes[0].lines
    assert list(dots.get_xdata()) == [50, 10] and list(crosses.get_xdata()) == [40, 0]


def test_em_and_f1_look_the_same_in_every_figure():
    table = pd.DataFrame([[9, 40, 50, 30, 70]], columns=["examples", "EM", "F1", "F1 low", "F1 high"])
    history = [{"step": 1, "loss": 2.0}, {"step": 2, "exact_match": 40.0, "f1": 50.0}]
    breakdown = drawn(evaluation_plots.plot_breakdown({"all": table}))[0]
    scores = drawn(plots.plot_history(history))[1]
    looks = [
        {line.get_label()[:2]: (line.get_color(), line.get_marker()) for line in axes.lines}
        for axes in (breakdown, scores)
    ]
    assert looks[0] == looks[1] == {"F1": (plots.F1, "o"), "EM": (plots.EM, "s")}


def test_the_calibration_curve_leaves_empty_bins_out():
    found = calibration([0.1, 0.15, 0.9], [0, 1, 1])
    curve, bars = drawn(evaluation_plots.plot_calibration(found))
    measured = curve.lines[-1]
    np.testing.assert_allclose(measured.get_xdata(), [0.125, 0.9])
    np.testing.assert_allclose(measured.get_ydata(), [0.5, 1])
    (_, low), (_, high) = curve.collections[0].get_segments()[0]
    np.testing.assert_allclose([low, high], [0.0945, 0.9055], atol=1e-3)  # one of two is right
    assert [bar.get_height() for bar in bars.patches] == [0, 2, 0, 0, 0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("threshold", [1.5, None, -np.inf])
def test_null_scores_count_every_question_once(threshold):
    differences, has_answer = np.linspace(-5, 5, 60), np.arange(60) % 3 > 0
    (axes,) = drawn(evaluation_plots.plot_null_scores(differences, has_answer, threshold))
    heights = [bar.get_height() for bar in axes.patches]
    assert (sum(heights[:40]), sum(heights[40:])) == (40, 20)
    assert [line.get_xdata()[0] for line in axes.lines] == ([1.5] if threshold == 1.5 else [])


def test_the_threshold_curves_end_where_they_are_given():
    curves = {"all": [50, 70, 60], "HasAns": [0, 60, 90], "NoAns": [100, 80, 30]}
    (axes,) = drawn(evaluation_plots.plot_threshold([-1, 0, 1], curves, 0.0))
    assert [line.get_label() for line in axes.lines[:3]] == list(curves)
    assert [list(line.get_ydata()) for line in axes.lines[:3]] == list(curves.values())
    assert axes.texts[0].get_text() == "chosen: 0.0"


def window_of(length, start, end):
    """(tokens, start logits, end logits, context) of a window with one peak of each kind."""
    starts, ends = np.zeros(length), np.zeros(length)
    starts[start], ends[end] = 5, 4
    starts[0] = ends[0] = 9  # [CLS], outside the context
    return [f"t{k}" for k in range(length)], starts, ends, (3, length - 1)


def test_peaks_are_shown_together_with_the_best_span_and_a_few_tokens_around_them():
    (axes,) = drawn(evaluation_plots.plot_peaks(*window_of(60, 30, 20), (18, 20)))
    assert [label.get_text() for label in axes.get_xticklabels()] == [f"t{k}" for k in range(14, 35)]
    assert max(bar.get_height() for bar in axes.patches[:42]) == 5, "[CLS] is not drawn"


def test_peaks_that_are_too_far_apart_leave_the_best_span_alone():
    (axes,) = drawn(evaluation_plots.plot_peaks(*window_of(60, 50, 10), (4, 5)))
    assert [label.get_text() for label in axes.get_xticklabels()] == [f"t{k}" for k in range(3, 10)]


@pytest.mark.parametrize(("span", "width"), [((10, 12), 12), ((10, 24), 15)])
def test_the_square_around_a_span_frames_it_and_its_band_holds_it(span, width):
    axes = drawn(evaluation_plots.plot_scores_around(*window_of(60, *span), span))[0]
    shown = np.ma.filled(axes.images[0].get_array(), np.nan)
    assert np.isfinite(shown[0]).sum() == width
    labels = [label.get_text() for label in axes.get_xticklabels()]
    (frame,) = axes.patches
    assert labels[int(frame.get_x() + 0.5)] == f"t{span[1]}" and labels[int(frame.get_y() + 0.5)] == f"t{span[0]}"


def test_quarters_hold_as_many_each_and_say_their_range():
    found = evaluation_plots.quarters(list(range(1, 41)))
    assert list(found.categories) == ["1–10", "11–20", "21–30", "31–40"]
    assert found.value_counts().tolist() == [10] * 4
    assert list(evaluation_plots.quarters([5, 9, 5, 5, 5, 5]).categories) == ["5", "9"]
