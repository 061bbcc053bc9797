"""``genrec setup``: questions, the ``.env`` file, and checks of the bot's account."""
