"""What the command line offers: one module for each thing that is spoken about."""
