"""TTLock (the Sciener cloud, API v3) and Sifely, which speaks a dialect of it.

:class:`Sciener` is the driver of both; what tells them apart is a :class:`Dialect`. Sources are the vendor's own
pages under euopen.ttlock.com/document-pages as of 2026; Sifely publishes less, so that its dialect follows what
other people's programs are seen to send.
"""

from providers.ttlock.brands import SIFELY, TTLOCK
from providers.ttlock.dialects import Dialect
from providers.ttlock.driver import Sciener

__all__ = ["SIFELY", "TTLOCK", "Dialect", "Sciener"]
