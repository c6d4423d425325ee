"""A notebook keeps 128 colours of a figure: a map must not need more."""

import io

import numpy as np
from PIL import Image

from lessons import course, figures


def test_every_step_of_a_fields_colour_scale_survives_the_palette_of_a_notebook():
    rates, momenta = np.linspace(0.02, 4.0, 150), np.linspace(0.006, 0.98, 80)
    values = np.maximum(np.sqrt(momenta)[:, None], np.abs(1.0 - rates))  # many values near 1, few near 0
    figure, axes = figures.field(rates, momenta, values, "title", x="x", y="y", scale="scale")
    picture = Image.open(io.BytesIO(course._png(figure, dpi=150))).convert("RGB")
    kept = np.array([colour for _, colour in picture.getcolors(256)], int)
    scale = axes.collections[0].cmap
    for colour in scale(range(scale.N), bytes=True)[:, :3].astype(int):
        assert np.abs(kept - colour).max(axis=1).min() <= 1  # 1: the drawing itself rounds
