"""The typed calls about disputes, suspense and the daily check of records."""
