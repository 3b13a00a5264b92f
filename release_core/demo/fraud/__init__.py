"""Takes a size and a story; gives a generated card-fraud release of that size, with the truth that was planted in it."""
