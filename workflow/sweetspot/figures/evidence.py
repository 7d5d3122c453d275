"""What the cells of a figure are worth: simulated, measured or published, and on what."""

from dataclasses import dataclass

import pandas as pd

from sweetspot.cells.intervals import interval_in_words
from sweetspot.errors import InputError
from sweetspot.figures.labels import board_name, engine_name, written_out

SIMULATED = "simulated"
_ORIGIN = ("simulated", "energy_source", "engine", "gpu", "calibration", "calibration_level")


@dataclass(frozen=True, slots=True)
class Evidence:
    """The one origin that all valid cells of a figure share.

    Attributes:
        kind: "simulated", "measured", or the `energy_source` of a published surface.
        engine: engine id, or empty where the cells name none.
        gpu: GPU id, or empty where the cells name none.
        calibration: the simulator's calibration and its level, or empty for other kinds.
        energy_source: which sensors gave the energy, e.g. "counter".
        noise: relative standard deviations that were put on simulated energies; empty for none.
    """

    kind: str
    engine: str
    gpu: str
    calibration: str
    energy_source: str
    noise: str = ""

    @property
    def stamp(self) -> str:
        """What stands inside every panel, as a crop of it would lose the small print."""
        return SIMULATED.upper() if self.kind == SIMULATED else ""

    @property
    def words(self) -> list[str]:
        """The parts of a provenance line, without empty ones."""
        measured = self.kind == "measured" and self.energy_source
        parts = [
            self.kind,
            engine_name(self.engine),
            board_name(self.gpu),
            f"calibration {written_out(self.calibration)}" if self.calibration else "",
            f"energy by {self.energy_source}" if measured else "",
            f"noise of {self.noise}" if self.noise else "",
        ]
        return [part for part in parts if part]

    @property
    def sentence(self) -> str:
        """Where the numbers come from, as alternative texts say it."""
        at = " on ".join(filter(None, [engine_name(self.engine), board_name(self.gpu)]))
        what = "Simulated, no GPU ran" if self.kind == SIMULATED else self.kind.capitalize()
        return f"{what}{f' ({at})' if at else ''}."


def is_true(flags: pd.Series) -> pd.Series:
    """Return flags as booleans, also where a table read from a file holds them as text."""
    if pd.api.types.is_bool_dtype(flags):
        return flags
    return flags.astype(str).str.lower().eq("true")


def valid_cells(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that carry a number which may be drawn."""
    return cells[(cells["status"] == "ok") & cells["tokens_per_j"].notna()]


def evidence_of(cells: pd.DataFrame) -> Evidence:
    """Return the origin of the valid cells.

    Raises:
        InputError: no cell is valid, or cells of different origin are mixed.
    """
    valid = valid_cells(cells)
    if valid.empty:
        raise InputError(
            f"none of {len(cells)} cells is valid, so there is nothing to draw; "
            "the column `reason` of the cells table says why they failed"
        )
    names = [name for name in _ORIGIN if name in valid]
    origins = valid.groupby(names, sort=False, dropna=False).size().reset_index(name="cells")
    return Evidence(
        kind=_only("origins", _kinds(origins), origins["cells"]),
        engine=_only("engines", _texts(origins, "engine"), origins["cells"]),
        gpu=_only("GPUs", _texts(origins, "gpu"), origins["cells"]),
        calibration=_only("calibrations", _calibrations(origins), origins["cells"]),
        # one board may fall back from its counter to its power readings for some cells only:
        # that is said on the figure, not refused
        energy_source=" and ".join(sorted(set(_texts(origins, "energy_source")) - {""})),
        noise=" and ".join(f"{100 * level:g} %" for level in noise_levels(valid)),
    )


def noise_levels(cells: pd.DataFrame) -> list[float]:
    """Return the relative standard deviations that simulated energies were given, if any."""
    if "noise" not in cells:
        return []
    return sorted(float(level) for level in pd.to_numeric(cells["noise"]).unique() if level > 0)


def provenance(cells: pd.DataFrame) -> str:
    """Return the small print of a figure: where its cells come from and how many there are.

    Somebody's cells may not say how many requests they are of: then nothing is said of it here.

    Raises:
        InputError: no cell is valid, or cells of different origin are mixed.
    """
    valid = valid_cells(cells)
    words = [*evidence_of(cells).words, *filter(None, [interval_in_words(valid)])]
    if "load_is_given" not in valid or is_true(valid["load_is_given"]).all():
        words.append(f"N = {_numbers(valid['requests'])}")
        words.append(f"max_batch_size {_numbers(valid['max_batch_size'])}")
    setting = ["model", "requests", "max_batch_size", "input_tokens", "output_tokens"]
    repeats = valid.groupby(setting).size()
    per_model = repeats.groupby("model").size()
    count = f"{_range(per_model)} cells"
    words.append(f"{len(per_model)} models, {count} each" if len(per_model) > 1 else count)
    if repeats.max() > 1:
        words.append(f"mean of {_range(repeats)} repeats")
    return " · ".join(words)


def _kinds(valid: pd.DataFrame) -> pd.Series:
    kinds = is_true(valid["simulated"]).map({True: SIMULATED, False: "measured"})
    sources = _texts(valid, "energy_source")
    return kinds.mask(sources.str.contains("published"), sources)


def _calibrations(valid: pd.DataFrame) -> pd.Series:
    """Return each cell's calibration, and its level where the name does not end in it."""
    names, levels = _texts(valid, "calibration"), _texts(valid, "calibration_level")
    return pd.Series(
        [
            name if name.endswith(level) else f"{name} ({level})"
            for name, level in zip(names, levels, strict=True)
        ],
        dtype=object,
    )


def _texts(cells: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of texts; one that a table does not have is of empty ones."""
    if name not in cells:
        return pd.Series("", index=cells.index, dtype=object)
    return cells[name].astype(object).fillna("").astype(str)


def _only(kind: str, values: pd.Series, cells: pd.Series) -> str:
    """Return the only name, of so many cells each; an absent one counts as a name of its own.

    Raises:
        InputError: there are several.
    """
    counts = cells.groupby(values, sort=False).sum()
    if len(counts) > 1:
        met = ", ".join(f"{name or 'none'} ({count} cells)" for name, count in counts.items())
        raise InputError(
            f"one figure cannot mix several {kind}: {met}; "
            "keep one of them in the cells table and draw the other apart"
        )
    return str(counts.index[0])


def _range(counts: pd.Series) -> str:
    fewest, most = int(counts.min()), int(counts.max())
    return str(most) if fewest == most else f"{fewest} to {most}"


def _numbers(values: pd.Series) -> str:
    return ", ".join(str(int(value)) for value in sorted(values.unique()))
