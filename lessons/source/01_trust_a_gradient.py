# %% [markdown]
# # 1 · Is my derivative right?
#
# Everything in this course hangs on derivatives. Gradient descent takes a step against one. A learned optimizer is
# found by taking derivatives through hundreds of such steps. If one rule in the program is wrong, nothing crashes: the
# loss still falls, only slower, and you blame the learning rate for a week.
#
# So the first lesson builds no optimizer. It builds the instrument that tells a right derivative from a wrong one, and
# then it asks how far that instrument can be trusted.
#
# You need: what a slope is, and some Python. Nothing else.

# %%
import numpy as np
from course import check, expect, recall, show, show_source, verdicts

import minigrad as mg
from lessons import figures
from minigrad.core import traced
from minigrad.testing import difference

# %% [markdown]
# ## A slope from two values
#
# The slope of $f$ at $x$ is what $\bigl(f(x+h)-f(x)\bigr)/h$ tends to when $h$ goes to zero. A computer cannot go to
# zero. It can stop at some small $h$:
#
# $$ f'(x) \approx \frac{f(x+h) - f(x)}{h} \tag{1.1} $$
#
# This is the *forward difference*. It needs nothing but values of $f$, so it cannot share a mistake with the program
# that computes derivatives. That is why it can be a judge.
#
# (Implementation: `difference` in [testing.py](../minigrad/testing.py), with `order=1`. Test:
# [test_testing.py](../tests/minigrad/test_testing.py).)
#
# Take a function whose slope we can work out by hand, so that we can judge the judge.


# %%
def f(x):
    return np.exp(x) * np.sin(x)


def slope(x):
    return np.exp(x) * (np.sin(x) + np.cos(x))


for h in (0.1, 0.01):
    print(f"h = {h:<5} forward difference {difference(f, 1.0, h, order=1):.6f}, true slope {slope(1.0):.6f}")

# %% [markdown]
# Ten times smaller $h$, ten times smaller error. The forward difference looks only to the right. Looking to both sides
# costs the same two values:
#
# $$ f'(x) \approx \frac{f(x+h) - f(x-h)}{2h} \tag{1.2} $$
#
# Where the curve bends, the error on the left and the error on the right now cancel. This is the *central difference*
# (same [implementation](../minigrad/testing.py), `order=2`; same [test](../tests/minigrad/test_testing.py)).
#
# Below is the code that this project runs. A *stencil* lists where to look, $x + kh$, and with which weight $w$. The
# first two are our two formulas. The third looks at six points; it will be needed later. (`v` is a direction. Until
# there are several coordinates, it is one.)

# %%
show_source("minigrad.testing.STENCILS", difference)

# %% [markdown]
# ## Your prediction
#
# A `float64` number carries about 16 decimal digits. You want the slope of $f$ from the central difference, as exactly
# as possible. **Which $h$ do you choose, and how many correct digits will you get?** Write the $h$ into the next cell
# before you go on. A guess that is wrong by a factor of a million is fine. No guess is not.

# %% tags=["prediction"]
prediction = ...  # the h that you would choose, for example 1e-3

# %% [markdown]
# ## Run it
#
# We try every $h$ from `1` down to `1e-16`, at 201 points $x$ between `0.5` and `1.5`, in two precisions: `float64`
# and `float32`, which carries about 7 digits. The lines are medians over the points, the bands go from the 10th to the
# 90th percentile.

# %%
x = np.linspace(0.5, 1.5, 201)
steps = np.logspace(0, -16, 65)


def errors(order, dtype):
    """The relative error of the slope, one row for each h and one column for each x."""
    found = [difference(f, x.astype(dtype), dtype(h), order) for h in steps]
    return np.abs(np.array(found, np.float64) / slope(x) - 1.0)


measured = {
    "forward, float32": errors(1, np.float32),
    "central, float32": errors(2, np.float32),
    "forward, float64": errors(1, np.float64),
    "central, float64": errors(2, np.float64),
}
figure, axes = figures.lines(
    {name: (steps, np.median(e, axis=1)) for name, e in measured.items()},
    "A smaller step is better, and then it is worse",
    x="step h",
    y="relative error of the slope",
    log="xy",
)
for line, e in zip(axes.lines, measured.values(), strict=True):
    axes.fill_between(steps, *np.percentile(e, [10, 90], axis=1), color=line.get_color(), alpha=0.15, linewidth=0)
