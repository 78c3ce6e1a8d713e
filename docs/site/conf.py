"""Sphinx's configuration of the documentation site. tools/docs lays the pages out and runs it."""
import os
import re

project = "Bine"
author = "The Bine maintainers"
copyright = "the Bine maintainers, MIT licence"
release = version = os.environ["BINE_VERSION"]

extensions = ["myst_parser", "sphinx_design", "sphinx_copybutton"]
myst_enable_extensions = ["colon_fence", "attrs_inline"]
myst_heading_anchors = 4  # forges give headings the same anchors
highlight_language = "text"
# A session in a terminal need not be whole. The hazards stand two levels below their page's title.
suppress_warnings = ["misc.highlighting_failure", "myst.header"]

# In a session the prompt and what the program prints are not copied.
copybutton_prompt_text = r"\$ |bine> "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"Bine {release}"
html_static_path = ["static"]
html_css_files = ["bine.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_last_updated_fmt = None
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#176b4d", "color-brand-content": "#176b4d"},
    "dark_css_variables": {"color-brand-primary": "#63c79f", "color-brand-content": "#63c79f"},
}

# Addresses of others are not looked at: the site is checked without a network. Links within it are
# checked by nitpicky and -W.
nitpicky = True
linkcheck_ignore = [re.compile(r"https?://").pattern]
