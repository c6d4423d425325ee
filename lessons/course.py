"""Helpers for all lessons. The first cell of a notebook imports this module; then `minigrad` and `l2l` can be imported,
whatever folder Jupyter was started in."""

import ast
import base64
import functools
import hashlib
import html
import importlib
import inspect
import io
import json
import re
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from IPython.display import display
from matplotlib.animation import FuncAnimation
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from lessons import verdicts  # noqa: E402
from lessons.verdicts import check  # noqa: E402, F401

warnings.filterwarnings("ignore", message="IProgress not found")  # lessons show no live progress bars
warnings.filterwarnings("ignore", message="the loss is .* at the start")  # of l2l.minimize: lessons diverge on purpose

# file name, question (the title), minutes to read and do the exercises, lessons that it builds on
LESSONS = [
    ("01_trust_a_gradient", "Is my derivative right?", 45, ()),
    ("02_one_bowl", "How big a step is too big?", 45, (1,)),
    ("03_the_ravine", "Why does gradient descent zig-zag, and what does momentum buy?", 45, (2,)),
    ("04_signs_and_scales", "Rprop, AdaGrad, RMSprop, Adam: why each?", 45, (3,)),
    ("05_a_fair_race", "Who wins, by which rule, and is there a free lunch?", 45, (4,)),
    ("06_a_tape_from_scratch", "What does the engine record, and why does order matter?", 60, (1,)),
    ("07_arrays", "What undoes broadcasting?", 60, (6,)),
    ("08_derivatives_of_derivatives", "What does a Hessian-vector product cost?", 60, (7,)),
    ("09_curvature", "What do the Hessian, Gauss–Newton and Fisher see that the gradient does not?", 60, (5, 8)),
    ("10_an_update_rule_is_a_function", "Can the learning rate be learned by gradient descent?", 45, (5, 8)),
    ("11_memory", "How does an LSTM carry state, and how far back does its gradient reach?", 60, (10,)),
    ("12_learning_to_learn", "Can a whole update rule be learned?", 60, (11,)),
    ("13_what_the_paper_drops", "What is lost when ∂∇f/∂φ is ignored?", 60, (9, 12)),
    ("14_mnist", "Does it work on a real network?", 60, (12,)),
    ("15_where_it_breaks", "What does it generalise to, and what kills it?", 60, (14,)),
    ("16_open_the_box", "Is it momentum in disguise?", 60, (14,)),
]


def lesson(number):
    """A Markdown link to a lesson, with its number and its question."""
    name, question, _, _ = LESSONS[number - 1]
    return f"[{number} · {question}]({name}.ipynb)"


ICONS = {
    "fa-minus": "−",
    "fa-plus": "+",
    "fa-fast-backward": "|◀",
    "fa-fast-forward": "▶|",
    "fa-step-backward": "◁|",
    "fa-step-forward": "|▷",
    "fa-play fa-flip-horizontal": "◀",
    "fa-play": "▶",
    "fa-pause": "||",
}

# ------------------------------------------------------------------------------------------ predictions


def recall(prediction, outcome):
    """Print a prediction beside the measured outcome. There is no verdict: a surprise teaches more than a hit."""
    show = {str: str, int: "{:,}".format}.get(type(outcome), "{:.3g}".format)
    if verdicts.untouched(prediction):
        print(f"You wrote no prediction. Measured: {show(outcome)}")
    else:
        print(f"You predicted: {prediction}. Measured: {show(outcome)}")


