"""Cortical pyramidal cells of Pospischil et al. 2008: Na, Kd, M-type K and low-threshold Ca, in two named sets.

Equations are the paper's, with the numbers of its published code (ModelDB 123623), at 36 degrees Celsius: the paper prints
its factor 3^1.2 in the time constant of u, the Q10 of 3 from 24 to 36 degrees, rounded to 3.7, and the reversal of Ca as
120 mV.
"""

import sympy as sp

from gradevo.channels.base import Channel, ChannelSet, Gate, V, linoid, sigmoid

THRESHOLD_MV = -55.0
"""V_T, by which the paper moves the spike threshold: vtraub in both cells of ModelDB 123623."""
CA_SHIFT_MV = 2.0
"""V_x, by which the paper moves the low-threshold Ca current: shift in IT_huguenard.mod."""
M_TAU_MAX_MS = 1000.0
"""tau_max of the M-type current: taumax in sPY_template."""
U_Q10 = 3.0**1.2

U = V - THRESHOLD_MV
W = V + CA_SHIFT_MV


def na(density_S_cm2: float) -> Channel:
    """Sodium, after Traub and Miles 1991: m^3 h."""
    return Channel(
        "Na",
        reversal_mV=50.0,
        density_S_cm2=density_S_cm2,
        gates=(
            # 0.32 (U - 13) / (1 - exp(-(U - 13) / 4)) and 0.28 (U - 40) / (exp((U - 40) / 5) - 1)
            Gate("m", 3, alpha=1.28 * linoid((U - 13) / 4), beta=1.4 * linoid(-(U - 40) / 5)),
            Gate("h", 1, alpha=0.128 * sp.exp(-(U - 17) / 18), beta=4 * sigmoid((U - 40) / 5)),
        ),
    )


def kd(density_S_cm2: float) -> Channel:
    """Delayed rectifier, after Traub and Miles 1991: n^4."""
    gates = (Gate("n", 4, alpha=0.16 * linoid((U - 15) / 5), beta=0.5 * sp.exp(-(U - 10) / 40)),)
    return Channel("Kd", reversal_mV=-100.0, density_S_cm2=density_S_cm2, gates=gates)


def m_type(density_S_cm2: float) -> Channel:
    """Slow, non-inactivating K of spike-frequency adaptation, after Yamada et al. 1989: p."""
    x = (V + 35) / 20
    gates = (Gate("p", 1, steady_state=sigmoid(2 * x), time_constant=M_TAU_MAX_MS / (3.3 * sp.exp(x) + sp.exp(-x))),)
    return Channel("M", reversal_mV=-100.0, density_S_cm2=density_S_cm2, gates=gates)


def low_threshold_ca(density_S_cm2: float) -> Channel:
    """T-type Ca, after Destexhe et al. 1998: s^2 u, with s instantaneous."""
    u_tau = (30.8 + (211.4 + sp.exp((W + 113.2) / 5)) * sigmoid(-(W + 84) / 3.2)) / U_Q10
    return Channel(
        "CaT",
        reversal_mV=120.0,
        density_S_cm2=density_S_cm2,
        gates=(
            Gate("s", 2, steady_state=sigmoid((W + 57) / 6.2), time_constant=sp.Integer(0)),
            Gate("u", 1, steady_state=sigmoid(-(W + 81) / 4), time_constant=u_tau),
        ),
    )


_PAPER = "Pospischil et al. 2008, Biol Cybern 99:427, doi 10.1007/s00422-008-0263-8"

POSPISCHIL_RS = ChannelSet(
    name="pospischil_rs",
    channels=(na(0.05), kd(0.005), m_type(7e-5), Channel("leak", reversal_mV=-70.0, density_S_cm2=1e-4)),
    capacitance_uF_cm2=1.0,
    initial_voltage_mV=-70.0,
    free=("Na", "Kd", "M"),
    source=f"{_PAPER}: regular-spiking pyramidal cell, densities of ModelDB 123623 (sPY_template)",
)

POSPISCHIL_LTS = ChannelSet(
    name="pospischil_lts",
    channels=(na(0.05), kd(0.005), m_type(3e-5), low_threshold_ca(4e-4), Channel("leak", -85.0, 1e-5)),
    capacitance_uF_cm2=1.0,
    initial_voltage_mV=-84.0,
    free=("Na", "Kd", "M", "CaT"),
    source=f"{_PAPER}: low-threshold spiking (LTS) cell, densities of ModelDB 123623 (demo_PY_LTS)",
)
