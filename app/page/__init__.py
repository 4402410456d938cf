"""What people see: the page at `/` (static/, templates/), and cards."""
