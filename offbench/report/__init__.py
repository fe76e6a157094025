"""What people look at: the report of a suite, the Gantt chart of a placement, figures for papers.

`charts` computes what is to be seen; `page` puts it on one HTML page, `static_figures` into PDF and PNG files.
"""
