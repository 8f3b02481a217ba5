"""Mutation testing of the modules that decide: `make mutate`."""
