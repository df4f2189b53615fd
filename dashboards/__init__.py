"""What people look at. Reads and writes only through storage."""
