"""Language: text -> syntax tree, and every message about it."""
