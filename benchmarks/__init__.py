"""Seeded logs and the programs that measure logscrub on them; not part of the package."""
