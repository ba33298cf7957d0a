"""What runs in the processes of the sides; each may live in an environment of its own."""
