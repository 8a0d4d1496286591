"""How Sphinx makes the site of these pages: `make docs`.

Pages are Markdown, so that they read as well in the repository. A link or an anchor that leads nowhere
ends the build, and with it `make lint`. What a reader's browser loads comes from the site itself: no fonts,
scripts or styles from elsewhere, so that a copy serves on a network without Internet.
"""

from messenger import __version__

project = "Secure Messenger"
author = "the authors of Secure Messenger"
copyright = author
release = version = __version__

extensions = ["myst_parser", "sphinx_copybutton"]
root_doc = "index"
nitpicky = True

# Links to headings, spelt as code hosts spell them; all levels that a page here has.
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
copybutton_exclude = ".linenos, .gp, .go"
