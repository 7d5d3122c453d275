"""Tables in LaTeX, whatever their cells hold.

They need the package booktabs; wide ones, shrunk to the text's width, graphicx; long ones,
which may break over pages, longtable.
"""

import re
from collections.abc import Iterable, Sequence
from string import Template

_WIDE = 6  # columns that fit a page's text width

_ESCAPED = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "|": r"\textbar{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "²": r"\textsuperscript{2}",
        "⁹": r"\textsuperscript{9}",
        "·": r"$\cdot$",
        "±": r"$\pm$",
        "×": r"$\times$",
        "–": "--",
    }
)

_TABLE = Template(
    r"""\begin{table}
\caption{$caption}
\label{$label}
$tabular
$notes\end{table}
"""
)

_TABULAR = Template(
    r"""\begin{tabular}{$sides}
\toprule
$head
\midrule
$body\bottomrule
\end{tabular}"""
)

_LONG_TABLE = Template(
    r"""{\scriptsize
\begin{longtable}{$sides}
\caption{$caption} \label{$label} \\
\toprule
$head
\midrule
\endfirsthead
\caption[]{$caption} \\
\toprule
$head
\midrule
\endhead
\midrule
\multicolumn{$columns}{r}{Continued on next page} \\
\midrule
\endfoot
\bottomrule
\endlastfoot
$body\end{longtable}
}
$notes"""
)


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    right: Sequence[bool],
    *,
    caption: str,
    label: str,
    notes: Sequence[str] = (),
    long: bool = False,
) -> str:
    """Return a table in LaTeX.

    Args:
        header: the columns' titles.
        rows: the cells' texts.
        right: by column whether it is aligned right, otherwise left.
        caption: stands above it.
        label: by which a text refers to it.
        notes: sentences, which stand below.
        long: may break over pages.
    """
    said = rf"\par\smallskip{{\footnotesize {escape(' '.join(notes))}}}" + "\n" if notes else ""
    parts = {
        "caption": escape(caption),
        "label": label,
        "columns": len(header),
        "sides": "".join("r" if each else "l" for each in right),
        "head": _row(header),
        "body": "".join(f"{_row(row)}\n" for row in rows),
        "notes": said,
    }
    if long:
        return _LONG_TABLE.substitute(parts)
    tabular = _TABULAR.substitute(parts)
    if len(header) > _WIDE:
        tabular = "\\resizebox{\\textwidth}{!}{%\n" + tabular + "}"
    return _TABLE.substitute(parts, tabular=tabular)


def escape(text: str) -> str:
    """Return text that LaTeX prints as it stands, but for alpha0 to alpha5, which get Greek."""
    return re.sub(r"\balpha([0-5])\b", r"$\\alpha_\1$", text.translate(_ESCAPED))


def _row(texts: Iterable[str]) -> str:
    return " & ".join(map(escape, texts)) + r" \\"
