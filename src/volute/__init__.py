"""volute: convolutional generative models, trained on your own data and run anywhere."""

__version__ = "0.1.0"
