"""What WSGI is made of."""
