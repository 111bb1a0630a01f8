"""albumup: upload a folder of photos as one album, and survive whatever happens on the way."""

__version__ = "0.1.0"
