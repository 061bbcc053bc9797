"""The discord.py client: responders, retries, checks, buttons and the error handler."""
