"""The wordlist world: verifiable writing instructions in a small English micro-language.

- ``task.py``: the task and its settings; ``rules.py``: the rules as a person reads them
- ``instruction.py``, ``lexicon.py``: the language, its parser and its words
- ``prompts.py``: distributions of instructions and the suites; ``operators.py``: their rewrites
- ``feasibility.py``: whether an instruction can be satisfied, and a response that does it
- ``verify.py``: the gold reward; ``response_rewriter.py``: repairs of responses
- ``demonstrations.py``: the training data of the starting policy
"""

from eva_env.wordlist.task import Wordlist as Wordlist
from eva_env.wordlist.verify import Gold as Gold
