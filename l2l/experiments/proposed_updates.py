"""The update that each optimizer proposes for a coordinate, as a function of its gradient (the paper's Appendix B)."""

import numpy as np

from l2l import plots
from l2l.experiments.runner import Outcome, markdown, race_tuned, rounded
from l2l.optimizers import make_optimizer
from l2l.problems import draw_task
from minigrad import threads, value_and_grad


def run(settings, runner):
    test, view = settings["test"], settings["view"]
    learned = runner.load_or_learn("mnist")
    problem = runner.problem(learned.provenance["recipe"]["problem"])
    rules = {"lstm": (learned.optimizer, learned.phi)}
    for name in test["baselines"]:
        rule = make_optimizer(name, learning_rate=race_tuned(name, problem, test)["learning_rate"])
        rules[name] = rule, rule.init()
    gradients = _trajectory(problem, learned, test, max(view["steps"]) + 1)
    size = np.sqrt((gradients**2).mean(axis=0))
    coordinate = _typical(size, view["quantile"])
    history, reach = gradients[:, coordinate], view["reach"] * size[coordinate]
    sweep = np.linspace(-reach, reach, view["points"]).astype(np.float32)
    proposals = {name: _proposals(*rule, history, sweep, view["steps"]) for name, rule in rules.items()}
    where = {"sweep": sweep, "history": history, "steps": view["steps"]}
    title = f"Updates proposed for one weight of the MNIST network (number {coordinate:,}), along the LSTM's trajectory"
    plots.proposals(runner.out / "figure.png", proposals, where, title)

    rows = [
        [t, f"{history[t]:.2g}", *(f"{_bend(sweep, updates[k]):.2g}" for updates in proposals.values())]
        for k, t in enumerate(view["steps"])
    ]
    against = [t for k, t in enumerate(view["steps"]) if proposals["lstm"][k][-1] < proposals["lstm"][k][0]]
    text = f"the LSTM moves against the gradient at {len(against)} of {len(rows)} steps shown"
    claims = [(text, len(against) == len(rows))]
    bends = [_bend(sweep, updates) for updates in proposals["lstm"]]
    claims.append((f"its response is no straight line: {min(bends):.2g} or more off at every step", min(bends) > 0.01))
    header = ["step", "gradient there", *(f"{name}: off a straight line" for name in proposals)]
    results = {
        "coordinate": coordinate,
        "sweep": rounded(sweep),
        "history": rounded(history),
        "updates": rounded(proposals),
    }
    return Outcome(markdown(header, rows), claims, results)


def _typical(size, quantile):
    """The coordinate at this quantile of gradient sizes; of those with zero gradients, whose updates say nothing, the
    first coordinate above them."""
    rank = max(int(quantile * (len(size) - 1)), np.count_nonzero(size == 0.0))
    return int(np.argsort(size)[min(rank, len(size) - 1)])


@threads.for_kernels()
def _trajectory(problem, learned, test, steps):
    """The gradients (steps, coordinates) along the learned optimizer's trajectory on a test task."""
    task = draw_task(problem, "test", test["seed"], 0)
    theta, state, gradients = task.theta, learned.optimizer.init_state(task.theta), []
    for _ in range(steps):
        _, gradient = value_and_grad(task.loss)(theta, task.next_batch())
        update, state = learned.optimizer(learned.phi, gradient, state)
        theta = theta + update
        gradients.append(gradient)
    return np.array(gradients)


def _proposals(optimizer, phi, history, sweep, steps):
    """The updates (steps, points) for the gradients in sweep, at each of these steps, after the history before it.

    The optimizer runs on one coordinate per point of sweep; all of them have the same history of gradients.
    """
    state, updates = optimizer.init_state(np.zeros_like(sweep)), []
    for t, gradient in enumerate(history):
        if t in steps:
            updates.append(optimizer(phi, sweep, state)[0])
        _, state = optimizer(phi, np.full_like(sweep, gradient), state)
    return np.array(updates)


def _bend(x, y):
    """How far y(x) is from a straight line: the root mean square residual of a linear fit, over the standard deviation
    of y. 0 for a constant y."""
    if y.std() == 0.0:
        return 0.0
    residual = y - np.polyval(np.polyfit(x, y, 1), x)
    return float(np.sqrt((residual**2).mean()) / y.std())
