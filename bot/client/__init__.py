"""The discord.py client and what it needs to answer: replies, retries, checks, buttons, errors."""
