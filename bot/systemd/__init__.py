"""Service files for systemd: templates, and the text with the paths of an installation."""
