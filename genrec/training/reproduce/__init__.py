"""Reproduction of the paper: its experiments, tables and figures on one page."""
