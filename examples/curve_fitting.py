"""Fit a curve to measurements by least squares: derivatives, and no network.

    python examples/curve_fitting.py

The data are the set Misra1a of NIST's Statistical Reference Datasets (StRD, in the public domain):
volume against pressure, from a study of dental adsorption (D. Misra, 1978). NIST certifies the
parameters, their standard deviations and the residual sum of squares to eleven digits:
https://www.itl.nist.gov/div898/strd/nls/data/misra1a.shtml
"""

import numpy as np

import chainrule as cr

PRESSURE = np.array([77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8,
                     593.1, 689.1, 760.0])  # fmt: skip
VOLUME = np.array([10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01,
                   66.40, 75.47, 81.78])  # fmt: skip
CERTIFIED = {"b1": (2.3894212918e02, 2.7070075241e00), "b2": (5.5015643181e-04, 7.2668688436e-06)}
CERTIFIED_SUM_OF_SQUARES = 1.2455138894e-01


def curve(b, x):
    """y = b1·(1 - exp(-b2·x))."""
    return b[0] * (1 - cr.exp(-b[1] * x))


def levenberg_marquardt(residuals, start, iterations=1000):
    """Minimise Σ r(b)²   [Marquardt 1963].

    Each step solves the linear least squares (J; √λ·D)·s = (-r; 0), with the diagonal D of the
    greatest lengths that J's columns had so far   [Moré 1978]: Gauss and Newton's step for λ = 0,
    a short one downhill for a large λ.
    """
    b, damping, lengths = np.asarray(start, float), 1.0, 0.0
    r, jacobian = residuals(b).numpy(), cr.jacobian(residuals)
    for _ in range(iterations):
        J = jacobian(b).numpy()
        lengths = np.maximum(lengths, np.linalg.norm(J, axis=0))
        while True:  # until a step leads down
            system = np.vstack([J / lengths, np.sqrt(damping) * np.eye(b.size)])
            step = np.linalg.lstsq(system, np.append(-r, 0 * b), rcond=None)[0] / lengths
            if np.all(np.abs(step) <= 2.0**-52 * np.abs(b)):
                return b
            new = residuals(b + step).numpy()
            if new @ new < r @ r:
                break
            damping = max(4 * damping, 1e-12)
        b, r, damping = b + step, new, damping / 9
    raise ArithmeticError(f"not at a minimum after {iterations} steps")


def newton(f, b, steps=3):
    """Steps with the whole Hessian, of a point near a minimum of f.

    A sum of squares does not tell two points apart whose parameters agree in half of their digits;
    its gradient does.
    """
    gradient, hessian = cr.grad(f), cr.hessian(f)
    for _ in range(steps):
        b = b - np.linalg.solve(hessian(b).numpy(), gradient(b).numpy())
    return b


def fit(residuals, start):
    """The parameters with the least Σ r²."""
    near = levenberg_marquardt(residuals, start)
    return newton(lambda b: 0.5 * residuals(b).square().sum(), near)


def standard_errors(residuals, b):
    """√diag(s²·(JᵀJ)⁻¹) with s² = Σ r² / (n - p), and the same with the whole Hessian."""
    r, J = residuals(b).numpy(), cr.jacobian(residuals)(b).numpy()
    s = np.sqrt(r @ r / (r.size - b.size))
    # (JᵀJ)⁻¹ = J⁺·J⁺ᵀ, of columns scaled to length 1: to form JᵀJ would cost half of the digits.
    lengths = np.linalg.norm(J, axis=0)
    by_jacobian = s * np.linalg.norm(np.linalg.pinv(J / lengths), axis=1) / lengths
    hessian = cr.hessian(lambda b: 0.5 * residuals(b).square().sum())(b).numpy()
    return by_jacobian, s * np.sqrt(np.diag(np.linalg.inv(hessian)))


def main():
    residuals = lambda b: curve(b, PRESSURE) - VOLUME  # noqa: E731
    b = fit(residuals, [500.0, 0.0001])
    by_jacobian, by_hessian = standard_errors(residuals, b)
    print("     parameter         certified         std. error        certified         by Hessian")
    for i, (name, (value, deviation)) in enumerate(CERTIFIED.items()):
        numbers = (b[i], value, by_jacobian[i], deviation, by_hessian[i])
        print(name, "".join(f"{number:18.10e}" for number in numbers))
    total = residuals(b).square().sum().item()
    print(f"residual sum of squares {total:.10e}, certified {CERTIFIED_SUM_OF_SQUARES:.10e}")


if __name__ == "__main__":
    main()
