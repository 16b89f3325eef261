"""Fisher information of a problem's recordings about its densities, and what bounds follow.

For voltages with independent Gaussian noise of standard deviation sigma on each recorded sample, F = J^T J / sigma2, J the
derivatives of the recorded voltages (Kay 1993, Fundamentals of Statistical Signal Processing, section 3.9). No unbiased
estimate of parameter i has a variance below (F^-1)_ii. J comes from the simulator's exact tangents and is never held.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from gradevo.identifiability.spectrum import Spectrum, spectrum
from gradevo.identifiability.squares import Squares, check_values
from gradevo.parameters import Parameters
from gradevo.problem import Problem


@dataclass(frozen=True, eq=False)
class Information:
    """At densities [P], under noise_mV.

    relative : [P, P] per squared unit of the logarithm of the densities: 1e4 means a density known to 1 %
    n_data : recorded samples that densities can change
    """

    parameters: Parameters
    densities: np.ndarray
    noise_mV: float
    relative: np.ndarray
    n_data: int

    @property
    def physical(self) -> np.ndarray:
        """[P, P] per product of the parameters' units (S/cm2, uF/cm2, ohm cm)."""
        return self.relative / self.densities[:, None] / self.densities

    @cached_property
    def spectrum(self) -> Spectrum:
        """Of the relative information."""
        return spectrum(self.relative)

    def drawn(self, directions: np.ndarray) -> np.ndarray:
        """Directions [P, k] in parameters as [k, quantities, compartments], for drawing on the neuron."""
        return self.parameters.per_compartment(np.asarray(directions).T)

    def weak_directions(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k least known directions, worst first: standard deviations [k] of the logarithm along them (infinite beyond the
        rank), and the unit vectors [k, quantities, compartments]."""
        found = self.spectrum
        with np.errstate(divide="ignore"):
            deviations = 1 / np.sqrt(found.eigenvalues[::-1][:k])
        return deviations, self.drawn(found.directions[:, ::-1][:, :k])


def fisher_information(problem: Problem, densities: np.ndarray, noise_mV: float) -> Information:
    """Of what `problem` records, at parameters [P] in physical units, under independent noise of noise_mV on every sample.

    Samples that were not recorded, or that the loss leaves out (windows), tell nothing.

    Raises ValueError for a noise that is not above 0, densities that are not positive, and where a simulation diverges.
    """
    squares = Squares(problem, noise_mV)
    values = check_values(problem, densities)
    products = squares.products(values)
    if not np.isfinite(products.loss):
        raise ValueError(f"problem {problem.name!r} diverges at these densities; take others, or a smaller dt_ms")
    return Information(problem.parameters, values, noise_mV, products.normal_matrix, squares.n_data)


def cramer_rao(information: Information, prior_sd: float | None = None) -> np.ndarray:
    """Smallest relative standard deviations [P] that an unbiased estimate can have: 0.01 is 1 %.

    prior_sd : what is known of every density beforehand, as a standard deviation of its logarithm. It adds 1 / prior_sd2 to
        every eigenvalue (the van Trees inequality's bound), so that a singular matrix has finite bounds too. None: nothing.

    Raises
    ------
    ValueError : without a prior, for fewer data than parameters or a singular matrix, in which case some bounds are infinite;
        a prior that is not positive
    """
    names, n = information.parameters.names, information.parameters.n_parameters
    if prior_sd is not None:
        if not (np.isfinite(prior_sd) and prior_sd > 0):
            raise ValueError(f"prior_sd is {prior_sd}; it must be positive: 0.3 says that densities are known to 30 % beforehand")
        matrix = information.relative + np.eye(n) / prior_sd**2
        return np.sqrt(np.diagonal(cho_solve(cho_factor(matrix), np.eye(n))))
    way_out = "record more, free fewer densities (regions), state a prior_sd, or take verdicts, which judge density by density"
    if information.n_data < n:
        raise ValueError(f"{n} parameters but {information.n_data} recorded samples: no bound exists for all of them; {way_out}")
    found = information.spectrum
    if found.rank < n:
        worst = ", ".join(names[i] for i in np.argsort(-found.null_share, kind="stable")[:3])
        raise ValueError(
            f"the information has numerical rank {found.rank} of {n}; it says nothing along {n - found.rank} directions "
            f"(most of all {worst}); {way_out}"
        )
    return np.sqrt(found.variances)
