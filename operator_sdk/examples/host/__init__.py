"""An example host operator: its sites' agents behind a gateway, what they say to the hub, a page for staff."""
