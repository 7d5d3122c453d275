"""How far a run or a campaign is, from its files: who watches need not be who measures."""
