"""One method trained several times, on every fold or with several seeds: what it scores, and one model of all."""
