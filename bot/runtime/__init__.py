"""Start and stop of the bot: wiring, open resources, health endpoints, the instance lock."""
