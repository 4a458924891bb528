"""Seam: one API key, the locks of many brands (Schlage, Yale, August, Kwikset, Nuki, TTLock, SmartThings, …).

Seam takes a code at any time, brings it to the lock by itself and says afterwards how that went: no answer to a write
confirms anything, the next look does. Facts without a source named are those of Seam's published OpenAPI
(npm @seamapi/types 1.977.0) and of docs.seam.co (July 2026).

Limits are published for each device only (10 creations, 10 updates, 20 deletions, 15 unlocks a minute; docs.seam.co,
"Rate limits and guardrails"), none for an account: a 429 is waited out. Seam's own pool of backup codes is not used.

A look is two requests, since strangers' codes stand in a list of their own: a single code costs three, from two codes
on a lock it is two for each.
"""

from providers.seam.client import PROVIDER

__all__ = ["PROVIDER"]