@contextmanager
def expect(*errors):
    """Print the error that the block raises, for a lesson that shows it. Raises AssertionError if there is no error."""
    try:
        yield
    except errors as error:
        print(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError(f"this block should have raised {' or '.join(e.__name__ for e in errors)}")


# ------------------------------------------------------------------------------------------ numbers


def sci(value, digits=2):
    """A number as text: 6.1·10⁻⁶, but 0.25 or 3,100 where a power of ten would be harder to read."""
    if not np.isfinite(value) or value == 0 or 1e-2 <= abs(value) < 1e5:
        return f"{value:,.{digits}g}" if abs(value) < 100 else f"{value:,.0f}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = "10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return power if mantissa == "1" else f"{mantissa}·{power}"


@functools.cache
def result(file):
    """The JSON document in results/`file`: what an experiment of the project measured."""
    return json.loads((ROOT / "results" / file).read_text())


# ------------------------------------------------------------------------------------------ source and figures


def show_source(*objects):
    """Show the package's source of functions, of classes, or of module-level names ("minigrad.testing.STENCILS")."""
    for thing in objects:
        file, line, code = _assignment(thing) if isinstance(thing, str) else _definition(thing)
        where = file.relative_to(ROOT).as_posix()
        name = where.replace("__", r"\_\_")  # in Markdown two underscores start bold text
        caption = f"[{name}, line {line}](../{where}#L{line})"
        _publish(
            {"text/markdown": f"{caption}\n\n```python\n{code}\n```", "text/plain": f"{where}, line {line}\n\n{code}"}
        )


def _definition(thing):
    thing = inspect.unwrap(thing)
    lines, line = inspect.getsourcelines(thing)
    return Path(inspect.getsourcefile(thing)).resolve(), line, inspect.cleandoc("\n" + "".join(lines)).rstrip()


def _assignment(dotted):
    module_name, _, name = dotted.rpartition(".")
    file = Path(importlib.import_module(module_name).__file__).resolve()
    text = file.read_text()
    for node in ast.parse(text).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if name in [target.id for target in targets if isinstance(target, ast.Name)]:
            return file, node.lineno, ast.get_source_segment(text, node)
    raise AttributeError(f"{module_name} assigns nothing to {name}")


def show(figure, alt):
    """Show a figure of `l2l.plots` or `lessons.figures`. alt: what it shows, in words, for readers who cannot see it.

    The words become the image's alternative text, and a folded text below it for pages without alternative texts.
    """
    png = _png(figure, dpi=150)
    width = round(100 * figure.get_figwidth())
    _publish(
        {"image/png": base64.b64encode(png).decode(), "text/plain": alt}, {"image/png": {"alt": alt, "width": width}}
    )
    _in_words(alt)


def show_animation(figure, draw, frames, alt, strip=4, interval=100):
    """Show a filmstrip of `strip` frames, and a player of all `frames` (at most 60). draw(k): draws frame k."""
    if frames > 60:
        raise ValueError("an animation has at most 60 frames: draw every n-th step")
    pictures = []
    for k in np.linspace(0, frames - 1, strip).round().astype(int):
        draw(int(k))
        pictures.append(Image.open(io.BytesIO(_png(figure, dpi=75))).convert("RGB"))
    film = Image.new("RGB", (sum(p.width for p in pictures), pictures[0].height))
    for i, picture in enumerate(pictures):
        film.paste(picture, (sum(p.width for p in pictures[:i]), 0))
    metadata = {"image/png": {"alt": alt, "width": min(film.width, 1000)}}
    _publish({"image/png": base64.b64encode(_compressed(film)).decode(), "text/plain": alt}, metadata)
    _in_words(alt)
    figure.set_dpi(75)
    player = FuncAnimation(figure, draw, frames=frames, interval=interval).to_jshtml(default_mode="once")
    _publish({"text/html": _self_contained(player), "text/plain": "(an animation of the filmstrip above)"})


def _self_contained(player):
    """Matplotlib's player without a network and as small as possible: characters in place of icons that it would
    download, compressed frames, and a name that does not change from build to build.

    The first frame is part of the page: JupyterLab shows an image that a script fills only after the first click.
    """
    player = re.sub(r"<link [^>]*>\s*", "", player, count=1)
    player = re.sub(r'<i class="fa ([^"]*)"></i>', lambda match: ICONS[match[1]], player)
    first = re.search(r'"data:image[^"]*"', player)[0]
    player = player.replace("<img ", f'<img alt="The frames of the film above, one at a time" src={first} ')
    (name,) = set(re.findall(r"[0-9a-f]{32}", re.sub(r'"data:image[^"]*"', "", player)))
    player = re.sub(r"(?<=data:image/png;base64,)[^\"]*", lambda match: _smaller(match[0]), player)
    player = player.replace(name, "NAME")
    return player.replace("NAME", hashlib.sha256(player.encode()).hexdigest()[:32])


def _smaller(encoded):
    png = base64.b64decode(encoded.replace("\\\n", ""))
    return base64.b64encode(_compressed(Image.open(io.BytesIO(png)).convert("RGB"))).decode()


def _png(figure, dpi):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return _compressed(Image.open(buffer).convert("RGB"))


def _compressed(image):
    """The image as a PNG with a palette of 128 colours, enough for line drawings, so that notebooks stay small."""
    buffer = io.BytesIO()
    image.quantize(128, dither=Image.Dither.NONE).save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def _in_words(alt):
    folded = f"<details><summary>This figure in words</summary>{html.escape(alt)}</details>"
    _publish({"text/html": folded, "text/plain": f"This figure in words: {alt}"})


def _publish(data, metadata=None):
    display(data, metadata=metadata, raw=True)
