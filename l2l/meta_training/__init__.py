"""Meta-training: gradient descent on an optimizer's parameters φ."""
