"""The figures of lesson 11 show the numbers that they are given."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

import qa_helpers as qa
from qa_helpers.figures.plots import GREY, PLAIN
from qa_helpers.figures.probe_plots import plot_estimates, plot_layouts, plot_token_weights

matplotlib.use("Agg")
QUESTION, CONTEXT = "Who lit it?", "Odile Brask lit the lamp in 1874. " * 6


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_estimates_stand_at_their_values_and_what_reaches_0_is_grey():
    rows = {"reworded": (-1.0, -5.0, 3.0), "distractor": (-27.0, -31.0, -22.0)}
    (axes,) = plot_estimates(rows, "points", {"distractor": [-20.0, -34.0]}, zero=True).axes
    spans = [collection.get_segments()[0][:, 0].tolist() for collection in axes.collections]
    assert spans == [[-5.0, 3.0], [-31.0, -22.0]]
    assert [to_rgb(c.get_color()[0]) for c in axes.collections] == [to_rgb(GREY), to_rgb(PLAIN)]
    points = [x for line in axes.lines for x in np.atleast_1d(line.get_xdata())]
    assert {-1.0, -27.0, -20.0, -34.0, 0.0} <= {float(x) for x in points}
    assert [label.get_text() for label in axes.get_yticklabels()] == list(rows)


def test_scores_are_measured_from_0():
    (axes,) = plot_estimates({"rule": (8.0, 5.0, 11.0)}, "EM").axes
    assert axes.get_xlim()[0] == 0


def test_a_line_goes_through_the_means_of_the_seeds():
    scores = {"shuffled": {"first": [70.0, 72.0], "last": [60.0, 64.0]}, "planted": {"first": [80.0], "last": [1.0]}}
    (axes,) = plot_layouts(scores).axes
    lines = {line.get_label(): list(line.get_ydata()) for line in axes.lines if not line.get_label().startswith("_")}
    assert lines == {"shuffled": [71.0, 62.0], "planted": [80.0, 1.0]}
    assert axes.get_ylim() == (0, 100)


def test_every_token_of_both_texts_has_its_own_box_with_its_weight():
    pair = qa.load_tokenizer("mini-bert")(QUESTION, CONTEXT, return_offsets_mapping=True)
    values = np.zeros(len(pair["input_ids"]))
    values[1], values[2] = 4.0, -4.0
    drawn = plot_token_weights(pair, QUESTION, CONTEXT, {"one": values, "other": values}, span=(7, 8))
    assert [axes.get_title(loc="left") for axes in drawn.axes] == ["one", "other"]
    panel = drawn.axes[0]
    texts = [text.get_text() for text in panel.texts]
    assert "".join(texts) == (QUESTION + CONTEXT).replace(" ", "")
    boxes = panel.patches
    assert len(boxes) == len(texts) == sum(side is not None for side in pair.sequence_ids())
    reds = [box.get_facecolor()[0] - box.get_facecolor()[2] for box in boxes]  # orange has more red than blue
    assert reds[0] > 0.2 and reds[1] < -0.05 and abs(reds[4]) < 0.02
    assert [k for k, box in enumerate(boxes) if box.get_linewidth()] == [7 - 2, 8 - 2]  # [CLS] and [SEP] are not drawn
    assert all(box.get_x() + box.get_width() <= 112 for box in boxes)
    assert len({box.get_y() for box in boxes}) >= 3  # the context goes over several lines


def test_numbers_for_other_tokens_are_refused():
    pair = qa.load_tokenizer("mini-bert")(QUESTION, CONTEXT, return_offsets_mapping=True)
    with pytest.raises(ValueError, match="'short' has 3 numbers for"):
        plot_token_weights(pair, QUESTION, CONTEXT, {"short": [1, 2, 3]})
