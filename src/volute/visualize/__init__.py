"""What a convolutional network has learned, made visible: its features and what it looks at."""
