"""Scrubbers: each turns the distinct values of one raw field into what may be kept of them."""
