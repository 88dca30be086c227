"""The comparison of the families: runs are kept one by one, never mixed, and what is shipped fits what is shipped; the
interval of a difference; what is known about the real checkpoints; and the figures of all that."""

import json
from dataclasses import asdict

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from qa_helpers import Course, comparison, family_plots
from qa_helpers.checkpoints import FAMILIES, MINI_CHECKPOINTS
from qa_helpers.mini.comparison import (
    PUBLISHED,
    SHIPPED_SCORES,
    CompareSettings,
    choose_checkpoints,
    compare_families,
    difference_of_means,
    family_scores,
    published_for,
    published_table,
    real_sized,
    t_factor,
)

NAMES = [family.name for family in FAMILIES.values()]


@pytest.fixture
def quick(monkeypatch):
    """Runs that take no time; the list of (family, seed) that were asked for."""
    asked = []

    def run(family, seed, settings, data):
        asked.append((family.name, seed))
        if len(asked) == 4:
            raise KeyboardInterrupt
        return {"family": family.name, "seed": seed, "exact_match": 80.0, "f1": 85.0, "seconds": 1.0, "threads": 1}

    monkeypatch.setattr(comparison, "_run", run)
    monkeypatch.setattr(comparison, "load_squad", lambda source: {})
    return asked


def test_an_interrupted_comparison_goes_on_where_it_stopped(quick, tmp_path):
    target = tmp_path / "new" / "scores.json"
    with pytest.raises(KeyboardInterrupt):
        compare_families(target, ["bert", "albert"], seeds=3)
    kept = json.loads(target.read_text())["runs"]
    assert [(run["family"], run["seed"]) for run in kept] == [("BERT", 0), ("ALBERT", 0), ("BERT", 1)]
    lines = []
    runs = compare_families(target, ["bert", "albert"], seeds=3, report=lines.append)
    assert quick[4:] == [("ALBERT", 1), ("BERT", 2), ("ALBERT", 2)]
    assert len(runs) == 6 and len(lines) == 3 and lines[0].startswith("ALBERT, seed 1: EM 80.0 / F1 85.0")
    assert json.loads(target.read_text())["runs"] == runs
    assert list(target.parent.iterdir()) == [target], "temporary files should be gone"


def test_more_seeds_and_more_families_are_added_to_what_is_there(quick, tmp_path):
    target = tmp_path / "scores.json"
    compare_families(target, ["deberta"], seeds=1)
    compare_families(target, ["Deberta", "bert"], seeds=1)
    assert quick == [("DeBERTa", 0), ("BERT", 0)]
    runs, settings = family_scores(target)
    assert list(runs["family"]) == ["BERT", "DeBERTa"], "families come in the course's order"
    assert settings == CompareSettings()