axes.set_ylim(1e-13, 10)
show(
    figure,
    alt="Relative error of the slope against the step h, both logarithmic, for four methods. Each curve is a V: coming "
    "from h = 1 the error falls, reaches a lowest point and rises again. In float64 the lowest point is near h = 1e-8 "
    "and error 1e-8 for the forward difference, near h = 1e-5 and error 1e-11 for the central one. In float32 both "
    "turn much earlier, near h = 1e-3 and 1e-2, with errors near 1e-4 and 1e-5.",
)

# %%
best = steps[np.argmin(np.median(measured["central, float64"], axis=1))]
recall(prediction, best)

# %% [markdown]
# ## Why a V
#
# Read the figure from right to left. On the right the curves fall as straight lines, because the formula leaves
# something out: the bend of $f$ between the points. This is *truncation*. Ten times smaller $h$ makes it 10 times
# smaller for the forward difference and 100 times smaller for the central one.
#
# On the left something else takes over, and smaller steps make it worse, until $x + h$ is rounded to $x$ itself: then the
# slope comes out as 0, and the line lies flat at an error of 1. Look at the two numbers that are subtracted when $h$ is
# `1e-12`:

# %%
right, left = f(1.0 + 1e-12), f(1.0 - 1e-12)
print(f"f(x + h) = {right:.16f}\nf(x - h) = {left:.16f}\n\ndifference {right - left:.16f}")
print(f"slope      {(right - left) / 2e-12:.8f}\ntrue slope {slope(1.0):.8f}")

# %% [markdown]
# They agree in their first 11 digits or so. Subtracting removes these digits, and what is left had only a few to begin
# with. This is *rounding*, and it strikes twice. With $\varepsilon$ for `1.1e-16` in `float64`:
#
# - A value is rounded. It is off by up to $\varepsilon\,|f(x)|$.
# - Before that, the *argument* $x \pm h$ is rounded. It is off by up to $\varepsilon\,|x|$, and $f$ passes this on, times
#   its slope: $\varepsilon\,|x f'(x)|$. The faster the function, the more.
#
# The division by a tiny $2h$ blows both up, once for each side. Together, the central difference is off by up to about
#
# $$ \underbrace{\frac{|f'''(x)|}{6}\,h^2}_{\text{truncation}} + \underbrace{\frac{\varepsilon\,\bigl(|f(x)| + |x f'(x)|\bigr)}{h}}_{\text{rounding}}
# \qquad\text{with its minimum at}\qquad h^* = \left(\frac{3\,\varepsilon\,\bigl(|f(x)| + |x f'(x)|\bigr)}{|f'''(x)|}\right)^{1/3} $$
#
# As $h$ shrinks, the first term falls and the second one rises: a V. Its bottom is where your choice should be. Does the
# formula know where that is? (Never mind that it needs the slope that we are after: a guess of its size will do.)


# %%
def third_derivative(x):
    return 2.0 * np.exp(x) * (np.cos(x) - np.sin(x))


epsilon = np.finfo(np.float64).eps / 2
rounding = epsilon * (np.abs(f(x)) + np.abs(x * slope(x)))
h_star = np.median(np.cbrt(3 * rounding / np.abs(third_derivative(x))))


def typical_error(h, order=2):
    return np.median(np.abs(difference(f, x, h, order) / slope(x) - 1.0))


for h in (h_star / 1000, h_star, h_star * 1000):
    print(f"h = {h:.1e}   error {typical_error(h):.1e}")

# %% [markdown]
# It does. The formula says {{sci(h_star, 1)}}, and the error there is {{sci(typical_error(h_star), 1)}}. A step a
# thousand times smaller is several hundred times worse; one a thousand times larger, about a million times. The best central difference in
# `float64` gives you {{-np.log10(typical_error(h_star)):.0f}} of your 16 digits. No choice of $h$ gives you all of them.
#
# Two rules to take along. **Differences want double precision**: in `float32` the best step leaves you four or five
# digits. And **the best $h$ belongs to the function**: it depends on how fast the function bends.

