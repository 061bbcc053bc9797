"""OpenSubsonic: genrec's library and its search by sound for music players and servers."""
