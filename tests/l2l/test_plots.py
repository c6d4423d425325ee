"""What can go wrong in a figure without anybody looking at it."""

import numpy as np
import pytest

from l2l import plots


@pytest.mark.parametrize("count", [1, 3])
def test_title_over_panels_is_not_cut_off(count):
    entry = {"learning_rate": 0.1, "curves": np.ones((2, 3))}
    groups = {f"{k} units": {"sgd": entry} for k in range(count)}
    figure = plots.panels(None, groups, "Learned on 20 sigmoid units, taken to networks it never saw")
    figure.canvas.draw()
    (title,) = (text.get_window_extent() for text in figure.texts if text.get_text() == figure.get_suptitle())
    assert figure.bbox.x0 <= title.x0
    assert title.x1 <= figure.bbox.x1
