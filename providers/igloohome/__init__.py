"""igloohome: locks, keypads and keyboxes that know their codes by an algorithm; with a bridge also by remote control.

Two ways to a code, two kinds of lock:

* **algoPIN** (class B, every device): the cloud works the digits out from the lock's own key and the window. Nothing
  has to reach the lock and there is nothing to confirm; nothing can be chosen, changed or taken back either. See
  :mod:`~providers.igloohome.algopin` for windows, the code of a second guest in the same hours, and codes that are not
  used in time.
* **through the bridge** (class A, where the host chose so): our digits, written and deleted by jobs that the bridge
  carries out. See :mod:`~providers.igloohome.bridge` for what a job proves and what it does not.

The API lists no codes – neither what it gave out nor what a lock holds – so no lock can be asked (``Readback.NONE``).
A lock with a bridge gets algoPINs unless the host says otherwise: they are certain at once, a job often is not.
The API has no webhooks. Facts: the public SDK ``igloohome-api`` and Seam's guide to igloohome; marked *unverified*
where neither says it.
"""

from providers.igloohome.client import PROVIDER, Igloohome

__all__ = ["PROVIDER", "Igloohome"]