# %% [markdown]
# ## Exercise: choose h
#
# Here is a faster function: $g(x) = \sin(100x)$. Find the bottom of its V near $x = 1$. The bottom of the V above will not
# do. *Compute* your $h$, rather than search for it. The check measures: around your $h$, the median error may be at most
# twice what it is at the best step.


# %% tags=["exercise"]
def g(x):
    return np.sin(100.0 * x)


h = ...


# %% tags=["check"]
def typical(h):
    """The median relative error, for 201 x around 1 and 41 steps around h: one step alone may be lucky."""
    around, near = np.linspace(0.9, 1.1, 201), h * np.geomspace(0.7, 1.4, 41)
    found = [difference(lambda x: np.sin(100.0 * x), around, k, 2) for k in near]
    return np.median(np.abs(found / (100.0 * np.cos(100.0 * around)) - 1.0))


def fault(h):
    h = abs(verdicts.number(h, "h"))  # to look left first is the same
    if h == 0.0:
        return "with h = 0 both values are the same."
    tried = np.geomspace(1e-9, 1e-5, 41)
    bottom = tried[np.argmin([typical(k) for k in tried])]
    if typical(h) <= 2.0 * typical(bottom):
        return None
    found = f"with h = {h:.1e} the relative error is {typical(h):.1e}, {typical(h) / typical(bottom):.2f} times the smallest"
    if h > bottom:
        return f"{found}. That is truncation: your h is too large."
    return f"{found}. That is rounding: your h is too small. Have you counted both roundings, that of x ± h as well?"


check(h, that=fault, right="your h is at the bottom of the V of this function.")

# %% [markdown]
# <details><summary>Hint</summary>
#
# Each derivative of $\sin(100x)$ brings another factor of 100. How large is the third derivative, next to the function? How
# large is $x\,g'(x)$, at $x = 1$? Put both into the formula for $h^*$. Treat sines and cosines as 1.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# With $|g| \approx 1$, $|x g'| \approx 100$ and $|g'''| \approx 100^3$, $h^* \approx (3\varepsilon \cdot 101/100^3)^{1/3}$. Of
# the rounding, 99 parts in 100 are that of the argument. Count the values alone, and your $h$ is five times too small and
# its error three times too large.
#
# ```python
# def g(x):
#     return np.sin(100.0 * x)
#
#
# h = np.cbrt(3 * 1.1e-16 * (1 + 100) / 100.0**3)
# ```
#
# </details>

# %% [markdown]
# ## Many slopes at once
#
# The engine of this course, `minigrad`, computes the derivative of a program by rules, exactly up to rounding, whatever
# the number of arguments. How it does so is lesson 6. For now it is a box that we do not trust. You hand it a function
# written with `mg.` instead of `np.`, and `mg.grad` returns another function: the gradient, one slope per coordinate.

# %%
show_source(mg.grad)
point = np.array([0.5, 1.0, 1.5])
print("by rules:", mg.grad(lambda x: mg.sum(mg.exp(x) * mg.sin(x)))(point))
print("by hand: ", slope(point))

# %% [markdown]
# To check a gradient with a million entries, one difference per entry would take two million evaluations. Cheaper:
# walk in one random direction $v$, and compare the slope on that walk. If $f$ has several outputs, mix them with random
# weights $u$. Then one number from the rules must equal one number from differences:
#
# $$ u^\top \frac{\partial f}{\partial x}\, v \;\approx\; \sum_k \frac{w_k}{h}\; u^\top f(x + k h v) \tag{1.3} $$
#
# On the left, $\partial f/\partial x$ is the table of all slopes, one row per output and one column per coordinate.
# Multiplied by $v$ it is the slope of each output on the walk, and $u^\top$ adds these up with the weights $u$. On the right
# stands a stencil, with its weights $w_k$.
#
# A wrong entry changes the left side, unless $v$ happens to be blind to it. So three directions are tried. (Implementation:
# `check_gradients` in [testing.py](../minigrad/testing.py). Test: [test_testing.py](../tests/minigrad/test_testing.py).)
#
# In the code below, read the inner loop first. `exact` is the left side, `numeric` the right side. Just before it `vjp` asks
# the rules: `pullback(u)` is $u^\top\, \partial f/\partial x$. (The code calls $u$ a *cotangent*, and `tree` makes one long
# vector of all arguments.) The outer loop then asks the same of the gradient itself, for second derivatives; lesson 8 needs
# that.

