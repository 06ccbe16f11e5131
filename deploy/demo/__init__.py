# SPDX-License-Identifier: PostgreSQL
"""A loopback PostgreSQL cluster under Patroni, and the proxies and clients in front of it."""
