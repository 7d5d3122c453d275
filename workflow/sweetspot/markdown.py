"""Tables in Markdown, whatever their cells hold."""

from collections.abc import Iterable, Sequence


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[bool] | None = None
) -> str:
    """Return a table in Markdown, with no line end after its last line.

    Args:
        header: the columns' titles.
        rows: the cells' texts, which may be Markdown themselves.
        right: by column whether it is aligned right, otherwise left; the cells of a column are
            then equally wide, so that the table reads well as plain text, too. None: cells stand
            as they are.
    """
    title, *body = ([cell(text) for text in line] for line in (header, *rows))
    if right is None:
        rule = "|" + " --- |" * len(title)
    else:
        sides = [">" if each else "<" for each in right]
        columns = zip(title, *body, strict=True)
        widths = [max(len(first) + 2, *map(len, others), 0) for first, *others in columns]
        title, *body = (
            [f"{text:{side}{width}}" for text, side, width in zip(line, sides, widths, strict=True)]
            for line in (title, *body)
        )
        dashes = ["-" * (width + 1) for width in widths]
        ends = [f"{d}:" if side == ">" else f":{d}" for d, side in zip(dashes, sides, strict=True)]
        rule = f"|{'|'.join(ends)}|"
    first, *others = (f"| {' | '.join(line)} |" for line in (title, *body))
    return "\n".join([first, rule, *others])


def cell(text: str) -> str:
    """Return a text that stays in its cell of a table: no bar ends it, and no line."""
    return " ".join(text.splitlines()).strip().replace("|", r"\|")
