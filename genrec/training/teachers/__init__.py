"""Published music taggers whose answers are training targets: network, answers, files."""
