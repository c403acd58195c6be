"""Sockets and threads: the only place in fastraw that has them."""
