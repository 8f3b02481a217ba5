"""The promises about speed and size, measured: `python -m bench`, or `make bench`."""
