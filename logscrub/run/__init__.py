"""Drivers: what the commands do, with clocks, disks and threads, and without printing."""
