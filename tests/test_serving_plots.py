"""The figures of lesson 12 show the numbers that they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from qa_helpers.figures import serving_plots


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def row(family, size, time, change, error=None):
    parts = {"megabytes": {"onnx": 4.0, "int8": 4.0 * size}, "seconds": {"onnx": 2.0, "int8": 2.0 * time}}
    return {"family": family, "error": error, "f1_change": change, **parts}


def test_steps_are_counted_and_fill_a_panel_each():
    matrix = np.array([[-127.0, 0.0, 0.0], [1.0, 2.0, 127.0]])
    panels = serving_plots.plot_steps({"a": matrix, "b": 3 * matrix}).axes
    assert [panel.get_title(loc="left") for panel in panels] == [f"{name}: 5 of 255 steps in use" for name in "ab"]
    for panel in panels:  # the scale follows the largest number, so both look alike
        heights = {round(bar.get_x() + 0.5): bar.get_height() for bar in panel.patches}
        assert heights == pytest.approx({-127: 100 / 6, 0: 200 / 6, 1: 100 / 6, 2: 100 / 6, 127: 100 / 6})


def test_exported_families_are_points_and_intervals_and_one_with_an_error_is_left_out():
    families = [
        row("BERT", 0.3, 0.5, [-0.2, -1.0, 0.6]),
        row("ALBERT", 1, 1, [0, 0, 0], error="RuntimeError: no"),
        row("DeBERTa", 0.4, 1.5, [-2.0, -3.0, -1.0]),
    ]
    size, time, f1 = serving_plots.plot_exported(families).axes
    assert [label.get_text() for label in size.get_yticklabels()] == ["BERT", "DeBERTa"]

    def points(panel):
        return [tuple(line.get_xydata()[0]) for line in panel.lines if line.get_marker() not in ("None", None, "")]

    assert np.allclose(points(size), [(0.3, 0), (0.4, 1)]) and np.allclose(points(time), [(0.5, 0), (1.5, 1)])
    assert np.allclose(points(f1), [(-0.2, 0), (-2.0, 1)])
    spans = [tuple(line.get_xdata()) for line in f1.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"]
    assert spans == [(-1.0, 0.6), (-3.0, -1.0)]


def test_speed_has_a_line_for_each_length():
    latency, throughput = serving_plots.plot_speed({64: {1: 0.01, 4: 0.02}, 192: {1: 0.05, 4: 0.2}}).axes
    assert [line.get_ydata().tolist() for line in latency.lines] == [[10, 20], [50, 200]]
    assert np.allclose([line.get_ydata() for line in throughput.lines], [[100, 200], [20, 20]])
    assert [text.get_text() for text in latency.get_legend().get_texts()] == ["64 tokens", "192 tokens"]
