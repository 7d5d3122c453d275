"""The look of figures."""

from dataclasses import dataclass
from typing import Annotated, Literal

from sweetspot.config.sections import Section
from sweetspot.schema.keys import Range

MIN_FONT_PT = 7.0
"""Nothing on a figure is set smaller than this: the usual lower limit of journals."""


@dataclass(frozen=True, kw_only=True)
class FigureStyle(Section):
    """Look of all figures. Every choice of colours is colour-blind safe and survives greyscale."""

    columns: Annotated[
        Literal[1, 2],
        "Journal columns that figures of several panels span: 2 sets the panels side "
        "by side, 1 stacks them. Figure 3 is always one column wide.",
    ] = 2
    single_width_in: Annotated[
        float, Range(ge=2.5, le=6.0), "Width of one journal column, in inches."
    ] = 3.35
    double_width_in: Annotated[
        float, Range(ge=5.0, le=12.0), "Width of two journal columns, in inches."
    ] = 7.0
    font_size_pt: Annotated[
        float,
        Range(ge=MIN_FONT_PT, le=10.0),
        "Font size at final size, in points; numbers inside heat maps stay at 7.",
    ] = MIN_FONT_PT
    palette: Annotated[
        Literal["colorblind", "okabe_ito"],
        "Colours of lines, eight of seaborn's or of Okabe and Ito's set; a family of"
        " models has the same in all figures.",
    ] = "colorblind"
    colormap: Annotated[Literal["viridis", "cividis", "magma"], "Colour scale of heat maps."] = (
        "viridis"
    )
    dpi: Annotated[int, Range(ge=72, le=1200), "Resolution of raster formats."] = 300

    @property
    def panels_width_in(self) -> float:
        """Width of a figure of several panels, in inches."""
        return self.double_width_in if self.columns == 2 else self.single_width_in
