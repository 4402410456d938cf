"""Who listens alike, computed ahead: the model that `flask taste build` makes."""
