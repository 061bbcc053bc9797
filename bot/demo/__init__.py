"""`genrec demo`: a scripted conversation with the bot on the local Discord."""
