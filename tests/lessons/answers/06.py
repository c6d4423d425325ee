# %% 1 · right
def backward(tape, output):
    cotangents, walked = [0.0] * len(tape), 0
    cotangents[output] = 1.0
    for node in reversed(range(output + 1)):
        for argument, slope in tape[node]:
            cotangents[argument] += cotangents[node] * slope
            walked += 1
    return cotangents, walked


# %% 1 · right
def backward(tape, output):
    u = np.zeros(len(tape))
    u[output] = 1.0
    for node in range(len(tape) - 1, -1, -1):
        for argument, slope in tape[node]:
            u[argument] += u[node] * slope
    return u, sum(len(edges) for edges in tape)


# %% 1 · right
def backward(tape, output):
    u, walked = {output: 1.0}, 0
    while todo := [node for node in u if tape[node] and node <= output]:
        break
    for node in range(output, -1, -1):
        if node in u:
            for argument, slope in tape[node]:
                u[argument] = u.get(argument, 0.0) + u[node] * slope
                walked += 1
    return [u.get(node, 0.0) for node in range(len(tape))], walked


# %% 1 · not quite · the list of the cotangents of 2 doublings[0] should be 4., it is 1.
def backward(tape, output):
    u, walked = [0.0] * len(tape), 0
    u[output] = 1.0
    for node in reversed(range(output + 1)):
        for argument, slope in tape[node]:
            u[argument] = u[node] * slope
            walked += 1
    return u, walked


# %% 1 · not quite · 2 doublings have 4 edges, you walked 6.
def backward(tape, output):
    u = [0.0] * len(tape)
    u[output] = 1.0
    walk = list(recursion(tape, output))
    for _, argument, sent in walk:
        u[argument] += sent
    return u, len(walk)


# %% 1 · not quite · the list of the cotangents of 2 doublings[0] should be 4.
def backward(tape, output):
    u, walk = [0.0] * len(tape), list(visit_once(tape, output))
    u[output] = 1.0
    for _, argument, sent in walk:
        u[argument] += sent
    return u, len(walk)


# %% 1 · not quite · for b = sin(a); d = (b·a)·b + b·a at a = 0.7 the slope is
def backward(tape, output):
    u, walked = [0.0] * len(tape), 0
    u[output] = 1.0
    for node in reversed(range(output + 1)):
        for argument, slope in tape[node]:
            u[argument] += u[node] * round(slope, 3)
            walked += 1
    return u, walked


# %% 1 · not quite · one of them after the output; you return 6 cotangents.
def backward(tape, output):
    u, walked = [0.0] * (output + 1), 0
    u[output] = 1.0
    for node in reversed(range(output + 1)):
        for argument, slope in tape[node]:
            u[argument] += u[node] * slope
            walked += 1
    return u, walked


# %% 1 · not quite · your function should return 2 values, the cotangents, the edges walked; it returns 3.
def backward(tape, output):
    u = [0.0] * len(tape)
    u[output] = 1.0
    for node in reversed(range(output + 1)):
        for argument, slope in tape[node]:
            u[argument] += u[node] * slope
    return u


# %% 1 · not quite · your code raised IndexError: list index out of range
def backward(tape, output):
    return tape[len(tape)], 0


# %% 2 · right
def rule(y, x):
    return lambda u: u * mg.square(1.0 - mg.abs(y))


# %% 2 · right
def rule(y, x):
    return lambda u, y=y: u * mg.square(1.0 - mg.abs(y))


# %% 2 · right
import functools


def pulled(y, u):
    return u * mg.square(1.0 - mg.abs(y))


def rule(y, x):
    return functools.partial(pulled, y)


# %% 2 · right
class rule:
    def __init__(self, y, x):
        self.y = y

    def __call__(self, u):
        return u * (1.0 - mg.abs(self.y)) ** 2


# %% 2 · not quite · your rule keeps x in memory, it should keep y alone.
def rule(y, x):
    return lambda u: u / mg.square(1.0 + mg.abs(x))


# %% 2 · not quite · your rule keeps x in memory, it should keep y alone.
def rule(y, x):
    return lambda u, x=x: u * mg.square(1.0 - mg.abs(y)) + 0.0 * x


# %% 2 · not quite · your rule keeps an array of its own in memory, it should keep y alone.
def rule(y, x):
    slope = mg.square(1.0 - mg.abs(y))
    return lambda u: u * slope


# %% 2 · not quite · the slope is wrong
def rule(y, x):
    return lambda u: u * (1.0 - mg.abs(y))


# %% 2 · not quite · your code raised TypeError: NumPy cannot read a Var: use the function of the same name in minigrad
def rule(y, x):
    return lambda u: u * (1.0 - np.abs(y)) ** 2


# %% 2 · not quite · your code raised IndexError
def rule(y, x):
    return lambda u: u * y[len(y) / 2]
