"""Figures of the inside of a model: they draw what they are given, and refuse what does not fit together."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from qa_helpers import model_plots, plots


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def images(figure):
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]


def bars(axes):
    return [bar.get_height() for bar in axes.patches if bar.get_width() < 1]


def test_the_sum_panel_is_the_sum_of_the_others_on_one_scale():
    generator = torch.Generator().manual_seed(0)
    parts = {name: torch.randn(4, 30, generator=generator, requires_grad=name == "token") for name in ("token", "x")}
    drawn = model_plots.plot_embedding_sum(["a", "b", "c", "d"], parts, dimensions=10, bold=(1, 3))
    token, x, total = images(drawn)
    assert token.shape == (4, 10)
    np.testing.assert_allclose(token, parts["token"].detach()[:, :10])
    np.testing.assert_allclose(total, token + x, rtol=1e-6)
    panels = drawn.axes[:3]
    assert [panel.get_title(loc="left") for panel in panels] == ["token", "+ x", "= their sum"]
    assert len({panel.images[0].get_clim() for panel in panels}) == 1
    labels = panels[0].get_yticklabels()
    assert [label.get_text() for label in labels] == ["a", "b", "c", "d"]
    assert [label.get_fontweight() == "bold" for label in labels] == [False, True, False, True]


def test_parts_of_zeros_are_drawn_too():
    drawn = model_plots.plot_embedding_sum(["a"], {"token": np.zeros((1, 8)), "position": np.zeros((1, 8))}, 8)
    low, high = drawn.axes[0].images[0].get_clim()
    assert low < 0 < high


@pytest.mark.parametrize("shape", [(3, 8), (2, 2, 8), (2,)])
def test_a_part_without_a_row_for_each_token_is_refused(shape):
    with pytest.raises(ValueError, match=r"'position' has shape .* for 2 tokens"):
        model_plots.plot_embedding_sum(["a", "b"], {"token": torch.zeros(2, 8), "position": torch.zeros(shape)})


def test_the_attention_map_shows_the_weights_and_each_rows_share():
    weights = torch.tensor([[0.5, 0.25, 0.0], [0.1, 0.1, 0.1]], requires_grad=True)
    drawn = model_plots.plot_attention(weights, ["who", "?"], ["Ida", "Moor", "paid"], title="layer 1, head 0")
    axes = drawn.axes[0]
    np.testing.assert_allclose(images(drawn)[0], weights.detach())
    assert [label.get_text() for label in axes.get_xticklabels()] == ["Ida", "Moor", "paid"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["who", "?"]
    assert [text.get_text() for text in axes.texts] == ["75%", "30%"]
    assert axes.get_title(loc="left") == "layer 1, head 0"
    assert axes.images[0].get_clim()[0] == 0
    assert not any(label.get_bbox_patch() for label in axes.get_xticklabels())


def test_marked_columns_of_an_attention_map_have_the_answers_colour():
    axes = model_plots.plot_attention(torch.ones(1, 3), ["who"], ["Ida", "Moor", "paid"], marked=[0, 1]).axes[0]
    boxes = [label.get_bbox_patch() for label in axes.get_xticklabels()]
    assert [box and to_hex(box.get_facecolor()).upper() for box in boxes] == [plots.ANSWER, plots.ANSWER, None]


def test_an_attention_map_that_does_not_fit_its_tokens_is_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 3\), but there are 3 row tokens and 2 column tokens"):
        model_plots.plot_attention(torch.zeros(2, 3), ["a", "b", "c"], ["d", "e"])
    with pytest.raises(ValueError, match="take one head of one example"):
        model_plots.plot_attention(torch.zeros(1, 2, 3), ["a", "b"], ["d", "e", "f"])


def test_gradients_are_drawn_as_they_are_and_input_gradients_by_their_norm():
    start, end = torch.tensor([0.2, -0.3, 0.1]), torch.tensor([0.1, 0.2, -0.3])
    inputs = torch.tensor([[3.0, 4.0], [0.0, 0.0], [5.0, 12.0]])
    drawn = model_plots.plot_gradients(["a", "b", "c"], start, end, inputs, span=(1, 2))
    upper, lower = drawn.axes
    np.testing.assert_allclose(bars(upper), [*start, *end])
    np.testing.assert_allclose(bars(lower), [5.0, 0.0, 13.0])
    assert {text.get_text() for text in upper.get_legend().get_texts()} == {"start logit", "end logit", "answer"}
    shaded = [patch for patch in upper.patches if patch.get_width() > 1]
    assert [(patch.get_x(), patch.get_width()) for patch in shaded] == [(0.5, 2.0)]


def test_gradients_without_an_answer_shade_nothing():
    drawn = model_plots.plot_gradients(["a", "b"], [0.1, -0.1], [0.1, -0.1], np.ones((2, 3)))
    assert len(bars(drawn.axes[0])) == 4 == len(drawn.axes[0].patches)


def test_input_gradients_have_a_panel_each_with_their_norms_and_the_answer_shaded():
    one = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    drawn = model_plots.plot_input_gradients(["a", "b"], {"logit": one, "loss": np.ones((2, 1))}, span=(1, 1))
    assert [panel.get_title(loc="left") for panel in drawn.axes] == ["logit", "loss"]
    assert [bars(panel) for panel in drawn.axes] == [[5.0, 0.0], [1.0, 1.0]]
    for panel in drawn.axes:
        assert [patch.get_x() for patch in panel.patches if patch.get_width() == 1] == [0.5]
    assert [label.get_text() for label in drawn.axes[-1].get_xticklabels()] == ["a", "b"]


def test_an_input_gradient_that_does_not_fit_its_tokens_is_refused():
    with pytest.raises(ValueError, match="'loss' has 3 rows for 2 tokens"):
        model_plots.plot_input_gradients(["a", "b"], {"loss": np.ones((3, 4))})


def test_the_overfitting_curves_are_on_both_scales_with_target_and_floor():
    drawn = model_plots.plot_overfitting({"right": [3.0, 0.5, 0.005], "wrong": [3.0, 2.5]}, target=0.01, floor=2.457)
    assert [axes.get_yscale() for axes in drawn.axes] == ["linear", "log"]
    for axes in drawn.axes:
        labels = [line.get_label() for line in axes.get_lines()]
        assert labels == ["right", "wrong", "target, 0.01", "floor, 2.46"]
        np.testing.assert_allclose(axes.get_lines()[0].get_ydata(), [3.0, 0.5, 0.005])
    assert drawn.axes[0].get_ylim()[0] == 0
    assert len(model_plots.plot_overfitting({"right": [1.0, 0.1]}, target=0.01).axes[0].get_lines()) == 2
