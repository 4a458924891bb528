"""The two brands as hosts connect them."""

from functools import partial

import httpx

from lockbridge.contract import Connection, FormField, ProviderSpec
from lockbridge.outbound import SignIn, Vendor
from providers.ttlock.dialects import SIFELY_DIALECT, TTLOCK_DIALECT, Dialect, base_of
from providers.ttlock.driver import Sciener
from providers.ttlock.errors import READS
from providers.ttlock.hook import HOOK
from providers.ttlock.wire import KINDS

_PATIENCE = httpx.Timeout(30.0, connect=5.0)
"""A command goes to the gateway and by radio to the lock before it is answered."""


def _connect(dialect: Dialect, connection: Connection) -> Sciener:
    """The account with these settings. Raises AccountRefused when its address cannot be one."""
    base = base_of(connection, dialect)
    sign_in = SignIn(connection.tokens, dialect.renew(connection, base), dialect.carry(connection))
    vendor = Vendor(
        connection.http, base, READS, connection.now, timeout=_PATIENCE, sign_in=sign_in, pace=connection.pace
    )
    return Sciener(vendor, dialect)


TTLOCK = ProviderSpec(
    key="ttlock",
    title="TTLock",
    fields=(
        FormField("client_id", "Client ID", help="open.ttlock.com → your application (approval takes some days)"),
        FormField("client_secret", "Client secret", secret=True, help="open.ttlock.com → your application"),
        FormField("username", "User", help="how you sign in to the TTLock app; not the developer account"),
        FormField("password", "Password", secret=True, help="that of the TTLock app"),
        FormField(
            "url",
            "Address",
            help="https://cnapi.ttlock.com for accounts of mainland China; all others as it stands",
            default=TTLOCK_DIALECT.url,
        ),
    ),
    connect=partial(_connect, TTLOCK_DIALECT),
    kinds=KINDS,
    hook=HOOK,
    maturity="tested against our make-believe vendor",
)

SIFELY = ProviderSpec(
    key="sifely",
    title="Sifely",
    fields=(
        FormField("client_id", "Client ID", help="Sifely's support gives it out with the access to the API"),
        FormField("username", "User", help="how you sign in to the Sifely app"),
        FormField("password", "Password", secret=True, help="that of the Sifely app"),
        FormField("url", "Address", help="another one only if Sifely's support names it", default=SIFELY_DIALECT.url),
    ),
    connect=partial(_connect, SIFELY_DIALECT),
    kinds=KINDS,
    maturity="tested against our make-believe vendor",
)
