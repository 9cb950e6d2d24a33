"""The worlds that commands know by name; add yours with ``| Mine``, or name it by its path."""

from eva_env.tabular.world import TabularWorld
from eva_env.wordlist import Wordlist

AnyWorld = Wordlist | TabularWorld
