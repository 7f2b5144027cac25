/^([^:]+):/ $1@example.com
