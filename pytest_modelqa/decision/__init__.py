"""Records to judgements: the score of everything, and whether to ship. Pure functions."""
