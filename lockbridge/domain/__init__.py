"""The rules of the product: pure functions of values, with ``now`` passed in. No I/O, no framework, no clock."""
