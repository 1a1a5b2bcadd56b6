"""Model: what names mean, which axes they have, and the graph between them."""
