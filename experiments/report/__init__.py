"""HTML pages of training runs and comparisons, for ``eva report`` and ``eva runs``.

- ``run.py``, ``comparison.py``: the two kinds of pages, each a list of sections
- ``result.py``, ``creator.py``, ``solver.py``: sections of a run; ``record.py`` reads its
  folder
- ``finding.py`` with ``differences.py``, ``arms.py``, ``matrices.py``, ``games.py``,
  ``flow.py``, ``drilldown.py``: sections of a comparison; ``summary.py`` reads its folder
- ``settings.py``: the last section of both
- ``listing.py``, ``index.py``: the runs of a folder, and the index page over them
- ``blocks.py``: the parts of a section, each with a macro in ``blocks.html``; ``entries.py``:
  entries of tables; ``numbers.py``: numbers as text, and the bounds of intervals
- ``charts.py``, ``panels.py``, ``distributions.py``: charts with their data; ``lines.py`` draws
  lines as SVG, ``drawing.py`` turns matplotlib figures into SVG; ``series.py``: a line as data
- ``tree.py``, ``tree.js``: the genealogy, embedded as data and drawn as it is opened
- ``page.py``: templates, style sheet and scripts in one file

To add a section, write a function that takes the ``Record`` of a run or the ``Summary`` of a
comparison and returns a ``Section`` of blocks, or None where the record has no data for it;
then name it in ``SECTIONS`` of ``run.py`` or ``comparison.py``. A record may be of an older
version, or of a run that was killed: read keys with ``get``; charts without data are None. Put
text of models and users into blocks unchanged: the templates escape it.
"""
