"""The look of figures."""

from typing import Annotated, Literal

from pydantic import Field

from sweetspot.config.sections import Section, WholeNumber

MIN_FONT_PT = 7.0
"""Nothing on a figure is set smaller than this: the usual lower limit of journals."""


class FigureStyle(Section):
    """Look of all figures. Every choice of colours is colour-blind safe and survives greyscale."""

    columns: Annotated[Literal[1, 2], WholeNumber] = Field(
        default=2,
        description="Journal columns that figures of several panels span: 2 sets the panels side "
        "by side, 1 stacks them. Figure 3 is always one column wide.",
    )
    single_width_in: float = Field(
        default=3.35, ge=2.5, le=6.0, description="Width of one journal column, in inches."
    )
    double_width_in: float = Field(
        default=7.0, ge=5.0, le=12.0, description="Width of two journal columns, in inches."
    )
    font_size_pt: float = Field(
        default=MIN_FONT_PT,
        ge=MIN_FONT_PT,
        le=10.0,
        description="Font size at final size, in points; numbers inside heat maps stay at 7.",
    )
    palette: Literal["colorblind", "okabe_ito"] = Field(
        default="colorblind",
        description="Colours of lines, eight of seaborn's or of Okabe and Ito's set; a family of"
        " models has the same in all figures.",
    )
    colormap: Literal["viridis", "cividis", "magma"] = Field(
        default="viridis", description="Colour scale of heat maps."
    )
    dpi: int = Field(default=300, ge=72, le=1200, description="Resolution of raster formats.")

    @property
    def panels_width_in(self) -> float:
        """Width of a figure of several panels, in inches."""
        return self.double_width_in if self.columns == 2 else self.single_width_in
