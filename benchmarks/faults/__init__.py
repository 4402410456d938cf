"""What the service does where what it stands on fails: real processes, real load, and the table of what happened."""
