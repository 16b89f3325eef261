"""What the study reported, number by number, and where each was read.

All come from the study's public repository, github.com/ilennaj/ode_neuron_backprop (Apache License 2.0,
doi 10.5281/zenodo.12745211) at commit 2334b66ae0667a8165db72185b2b928132905508: from the tables that its two notebooks write and
print, under the headings "Table 2" and "Table 3". What is not there is None here.
"""

from __future__ import annotations

from dataclasses import dataclass

REPOSITORY = "github.com/ilennaj/ode_neuron_backprop"
COMMIT = "2334b66ae0667a8165db72185b2b928132905508"

ELEVEN = "0,18,36,54,72,90,108,126,144,162,180"
"""The stimulated compartments of the 184."""

_IMAGES = "results/images/20240312"
_RECORDED = f"{_IMAGES}/Fig2a_data_ratio.csv"
_STIMULATED = f"{_IMAGES}/Fig2b_data_ratio.csv"
_LARGE = f"{_IMAGES}/Fig6a_data.csv"
_CELL_18 = "03_Visualize_Toy_Model.ipynb, output of cell 18"


@dataclass(frozen=True)
class Published:
    """Mean absolute errors of g_Na and g_K (mS/cm2) after the fit, its duration, and the files that say so.

    seed: of the true densities and the stimuli.
    """

    table: str
    stimulated: str
    recorded: str
    seed: int
    g_Na_error: float
    g_K_error: float
    hours: float | None
    errors_from: str
    hours_from: str


def _hours(hours: int, minutes: int, seconds: int) -> float:
    return hours + minutes / 60 + seconds / 3600


PUBLISHED = (
    Published("toy", "all", "all", 20230619, 0.318, 0.207, _hours(4, 38, 21), _RECORDED, _STIMULATED),
    Published("toy", "all", "0,1,-1", 20230619, 1.196, 0.820, _hours(4, 36, 26), _RECORDED, _CELL_18),
    Published("toy", "all", "0,-1", 20230619, 2.266, 1.681, _hours(4, 39, 56), _RECORDED, _CELL_18),
    Published("toy", "all", "0,1", 20230619, 3.128, 2.113, _hours(4, 41, 33), _RECORDED, _CELL_18),
    Published("toy", "all", "0", 20230619, 4.821, 3.546, _hours(4, 40, 23), _RECORDED, _CELL_18),
    Published("toy", "0,1,-1", "all", 20230619, 5.513, 3.814, _hours(4, 18, 47), _STIMULATED, _STIMULATED),
    Published("toy", "0,-1", "all", 20230619, 9.844, 4.342, _hours(4, 57, 49), _STIMULATED, _STIMULATED),
    Published("toy", "0,1", "all", 20230619, 9.748, 4.272, _hours(8, 23, 16), _STIMULATED, _STIMULATED),
    Published("toy", "0", "all", 20230619, 15.605, 9.189, _hours(7, 58, 22), _STIMULATED, _STIMULATED),
    Published("test184", ELEVEN, "all", 20230619, 16.277, 2.225, _hours(3, 1, 47), _LARGE, _LARGE),
    # 3:1:47 stands there too, but the notebook that computes it (cell 20) reads the first seed's log for both
    Published("test184", ELEVEN, "all", 20230620, 16.337, 2.203, None, _LARGE, ""),
    Published("test184", ELEVEN, "all", 20230622, 14.260, 2.233, _hours(3, 8, 34), _LARGE, _LARGE),
)


@dataclass(frozen=True)
class Reported:
    """What a row of the tables says of the study; None where it reported nothing."""

    g_Na_error: float | None = None
    g_K_error: float | None = None
    hours: float | None = None


def reported(table: str, stimulated: str, recorded: str, seed: int | None = None) -> Reported:
    """The study's value for a condition: of one seed, or the mean over all that it reported."""
    found = [
        each
        for each in PUBLISHED
        if (each.table, each.stimulated, each.recorded) == (table, stimulated, recorded) and seed in (None, each.seed)
    ]
    if not found:
        return Reported()
    timed = [each.hours for each in found if each.hours is not None]
    return Reported(
        sum(each.g_Na_error for each in found) / len(found),
        sum(each.g_K_error for each in found) / len(found),
        sum(timed) / len(timed) if timed else None,
    )
