"""Takes the UCI credit card file and gives the four credit releases."""
