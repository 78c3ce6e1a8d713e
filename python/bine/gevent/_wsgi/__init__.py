"""The parts of pywsgi: one module for each step of a request."""
