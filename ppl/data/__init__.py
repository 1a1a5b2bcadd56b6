"""Data: files and values -> typed columns over named axes."""
