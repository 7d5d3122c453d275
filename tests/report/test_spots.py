"""Sweet spots on a page: what is extrapolated is marked."""

import pandas as pd

from sweetspot.analysis.sweet_spots import SWEET_SPOTS
from sweetspot.report.spots import sweet_spots


def spots(model, lengths, inside):
    values = dict.fromkeys(SWEET_SPOTS, 1.0) | {"requests": 8, "max_batch_size": 64}
    return pd.DataFrame(
        [
            values
            | {"model": model, "input_tokens": 32 * (place + 1), "estimated_output_tokens": length}
            | {"estimate_inside_range": is_inside}
            for place, (length, is_inside) in enumerate(zip(lengths, inside, strict=True))
        ]
    )


def test_lengths_beyond_the_cells_are_marked_where_there_are_any():
    a = spots("a", (250.0, 900.0), (True, False))
    b = spots("b", (300.0, float("nan")), (True, False))
    table, note, _ = sweet_spots(pd.concat([a, b]))
    assert ">250 (1 to 1)<" in table
    assert ">900 (1 to 1)*<" in table
    assert table.count("*<") == 1
    assert "*: beyond the output lengths that were run" in note
    *_, note, _ = sweet_spots(pd.concat([a[:1], b]))
    assert "beyond" not in note
