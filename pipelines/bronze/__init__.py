"""Bronze, which keeps everything: shards that appear whole, reading them, records of sweeps, the same in a bucket."""
