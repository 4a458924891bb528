"""HTTP in, workflows out, no rules."""
