"""From cells to fits, sweet spots and the comparison with the paper."""
