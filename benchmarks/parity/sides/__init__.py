"""What runs in a process of its own, in an environment that has the package."""
