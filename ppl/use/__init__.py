"""A fit at work: predictions, checks, data sets made from it, comparison with others."""
