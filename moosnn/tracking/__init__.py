"""What people see of a study: projections of its journal."""
