"""One page of a fit, in one file: where the sweet spots are, and how far that can be trusted."""

from sweetspot.report.page import Picture, report_html

__all__ = ["Picture", "report_html"]
