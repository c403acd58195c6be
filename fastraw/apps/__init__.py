"""Handlers that come in the box."""
