"""The one table of units. Everything public is in NEURON's units; the factors below are what the solver multiplies with.

========================  ============
voltage                   mV
time                      ms
current                   nA
length, diameter          um
area                      um2
capacitance per area      uF/cm2
conductance per area      S/cm2
axial resistivity         ohm cm
conductance               uS
capacitance               nF
========================  ============

In these, C dV/dt [nF mV/ms = nA] and g V [uS mV = nA] add up without a factor.
"""

UM2_TO_CM2 = 1e-8

S_PER_CM2_UM2_TO_US = 1e6 * UM2_TO_CM2
"""(S/cm2) x um2 -> uS"""

UF_PER_CM2_UM2_TO_NF = 1e3 * UM2_TO_CM2
"""(uF/cm2) x um2 -> nF"""

UA_PER_CM2_UM2_TO_NA = 1e3 * UM2_TO_CM2
"""(uA/cm2) x um2 -> nA"""

OHM_CM_PER_UM_TO_MOHM = 1e4 * 1e-6
"""(ohm cm) x um / um2 -> megaohm: 1 ohm cm / um = 1e4 ohm"""

MS_PER_CM2_TO_S_PER_CM2 = 1e-3
"""mS/cm2 (as the published study writes densities) -> S/cm2"""

CAPACITANCE, AXIAL_RESISTIVITY = "capacitance", "axial_resistivity"

PASSIVE_UNITS = {CAPACITANCE: "uF/cm2", AXIAL_RESISTIVITY: "ohm cm"}
"""What can be fitted besides densities, as configurations and tables name it"""

DENSITY_UNIT = "S/cm2"
