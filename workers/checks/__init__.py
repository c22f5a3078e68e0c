"""What is looked at before a team runs, one module for each kind of mistake."""
