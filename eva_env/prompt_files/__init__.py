"""The world of the user's own prompts: a file or a folder, with topics and suites.

- ``world.py``: the task and its settings; ``rules.py``: the rules as a person reads them
- ``reading.py``: the rows of JSON Lines, CSV, Parquet, text and Markdown files
- ``columns.py``: the prompt in a row: text, or messages as TRL and chat templates have them
- ``data.py``: training prompts and suites without duplicates, and what was left out
"""

from eva_env.prompt_files.world import Prompts as Prompts
