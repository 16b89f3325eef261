"""A-type K of CA1 pyramidal dendrites (Migliore et al. 1999), proximal and distal, to be added to a membrane.

Constants of ModelDB 2796 (kaprox.mod, kadist.mod) at the 34 degrees Celsius and E_K = -90 mV of its fig_1a.hoc. Default density:
0.048 S/cm2, that file's at the soma; the paper lets it grow with distance, proximal kinetics up to 100 um and distal beyond.
"""

import sympy as sp

from gradevo.channels.base import Channel, ChannelSet, Gate, V, at_least, sigmoid

CELSIUS = 34.0
PER_MV = 1e-3 * 9.648e4 / (8.315 * (273.16 + CELSIUS))
"""F / RT, 1/mV, with that code's constants."""
Q10 = 5.0 ** ((CELSIUS - 24) / 10)


def a_type(name: str, vhalf_mV: float, zeta: float, gamma: float, rate_per_ms: float, floor_ms: float) -> Channel:
    """n l: the valence of n grows by one below -40 mV; both time constants are limited from below, l's at 2 ms.

    Those limits are kinks: the loss has no second derivative where a voltage meets one, and a finite difference over it is off.
    """
    x = (zeta - sigmoid(-(V + 40) / 5)) * (V - vhalf_mV) * PER_MV
    n_tau = sp.exp(gamma * x) * sigmoid(-x) / (Q10 * rate_per_ms)
    return Channel(
        name,
        reversal_mV=-90.0,
        density_S_cm2=0.048,
        gates=(
            Gate("n", 1, steady_state=sigmoid(-x), time_constant=at_least(n_tau, floor_ms)),
            Gate("l", 1, steady_state=sigmoid(-3 * (V + 56) * PER_MV), time_constant=at_least(0.26 * (V + 50), 2.0)),
        ),
    )


def _alone(name: str, channel: Channel, source: str) -> ChannelSet:
    return ChannelSet(
        name=name,
        channels=(channel, Channel("leak", reversal_mV=-65.0, density_S_cm2=1 / 28000)),
        capacitance_uF_cm2=1.0,
        initial_voltage_mV=-65.0,
        free=(channel.name,),
        source=f"Migliore et al. 1999, J Comput Neurosci 7:5, ModelDB 2796 ({source})",
    )


K_A = _alone("k_a", a_type("KA", 11.0, -1.5, 0.55, 0.05, 0.1), "kaprox.mod, proximal")
K_A_DISTAL = _alone("k_a_distal", a_type("KA_distal", -1.0, -1.8, 0.39, 0.1, 0.2), "kadist.mod, distal")
