"""The environment that whoever starts a run and the plugin inside it agree on."""

NAME, REPORT = "INTERPILE_MUTANT", "INTERPILE_MUTANT_REPORT"
