"""One make-believe vendor for each booking platform, in a module of the platform's key that exports ``VENDOR``."""
