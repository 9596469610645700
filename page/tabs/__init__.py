"""The page's tabs, one module each; `build` puts a tab together."""
