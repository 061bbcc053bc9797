"""Start and stop of the bot: wiring, resources, health endpoints, the instance lock."""
