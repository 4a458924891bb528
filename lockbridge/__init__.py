"""lockbridge: a booking webhook becomes a working code on a lock, and a message to the guest."""

__version__ = "0.1.0"