def test_runs_of_other_settings_or_other_encoders_are_never_mixed(quick, tmp_path, monkeypatch):
    target = tmp_path / "scores.json"
    compare_families(target, ["bert"], seeds=1)
    before = target.read_bytes()
    with pytest.raises(ValueError, match="scores.json holds runs that differ in steps: remove it to start over"):
        compare_families(target, ["bert"], seeds=2, settings=CompareSettings(steps=7))
    monkeypatch.setattr(comparison, "encoder_fingerprint", lambda checkpoint: "another")
    with pytest.raises(ValueError, match="that differ in BERT: remove it"):
        compare_families(target, ["bert"], seeds=2)
    assert target.read_bytes() == before and quick == [("BERT", 0)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"families": ["brt"]}, "unknown family 'brt'; did you mean 'bert'"),
        ({"seeds": 0}, "must be at least 1, got 0"),
    ],
)
def test_bad_input_leaves_nothing_behind(quick, tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        compare_families(tmp_path / "scores.json", **change)
    assert not list(tmp_path.iterdir())


def test_a_run_is_a_fine_tuning_that_follows_its_seed(tmp_path):
    settings = CompareSettings(steps=2, batch_size=2, limit=6)
    first, second = compare_families(tmp_path / "a.json", ["distilbert"], 2, settings)
    (again,) = compare_families(tmp_path / "b.json", ["distilbert"], 1, settings)
    assert 0 <= first["exact_match"] <= first["f1"] <= 100 and first["seconds"] >= 0
    assert {k: first[k] for k in ("exact_match", "f1")} == {k: again[k] for k in ("exact_match", "f1")}
    assert (first["seed"], second["seed"]) == (0, 1)
    assert json.loads((tmp_path / "a.json").read_text())["settings"] == asdict(settings)


def test_missing_scores_say_how_to_make_them(tmp_path):
    with pytest.raises(ValueError, match="gone.json does not exist; make it with: qa-helpers compare"):
        family_scores(tmp_path / "gone.json")


def test_two_commands_may_fill_one_file(quick, tmp_path, monkeypatch):
    target = tmp_path / "scores.json"
    run = comparison._run

    def meanwhile(family, seed, settings, data):
        monkeypatch.setattr(comparison, "_run", run)
        compare_families(target, ["albert"], seeds=1)
        return run(family, seed, settings, data)

    monkeypatch.setattr(comparison, "_run", meanwhile)
    compare_families(target, ["bert"], seeds=1)
    runs, _ = family_scores(target)
    assert list(runs["family"]) == ["BERT", "ALBERT"]


def test_the_shipped_scores_are_of_the_shipped_encoders():
    record = json.loads(SHIPPED_SCORES.read_text(encoding="utf-8"))
    encoders = {family.name: comparison.encoder_fingerprint(family.mini) for family in FAMILIES.values()}
    assert record["encoders"] == encoders, (
        f"the encoders have changed: remove {SHIPPED_SCORES.name} and run qa-helpers compare again"
    )
    runs, settings = family_scores()
    assert settings == CompareSettings()
    assert [(family, seed) for family in NAMES for seed in range(5)] == list(zip(runs["family"], runs["seed"]))
    assert (runs["f1"] >= runs["exact_match"]).all() and set(runs["threads"]) == {1}


def test_every_family_has_learnt_the_task_and_none_by_one_lucky_seed():
    runs, _ = family_scores()
    lowest = runs.groupby("family")["exact_match"].min()
    assert (lowest.drop("ALBERT") >= 75).all() and lowest["ALBERT"] >= 50  # it learns most slowly


# The models' own cards and papers, in millions: the encoder, with the pooler where there is one.
@pytest.mark.parametrize(
    ("name", "millions"),
    [("BERT", 108), ("DistilBERT", 65), ("RoBERTa", 125), ("ALBERT", 12), ("DeBERTa", 184), ("ModernBERT", 149)],
)
def test_the_real_architectures_have_the_published_sizes_and_no_numbers(name, millions):
    model = real_sized(name)
    assert round(sum(parameter.numel() for parameter in model.parameters()) / 1e6) == millions
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}


def test_the_real_bert_has_the_configuration_of_the_real_file(real_data):
    given = json.loads((real_data / "bert-base-cased" / "config.json").read_text())
    config = real_sized("BERT").config
    differing = {k: v for k, v in given.items() if k != "architectures" and getattr(config, k, v) != v}
    assert not differing


def test_every_third_layer_of_the_real_modernbert_is_global():
    config = real_sized("ModernBERT").config
    kinds = [kind == "full_attention" for kind in config.layer_types]
    assert kinds == [layer % 3 == 0 for layer in range(22)] and config.sliding_window == 64


def test_a_real_architecture_comes_with_a_head_when_asked():
    model = real_sized("DistilBERT", head=True)
    assert model.training and model.qa_outputs.weight.shape == (2, 768)


def test_published_scores_have_a_family_in_the_courses_order_and_a_source_each():
    places = [NAMES.index(row.family) for row in PUBLISHED]
    assert places == sorted(places) and set(places) == set(range(len(NAMES)))
    for row in PUBLISHED:
        assert row.squad or row.squad_v2
        for exact, f1 in filter(None, (row.squad, row.squad_v2)):
            assert np.all(np.array(exact) < np.array(f1)) and np.all(np.array(f1) < 100)
        assert row.links and all(url.startswith("https://") for url in row.links.values())


def test_the_table_of_published_scores_has_a_row_and_a_link_for_each_recipe():
    head, rule, *rows = published_table().splitlines()
    assert head.count("|") == rule.count("|") == 7 and len(rows) == len(PUBLISHED)
    assert all(row.count("|") == 7 and "](https://" in row for row in rows)
    assert "80.7 to 81.8 / 88.1 to 88.8" in rows[1], "what other people's runs gave is a range"


