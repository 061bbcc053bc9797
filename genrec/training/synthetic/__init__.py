"""Synthetic music for pretraining: arrangement, composition, rendering."""
