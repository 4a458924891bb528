"""``python -m lockbridge``."""

from lockbridge.cli import main

main()