# %%
show_source(mg.check_gradients)

# %% [markdown]
# Look at two of the constants. The stencil is the one with six points: its truncation falls as $h^6$, so $h$ may be as
# large as `1e-2`, where rounding is harmless. That buys digits: at that step the median error for our $f$ is
# {{sci(typical_error(1e-2, order=6), 1)}}, far below the bottom of the V. And so the tolerance can be as strict as `1e-8`.
#
# ## Plant a fault
#
# A check that has never failed proves nothing. So we write a wrong rule on purpose. A *rule* says how a slope $s$ of
# what comes later is passed back through a function: multiply it by the derivative. For $y = \tanh x$ that is
# $s\,(1 - y^2)$. `traced` makes a function for the engine out of its value and its rule, which may use $y$ and $x$. Here is
# the kind of slip that everyone makes once, with the square forgotten:

# %%
tanh_right = traced(lambda x, /: np.tanh(x), rule=lambda y, x: lambda s: s * (1.0 - y * y))
tanh_wrong = traced(lambda x, /: np.tanh(x), rule=lambda y, x: lambda s: s * (1.0 - y))

mg.check_gradients(tanh_right, point)
print("The right rule passes.")
with expect(mg.GradientError):
    mg.check_gradients(tanh_wrong, point)

# %% [markdown]
# ## A check that is too loose
#
# That one was easy. Real faults are smaller. The variance of $n$ numbers divides by $n$; many libraries also offer
# $n - 1$. Suppose that the function divides by $n$, and its rule by $n - 1$. With 200 numbers every slope is too large by
# half a per cent. We check the same wrong rule twice, with two tolerances.

# %%
numbers = np.random.default_rng(0).normal(size=200)
variance = traced(lambda x, /: np.var(x), rule=lambda y, x: lambda s: s * 2.0 * (x - mg.mean(x)) / (x.size - 1))

mg.check_gradients(variance, numbers, tolerance=1e-2)
print("The wrong rule passes with tolerance=1e-2.")
with expect(mg.GradientError):
    mg.check_gradients(variance, numbers)

# %% [markdown]
# A tolerance of one per cent looks strict, and it let the fault through. It would let it through for every input,
# for ever, and on 200 numbers nobody would notice from the loss. **A loose check is worse than none: it hands out
# confidence.**
#
# ## The smallest fault that is seen
#
# How small a fault does the strict check see? We spoil the rule of $x^2$ in one single entry, by a relative $\delta$,
# and hide it among $n$ entries. Each share below is over 40 seeds, which draw the point and the directions.


# %%
def caught(n, delta, seed):
    """Whether check_gradients notices that the first of n slopes is wrong by a factor of 1 + delta."""
    wrong = np.ones(n)
    wrong[0] += delta
    square = traced(lambda x, /: np.square(x), rule=lambda y, x: lambda s: s * 2.0 * x * wrong)
    try:
        mg.check_gradients(square, np.random.default_rng(seed).normal(size=n), order=1, seed=seed)
    except mg.GradientError:
        return True
    return False


deltas = np.logspace(-10, 0, 21)
share = {n: [np.mean([caught(n, d, seed) for seed in range(40)]) for d in deltas] for n in (1, 100, 10_000)}
half = {n: deltas[np.argmax(np.array(shares) >= 0.5)] for n, shares in share.items()}
labels = {1: "the only entry", 100: "one of 100 entries", 10_000: "one of 10,000 entries"}
figure, axes = figures.lines(
    {labels[n]: (deltas, shares) for n, shares in share.items()},
    "The more entries, the larger the fault that goes unseen",
    x="relative error δ planted in one entry",
    y="share of 40 checks that caught it",
    log="x",
)
show(
    figure,
    alt="Share of 40 checks that caught a fault, against its relative size from 1e-10 to 1, as three S-shaped curves. "
    "The curve passes one half near 3e-8 with one entry, near 3e-6 with 100 and near 3e-4 with 10,000. At 1 per cent "
    "the share is 100, 95 and 88 per cent.",
)

