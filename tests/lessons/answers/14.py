# %% 1 · right
plan = {"preprocess": "log-sign", "scale": 0.1, "episodes": 4, "steps": 100, "meta_learning_rate": 0.03}

# %% 1 · not quite · 13 episodes of 100 steps are 1,300 steps, and the budget is 1,200.
plan = {"preprocess": "log-sign", "scale": 0.1, "episodes": 13, "steps": 100, "meta_learning_rate": 0.03}

# %% 1 · not quite · you won 0 of 10. Larger meta-steps, or more of them, or longer episodes?
plan = {"preprocess": "log-sign", "scale": 0.1, "episodes": 2, "steps": 60, "meta_learning_rate": 0.01}

# %% 1 · not quite · the check cannot use your answer: it raised L2LError: preprocess is
plan = {"preprocess": "logarithm", "scale": 0.1, "episodes": 1, "steps": 20, "meta_learning_rate": 0.03}

# %% 1 · not yet · replace the ... in the cell above
plan = {"preprocess": "log-sign", "scale": ..., "episodes": 1, "steps": 20, "meta_learning_rate": 0.03}
