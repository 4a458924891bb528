"""How words reach people: texts from templates, and channels that carry them."""
