"""Hyperpolarisation-activated cation current of CA1 pyramidal dendrites (Migliore et al. 2005), to be added to a membrane.

Constants of ModelDB 55035 (h.mod, fig2A.hoc): 35 degrees Celsius, E_h = -30 mV, half activation at -73 mV up to 100 um from
the soma and at -81 mV beyond. Default density: 5e-5 S/cm2, that file's at the soma, from where it grows with distance.
"""

import sympy as sp

from gradevo.channels.base import Channel, ChannelSet, Gate, V, sigmoid

CELSIUS = 35.0
PER_MV = 0.0378
"""F / RT, 1/mV, rounded as in that code."""
Q10 = 4.5 ** ((CELSIUS - 33) / 10)


def hyperpolarisation_activated(name: str, vhalf_mV: float) -> Channel:
    """l opens with hyperpolarisation; its time constant peaks near -75 mV whatever the half activation."""
    x = 2.2 * PER_MV * (V + 75)
    l_tau = sp.exp(0.4 * x) * sigmoid(-x) / (Q10 * 0.011)
    gates = (Gate("l", 1, steady_state=sigmoid(-(V - vhalf_mV) / 8), time_constant=l_tau),)
    return Channel(name, reversal_mV=-30.0, density_S_cm2=5e-5, gates=gates)


def _alone(name: str, channel: Channel, where: str) -> ChannelSet:
    return ChannelSet(
        name=name,
        channels=(channel, Channel("leak", reversal_mV=-70.0, density_S_cm2=1 / 28000)),
        capacitance_uF_cm2=1.0,
        initial_voltage_mV=-65.0,
        free=(channel.name,),
        source=f"Migliore et al. 2005, J Neurophysiol 94:4145, ModelDB 55035, after Magee 1998 (h.mod, {where})",
    )


IH = _alone("ih", hyperpolarisation_activated("Ih", -73.0), "proximal")
IH_DISTAL = _alone("ih_distal", hyperpolarisation_activated("Ih_distal", -81.0), "distal")
