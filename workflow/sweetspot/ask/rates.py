"""What energy is and costs: kWh of the site, money and gCO2e, by the rates of whoever asks."""

from dataclasses import dataclass
from math import isfinite
from typing import Any

from sweetspot.errors import InputError
from sweetspot.units import J_PER_KWH

_DIRTIEST_G, _WORST_PUE = 2000.0, 4.0
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What a kWh costs, by its user's own numbers: none of them has a default.

    Attributes:
        price_per_kwh: money of any currency.
        gco2_per_kwh: g of CO2 equivalents.
        pue: power usage effectiveness, energy of the site per energy of its boards.

    Raises:
        InputError: one is negative or not finite, or a PUE is below 1.
    """

    price_per_kwh: float | None = None
    gco2_per_kwh: float | None = None
    pue: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for name, least in (("price_per_kwh", 0.0), ("gco2_per_kwh", 0.0), ("pue", 1.0)):
            value = getattr(self, name)
            if value is not None and not (least <= value and isfinite(value)):
                raise InputError(f"{name} must be a number of at least {least:g}, not {value}")

    @property
    def doubts(self) -> list[str]:
        """Warnings of rates that are likely in another unit."""
        found = []
        if self.gco2_per_kwh and not 1.0 <= self.gco2_per_kwh <= _DIRTIEST_G:
            found.append(
                f"Warning: {self.gco2_per_kwh:g} g of CO2 equivalents per kWh are of no grid, which"
                " have some 10 to 1000; give g, not kg"
            )
        if self.pue is not None and self.pue > _WORST_PUE:
            found.append(
                f"Warning: a PUE of {self.pue:g} is beyond that of any site; 1.2 means 20 % for all"
                " but the boards"
            )
        return found

    def priced(self, energy_j: float) -> Row:
        """Return what an energy of boards is in kWh of the site, and costs where that is known."""
        kwh = energy_j / J_PER_KWH * (self.pue or 1.0)
        row: Row = {"energy_kwh": kwh}
        for name, per_kwh in (("cost", self.price_per_kwh), ("gco2e", self.gco2_per_kwh)):
            if per_kwh is not None:
                row[name] = kwh * per_kwh
        return row

    def of(self, energy_j: float, factor: float) -> Row:
        """Return what an energy is and costs, with its interval.

        Args:
            energy_j: of all boards.
            factor: of its interval.
        """
        return {
            "energy_j": energy_j,
            "energy_low_j": energy_j / factor,
            "energy_high_j": energy_j * factor,
            **self.priced(energy_j),
        }