def test_a_checkpoints_own_published_score_is_found():
    found = {family.name: published_for(family.hub) for family in FAMILIES.values()}
    assert found.pop("ModernBERT") is None
    assert all(row.family == name and row.squad for name, row in found.items())
    assert published_for("google-bert/bert-base-uncased").squad == (81.2, 88.5)


# Quantiles of Student's t that stand in every table.
@pytest.mark.parametrize(
    ("degrees", "confidence", "factor"),
    [(1, 0.95, 12.706), (2, 0.95, 4.303), (4, 0.95, 2.776), (8, 0.95, 2.306), (30, 0.95, 2.042), (4, 0.99, 4.604)],
)
def test_the_factor_is_that_of_the_tables(degrees, confidence, factor):
    assert t_factor(degrees, confidence) == pytest.approx(factor, abs=1e-3)


def test_with_many_degrees_the_factor_is_that_of_the_normal_distribution():
    assert t_factor(1e4) == pytest.approx(1.960, abs=1e-3)
    with pytest.raises(ValueError, match="at least 1 and 0 < confidence < 1, got 0.5 and 0.95"):
        t_factor(0.5)


def test_the_interval_of_a_difference_is_welchs():
    first, second = [80.0, 82.0, 81.0, 79.0, 83.0], [84.0, 85.0, 86.0, 85.0, 85.0]
    difference, low, high = difference_of_means(first, second)
    error = (np.var(first, ddof=1) / 5 + np.var(second, ddof=1) / 5) ** 0.5
    assert difference == pytest.approx(-4.0) and (low + high) / 2 == pytest.approx(-4.0)
    assert (high - low) / 2 == pytest.approx(t_factor(72 / 13) * error)
    assert difference_of_means(second, first) == pytest.approx((4.0, -high, -low))
    assert difference_of_means([80.0, 80.0], [79.0, 79.0]) == (1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="two runs of each are needed to see how runs vary, got 1 and 5"):
        difference_of_means([80.0], second)


def test_intervals_hold_what_they_promise():
    random = np.random.default_rng(0)
    for seeds in (2, 5):
        inside = 0
        for _ in range(400):
            _, low, high = difference_of_means(random.normal(83, 2, seeds), random.normal(80, 4, seeds + 1))
            inside += low <= 3 <= high
        assert 0.91 <= inside / 400 <= 1


def test_an_embedded_source_takes_the_small_encoders():
    chosen, replaced = choose_checkpoints(Course("mini", "mini-bert", 256, 64, "cpu"))
    assert list(chosen) == NAMES and tuple(chosen.values()) == MINI_CHECKPOINTS and replaced == []


