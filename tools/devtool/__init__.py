"""The verbs of tools/dev: one file per verb in devtool/verbs, what they share beside it."""
