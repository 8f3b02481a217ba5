"""The page: its data, its routes, the HTML file, and how it is served."""
