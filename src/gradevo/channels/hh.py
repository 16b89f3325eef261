"""Squid giant axon, as NEURON's built-in ``hh`` at 6.3 degrees Celsius."""

import sympy as sp

from gradevo.channels.base import Channel, ChannelSet, Gate, V, linoid, sigmoid

HH = ChannelSet(
    name="hh",
    channels=(
        Channel(
            "Na",
            reversal_mV=50.0,
            density_S_cm2=0.12,
            gates=(
                Gate("m", 3, alpha=linoid((V + 40) / 10), beta=4 * sp.exp(-(V + 65) / 18)),
                Gate("h", 1, alpha=0.07 * sp.exp(-(V + 65) / 20), beta=sigmoid((V + 35) / 10)),
            ),
        ),
        Channel(
            "K",
            reversal_mV=-77.0,
            density_S_cm2=0.036,
            gates=(Gate("n", 4, alpha=0.1 * linoid((V + 55) / 10), beta=0.125 * sp.exp(-(V + 65) / 80)),),
        ),
        Channel("leak", reversal_mV=-54.3, density_S_cm2=0.0003),
    ),
    capacitance_uF_cm2=1.0,
    initial_voltage_mV=-65.0,
    free=("Na", "K"),
    source="Hodgkin and Huxley 1952, J Physiol 117:500, in the convention of NEURON's hh.mod (rest at -65 mV)",
)
