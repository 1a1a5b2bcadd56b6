"""Numbers: what autograd needs to know about functions and arrays; no model, no data."""
