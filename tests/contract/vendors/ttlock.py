"""TTLock's cloud, make-believe."""

from providers.ttlock import TTLOCK
from tests.contract.brands import Brand
from tests.contract.vendors._sciener import RULES, SETTINGS, ScienerCloud

BRAND = Brand(
    spec=TTLOCK,
    rules=RULES,
    serve=lambda app: ScienerCloud(app).asgi(),
    settings=lambda url: {**SETTINGS, "url": url},
)
