"""The figures of lesson 07 show the numbers they are given."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from qa_helpers import calibration, evaluation_plots


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


def test_the_calibration_curve_leaves_empty_bins_out():
    found = calibration([0.1, 0.15, 0.9], [0, 1, 1])
    curve, bars = drawn(evaluation_plots.plot_calibration(found))
    measured = curve.lines[-1]
    np.testing.assert_allclose(measured.get_xdata(), [0.125, 0.9])
    np.testing.assert_allclose(measured.get_ydata(), [0.5, 1])
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
    assert axes.texts[0].get_text() == "0.0"
