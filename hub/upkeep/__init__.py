"""What breaks and who repairs it: drivers' faults, alarms of piles and sites, work orders."""
