"""Statistics: arrays with any leading axes in, arrays out; no I/O, no frames, NaN where a value is not defined."""