def test_elsewhere_the_courses_checkpoint_stands_for_its_family_and_small_encoders_for_what_is_out_of_reach(
    checkpoint, tmp_path, monkeypatch
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    chosen, replaced = choose_checkpoints(Course("squad", checkpoint, 384, 128, "cpu"))
    assert chosen["BERT"] == checkpoint
    assert replaced == NAMES[1:] and [chosen[name] for name in replaced] == list(MINI_CHECKPOINTS[1:])
    with pytest.raises(ValueError, match="no such folder"):
        choose_checkpoints(Course("squad", "./nowhere", 384, 128, "cpu"))


# Figures --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def close_figures():
    yield
    plt.close("all")


figures = pytest.mark.usefixtures("close_figures")


@figures
def test_every_family_has_a_colour_and_a_marker_of_its_own():
    assert list(family_plots.STYLES) == NAMES
    for of_all in zip(*family_plots.STYLES.values()):
        assert len(set(of_all)) == len(NAMES)


@figures
def test_the_fourth_map_is_the_sum_of_the_three_parts_on_one_scale():
    generator = torch.Generator().manual_seed(0)
    parts = {name: torch.randn(3, 3, generator=generator) for name in ("words", "b", "c")}
    drawn = family_plots.plot_score_parts(["x", "y", "z"], parts)
    maps = [np.asarray(axes.images[0].get_array()) for axes in drawn.axes if axes.images]
    np.testing.assert_allclose(maps[3], maps[0] + maps[1] + maps[2], rtol=1e-6)
    panels = drawn.axes[:4]
    titles = [panel.get_title(loc="left") for panel in panels]
    assert titles == ["a) words", "b) b", "c) c", "d) the sum of the three"]
    assert len({panel.images[0].get_clim() for panel in panels}) == 1
    with pytest.raises(ValueError, match=r"'words' has shape .* but there are 2 tokens"):
        family_plots.plot_score_parts(["x", "y"], parts)


@figures
def test_where_a_layer_cannot_look_the_map_is_blank():
    drawn = family_plots.plot_reach({"global": torch.full((2, 2), 0.5), "local": torch.eye(2)})
    everywhere, near = (axes.images[0].get_array() for axes in drawn.axes[:2])
    assert not np.ma.getmaskarray(everywhere).any()
    assert np.ma.getmaskarray(near).tolist() == [[False, True], [True, False]]


@figures
def test_differences_are_drawn_at_their_values():
    drawn = family_plots.plot_differences(
        {"EM": {"RoBERTa": (3.0, 1.0, 5.0), "ALBERT": (-2.0, -6.0, 2.0)}, "F1": {"RoBERTa": (1.0, 0.5, 1.5), "ALBERT": (0.0, -1.0, 1.0)}},
        baseline="BERT",
    )  # fmt: skip
    panel = drawn.axes[0]
    assert [line.get_segments()[0][:, 0].tolist() for line in panel.collections] == [[1.0, 5.0], [-6.0, 2.0]]
    zero, *markers = panel.lines
    assert set(zero.get_xdata()) == {0}
    assert [(float(m.get_xdata()[0]), float(m.get_ydata()[0])) for m in markers] == [(3.0, 0.0), (-2.0, 1.0)]
    assert panel.get_xlabel() == "EM: points more than BERT"


@figures
def test_no_marker_is_moved_though_two_families_share_a_place():
    rows = [(name, em, 50.0) for name in ("BERT", "DistilBERT") for em in (80.0, 82.0)]
    runs = pd.DataFrame(rows, columns=["family", "exact_match", "seconds"])
    drawn = family_plots.plot_cost(runs, {"BERT": 900_000, "DistilBERT": 900_000})
    for panel, place in zip(drawn.axes, (50.0, 0.9)):
        assert {float(x) for line in panel.lines for x in line.get_xdata()} == {place}
        means = [line.get_ydata()[0] for line in panel.lines if len(line.get_ydata()) == 1]
        assert means == [81.0, 81.0]
    assert drawn.axes[0].get_ylabel().startswith("EM (axis begins at ")


@figures
def test_every_run_is_drawn_at_its_own_seconds_and_a_family_at_their_mean():
    rows = [("BERT", 80.0, 50.0), ("BERT", 82.0, 54.0), ("ALBERT", 60.0, 90.0), ("ALBERT", 64.0, 100.0)]
    runs = pd.DataFrame(rows, columns=["family", "exact_match", "seconds"])
    drawn = family_plots.plot_cost(runs, {"BERT": 900_000, "ALBERT": 500_000})
    times, sizes = ([list(zip(line.get_xdata(), line.get_ydata())) for line in panel.lines] for panel in drawn.axes)
    assert times == [[(50, 80), (54, 82)], [(52, 81)], [(90, 60), (100, 64)], [(95, 62)]]
    assert sizes == [[(0.9, 80), (0.9, 82)], [(0.9, 81)], [(0.5, 60), (0.5, 64)], [(0.5, 62)]]


@figures
def test_published_scores_are_drawn_at_their_values():
    drawn = family_plots.plot_published({"BERT": (81.2, 88.5)}, {"BERT": 108_000_000})
    exact, f1, *_ = drawn.axes[0].lines
    assert (exact.get_xdata()[0], exact.get_ydata()[0], f1.get_ydata()[0]) == (108.0, 81.2, 88.5)


@figures
def test_the_bars_of_parameters_add_up():
    counts = {"vocabulary": 4_000_000, "positions, segments": 500_000, "layers": 6_000_000}
    drawn = family_plots.plot_parameters({"real": {"BERT": counts}})
    assert [bar.get_width() for bar in drawn.axes[0].patches] == [4.0, 0.5, 6.0]
    assert drawn.axes[0].texts[0].get_text() == " 10"
