"""python -m minigrad: the table of primitives, with formula, rule, and how often each can be differentiated."""

import textwrap

from minigrad import primitives


def rows():
    """(name, formula, VJP rule, order) of every primitive, read from the docstrings that the tests check."""
    for name, primitive in primitives.items():
        first, *rest = [line.strip() for line in primitive.__doc__.strip().splitlines()]
        text = " ".join([first, *rest])
        formula, _, rule = text.partition("VJP: ")
        order = "any" if primitive.order == 2 else str(primitive.order)
        yield name, formula.strip().split(". ")[0].rstrip("."), rule.strip().split(". ")[0].rstrip("."), order


def main():
    print(f"{'primitive':14} {'formula':58} {'cotangents of the arguments, from g':50} order")
    for name, formula, rule, order in rows():
        left, right = textwrap.wrap(formula, 58), textwrap.wrap(rule, 50)
        for i in range(max(len(left), len(right))):
            cells = (left[i] if i < len(left) else "", right[i] if i < len(right) else "")
            print(f"{name if not i else '':14} {cells[0]:58} {cells[1]:50} {order if not i else ''}".rstrip())


if __name__ == "__main__":
    main()
