"""The benchmarks of `tools/dev bench`: one file each, with `measure() -> list[Figure]`."""