# %% [markdown]
# The smallest fault that half of the checks catch: {{sci(half[1], 1)}} in the only entry, {{sci(half[100], 1)}} in one
# of 100, {{sci(half[10_000], 1)}} in one of 10,000. A hundred times more entries hide a fault that is a hundred times
# larger. A direction of length 1 has little left for
# each entry, and the tolerance is relative to the whole gradient. A fault of one per cent in one of 10,000 entries was
# missed in {{1 - share[10_000][16]:.0%}} of the checks, in one of 100 entries in {{1 - share[100][16]:.0%}}. The tails
# are long: now and then the random weight of the spoiled entry is nearly zero, and then even a large fault hides.
#
# The cure is **small inputs, and more than one**: every rule of `minigrad` is tested on several arrays of about a dozen
# entries.
#
# The check also errs the other way. It assumes that the function is smooth within three steps of the point. $|x|$ has a
# corner at 0, and `0.005` is closer than that. The rule below is right, and it is accused:

# %%
with expect(mg.GradientError):
    mg.check_gradients(mg.abs, np.array([0.005]))

# %% [markdown]
# ## Exercise: no subtraction, no V
#
# The left arm of the V came from subtracting two nearly equal numbers. There is a way to get a slope from *one* value.
# Step into the imaginary direction: expand $f(x + ih)$ to first order in $h$, and look at its real and its imaginary part.
# NumPy's functions accept complex numbers; `z.imag` is the imaginary part, `1j` is $i$. Write `complex_step` so that it is
# right to 14 digits. With no subtraction, $h$ may be absurdly small.


# %% tags=["exercise"]
def complex_step(f, x, h=1e-20):
    """The slope of f at x, from one value of f."""
    return ...


# %% tags=["check"]
exact = {f: slope, np.exp: np.exp, np.sin: np.cos}
check(complex_step, lambda f, x: exact[f](x), on=[(f, 1.0), (np.exp, 0.3), (np.sin, 2.0)], tolerance=1e-14)

# %% [markdown]
# <details><summary>Hint</summary>
#
# $f(x + ih) = f(x) + ih\,f'(x) - \dots$ The value sits in the real part. Where does the slope sit, and what is it
# multiplied by?
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def complex_step(f, x, h=1e-20):
#     """The slope of f at x, from one value of f."""
#     return f(x + 1j * h).imag / h
# ```
#
# Then why not always? Because $f$ must be made of functions that extend to complex numbers. `np.abs` of a complex number is
# its length, which is real: the slope comes out as 0, without a warning. A max or a comparison fares no better. Finite
# differences ask less of $f$, so they stay the judge.
#
# </details>

# %% [markdown]
# ## Summary
#
# 1. A finite difference has a best step: larger ones are wrong by truncation, smaller ones by rounding.
# 2. A gradient is checked along a few random directions, in double precision, with a tolerance near what the differences can
#    resolve, on small and smooth inputs.
# 3. A check is trusted only after it has caught faults that were planted, small ones included.
#
# ## References
#
# - N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., SIAM 2002, chapter 1: cancellation and rounding.
# - W. Squire and G. Trapp, [Using complex variables to estimate derivatives of real functions](https://doi.org/10.1137/S003614459631241X),
#   SIAM Review 40 (1998): the complex step.
# - D. Goldberg, [What every computer scientist should know about floating-point arithmetic](https://doi.org/10.1145/103162.103163),
#   ACM Computing Surveys 23 (1991).
# - Here: [faults planted in every rule](../tests/minigrad/test_planted_faults.py), and how many of them are caught.
#
# ## Next
#
# Now there is a slope that we trust. Walk against it: if the steps are short, it takes for ever; if they are long, it flies off.
# Next question: {{lesson(2)}}
