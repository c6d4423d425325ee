"""The drawings of the lessons."""

import numpy as np

from l2l import plots
from lessons import figures


def test_a_backward_pass_shows_what_has_arrived_and_what_is_missing():
    walks = {"in order": [(2, 1, 1.0), (2, 1, 1.0), (1, 0, 2.0), (1, 0, 2.0)], "other": [(2, 1, 1.0), (1, 0, 1.0)]}
    figure, draw, frames = figures.backward_passes(walks, "abc", "A walk")
    assert frames == 6
    seen = []
    for k in (1, 5):
        draw(k)
        seen.append([{text.get_text() for text in axes.texts} for axes in figure.axes])
    assert {"1 of 2", "+ 1", "1 edge"} <= seen[0][0]
    assert {"4", "4 edges, done"} <= seen[1][0]
    assert {"1", "2 edges, done"} <= seen[1][1]


def test_the_flow_of_shapes_names_every_shape():
    x, y = np.ones((2, 1)), np.arange(3.0)
    figure = figures.shape_flow(x, y, x + y, np.ones((2, 3)), 3.0 * x, np.full(3, 2.0), "A flow")
    forward, backward = ([text.get_text() for text in axes.texts] for axes in figure.axes)
    assert {"x, (2, 1)", "y, (3,)", "z = x + y, (2, 3)", "3 copies", "2 copies"} <= set(forward)
    assert {"cotangent of y, (3,)", "sum of 3", "sum of 2"} <= set(backward)


def test_responses_are_scaled_for_each_rule_and_stand_over_their_signal():
    signals = {"impulse": np.array([0.0, 2.0, 0.0]), "step": np.array([0.0, 1.0, 1.0])}
    answers = {
        rule: {name: scale * signal for name, signal in signals.items()} for rule, scale in (("a", 1), ("b", -5))
    }
    figure = figures.responses(signals, answers, "Answers")
    drawn = [axes.lines[0].get_ydata().tolist() for axes in figure.axes]
    assert drawn == [[0, 1, 0], [0, -1, 0], [0, 0.5, 0.5], [0, -0.5, -0.5]]
    assert [axes.get_title() for axes in figure.axes[:2]] == ["a\n(1 is 2)", "b\n(1 is 10)"]
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["impulse\nscaled", "step\nscaled"]


def test_local_models_jump_to_the_minimum_of_their_quadratic():
    H = np.array([[2.0, 0.5], [0.5, 1.0]])
    start = np.array([1.0, -1.0])
    _, (right, wrong) = figures.local_models(
        lambda x: x @ H @ x / 2, start, H @ start, {"H": H, "2H": 2 * H}, "Two bowls", ((-2, 2), (-2, 2))
    )
    assert right.get_title() == "H: 1.000 → 0.000"
    assert wrong.get_title() == "2H: 1.000 → 0.250"


def test_the_last_of_the_stages_is_drawn_like_what_was_learned():
    _, axes = figures.stages({name: ([0, 1], [1, 2]) for name in "abc"}, "Stages", "x", "y")
    colours = [line.get_color() for line in axes.lines]
    assert colours[-1] == plots.LEARNED["color"]
    assert len(set(map(str, colours))) == 3


def test_a_film_shows_the_curve_of_the_frame_and_the_best_so_far():
    curves = {"first": np.array([3.0, 3.0]), "best": np.array([3.0, 1.0]), "worse": np.array([3.0, 2.0])}
    figure, draw, frames = figures.film(curves, ("other", np.array([3.0, 2.5])), "A film", "x", "y")
    assert frames == 3
    draw(2)
    (axes,) = figure.axes
    best, _, now = (line.get_ydata() for line in axes.lines)
    assert best.tolist() == [3.0, 1.0]
    assert now.tolist() == [3.0, 2.0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["other", "worse"]


def test_the_unrolled_graph_cuts_one_edge_a_step_and_names_what_it_shows():
    (axes,) = figures.unrolled(steps=3).axes
    assert [patch.get_linestyle() for patch in axes.patches].count("--") == 3
    texts = {text.get_text() for text in axes.texts}
    assert {"φ", "m", "θ$_{t}$", "f(θ$_{t+2}$)", "∇$_{t+1}$", "g$_{t+1}$", "h$_{t+2}$"} <= texts
    assert "g$_{t+2}$" not in texts  # no loss sees the last update


def test_influences_are_those_on_later_losses_on_one_scale_around_zero():
    found = np.arange(9.0).reshape(3, 3) - 5
    _, panels = figures.influences({"a": found, "b": -found}, "Influences", "change, %", reach=2.0)
    for axes, values in zip(panels, (found, -found), strict=True):
        (image,) = axes.images
        np.testing.assert_array_equal(image.get_array().compressed(), values[np.tri(3, k=-1) > 0])
        assert image.get_clim() == (-2.0, 2.0)
    _, (axes,) = figures.influences({"a": found}, "Influences", "change, %")
    assert 1.9 < axes.images[0].get_clim()[1] <= 2.0  # -2, 1 and 2 are below the diagonal
