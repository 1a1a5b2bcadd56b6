"""Report: what is shown of a fit, and the file it is kept in."""
