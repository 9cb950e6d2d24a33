"""A person at the terminal as creator, solver or judge: the modules behind ``eva play``.

- ``terminal.py``: prints text and asks for lines, without control characters
- a world's ``house_rules()``: what a person may type, and what it means
- ``session.py``: rounds of the real game with a person as one player, shown and recorded
- ``creator.py``, ``solver.py``: the session of each player, and the person as that player
- ``answer_pairs.py``: the recorded responses of several players, and the next two to compare
- ``judge.py``: the session of a judge
- ``votes.py``: votes as data, and the matrix of wins from which ratings are fitted
- ``standings.py``: ratings of the players by the votes
"""
