"""The wordlist world: verifiable writing instructions in a small English micro-language."""

from eva_env.wordlist.task import Wordlist as Wordlist
from eva_env.wordlist.verify import Gold as Gold
