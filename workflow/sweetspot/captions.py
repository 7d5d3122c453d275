"""What figures and tables are called, by the names of their files, and how figures are read."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caption:
    """What stands under a figure.

    Attributes:
        title: a few words, with its number where it has one.
        text: how it is to be read.
    """

    title: str
    text: str


FIGURES: Mapping[str, Caption] = {
    "figure1_requests": Caption(
        "Figure 1: efficiency and the number of requests",
        "Tokens per joule over input length I and output length O, a panel per number of"
        " requests N, all on one logarithmic colour scale. The framed cell is the most efficient"
        " of its panel; a white corner means that I + O is beyond the model's native context; a"
        " grey cell has no valid result. Dashes between the rows, where there are any, lead along"
        " the sweet spots of the batch form, which has one set of coefficients for all N.",
    ),
    "figure2_output_length": Caption(
        "Figure 2: efficiency and output length",
        "Tokens per joule against output length at the shortest input length, a panel per size"
        " family and a line per model. A ring marks the best cell run, that with the"
        " most tokens per joule; a white marker means that I + O is beyond the model's native"
        " context; a gap has no valid result.",
    ),
    "figure3_surface": Caption(
        "Figure 3: the shape that all models share",
        "Each model's tokens per joule are scaled to 0 (its least efficient cell) … 1 (its most"
        " efficient), then averaged over the models; both lengths are on logarithmic axes.",
    ),
    "figure3_heatmap": Caption(
        "Figure 3, flat: the same in numbers",
        "Each model's tokens per joule scaled to 0 … 1, then averaged over the models. The"
        " framed cell is the best of the grid; a star marks a mean of fewer models than"
        " elsewhere.",
    ),
    "figure4_batch": Caption(
        "Figure 4: efficiency and the batch limit",
        "Tokens per joule at the shortest input length, a panel per number of requests N and a"
        " line per max_batch_size. Limits above N allow nothing that N does not, so their lines"
        " coincide: the widest is the smallest limit. A ring marks the best cell of a line."
        " Where the batch form was fitted the lines are its own, with one set of coefficients for"
        " all loads, and markers are the cells.",
    ),
    "fit_curves": Caption(
        "Fitted curves through the cells, and sweet spots",
        "Energy per output token against output length, with the fitted curve, of Eq. 5 where the"
        " cells carry it, its 95 % band, and the sweet spot that Eq. 6 gives of Eq. 5, with its"
        " interval; a panel per model, or per input length of the only one.",
    ),
    "fit_errors": Caption(
        "What the fit misses",
        "Fitted against observed energy, and residuals against fitted energy, input length and"
        " output length, one dot a cell. A form that lacks nothing leaves residuals without a"
        " slope or a bend.",
    ),
    "fit_coefficients": Caption(
        "Coefficients with their 95 % intervals",
        "A panel per coefficient of the fitted form, of Eq. 5 where the cells carry it, and a row"
        " per model. A white marker means that zero is inside.",
    ),
    "batch_across": Caption(
        "Coefficients of the batch form, predicted from other models",
        "What the sizes of a model and the coefficients of the other models say of its"
        " coefficients, against those that its own cells gave.",
    ),
    "beside_simulator": Caption(
        "Simulated against measured",
        "Energy per output token and mean power of each cell, as measured and as the simulator"
        " says it; on the line they are equal.",
    ),
}

TABLES: Mapping[str, str] = {
    "table1_forms": "Table 1: the energy models",
    "table2_models": "Table 2: the models",
    "table3_mape": "Table 3: error of the energy models",
    "table4_significance": "Table 4: significance of the coefficients",
    "table5_coefficients": "Table 5: coefficients and sweet spots",
    "comparison": "Comparison with the paper",
    "batch_coefficients": "The batch form: coefficients",
    "batch_loads": "The batch form: errors by load",
}
