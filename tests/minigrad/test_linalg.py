"""`minigrad.linalg` and einsum: what random samples do not show."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.ops import contractions

X = np.random.default_rng(0).normal(size=(3, 3))
DEFINITE = X @ X.T + np.eye(3)


def test_functions_can_be_imported_as_from_numpy():
    from minigrad.linalg import cholesky, inv, slogdet, solve

    assert [f.__name__ for f in (cholesky, inv, slogdet, solve)] == mg.linalg.__all__


def test_inverse_and_solution_agree():
    np.testing.assert_allclose(mg.linalg.inv(DEFINITE) @ X, mg.linalg.solve(DEFINITE, X), rtol=1e-12)


# ------------------------------------------------------------------------------------------ slogdet


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_slogdet_is_sign_and_logarithm_of_the_determinant(sign):
    x = DEFINITE.copy()
    x[0] *= sign
    found = mg.linalg.slogdet(x)
    assert (found.sign, found.logabsdet) == tuple(np.linalg.slogdet(x))
    assert found.sign == sign
    mg.check_gradients(lambda x: mg.linalg.slogdet(x).logabsdet, x, step=3e-3)


def test_gradient_of_slogdet_is_the_transposed_inverse():
    gradient = mg.grad(lambda x: mg.linalg.slogdet(x)[1])(X)
    np.testing.assert_allclose(gradient, np.linalg.inv(X).T, rtol=1e-12)


def test_determinant_may_be_written_with_slogdet():
    def det(x):
        sign, logabsdet = mg.linalg.slogdet(x)
        return sign * mg.exp(logabsdet)

    assert det(X) == pytest.approx(np.linalg.det(X), rel=1e-12)
    mg.check_gradients(det, X, step=3e-3)


def test_slogdet_of_large_matrices_does_not_overflow():
    x = 1e5 * np.eye(100)
    value, gradient = mg.value_and_grad(lambda x: mg.linalg.slogdet(x)[1])(x)
    assert value == pytest.approx(100 * np.log(1e5))
    np.testing.assert_allclose(gradient, 1e-5 * np.eye(100))


def test_singular_matrix_has_a_slogdet_and_no_gradient():
    singular = np.ones((2, 2))
    assert tuple(mg.linalg.slogdet(singular)) == (0.0, -np.inf)
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        mg.grad(lambda x: mg.linalg.slogdet(x)[1])(singular)


# ------------------------------------------------------------------------------------------ Cholesky


def test_gradient_of_cholesky_is_symmetric():
    weights = np.random.default_rng(1).normal(size=(3, 3))
    gradient = mg.grad(lambda x: mg.sum(mg.linalg.cholesky(x) * weights))(DEFINITE)
    np.testing.assert_allclose(gradient, gradient.T, rtol=1e-12)


def test_cholesky_takes_the_symmetric_part():
    skew = X - X.T
    np.testing.assert_allclose(mg.linalg.cholesky(DEFINITE + skew), np.linalg.cholesky(DEFINITE), rtol=1e-12)


def test_what_is_put_above_the_diagonal_of_the_factor_sends_nothing_back():
    gradient = mg.grad(lambda x: mg.sum(mg.triu(mg.linalg.cholesky(x), 1) * X))(DEFINITE)
    np.testing.assert_array_equal(gradient, np.zeros((3, 3)))


def test_matrix_that_is_not_definite_is_refused():
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        mg.linalg.cholesky(-DEFINITE)


# ------------------------------------------------------------------------------------------ einsum


def test_einsum_of_large_operands_is_planned_and_the_same(monkeypatch):
    r = np.random.default_rng(0)
    x, y, z = r.normal(size=(40, 30)), r.normal(size=(30, 50)), r.normal(size=(50, 2))
    planned = mg.einsum("ij,jk,kl->il", x, y, z)
    gradients = mg.grad(lambda t: mg.sum(mg.einsum("ij,jk,kl->il", *t) * planned))((x, y, z))
    monkeypatch.setattr(contractions, "LARGE", np.inf)
    np.testing.assert_allclose(mg.einsum("ij,jk,kl->il", x, y, z), planned, rtol=1e-12)
    for found, expected in zip(
        mg.grad(lambda t: mg.sum(mg.einsum("ij,jk,kl->il", *t) * planned))((x, y, z)), gradients, strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-11)


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ii,i->i", [(1, 1), (3,)]),  # an axis of length 1 is stretched, on a diagonal, too
        ("ij,j->i", [(2, 1), (3,)]),
        ("i,i->", [(3,), (1,)]),
        ("i...i->...", [(3, 2, 3)]),
        ("... i j , ... j k", [(2, 2, 3), (3, 2)]),
        ("Ab,bA", [(2, 3), (3, 2)]),
        ("bA,Cb", [(2, 3), (2, 2)]),
    ],
)
def test_einsum_takes_what_numpy_takes(subscripts, shapes):
    arrays = [np.random.default_rng(i).normal(size=shape) for i, shape in enumerate(shapes)]
    np.testing.assert_allclose(mg.einsum(subscripts, *arrays), np.einsum(subscripts, *arrays), rtol=1e-13)
    mg.check_gradients(lambda *arrays: mg.einsum(subscripts, *arrays), *arrays)


def test_einsum_takes_numbers_among_its_operands():
    mg.check_gradients(lambda x: mg.einsum(",ij,ij->j", 2.0, x, x), X)


def test_einsum_of_one_array_twice():
    mg.check_gradients(lambda x: mg.einsum("ij,ij->", x, x) + mg.einsum("ij,kj->ik", x, x), X)


def test_einsum_refuses_lists_of_axes():
    with pytest.raises(TypeError, match=r"einsum takes a string .* einsum\('ij,jk->ik', x, y\)"):
        mg.einsum(X, [0, 1], X, [1, 2])


# ------------------------------------------------------------------------------------------ products with zeros


def second_derivatives(x):
    """∂²Πx/∂xᵢ∂xⱼ: the product of all others, 0 where i = j."""
    n = len(x)
    return np.array([[0.0 if i == j else np.prod(np.delete(x, [i, j])) for j in range(n)] for i in range(n)])


@pytest.mark.parametrize("zeros", [[], [2], [0, 3], [0, 1, 4], range(5)])
def test_second_derivatives_of_a_product_are_right_where_factors_are_0(zeros):
    x = np.array([0.5, -1.5, 2.0, 0.8, -0.7])
    x[list(zeros)] = 0.0
    np.testing.assert_allclose(mg.hessian(mg.prod)(x), second_derivatives(x), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(mg.hessian(lambda x: mg.cumprod(x)[-1])(x), second_derivatives(x), rtol=1e-13)


def test_third_derivative_of_a_product_of_three_zeros_is_1():
    third = mg.jacobian(lambda x: mg.hessian(mg.prod)(x))(np.zeros(3))
    assert third[0, 1, 2] == third[2, 0, 1] == 1.0
    assert third.sum() == 6.0
