"""Where everything is remembered: tables, sessions, and the named questions about them. Rows never leave this room."""
