"""Weeks of bookings in minutes: the whole engine under a virtual clock, judged by an oracle of its own."""
