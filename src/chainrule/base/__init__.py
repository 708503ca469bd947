"""The ground floor: errors, registries, durable files, the user's folders, and the random stream.

This room imports nothing of ours; every other room may import it.

A newcomer adds here
    a kind of failure       one class in `errors.py`;
    a way to touch a disk   one function in `files.py`.
The random stream in `random.py` is frozen: its golden tests hold every bit.
"""
