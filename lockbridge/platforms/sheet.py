"""Stays from a sheet that the host imports: nothing is asked for, nothing comes by itself, the last import holds."""

from lockbridge.platforms.contract import Platform

KEY = "sheet"

PLATFORM = Platform(
    key=KEY,
    title="Imported sheet",
    by_sheet=True,
    maturity="CSV and XLSX read and written by our own tests; formats documented on the import page.",
)
