"""How fast this computer runs the models, how fast it could, and on which engine."""
