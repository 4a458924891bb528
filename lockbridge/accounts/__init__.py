"""The connected lock-app accounts of this process: their drivers, tokens, pace and notebooks."""
