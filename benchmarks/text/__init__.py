"""Texts: training and generation beside PyTorch, at equal network, weights at the start, chunks and steps.

    python -m benchmarks.text --text FILE --torch-python PYTHON

FILE is a text in UTF-8 of some 500,000 characters, e.g. a book in the public domain. Its last 5 % are held out. Both
sides learn the same streams, chunk after chunk with the state carried on, by Adam at a constant rate with clipping, in
turns of one pass over the text; then both are judged on the held-out part, read from its start to its end in one
stream, and continue a text symbol by symbol, each drawn from the softmax. Told are bits per character, seconds of a
pass, and symbols a second, with their ratios.
"""
