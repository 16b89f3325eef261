"""Na, K and leak of the published gradient study. Its right-hand side sees V + 49.2 mV; here the shift is written out."""

import math

import sympy as sp

from gradevo.channels.base import Channel, ChannelSet, Gate, V, sigmoid, softplus

SHIFT_MV = 49.2
U = V + SHIFT_MV

JONES2024 = ChannelSet(
    name="jones2024",
    channels=(
        Channel(
            "Na",
            reversal_mV=90.0 - SHIFT_MV,
            density_S_cm2=0.1,
            gates=(
                Gate(
                    "m",
                    2,
                    alpha=1.841 * softplus(0.17 * U + math.log(0.102)),
                    beta=2.010 * softplus(-0.139 * U + math.log(266.087)),
                ),
                Gate("h", 1, alpha=0.128 * sp.exp((17 - U) / 18), beta=4 * sigmoid((U - 40) / 5)),
            ),
        ),
        Channel(
            "K",
            reversal_mV=-80.0 - SHIFT_MV,
            density_S_cm2=0.045,
            # the published dn/dt carries a factor of 2 on both rates
            gates=(
                Gate(
                    "n",
                    1,
                    alpha=2 * 0.114 * softplus(0.14 * U + math.log(0.007)),
                    beta=2 * 0.25 * sp.exp((20 - U) / 40),
                ),
            ),
        ),
        Channel("leak", reversal_mV=-74.0 - SHIFT_MV, density_S_cm2=1e-3 / 37),
    ),
    capacitance_uF_cm2=0.45,
    initial_voltage_mV=-60.0,
    # gates start at the steady state of the unshifted rates at -60 mV
    gate_voltage_mV=-60.0 - SHIFT_MV,
    free=("Na", "K"),
    source="Jones and Kording 2024, arXiv 2407.04025, after Gidon et al. 2020 (ModelDB 254217)",
)
