"""Seats of ``eva play``: a person in the place of a creator, a solver or a judge.

- ``terminal.py``: prints and asks, without control characters
- ``house_rules()`` of each world: what may be typed, and what it means
- ``seat.py``: rounds of the real game with a person among the players, shown and recorded
- ``creator.py``, ``solver.py``: the two players' seats, and the person as such a player
- ``exhibits.py``: answers of several players, and which two to show a judge next
- ``judge.py``: the judge's seat
- ``votes.py``: votes as data, and the matrix of wins that ratings are made of
"""
