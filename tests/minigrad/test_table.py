"""python -m minigrad: the table of primitives."""

import minigrad as mg
from minigrad.__main__ import main, rows


def test_every_primitive_is_in_the_table_with_its_formula_and_rule(capsys):
    assert [row[0] for row in rows()] == list(mg.primitives)
    assert all(all(row) for row in rows())
    main()
    lines = capsys.readouterr().out.splitlines()
    (tanh,) = [line.split() for line in lines if line.startswith("tanh")]
    assert tanh == ["tanh", "y", "=", "tanh", "x", "g", "−", "g·y²", "any"]
