"""A running OpenAI-compatible server, as an engine.

`client` talks to it, `answers` reads a streamed answer, `load` sends a cell's requests, `metrics`
and `boards` find out what the server says of itself and computes on, `serving` is what users of a
server ask for, and `session` puts it together.
"""
