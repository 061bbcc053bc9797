"""HTTP interface: programs ask for genre, similar tracks, mixes and ways, without Discord."""
