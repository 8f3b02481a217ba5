"""What people look at: the page, its data, its routes, and how it is served."""
