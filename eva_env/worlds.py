"""The worlds that commands know by name.

Add yours with ``| Mine``, or name it on the command line by its path.
"""

from eva_env.instruct import Instruct
from eva_env.prompt_files import Prompts
from eva_env.tabular.world import TabularWorld
from eva_env.wordlist import Wordlist

AnyWorld = Wordlist | TabularWorld | Instruct | Prompts
