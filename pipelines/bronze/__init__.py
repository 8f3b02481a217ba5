"""Bronze, which keeps everything: shards that appear whole, how they are read, records of sweeps, the same in a bucket."""
