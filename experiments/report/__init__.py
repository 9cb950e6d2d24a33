"""One HTML file that shows a training run or a comparison; ``eva report`` writes it.

- ``run.py``, ``comparison.py``: the two kinds of pages, each a list of sections
- ``creator.py``, ``solver.py``: sections of a run; ``record.py`` reads its folder
- ``strategies.py``, ``games.py``, ``flow.py``, ``cells.py``: sections of a comparison;
  ``summary.py`` reads its folder; ``settings.py``: the last section of both
- ``blocks.py``: what a section is made of; ``blocks.html`` has a macro for each;
  ``numbers.py``: numbers as people read them
- ``figures.py``, ``distributions.py``: charts, with their data and in words; ``drawing.py``: as
  SVG in the colours of the page
- ``tree.py``, ``tree.js``: the genealogy, embedded as data and drawn as it is opened
- ``page.py``, ``page.html``, ``style.css``, ``script.js``: the page around the sections

To add a section, write a function that takes the ``Record`` of a run or the ``Summary`` of a
comparison and returns a ``Section`` of blocks, or None where the record has nothing for it;
then name it in ``SECTIONS`` of ``run.py`` or ``comparison.py``. A record may be of an older
version, or of a run that was killed: read keys with ``get``; charts of nothing are None. Text
of models and users goes into blocks as it is: the templates escape it.
"""
