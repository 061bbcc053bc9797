"""`genrec demo`: a scripted conversation with the bot on a local Discord."""
